package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/decision"
)

// Questions are what is to be written into the decisions: each drift and each missing object that does not stand there yet, with the suggestion as its
// answer where there is one; and the proposed words for regions that have none.
func (r *Report) Questions(d *decision.Decisions) decision.Addition {
	var add decision.Addition
	if r.Proposal != nil {
		add.Words = map[string][]string{}
		for name, words := range r.Proposal.Words {
			if d == nil || d.Harmonise.Words[name] == nil {
				add.Words[name] = words
			}
		}
	}
	for _, x := range r.Differences {
		if x.State == Open && (x.Class != Missing || !r.Proposal.holds(x.Objects[0])) {
			add.Questions = append(add.Questions, r.question(x))
		}
	}
	return add
}

// holds says whether an object may be one that another region calls otherwise: then nothing is asked about it until that is declared.
func (p *Proposal) holds(o Object) bool {
	return p != nil && slices.ContainsFunc(p.Objects, func(q Object) bool {
		for i, n := range o.Names {
			if n != "" && n != q.Names[i] {
				return false
			}
		}
		return true
	})
}

func (r *Report) question(d *Difference) decision.Question {
	q := decision.Question{Difference: decision.Difference{Path: d.Path}}
	for _, o := range d.Objects {
		for _, n := range o.Names {
			if n != "" && !slices.Contains(q.Objects, n) {
				q.Objects = append(q.Objects, n)
			}
		}
	}
	for i := range d.Cells {
		q.Notes = append(q.Notes, r.Regions[i]+": "+d.Text(i, 120))
	}
	if s := d.Suggestion; s != nil {
		q.Value, q.Tag, q.Remove, q.Reason = s.Value, s.Tag, s.Remove, s.Reason
		return q
	}
	ask := "answer with value, tag, remove: true, or keep: WHY"
	if d.Path == "" {
		ask = "answer with keep: WHY, or give the other regions the object"
	}
	q.Notes = append(q.Notes, fmt.Sprintf("no suggestion: %s; %s", d.NoSuggestion, ask))
	return q
}

// Text is what the region of a number has, in at most so many characters.
func (d *Difference) Text(i, width int) string {
	x := d.Cells[i]
	var text string
	switch {
	case x.Outside:
		text = "-"
	case d.Tags != nil:
		text = "…:" + d.Tags[i]
	case d.Path == "" && !x.Absent:
		text = "there"
	case x.Absent:
		text = "(none)"
	case x.Hidden:
		text = "(a secret)"
	default:
		if s, is := x.Value.(string); is && s != "" && !strings.ContainsAny(s, "\n\"") {
			text = s
		} else {
			text = canonical(x.Value)
		}
	}
	if r := []rune(text); len(r) > width {
		return string(r[:max(width-1, 0)]) + "…"
	}
	return text
}
