package tree_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

// render translates objects and lays them out.
func render(t testing.TB, in string) tree.Files {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(in), "-")
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	files, err := tree.Render(translate.Translate(translate.Input{Environment: "preprod", Set: set, Decisions: &decision.Decisions{}, File: "kube.yaml", Profile: p}))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// write writes them, and returns what it did.
func write(t *testing.T, out string, files tree.Files) []string {
	t.Helper()
	changes, err := tree.Write(out, "preprod", files, false)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, c := range changes {
		did = append(did, c.Do+" "+c.Path)
	}
	return did
}

// everything reads all files below a folder.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func deployment(name, selector string) string {
	return fmt.Sprintf("# of the team %[1]s\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s, namespace: shop}\nspec:\n  template:\n    spec:\n      containers: [{name: a,   image: \"a\"}]\n      nodeSelector: {%[2]s}\n", name, selector)
}

const spot = "eks.amazonaws.com/capacityType: SPOT"

func TestASourceThatChangesChangesItsOwnFilesOnly(t *testing.T) {
	out := t.TempDir()
	join := func(docs ...string) string { return strings.Join(docs, "---\n") }
	a, b := deployment("a", spot), deployment("b", "disk: fast")
	lists := []string{"change generated/preprod/files.sha256"}

	first := write(t, out, render(t, join(a, b)))
	if len(first) == 0 || everything(t, out)["generated/preprod/base/shop/deployment-a.yaml"] != a {
		t.Fatalf("%v\n%v", first, everything(t, out))
	}
	before := everything(t, out)
	if again := write(t, out, render(t, join(a, b))); len(again) > 0 {
		t.Errorf("nothing changed, and it did %v", again)
	}
	if moved := write(t, out, render(t, join(b, "# a comment only\n", a))); len(moved) > 0 {
		t.Errorf("objects that stand elsewhere did %v", moved)
	}

	steps := []struct {
		name, in string
		want     []string
	}{
		{"an image is bumped", join(strings.Replace(a, "\"a\"", "\"a:2\"", 1), b), []string{"change generated/preprod/base/shop/deployment-a.yaml"}},
		{"a service is added", join(strings.Replace(a, "\"a\"", "\"a:2\"", 1), b, deployment("c", "disk: slow")), []string{
			"change generated/preprod/base/kustomization.yaml", "create generated/preprod/base/shop/deployment-c.yaml",
			"change generated/preprod/mirror/kustomization.yaml", "create generated/preprod/mirror/patches/shop/deployment-c.yaml",
			"change generated/preprod/standby/kustomization.yaml", "create generated/preprod/standby/patches/shop/deployment-c.yaml",
		}},
		{"a selector goes", join(deployment("a", "disk: fast"), b, deployment("c", "disk: slow")), []string{
			"change generated/preprod/base/shop/deployment-a.yaml", "change generated/preprod/translated/kustomization.yaml", "remove generated/preprod/translated/patches/shop/deployment-a.yaml",
		}},
		{"a service goes", join(deployment("a", "disk: fast"), b), []string{
			"change generated/preprod/base/kustomization.yaml", "change generated/preprod/mirror/kustomization.yaml", "change generated/preprod/standby/kustomization.yaml",
			"remove generated/preprod/base/shop/deployment-c.yaml", "remove generated/preprod/mirror/patches/shop/deployment-c.yaml", "remove generated/preprod/standby/patches/shop/deployment-c.yaml",
		}},
	}
	override := filepath.Join(out, "overrides/preprod/all/kustomization.yaml")
	for i, s := range steps {
		mine := fmt.Sprintf("# ours, %d\n", i)
		if err := os.WriteFile(override, []byte(mine), 0o644); err != nil {
			t.Fatal(err)
		}
		got := write(t, out, render(t, s.in))
		want := append(slices.Clone(s.want), lists...)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
		if got := everything(t, out)["overrides/preprod/all/kustomization.yaml"]; got != mine {
			t.Errorf("%s: the override is %q", s.name, got)
		}
	}
	if err := os.WriteFile(override, []byte(before["overrides/preprod/all/kustomization.yaml"]), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, out, render(t, join(a, b)))
	if diff := cmp.Diff(before, everything(t, out)); diff != "" {
		t.Errorf("there and back (-before +after):\n%s", diff)
	}
}

// TestOverridesBuild lets Kustomize build what people apply, from the disk, and the mirror as a component of the source.
func TestOverridesBuild(t *testing.T) {
	out := t.TempDir()
	write(t, out, render(t, deployment("a", spot)+"---\napiVersion: v1\nkind: Pod\nmetadata: {name: lone, namespace: shop}\nspec: {containers: [{name: a, image: a}]}\n"))
	override := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels: [{pairs: {owner: us}}]\n"
	if err := os.WriteFile(filepath.Join(out, "overrides/preprod/all/kustomization.yaml"), []byte(override), 0o644); err != nil {
		t.Fatal(err)
	}
	for phase, want := range map[string][]string{"standby": {"owner: us", "replicas: 0", "gke-spot: \"true\""}, "live": {"owner: us", "gke-spot: \"true\"", "name: lone"}} {
		m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(out, "overrides/preprod", phase))
		if err != nil {
			t.Fatal(err)
		}
		text, err := m.AsYaml()
		for _, w := range want {
			if err != nil || !strings.Contains(string(text), w) {
				t.Errorf("%s has no %s: %v\n%s", phase, w, err, text)
			}
		}
		if phase == "standby" && strings.Contains(string(text), "lone") {
			t.Error("a single pod runs in standby")
		}
	}
}

