package estate

import (
	"fmt"
	"testing"

	"github.com/bascule/bascule/examples/marketplace"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
)

// again translates what a side of an environment comes to once more, by the same decisions.
func again(t *testing.T, e *translated, side string) *translate.Result {
	t.Helper()
	text, err := marketplace.Decisions(e.name)
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := decision.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	images, err := translate.ParseImages(marketplace.Images(e.source))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	set := &manifest.Set{Objects: e.build(t, side)}
	return translate.Translate(translate.Input{Environment: e.name, Set: set, Decisions: decisions, File: e.name + ".yaml", Profile: facts, Images: images})
}

// TestTranslatedAgain: what a phase comes to, translated once more, stays as it is, by every row: each rule knows what it has made.
func TestTranslatedAgain(t *testing.T) {
	t.Parallel()
	for _, name := range environments {
		for _, side := range []string{standby, live} {
			say := func(rule *translate.Rule, o *manifest.Object, what string) {
				t.Errorf("%s %s: row %s changes %s again: %s", name, side, rule.ID, o, what)
			}
			r := again(t, environment(t, name), side)
			for _, o := range r.Objects {
				for _, op := range o.Ops {
					say(op.Rule, o.Object, fmt.Sprintf("%s %v %v: %s", op.Do, op.Path, op.Value, op.Why))
				}
				for _, gone := range []*translate.Reason{o.Dropped, o.Held} {
					if gone != nil {
						say(gone.Rule, o.Object, gone.Why)
					}
				}
			}
			for _, m := range r.Made {
				say(m.Rule, m.Object(), m.Why)
			}
		}
	}
}
