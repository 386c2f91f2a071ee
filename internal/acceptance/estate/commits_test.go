package estate

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/tree"
)

// TestThirtyCommits lets a source live for thirty commits, with a translation after each, beside overrides that people write. The tree's difference is
// as small as the change: a file below generated/ changes only if it is one of an object that changed, or a list that names it. Nothing people
// wrote changes, and running again does nothing. testdata/commits.golden says how large each difference was.
func TestThirtyCommits(t *testing.T) {
	t.Parallel()
	h := &history{out: t.TempDir(), source: maps.Clone(environment(t, "eu").source)}
	maps.DeleteFunc(h.source, func(name string, _ []byte) bool { // the teams' own; the platform's stays as it is, and takes time
		return strings.HasPrefix(name, "platform/") && name != "platform/namespaces.yaml"
	})
	h.translate(t)
	h.write(t)
	h.mine = overrides(t, h.out)
	var table strings.Builder
	fmt.Fprintf(&table, "%-58s %14s %20s\n", "", "source", "generated")
	fmt.Fprintf(&table, "%-58s %6s %7s %6s %6s %6s\n", "commit", "files", "lines", "files", "lines", "lists")
	for i, c := range commits {
		d := h.commit(t, c)
		// An object has at most four files: as it is, and what differs in three layers. Of those a line of the source changes at most the same line in its
		// copy, and one operation and its reason in each patch.
		// An Ingress has beside them the files of its load balancer, which others may share.
		if d.files > 4*d.objects+8*d.ingresses || d.lines > 4*d.sourceLines+20*d.objects+40*d.ingresses {
			t.Errorf("%s: %d objects and %d lines of the source make %d files and %d lines of the tree", c.name, d.objects, d.sourceLines, d.files, d.lines)
		}
		fmt.Fprintf(&table, "%-58s %6d %7d %6d %6d %6d\n", c.name, d.sourceFiles, d.sourceLines, d.files, d.lines, d.lists)
		if (i+1)%6 == 0 { // a disk takes its time
			h.write(t)
			h.still(t, c.name)
		}
	}
	t.Log("\n" + table.String())
	golden(t, "commits.golden", table.String())
	h.takesEffect(t)
}

// history is a source that lives, and its tree.
type history struct {
	out    string
	source map[string][]byte
	now    *translated
	// mine are the files that people wrote.
	mine map[string]string
}

// difference is what a commit changes. Lists are the lines of kustomizations.
type difference struct{ objects, ingresses, sourceFiles, sourceLines, files, lines, lists int }

// ofBalancer are files of load balancers: made for the Ingresses of one all together, and what holds them still in standby.
var ofBalancer = regexp.MustCompile(`^(translated/made|standby/patches)/[^/]+/(gateway|httproute|grpcroute|gcpgatewaypolicy|gcpbackendpolicy|healthcheckpolicy)[a-z.]*-`)

// commit changes the source and translates it.
func (h *history) commit(t *testing.T, c commit) (d difference) {
	t.Helper()
	was, before := maps.Clone(h.source), h.now
	c.change(t, h.source)
	if c.override != "" {
		h.mine["all/"+c.override] = "# " + c.name + "\n"
		put(t, h.out, "all/"+c.override, h.mine["all/"+c.override])
	}
	h.translate(t)
	touched := differing(documents(before), documents(h.now))
	d.objects = len(touched)
	for k := range touched {
		if strings.Contains(k, "/ingress ") {
			d.ingresses++
		}
	}
	known, after := renamed(texts(before.files), texts(h.now.files)), texts(h.now.files)
	for name := range differing(known, after) {
		n := linesBetween(known[name], after[name])
		if filepath.Base(name) == "kustomization.yaml" {
			d.lists += n
			continue
		}
		if d.ingresses > 0 && ofBalancer.MatchString(name) {
			d.files, d.lines = d.files+1, d.lines+n
			continue
		}
		if !owned(name, touched) && !madeFor(known[name], touched) && !madeFor(after[name], touched) {
			t.Errorf("%s: %s has changed, and belongs to nothing that did: %v", c.name, name, touched)
		}
		d.files++
		d.lines += n
	}
	for name := range differing(texts(was), texts(h.source)) {
		d.sourceFiles++
		d.sourceLines += linesBetween(string(was[name]), string(h.source[name]))
	}
	return d
}

func (h *history) translate(t *testing.T) {
	t.Helper()
	e, err := translation("eu", h.source, func(*decision.Decisions) {})
	if err != nil {
		t.Fatal(err)
	}
	h.now = e
}

// write writes the tree, and does it again from the start: the second time does nothing.
func (h *history) write(t *testing.T) {
	t.Helper()
	if _, err := tree.Write(h.out, "eu", h.now.files, false); err != nil {
		t.Fatal(err)
	}
	h.translate(t)
	changes, err := tree.Write(h.out, "eu", h.now.files, false)
	if err != nil || len(changes) > 0 {
		t.Fatalf("running again does %v, %v", changes, err)
	}
}