func TestNothingIsLeftOfNothing(t *testing.T) {
	out := t.TempDir()
	write(t, out, render(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {x: eA==}\n"))
	for _, phase := range []string{"standby", "live"} {
		m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(out, "overrides/preprod", phase))
		if err != nil || m.Size() != 0 {
			t.Errorf("%s: %v", phase, err)
		}
	}
}

func TestWhatPeopleChangedBelowGeneratedIsRefused(t *testing.T) {
	files := render(t, deployment("a", spot))
	tests := map[string]func(dir string) error{
		"changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "base/shop/deployment-a.yaml"), []byte("mine"), 0o644)
		},
		"added":  func(dir string) error { return os.WriteFile(filepath.Join(dir, "mine.yaml"), nil, 0o644) },
		"unsure": func(dir string) error { return os.WriteFile(filepath.Join(dir, "files.sha256"), []byte("<<<<"), 0o644) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			write(t, out, files)
			if err := change(filepath.Join(out, "generated/preprod")); err != nil {
				t.Fatal(err)
			}
			before := everything(t, out)
			_, err := tree.Write(out, "preprod", render(t, deployment("b", "a: b")), false)
			if fault.ClassOf(err) != fault.Refused {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(before, everything(t, out)); diff != "" {
				t.Error(diff)
			}
		})
	}
	out := t.TempDir()
	write(t, out, files)
	if err := os.Remove(filepath.Join(out, "generated/preprod/base/shop/deployment-a.yaml")); err != nil {
		t.Fatal(err)
	}
	if did := write(t, out, files); !slices.Equal(did, []string{"create generated/preprod/base/shop/deployment-a.yaml"}) {
		t.Errorf("a file that is missing: %v", did)
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	out := t.TempDir()
	changes, err := tree.Write(out, "preprod", render(t, deployment("a", spot)), true)
	if err != nil || len(changes) == 0 || len(everything(t, out)) != 0 {
		t.Errorf("%v, %v, %v", changes, err, everything(t, out))
	}
}

// TestAnErrorLeavesTheOldTree lets the writing of the new one fail half way.
func TestAnErrorLeavesTheOldTree(t *testing.T) {
	out := t.TempDir()
	write(t, out, render(t, deployment("a", spot)))
	before := everything(t, out)
	// A file that cannot be: its name is the folder of another.
	files := render(t, deployment("b", spot))
	files["base/shop"] = []byte("x")
	if _, err := tree.Write(out, "preprod", files, false); err == nil {
		t.Fatal("it was written")
	}
	if diff := cmp.Diff(before, everything(t, out)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestAKillLeavesOneTree kills a writer at a random moment, again and again, and asks for the old tree or the new one, never a mixture.
func TestAKillLeavesOneTree(t *testing.T) {
	if out := os.Getenv("TREE_TEST_WRITE"); out != "" {
		for i := 0; ; i++ {
			write(t, out, render(t, many(i%2)))
		}
	}
	out := t.TempDir()
	write(t, out, render(t, many(0)))
	want := []map[string]string{whole(t, out)}
	write(t, out, render(t, many(1)))
	want = append(want, whole(t, out))
	for range 6 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAKillLeavesOneTree$")
		cmd.Env = append(os.Environ(), "TREE_TEST_WRITE="+out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed in the middle of work: when a new folder of its own appears.
		for !working(out) {
			if t.Context().Err() != nil {
				t.Fatal("it never began")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if got := whole(t, out); !cmp.Equal(got, want[0]) && !cmp.Equal(got, want[1]) {
			t.Fatalf("neither the old nor the new:\n%s", cmp.Diff(want[0], got))
		}
		left, _ := filepath.Glob(filepath.Join(out, "generated", ".preprod.*"))
		for _, l := range left {
			if err := os.RemoveAll(l); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func working(out string) bool {
	left, err := filepath.Glob(filepath.Join(out, "generated", ".preprod.*"))
	return err == nil && len(left) > 0
}

func whole(t *testing.T, out string) map[string]string {
	t.Helper()
	return everything(t, filepath.Join(out, "generated", "preprod"))
}

func many(round int) string {
	var docs []string
	for i := range 60 {
		docs = append(docs, deployment(fmt.Sprintf("d%d", i), fmt.Sprintf("round: r%d", round)))
	}
	return strings.Join(docs, "---\n")
}

// TestFileNamesAreSafeAndDifferent: no name leads out of its folder, and no two objects share one, also where letters have no case.
func TestFileNamesAreSafeAndDifferent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.StringMatching(`[a-zA-Z0-9._:/ \\~-]{1,12}`)
		var docs []string
		names := map[string]bool{}
		for range rapid.IntRange(1, 5).Draw(rt, "objects") {
			namespace, name := part.Draw(rt, "namespace"), part.Draw(rt, "name")
			if k := namespace + "\x00" + name; !names[k] && namespace != "default" {
				names[k] = true
				docs = append(docs, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %q, namespace: %q}\n", name, namespace))
			}
		}
		files := render(t, strings.Join(docs, "---\n"))
		folded := map[string]bool{}
		for name := range files {
			if !filepath.IsLocal(name) || strings.ToLower(name) != name {
				rt.Errorf("%q", name)
			}
			if strings.HasPrefix(name, "base/") {
				folded[strings.ToLower(name)] = true
			}
		}
		if len(folded) != len(docs)+1 {
			rt.Errorf("%d files for %d objects", len(folded), len(docs))
		}
	})
}
