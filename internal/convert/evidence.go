package convert

import (
	"fmt"
	"strconv"

	"github.com/bascule/bascule/internal/schema"
)

// evidence holds the answers about the data.
type evidence map[schema.Question]schema.Answer

func newEvidence(answers []schema.Answer) evidence {
	e := make(evidence, len(answers))
	for _, a := range answers {
		q := a.Question
		q.Decides = false // the answer is the same whatever it is asked for
		e[q] = a
	}
	return e
}

// answer returns what is known about one column.
func (e evidence) answer(r ref, ask schema.Ask) (schema.Answer, bool) {
	a, ok := e[schema.Question{Table: r.table, Column: r.column, Ask: ask}]
	return a, ok
}

// found returns how many rows are known to hold what ask names.
func (e evidence) found(r ref, ask schema.Ask) int64 {
	a, _ := e.answer(r, ask)
	return a.Count
}

// absent reports whether all rows of all columns were read and none holds what
// ask names. What was not asked, or only estimated, proves nothing.
func (e evidence) absent(rs []ref, ask schema.Ask) bool {
	for _, r := range rs {
		if a, ok := e.answer(r, ask); !ok || a.Estimated || a.Count != 0 {
			return false
		}
	}
	return true
}

// maximum returns the largest value of all columns, and whether every one of
// them was read in full. Empty tables count as 0.
func (e evidence) maximum(rs []ref) (largest uint64, proven bool, err error) {
	proven = true
	for _, r := range rs {
		a, ok := e.answer(r, schema.AskMax)
		if !ok || a.Estimated {
			proven = false
		}
		if a.Max == "" {
			continue
		}
		n, err := strconv.ParseUint(a.Max, 10, 64)
		if err != nil {
			return 0, false, fmt.Errorf("read the largest value of %s: %w", r, err)
		}
		largest = max(largest, n)
	}
	return largest, proven, nil
}

// samples renders an answer's samples for a finding.
func samples(a schema.Answer) []string {
	var out []string
	for _, s := range a.Samples {
		out = append(out, fmt.Sprintf("key %s: %s", s.Key, s.Value))
	}
	return out
}
