package verify

import (
	"context"
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
)

// keysAtOnce is how many keys are asked for at once: about 200 bytes each are held on two sides.
const keysAtOnce = 10_000

// Checked is the outcome of comparing rows by their keys.
type Checked struct {
	// Differing and Absent are the places in the list of keys whose rows differ, and of those that neither side has a row for.
	Differing, Absent []int
	// Differences counts differing values and missing or extra rows.
	Differences int64
	Shown       []event.Difference
}

// Keys compares the rows of a table that have one of those keys, in canonical text. A row that neither side has is equal. Each row is looked
// at once: while both sides change, behind the barrier, a difference may be a change that came in between.
func (v *Verifier) Keys(ctx context.Context, table int, keys [][]string) (*Checked, error) {
	t := &v.Tables[table]
	if len(t.Key) == 0 {
		return nil, fmt.Errorf("compare rows of %s by key: it has none", t.name())
	}
	out := &Checked{}
	for from := 0; from < len(keys); from += keysAtOnce {
		part := keys[from:min(len(keys), from+keysAtOnce)]
		if err := v.keys(ctx, table, part, from, out); err != nil {
			return nil, fmt.Errorf("verify %s: %w", t.name(), err)
		}
	}
	return out, nil
}

// keys compares some keys, which stand in the list from a place on.
func (v *Verifier) keys(ctx context.Context, table int, keys [][]string, from int, out *Checked) error {
	u := unit{table: table}
	sq, tq := v.queries(u)
	sq.Keys, tq.Keys = keys, keys
	source, target, err := v.hashes(ctx, sq, tq)
	if err != nil {
		return err
	}
	at := make(map[string]int, len(keys))
	for i, k := range keys {
		id := identity(change.RowSum{Key: k})
		at[id] = from + i
		_, inSource := source[id]
		_, inTarget := target[id]
		if !inSource && !inTarget {
			out.Absent = append(out.Absent, from+i)
		}
	}
	for part := range slices.Chunk(suspects(source, target), v.Tables[table].atOnce()) {
		s, d, err := v.fetch(ctx, u, part)
		if err != nil {
			return err
		}
		for _, r := range part {
			var f found
			v.judge(u, r, s, d, &f)
			if f.differences == 0 {
				continue
			}
			i, asked := at[identity(r.RowSum)]
			if !asked {
				return fmt.Errorf("a row with the key %s came, which nobody asked for", keyText(&v.Tables[table], r.Key))
			}
			out.Differing = append(out.Differing, i)
			out.Differences += f.differences
			out.Shown = append(out.Shown, f.shown[:min(len(f.shown), max(0, v.Show-len(out.Shown)))]...)
		}
	}
	return nil
}
