package estate

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/examples/marketplace"
	"github.com/bascule/bascule/internal/cli"
	"github.com/bascule/bascule/internal/kube/decision"
)

// TestTheBaseIsTheSource: each document of the source that is not a List stands in the base byte for byte, once, and nothing else does.
func TestTheBaseIsTheSource(t *testing.T) {
	for _, name := range environments {
		e := environment(t, name)
		want := map[string]int{}
		for file, text := range e.source {
			if bytes.Contains(text, []byte("\nkind: List\n")) {
				continue
			}
			for doc := range bytes.SplitSeq(bytes.TrimPrefix(text, []byte("---\n")), []byte("\n---\n")) {
				doc = append(bytes.TrimSuffix(bytes.Clone(doc), []byte("\n")), '\n')
				if !bytes.Contains(doc, []byte("\nkind: ")) && !bytes.HasPrefix(doc, []byte("kind: ")) {
					continue // comments alone
				}
				want[string(doc)]++
				if bytes.Contains(doc, []byte("kind: Secret\n")) {
					t.Errorf("%s: %s has a Secret of its own: the test does not know such", name, file)
				}
			}
		}
		got := map[string]int{}
		listed := 0
		for file, text := range e.files {
			if strings.HasPrefix(file, "base/") && filepath.Base(file) != "kustomization.yaml" {
				if want[string(text)] == 0 {
					listed++
				} else {
					got[string(text)]++
				}
			}
		}
		for _, o := range e.set.Objects {
			if o.Listed && o.Kind != "Secret" {
				listed--
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || listed != 0 {
			t.Errorf("%s (-source +base), %d that no List has:\n%s", name, listed, diff)
		}
	}
}

// TestOrderAndPlaceChangeNothing: the same objects in one file and in another order make the same tree.
func TestOrderAndPlaceChangeNothing(t *testing.T) {
	e := environment(t, "eu")
	var docs [][]byte
	for _, name := range slices.Sorted(maps.Keys(e.source)) {
		text := bytes.TrimSuffix(bytes.TrimPrefix(e.source[name], []byte("---\n")), []byte("\n"))
		docs = append(docs, bytes.Split(text, []byte("\n---\n"))...)
	}
	slices.Reverse(docs)
	turned, err := translation("eu", map[string][]byte{"all.yaml": append(bytes.Join(docs, []byte("\n---\n")), '\n')}, func(*decision.Decisions) {})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts(e.files), texts(turned.files)); diff != "" {
		t.Errorf("(-as it is +turned round):\n%s", diff)
	}
}

// TestNoValueOfASecretGetsIn: the Secrets of the source, and what looks like one, are in no file of the tree.
func TestNoValueOfASecretGetsIn(t *testing.T) {
	for name, text := range environment(t, "ap").files {
		for _, value := range []string{"QUtJQUVYQU1QTEU=", "bm90LWEta2V5", "AKIAEXAMPLE", "not-a-key"} {
			if bytes.Contains(text, []byte(value)) {
				t.Errorf("%s has %s", name, value)
			}
		}
	}
}

// TestTheCommand runs the command as people do, by the example's bascule.yaml, and again: it writes the tree that the other tests look at, and then nothing.
func TestTheCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := environment(t, "na")
	for name, text := range e.source {
		file(t, filepath.Join(dir, "na", name), text)
	}
	decisions, err := marketplace.Decisions("na")
	if err != nil {
		t.Fatal(err)
	}
	file(t, filepath.Join(dir, "na.yaml"), decisions)
	file(t, filepath.Join(dir, "na.images"), marketplace.Images(e.source))
	platform, err := marketplace.Platform()
	if err != nil {
		t.Fatal(err)
	}
	file(t, filepath.Join(dir, "bascule.yaml"), platform)
	run := func() string {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), []string{"kube", "translate", "--env", "na", "--file", filepath.Join(dir, "bascule.yaml")}, strings.NewReader(""), &out, &errs)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		return out.String()
	}
	if first := run(); !strings.Contains(first, fmt.Sprintf("na: %d objects", len(e.result.Objects))) {
		t.Errorf("it says %s", first)
	}
	for name, want := range e.files {
		if got, err := os.ReadFile(filepath.Join(dir, "gitops/generated/na", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not as the other tests see it: %v", name, err)
		}
	}
	if again := run(); !strings.Contains(again, "nothing changes") {
		t.Errorf("running again says %s", again)
	}
}

func file(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
