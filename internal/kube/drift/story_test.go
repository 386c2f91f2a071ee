package drift_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/drift"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/story"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestStories lays the regions of each story side by side.
//
//	NAME.yaml          the manifests of a region
//	decisions          what people have decided
//	report             what is found
//	extended           the decisions once they are extended
func TestStories(t *testing.T) {
	story.Each(t, "testdata/*.txtar", func(t *testing.T, s *story.Story) {
		var regions []drift.Region
		for _, part := range s.Names {
			if name, ok := strings.CutSuffix(part, ".yaml"); ok {
				regions = append(regions, drift.Region{Name: name, Set: read(t, s.Parts[part])})
			}
		}
		decisions := []byte(s.Parts["decisions"])
		d, err := decision.Parse(decisions)
		if err != nil {
			t.Fatal(err)
		}
		r := drift.Compare(regions, d)
		extended, err := decision.Extend(decisions, r.Questions(d))
		if err != nil {
			t.Fatal(err)
		}
		s.Compare(t, *update, map[string]string{"report": told(r), "extended": string(extended)})
	})
}

func read(t testing.TB, text string) *manifest.Set {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// told writes a report as stories tell it.
func told(r *drift.Report) string {
	var b strings.Builder
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "%s %s %s", d.Class, d.State, d.Path)
		for i := range d.Cells {
			fmt.Fprintf(&b, " | %s", d.Text(i, 60))
		}
		b.WriteByte('\n')
		var names []string
		for _, o := range d.Objects {
			names = append(names, o.Name())
		}
		fmt.Fprintf(&b, "  of %s\n", strings.Join(names, ", "))
		for _, x := range []struct{ what, text string }{{"because", d.Why}, {"answer", d.Answer}, {"no suggestion", d.NoSuggestion}} {
			if x.text != "" {
				fmt.Fprintf(&b, "  %s: %s\n", x.what, x.text)
			}
		}
		if s := d.Suggestion; s != nil {
			fmt.Fprintf(&b, "  -> %v %s %v: %s\n", s.Value, s.Tag, s.Remove, s.Reason)
		}
	}
	if r.Proposal != nil {
		fmt.Fprintf(&b, "proposed: %v\n", r.Proposal.Words)
		for _, o := range r.Proposal.Objects {
			fmt.Fprintf(&b, "  %s\n", strings.Join(o.Names, " = "))
		}
	}
	for _, u := range r.Unclear {
		fmt.Fprintf(&b, "unclear: %s\n", u)
	}
	for _, l := range r.LeftOut {
		fmt.Fprintf(&b, "left out: %s\n", l)
	}
	return b.String()
}
