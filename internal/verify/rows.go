package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
)

// atOnce is how many rows' values are fetched at once.
const atOnce = 200

// rows compares a unit row by row: hashes first, then the values of the rows
// whose hashes differ. The values are read afresh, so a row that only changed
// between two reads of a busy source is compared again here.
func (v *Verifier) rows(ctx context.Context, u unit, f *found) error {
	sq, tq := v.queries(u)
	source, target, err := both(ctx, v, func(ctx context.Context, s change.Summer, isSource bool) (map[string]change.RowSum, error) {
		q := tq
		if isSource {
			q = sq
		}
		list, err := s.RowSums(ctx, q)
		m := make(map[string]change.RowSum, len(list))
		for _, r := range list {
			m[identity(r)] = r
		}
		return m, err
	})
	if err != nil {
		return err
	}
	suspects := suspects(source, target)
	if len(v.Tables[u.table].Key) == 0 {
		return v.keyless(ctx, u, suspects, source, target, f)
	}
	for part := range slices.Chunk(suspects, atOnce) {
		if err := v.values(ctx, u, part, f); err != nil {
			return err
		}
	}
	return nil
}

// identity tells rows apart: the key, or the hash of a row without one.
func identity(r change.RowSum) string {
	if len(r.Key) == 0 {
		return fmt.Sprintf("%x", r.Hash)
	}
	// Length-prefixed, because keys may hold any byte.
	var b strings.Builder
	for _, k := range r.Key {
		fmt.Fprintf(&b, "%d:%s", len(k), k)
	}
	return b.String()
}

// suspects are the rows that are not the same on both sides, in a stable order.
func suspects(source, target map[string]change.RowSum) []change.RowSum {
	var out []change.RowSum
	for id, s := range source {
		if t, ok := target[id]; !ok || t.Hash != s.Hash || t.Rows != s.Rows {
			out = append(out, s)
		}
	}
	for id, t := range target {
		if _, ok := source[id]; !ok {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b change.RowSum) int { return strings.Compare(identity(a), identity(b)) })
	return out
}

// fetch reads the values of rows on both sides, by identity.
func (v *Verifier) fetch(ctx context.Context, u unit, rows []change.RowSum) (source, target map[string]change.RowValues, err error) {
	sq, tq := v.queries(u)
	return both(ctx, v, func(ctx context.Context, s change.Summer, isSource bool) (map[string]change.RowValues, error) {
		q := tq
		if isSource {
			q = sq
		}
		list, err := s.Values(ctx, q, rows)
		m := make(map[string]change.RowValues, len(list))
		for _, r := range list {
			m[identity(r.RowSum)] = r
		}
		return m, err
	})
}

// values compares the values of suspected rows that have keys.
func (v *Verifier) values(ctx context.Context, u unit, rows []change.RowSum, f *found) error {
	source, target, err := v.fetch(ctx, u, rows)
	if err != nil {
		return err
	}
	t := &v.Tables[u.table]
	for _, r := range rows {
		s, inSource := source[identity(r)]
		d, inTarget := target[identity(r)]
		key := keyText(t, r.Key)
		switch {
		case inSource && inTarget:
			before := f.differences
			for i, p := range t.Columns {
				if !equal(p.Form, s.Values[i], d.Values[i]) {
					a, b := show(s.Values[i], d.Values[i])
					v.differ(f, event.Difference{Table: t.name(), Key: key, Kind: "value", Column: string(p.Source.Name), Source: a, Target: b})
				}
			}
			if f.differences == before {
				f.byClient++
			}
		case inSource:
			v.differ(f, event.Difference{Table: t.name(), Key: key, Kind: "missing", Source: rowText(t, s.Values)})
		case inTarget:
			v.differ(f, event.Difference{Table: t.name(), Key: key, Kind: "extra", Target: rowText(t, d.Values)})
		}
	}
	return nil
}

// keyless compares suspected rows of a table without a key. Equal rows are counted, not
// matched one by one; rows that differ by hash alone are matched by value.
func (v *Verifier) keyless(ctx context.Context, u unit, rows []change.RowSum, source, target map[string]change.RowSum, f *found) error {
	if len(rows) == 0 {
		return nil
	}
	sv, tv, err := v.fetch(ctx, u, rows)
	if err != nil {
		return err
	}
	t := &v.Tables[u.table]
	missing, extra := map[string]int64{}, map[string]int64{}
	for _, r := range rows {
		id := identity(r)
		n := source[id].Rows - target[id].Rows
		if n > 0 {
			missing[id] = n
		} else {
			extra[id] = -n
		}
	}
	for _, r := range rows {
		id := identity(r)
		for other, n := range extra {
			if missing[id] > 0 && n > 0 && rowEqual(t, sv[id].Values, tv[other].Values) {
				k := min(missing[id], n)
				missing[id] -= k
				extra[other] -= k
				f.byClient += k
			}
		}
	}
	for _, r := range rows {
		id := identity(r)
		for range missing[id] {
			v.differ(f, event.Difference{Table: t.name(), Kind: "missing", Source: rowText(t, sv[id].Values)})
		}
		for range extra[id] {
			v.differ(f, event.Difference{Table: t.name(), Kind: "extra", Target: rowText(t, tv[id].Values)})
		}
	}
	return nil
}

func (v *Verifier) differ(f *found, d event.Difference) {
	f.differences++
	if len(f.shown) < v.Show {
		f.shown = append(f.shown, d)
	}
}

func (t *Table) name() string { return string(t.Select.Table.Name) }

func rowEqual(t *Table, a, b []change.Value) bool {
	if len(a) != len(t.Columns) || len(b) != len(t.Columns) {
		return false
	}
	for i, p := range t.Columns {
		if !equal(p.Form, a[i], b[i]) {
			return false
		}
	}
	return true
}