// still asks for what people wrote.
func (h *history) still(t *testing.T, when string) {
	t.Helper()
	for name, want := range h.mine {
		if got, err := os.ReadFile(filepath.Join(h.out, "overrides/eu", name)); err != nil || string(got) != want {
			t.Fatalf("%s: %s, which people wrote, is %q, %v", when, name, got, err)
		}
	}
}

func texts[M ~map[string][]byte](files M) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		out[name] = string(text)
	}
	return out
}

// overrides writes what people write: a patch, and an object of their own.
func overrides(t *testing.T, out string) map[string]string {
	t.Helper()
	mine := map[string]string{
		"all/kustomization.yaml": "# ours\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [banner.yaml]\n" +
			"patches:\n- {path: money.yaml, target: {kind: Deployment, name: storefront}}\n",
		"all/money.yaml":  "- {op: add, path: /spec/template/spec/priorityClassName, value: money}\n",
		"all/banner.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: banner, namespace: shop}\ndata: {text: we are moving}\n",
	}
	for name, text := range mine {
		put(t, out, name, text)
	}
	for _, phase := range []string{standby, live} {
		text, err := os.ReadFile(filepath.Join(out, "overrides/eu", phase, "kustomization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		mine[phase+"/kustomization.yaml"] = string(text)
	}
	return mine
}

func put(t *testing.T, out, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(out, "overrides/eu", name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// takesEffect builds what people apply, after all commits.
func (h *history) takesEffect(t *testing.T) {
	t.Helper()
	a := &applier{files: map[string][]byte{}}
	for name, text := range h.now.files {
		a.files["generated/eu/"+name] = text
	}
	for name, text := range h.mine {
		a.files["overrides/eu/"+name] = []byte(text)
	}
	if err := a.folder("overrides/eu/live"); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, o := range a.objects {
		if text(o, "metadata", "name") == "storefront" && text(o, "spec", "template", "spec", "priorityClassName") == "money" || text(o, "metadata", "name") == "banner" {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d of 2 overrides take effect", found)
	}
}

// documents are the texts of a source's objects, by namespace, kind and name.
func documents(e *translated) map[string]string {
	out := map[string]string{}
	for _, o := range e.set.Objects {
		out[fileOf(o)] = string(o.Text)
	}
	return out
}

// fileOf is where an object lies in the tree, without the group that kinds of others have.
func fileOf(o *manifest.Object) string {
	namespace := o.Namespace
	if namespace == "" {
		namespace = "_no-namespace"
	}
	return namespace + "/" + strings.ToLower(o.Kind) + " " + o.Name
}

// owned says whether a file of the tree is one of an object that was touched, or was made for one.
func owned(name string, touched map[string]bool) bool {
	dir, file := filepath.Split(name)
	namespace := filepath.Base(filepath.Clean(dir))
	for t := range touched {
		place, object, _ := strings.Cut(t, "/")
		kind, of, _ := strings.Cut(object, " ")
		if place == namespace && (strings.HasPrefix(file, kind+"-") || strings.HasPrefix(file, kind+".")) && strings.HasSuffix(file, "-"+of+".yaml") {
			return true
		}
	}
	return false
}

// renamed is what was there, under the names that files of the same kind and name have now in another namespace, as Git shows it.
func renamed(before, after map[string]string) map[string]string {
	out := map[string]string{}
	gone := map[string]string{}
	for name, text := range before {
		if _, there := after[name]; there {
			out[name] = text
		} else {
			gone[moved(name)] = name
		}
	}
	for name := range after {
		if from, was := gone[moved(name)]; was && before[name] == "" {
			out[name] = before[from]
			delete(gone, moved(name))
		}
	}
	for _, name := range gone {
		out[name] = before[name]
	}
	return out
}

// moved is a file's name without its namespace.
func moved(name string) string {
	return filepath.Join(filepath.Dir(filepath.Dir(name)), filepath.Base(name))
}

// madeFor says whether an object of bascule's own was made for one that was touched, as its first line says.
func madeFor(text string, touched map[string]bool) bool {
	first, _, _ := strings.Cut(text, "\n")
	of, ok := strings.CutPrefix(first, "# Made for ")
	kind, name, _ := strings.Cut(strings.TrimSuffix(of, "."), " ")
	namespace, name, namespaced := strings.Cut(name, "/")
	if !namespaced {
		namespace, name = "_no-namespace", namespace
	}
	return ok && touched[namespace+"/"+strings.ToLower(kind)+" "+name]
}

func differing(one, other map[string]string) map[string]bool {
	out := map[string]bool{}
	for name, text := range one {
		if other[name] != text {
			out[name] = true
		}
	}
	for name := range other {
		if _, there := one[name]; !there {
			out[name] = true
		}
	}
	return out
}

// linesBetween counts the lines that only one of two texts has.
func linesBetween(one, other string) int {
	count := map[string]int{}
	for l := range strings.Lines(one) {
		count[l]++
	}
	for l := range strings.Lines(other) {
		count[l]--
	}
	n := 0
	for _, c := range count {
		n += max(c, -c)
	}
	return n
}
