package apiserver

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/story"
)

// stories applies what becomes of the source of each story that is told of the translation.
func stories(t *testing.T, d *definitions, p *program) {
	t.Helper()
	all, told, total := tally{fields: map[string]int{}}, 0, 0
	story.Each(t, "../../kube/translate/testdata/*.txtar", func(t *testing.T, s *story.Story) {
		total++
		dir := t.TempDir()
		args := []string{"kube", "translate", "--env", "preprod", "--out", filepath.Join(dir, "tree")}
		for name, flag := range map[string]string{"in.yaml": "--from", "decisions.yaml": "--config", "images": "--images"} {
			if text, there := s.Parts[name]; there {
				path := filepath.Join(dir, name)
				writeFile(t, path, []byte(text))
				args = append(args, flag, path)
			}
		}
		p.run(t, args...)
		told++
		d.translation(t, filepath.Join(dir, "in.yaml"), filepath.Join(dir, "tree"), "preprod", &all)
	})
	t.Log(&all)
	if told == total && (all.objects < 100 || len(all.fields) < 10) {
		t.Error("that is too little to prove anything")
	}
}

// estate applies what becomes of a whole environment: the folder of manifests that BASCULE_APISERVER_FROM names, with its decisions and its images
// beside it (eu, eu.yaml, eu.images), or else each environment of the example.
func estate(t *testing.T, d *definitions, p *program) {
	t.Helper()
	if from := os.Getenv("BASCULE_APISERVER_FROM"); from != "" {
		d.environment(t, p, filepath.Clean(from))
		return
	}
	const example = "examples/marketplace/cmd"
	if _, err := os.Stat("../../../" + example); err != nil {
		t.Skipf("there is no example here, and BASCULE_APISERVER_FROM names no manifests: %v", err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./"+example, dir)
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	decisions, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(decisions) == 0 {
		t.Fatal(dir, err)
	}
	told := 0
	for _, file := range decisions {
		from := strings.TrimSuffix(file, ".yaml")
		if _, err := os.Stat(from); err != nil {
			continue // bascule.yaml, which is about all of them
		}
		told++
		t.Run(filepath.Base(from), func(t *testing.T) { d.environment(t, p, from) })
	}
	if told == 0 {
		t.Error("no environment lies beside its decisions")
	}
}

// environment translates a folder of manifests, and applies what becomes of it.
func (d *definitions) environment(t *testing.T, p *program, from string) {
	t.Helper()
	name, tree := filepath.Base(from), t.TempDir()
	args := []string{"kube", "translate", "--from", from, "--env", name, "--out", tree}
	for end, flag := range map[string]string{".yaml": "--config", ".images": "--images"} {
		if _, err := os.Stat(from + end); err == nil {
			args = append(args, flag, from+end)
		}
	}
	p.run(t, args...)
	seen := tally{fields: map[string]int{}}
	d.translation(t, from, tree, name, &seen)
	t.Logf("%s: %s", name, &seen)
	for _, f := range slices.Sorted(maps.Keys(seen.fields)) {
		t.Logf("by phase: %s, of %d objects", f, seen.fields[f])
	}
	if seen.sourceRefused > 0 {
		t.Errorf("%d objects of the source are refused: it is no estate", seen.sourceRefused)
	}
}

// translation applies both phases of a tree.
func (d *definitions) translation(t *testing.T, from, tree, environment string, seen *tally) {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(""), from)
	if err != nil {
		t.Fatal(err)
	}
	var source []object
	for _, o := range set.Objects {
		source = append(source, plain(t, o.Value))
	}
	d.phases(t, source, kustomized(t, tree, environment, "standby"), kustomized(t, tree, environment, "live"), seen)
}

// kustomized is what GitOps applies for a phase.
func kustomized(t *testing.T, tree, environment, phase string) (out []object) {
	t.Helper()
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(tree, "overrides", environment, phase))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range m.Resources() {
		o, err := r.Map()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, plain(t, o))
	}
	return out
}

// plain is an object as it is read from JSON.
func plain(t *testing.T, o object) object {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
