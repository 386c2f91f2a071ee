package estate

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bascule/bascule/examples/marketplace"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

var update = flag.Bool("update", false, "rewrite testdata")

// environments are the marketplace's.
var environments = []string{"preprod", "eu", "na", "ap"}

// translated is one environment, translated.
type translated struct {
	name   string
	source map[string][]byte
	set    *manifest.Set
	result *translate.Result
	files  tree.Files

	mu    sync.Mutex
	sides map[string][]*manifest.Object
}

// all translates each environment once.
var all = sync.OnceValues(func() (map[string]*translated, error) {
	out := map[string]*translated{}
	for _, name := range environments {
		source, err := marketplace.Manifests(name)
		if err != nil {
			return nil, err
		}
		if out[name], err = translation(name, source, func(*decision.Decisions) {}); err != nil {
			return nil, err
		}
	}
	return out, nil
})

func environment(t testing.TB, name string) *translated {
	t.Helper()
	of, err := all()
	if err != nil {
		t.Fatal(err)
	}
	return of[name]
}

// decided are the decisions of all environments.
var decided = sync.OnceValues(func() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, name := range environments {
		text, err := marketplace.Decisions(name)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
})

// translation translates the files of an environment, by its decisions and what decide changes in them.
func translation(name string, source map[string][]byte, decide func(*decision.Decisions)) (*translated, error) {
	all, err := decided()
	if err != nil {
		return nil, err
	}
	decisions, err := decision.Parse(all[name])
	if err != nil {
		return nil, err
	}
	decide(decisions)
	images, err := translate.ParseImages(marketplace.Images(source))
	if err != nil {
		return nil, err
	}
	facts, err := profile.Load()
	if err != nil {
		return nil, err
	}
	e := &translated{name: name, source: source}
	if e.set, err = read(source); err != nil {
		return nil, err
	}
	e.result = translate.Translate(translate.Input{Environment: name, Set: e.set, Decisions: decisions, File: name + ".yaml", Profile: facts, Images: images})
	e.files, err = tree.Render(e.result)
	return e, err
}

// read reads files as one stream, in the order of their names.
func read(source map[string][]byte) (*manifest.Set, error) {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(source)) {
		b.WriteString("---\n")
		b.Write(source[name])
		if !bytes.HasSuffix(source[name], []byte("\n")) {
			b.WriteString("\n")
		}
	}
	return manifest.Read(&b, "-")
}

// The sides that can be built. old is the source as it is, mirrored the source with the mirror among its components.
const (
	old      = "old"
	mirrored = "mirrored"
	standby  = "standby"
	live     = "live"
)

// layout is the files of a side's folder and of all that it builds on.
func (e *translated) layout(side string) (folder string, files map[string][]byte) {
	files = map[string][]byte{}
	for name, text := range e.files {
		files["/tree/"+name] = text
	}
	if side != mirrored {
		return "/tree/" + side, files
	}
	list := "components: [../tree/mirror]\nresources:\n"
	for _, name := range slices.Sorted(maps.Keys(e.source)) {
		files["/old/"+name] = e.source[name]
		list += "- " + name + "\n"
	}
	files["/old/kustomization.yaml"] = []byte(list)
	return "/old", files
}

// build builds a side, once.
func (e *translated) build(t testing.TB, side string) []*manifest.Object {
	t.Helper()
	if side == old {
		return e.set.Objects
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sides[side] != nil {
		return e.sides[side]
	}
	folder, files := e.layout(side)
	a := &applier{files: files}
	if err := a.folder(folder); err != nil {
		t.Fatalf("%s, %s: %v", e.name, side, err)
	}
	objects, err := a.built()
	if err != nil {
		t.Fatal(err)
	}
	if e.sides == nil {
		e.sides = map[string][]*manifest.Object{}
	}
	e.sides[side] = objects
	return objects
}

// kustomized lets Kustomize build a side, which takes a while.
func (e *translated) kustomized(t testing.TB, side string) []*manifest.Object {
	t.Helper()
	folder, files := e.layout(side)
	disk := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := disk.WriteFile(name, text); err != nil {
			t.Fatal(err)
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, folder)
	if err != nil {
		t.Fatalf("%s, %s: %v", e.name, side, err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	set, err := manifest.Read(bytes.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set.Objects
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := path.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), go test -update writes it anew:\n%s", file, diff)
	}
}

func at(v any, path ...string) any {
	for _, step := range path {
		m, _ := v.(map[string]any)
		v = m[step]
	}
	return v
}

func text(v any, path ...string) string { s, _ := at(v, path...).(string); return s }

func items(v any, path ...string) []any { l, _ := at(v, path...).([]any); return l }

func mapping(v any, path ...string) map[string]any {
	m, _ := at(v, path...).(map[string]any)
	return m
}

// lines joins texts in order, one a line.
func lines(texts []string) string {
	slices.Sort(texts)
	var b strings.Builder
	for _, s := range slices.Compact(texts) {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	return b.String()
}
