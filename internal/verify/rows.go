package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
)

const (
	// atOnce is how many rows' values are fetched at once. Long values come as a hash, JSON
	// documents whole: this many of a megabyte each still fit the stated memory.
	atOnce = 50
	// smallAtOnce is how many are where rows are small, of smallBytes together at most: a look costs little more for it.
	smallAtOnce = 500
	smallBytes  = 1 << 20
)

// atOnce is how many rows of the table are fetched at once.
func (t *Table) atOnce() int {
	rows, bytes := t.size().Rows, t.size().Bytes
	if rows <= 0 || bytes <= 0 {
		return atOnce
	}
	return int(max(atOnce, min(smallAtOnce, smallBytes/max(1, bytes/rows))))
}

// rows compares a unit row by row: hashes first, then the values of the rows
// whose hashes differ. The values are read afresh, so a row that only changed
// between two reads of a busy source is compared again here.
func (v *Verifier) rows(ctx context.Context, u unit, f *found) error {
	all, err := v.suspected(ctx, u)
	if err != nil {
		return err
	}
	switch {
	case len(v.Tables[u.table].Key) == 0 && v.Barrier != nil:
		return v.keylessLive(ctx, u, all, f)
	case len(v.Tables[u.table].Key) == 0:
		return v.keyless(ctx, u, all, f)
	}
	compare := v.values
	if v.Barrier != nil {
		compare = v.settle
		before := len(all)
		if all, err = v.moved(ctx, u, all); err != nil {
			return err
		}
		f.settled += int64(before - len(all))
	}
	for part := range slices.Chunk(all, v.Tables[u.table].atOnce()) {
		if err := compare(ctx, u, part, f); err != nil {
			return err
		}
	}
	return nil
}

// suspected returns the rows of a unit whose hashes are not the same on both sides.
func (v *Verifier) suspected(ctx context.Context, u unit) ([]suspect, error) {
	sq, tq := v.queries(u)
	source, target, err := v.hashes(ctx, sq, tq)
	if err != nil {
		return nil, err
	}
	return suspects(source, target), nil
}

// hashes returns the rows' hashes on both sides, by identity.
func (v *Verifier) hashes(ctx context.Context, sq, tq *change.SumQuery) (source, target map[string]change.RowSum, err error) {
	return both(ctx, v, func(ctx context.Context, s change.Summer, isSource bool) (map[string]change.RowSum, error) {
		q := tq
		if isSource {
			q = sq
		}
		list, err := s.RowSums(ctx, q)
		return byIdentity(list), err
	})
}

