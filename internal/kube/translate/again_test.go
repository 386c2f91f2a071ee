package translate_test

import (
	"fmt"
	"testing"

	"github.com/bascule/bascule/internal/kube/story"
	"github.com/bascule/bascule/internal/kube/translate"
)

// TestTranslatedAgain: of every story, so of every row, what the live side comes to is translated once more, by the same decisions, and stays as it is.
func TestTranslatedAgain(t *testing.T) {
	for _, s := range story.All(t, "testdata/*.txtar") {
		part := s.Parts
		built := build(t, translated(t, part["in.yaml"], part["decisions.yaml"], part["images"]), "live")["live"]
		r := translated(t, built, part["decisions.yaml"], part["images"])
		say := func(rule *translate.Rule, object fmt.Stringer, what string) {
			t.Errorf("%s: row %s changes %s again: %s", s.Name, rule.ID, object, what)
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
