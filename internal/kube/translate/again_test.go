package translate_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/bascule/bascule/internal/kube/translate"
)

// TestTranslatedAgain: of every story, so of every row, what the live side comes to is translated once more, by the same decisions, and stays as it is.
func TestTranslatedAgain(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		part := map[string]string{}
		for _, f := range archive.Files {
			part[f.Name] = string(f.Data)
		}
		built := build(t, translated(t, part["in.yaml"], part["decisions.yaml"], part["images"]), "live")["live"]
		r := translated(t, built, part["decisions.yaml"], part["images"])
		say := func(rule *translate.Rule, object fmt.Stringer, what string) {
			t.Errorf("%s: row %s changes %s again: %s", file, rule.ID, object, what)
		}
		for _, o := range r.Objects {
			for _, op := range o.Ops {
				say(op.Rule, o, fmt.Sprintf("%s %v %v: %s", op.Do, op.Path, op.Value, op.Why))
			}
			for _, gone := range []*translate.Reason{o.Dropped, o.Held} {
				if gone != nil {
					say(gone.Rule, o, gone.Why)
				}
			}
		}
		for _, m := range r.Made {
			say(m.Rule, m.Object(), m.Why)
		}
	}
}