// byIdentity adds up the rows of one identity: a key may stand twice on a target
// that lost its primary key, and that is a difference.
func byIdentity(list []change.RowSum) map[string]change.RowSum {
	m := make(map[string]change.RowSum, len(list))
	for _, r := range list {
		id := identity(r)
		if before, ok := m[id]; ok && len(r.Key) > 0 {
			r.Rows += before.Rows
			r.Hash += before.Hash
		}
		m[id] = r
	}
	return m
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

// suspect is a row that is not the same on both sides, and how often it stands there.
type suspect struct {
	change.RowSum
	source, target int64
}

// suspects are the rows that are not the same on both sides, in a stable order.
func suspects(source, target map[string]change.RowSum) []suspect {
	var out []suspect
	for id, s := range source {
		if t, ok := target[id]; !ok || t.Hash != s.Hash || t.Rows != s.Rows {
			out = append(out, suspect{s, s.Rows, t.Rows})
		}
	}
	for id, t := range target {
		if _, ok := source[id]; !ok {
			out = append(out, suspect{t, 0, t.Rows})
		}
	}
	slices.SortFunc(out, func(a, b suspect) int { return strings.Compare(identity(a.RowSum), identity(b.RowSum)) })
	return out
}

// fetch reads the values of rows on both sides, by identity.
func (v *Verifier) fetch(ctx context.Context, u unit, part []suspect) (source, target map[string]change.RowValues, err error) {
	sq, tq := v.queries(u)
	rows := make([]change.RowSum, len(part))
	for i, s := range part {
		rows[i] = s.RowSum
	}
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
func (v *Verifier) values(ctx context.Context, u unit, part []suspect, f *found) error {
	source, target, err := v.fetch(ctx, u, part)
	if err != nil {
		return err
	}
	for _, r := range part {
		before := f.differences
		v.judge(u, r, source, target, f)
		if f.differences > before {
			v.keep(f, r.Key)
		}
	}
	return nil
}

// keep notes the key of a differing row.
func (v *Verifier) keep(f *found, key []string) {
	if len(f.keys) < v.Keep {
		f.keys = append(f.keys, key)
	}
}

// judge says what differs in one row, if anything does.
func (v *Verifier) judge(u unit, r suspect, source, target map[string]change.RowValues, f *found) {
	t := &v.Tables[u.table]
	s, inSource := source[identity(r.RowSum)]
	d, inTarget := target[identity(r.RowSum)]
	key := keyText(t, r.Key)
	switch {
	case inSource && inTarget && r.source != r.target && r.source > 0 && r.target > 0:
		v.differ(f, 1, event.Difference{
			Table: t.name(), Key: key, Kind: "duplicate",
			Source: fmt.Sprintf("%d rows", r.source), Target: fmt.Sprintf("%d rows", r.target),
		})
	case inSource && inTarget:
		v.columns(t, key, s.Values, d.Values, f)
	case inSource:
		v.differ(f, 1, event.Difference{Table: t.name(), Key: key, Kind: "missing", Source: rowText(t, s.Values)})
	case inTarget:
		v.differ(f, 1, event.Difference{Table: t.name(), Key: key, Kind: "extra", Target: rowText(t, d.Values)})
	}
}

// columns compares one row value by value.
func (v *Verifier) columns(t *Table, key string, source, target []change.Value, f *found) {
	before := f.differences
	for i, p := range t.Columns {
		if equal(p.Form, source[i], target[i]) {
			continue
		}
		a, b := show(source[i], target[i])
		v.differ(f, 1, event.Difference{Table: t.name(), Key: key, Kind: "value", Column: string(p.Source.Name), Source: a, Target: b})
	}
	if f.differences == before {
		f.byClient++
	}
}

// tally is how many rows of one value are missing (positive) or extra.
type tally struct {
	missing, extra int64
	text           string
}

// keyless compares suspected rows of a table without a key. Rows that only spell
// a number differently are the same row: they are matched by their values, spelled one way.
func (v *Verifier) keyless(ctx context.Context, u unit, all []suspect, f *found) error {
	t := &v.Tables[u.table]
	tallies := map[[sha256.Size]byte]*tally{}
	for part := range slices.Chunk(all, atOnce) {
		source, target, err := v.fetch(ctx, u, part)
		if err != nil {
			return err
		}
		for _, r := range part {
			row, n := source[identity(r.RowSum)], r.source-r.target
			if n < 0 {
				row = target[identity(r.RowSum)]
			}
			id := sha256.Sum256([]byte(spelled(t, row.Values)))
			c := tallies[id]
			if c == nil {
				c = &tally{text: rowText(t, row.Values)}
				tallies[id] = c
			}
			c.missing += max(0, n)
			c.extra += max(0, -n)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(tallies), func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) }) {
		c := tallies[id]
		same := min(c.missing, c.extra)
		f.byClient += same
		v.differ(f, c.missing-same, event.Difference{Table: t.name(), Kind: "missing", Source: c.text})
		v.differ(f, c.extra-same, event.Difference{Table: t.name(), Kind: "extra", Target: c.text})
	}
	return nil
}

// differ counts n differences of one kind and keeps as many as are shown.
func (v *Verifier) differ(f *found, n int64, d event.Difference) {
	f.differences += n
	for range min(n, int64(max(0, v.Show-len(f.shown)))) {
		f.shown = append(f.shown, d)
	}
}

func (t *Table) name() string { return string(t.Select.Table.Name) }

// spelled is a row's values in one spelling, length-prefixed.
func spelled(t *Table, values []change.Value) string {
	var b strings.Builder
	for i, v := range values {
		if v.Null {
			b.WriteString("N")
			continue
		}
		text := v.Text
		if i < len(t.Columns) {
			text = spelling(t.Columns[i].Form, text)
		}
		fmt.Fprintf(&b, "%d:%s", len(text), text)
	}
	return b.String()
}
