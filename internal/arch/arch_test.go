// Package arch fails the build when a package imports what its layer forbids.
package arch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers is docs/architecture.md as data, top first. A package may import any
// line above its own, and its own subpackages; never a neighbour on its line.
var layers = [][]string{
	{"schema", "finding", "fault", "secret"},
	{"event", "change", "journal"},
	{"convert/alter", "convert/expr", "mysql/wire", "mysql/binlog", "mysql/spool", "postgres/logical"},
	{"convert"},
	{"mysql", "postgres", "snapshot", "follow", "verify", "cutover"},
	{"migration"},
	{"kube/parts", "kube/story", "kube/plain"},
	{"kube/crd", "kube/builtin", "kube/manifest", "kube/profile"},
	{"kube/gateway", "kube/monitor", "kube/calico", "kube/cluster", "kube/branch"},
	{"kube/decision"},
	{"kube/translate"},
	{"kube/tree", "kube/check", "kube/drift", "kube/dependency", "kube/helm"},
	{"round"},
	{"round/store", "round/outside", "platform"},
	{"crossplane/pipeline"},
	{"crossplane"},
	{"round/account", "round/drive"},
	{"web"},
	{"cli"},
	{"servertest", "crosscheck", "storefront"},
	{"crosscheck/cmd", "acceptance", "acceptance/apiserver", "acceptance/estate", "acceptance/helm", "crashtest", "arch"},
}

// ends may know only their own dialect, whatever their layer would allow.
var forbidden = map[string][]string{
	"mysql":     {"convert", "convert/expr"},
	"postgres":  {"convert", "convert/expr"},
	"snapshot":  {"mysql", "postgres"},
	"follow":    {"mysql", "postgres"},
	"verify":    {"mysql", "postgres"},
	"cutover":   {"mysql", "postgres"},
	"migration": {"mysql", "postgres"},
	// The independent comparison shares nothing with what it judges.
	"crosscheck": {"convert", "convert/expr", "mysql", "mysql/wire", "postgres", "verify", "snapshot", "change"},
}

const root = "github.com/bascule/bascule/internal/"

type goPackage struct {
	ImportPath, Doc string
	Imports         []string
	TestGoFiles     []string
	XTestGoFiles    []string
	GoFiles         []string
}

func TestLayers(t *testing.T) {
	rank := map[string]int{}
	for i, ps := range layers {
		for _, p := range ps {
			rank[p] = i
		}
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, root)
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", name)
		}
		if _, ok := rank[name]; !ok {
			t.Errorf("%s is in no layer: add it to layers and to docs/architecture.md", name)
			continue
		}
		for _, imp := range p.Imports {
			dep, ok := strings.CutPrefix(imp, root)
			if !ok || dep == name {
				continue
			}
			if rank[dep] >= rank[name] && !strings.HasPrefix(name, dep+"/") {
				t.Errorf("%s must not import %s: data flows one way", name, dep)
			}
			for _, f := range forbidden[name] {
				if dep == f {
					t.Errorf("%s must not import %s: see forbidden", name, dep)
				}
			}
		}
	}
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Doc,GoFiles,TestGoFiles,XTestGoFiles", root+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var ps []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}
