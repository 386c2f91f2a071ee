package verify

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/schema"
)

// unit is what is summed at once: a range of an integer key, or a whole table;
// mod and rems narrow it to the rows whose key hash h has h % mod among rems.
type unit struct {
	table  int
	lo, hi string
	mod    uint64
	rems   []uint64
}

// bucket is the part b of n of a unit that is not narrowed, or narrowed to one bucket.
func (u unit) bucket(n, b uint64) unit {
	mod, rem := max(1, u.mod), uint64(0)
	if u.mod > 0 {
		rem = u.rems[0]
	}
	u.mod, u.rems = mod*n, []uint64{rem + mod*b}
	return u
}

// found is what comparing a unit brought to light.
type found struct {
	rowsSource, rowsTarget int64
	differences, byClient  int64
	settled, unproved      int64 // rows that differed at a look and at a later one did not, or always were another; only with a barrier
	bySum                  bool
	shown                  []event.Difference
	keys                   [][]string // of differing rows
}

const (
	// unitBytes is how much data one range covers: small enough that several lanes share a
	// table and that a lost connection costs little, large enough that a query's fixed cost vanishes.
	unitBytes = 64 << 20
	// liveBytes and liveRows are what one covers while both sides change. What is written between the two sides' sums has to be looked at row
	// by row, in a range that was written to: the shorter that time and the fewer such ranges, the less. Less than this costs more for
	// the barrier than it saves.
	liveBytes = 16 << 20
	liveRows  = rowsAtOnce / 2
	// rowsAtOnce bounds the row hashes that are held in memory at once, about 100 bytes each on two sides.
	rowsAtOnce = 200_000
	// rowsDirect is how many rows are compared one by one without narrowing further.
	rowsDirect = 2_000
	// finest is where narrowing ends: hashes have 60 bits, and a step multiplies by at
	// most 2^32 before it is looked at again.
	finest = 1 << 28
	// fewBuckets is up to how many differing buckets are each narrowed by a scan; beyond, one scan fetches
	// the rows of all of them.
	fewBuckets = 4
	// mostBuckets bounds the groups that one statement returns: in a large table of which many rows differ, as they do while it is
	// written to, few buckets would have most of its rows in those that differ.
	mostBuckets = 1 << 16
	// listBuckets bounds the buckets that one statement names.
	listBuckets = 4096
	// suspectBuckets is what a unit is parted into from the start when its values may be spelt differently on the two sides: a scan
	// less when they are.
	suspectBuckets = 1024
)

// units cuts every table into ranges of about unitBytes where its key begins with
// an integer. The first and the last range are open, so that rows beyond the
// source's bounds are seen on the target.
func (v *Verifier) units(ctx context.Context) ([]unit, error) {
	at, err := v.Reader.Position(ctx)
	if err != nil {
		return nil, err
	}
	var units []unit
	err = v.Reader.Lane(ctx, at, func(ctx context.Context, r change.Reader) error {
		for i := range v.Tables {
			us, err := v.cut(ctx, r, i)
			if err != nil {
				return fmt.Errorf("cut %s into ranges: %w", v.Tables[i].Select.Table.Name, err)
			}
			units = append(units, us...)
		}
		return nil
	})
	return units, err
}

func (v *Verifier) cut(ctx context.Context, r change.Reader, i int) ([]unit, error) {
	t := &v.Tables[i]
	whole := []unit{{table: i}}
	n := t.size().Bytes / unitBytes
	if v.Barrier != nil {
		n = max(t.size().Bytes/liveBytes, t.size().Rows/liveRows)
	}
	if len(t.Key) == 0 || n < 1 || !isInt(t.Key[0]) {
		return whole, nil
	}
	first, last, err := r.Bounds(ctx, &t.Select)
	if err != nil || first == nil {
		return whole, err
	}
	lo, ok1 := new(big.Int).SetString(string(first[0]), 10)
	hi, ok2 := new(big.Int).SetString(string(last[0]), 10)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("bounds %q and %q are not integers", first[0], last[0])
	}
	width := new(big.Int).Sub(hi, lo)
	if width.IsInt64() {
		n = min(n, width.Int64())
	}
	var units []unit
	after := ""
	for k := int64(1); k <= n; k++ {
		c := new(big.Int).Mul(width, big.NewInt(k))
		c.Div(c, big.NewInt(n+1)).Add(c, lo)
		units = append(units, unit{table: i, lo: after, hi: c.String()})
		after = c.Add(c, big.NewInt(1)).String()
	}
	return append(units, unit{table: i, lo: after}), nil
}

func isInt(p Pair) bool {
	_, ok := p.Source.Type.(schema.Int)
	return ok
}

// queries are the two sides' queries for a unit.
func (v *Verifier) queries(u unit) (source, target *change.SumQuery) {
	t := &v.Tables[u.table]
	source = &change.SumQuery{Table: t.Select.Table.Name, Lo: u.lo, Hi: u.hi, Mod: u.mod, Rems: u.rems}
	target = &change.SumQuery{Table: t.Target, Lo: u.lo, Hi: u.hi, Mod: u.mod, Rems: u.rems}
	for _, p := range t.Columns {
		source.Columns = append(source.Columns, change.SumColumn{Column: p.Source, Form: p.Form})
		target.Columns = append(target.Columns, change.SumColumn{Column: p.Target, Form: p.Form})
	}
	for _, p := range t.Key {
		source.Key = append(source.Key, change.SumColumn{Column: p.Source, Form: p.Form})
		target.Key = append(target.Key, change.SumColumn{Column: p.Target, Form: p.Form})
	}
	return source, target
}

// both runs one question on both sides: at the same time, or with the barrier between them.
func both[T any](ctx context.Context, v *Verifier, ask func(context.Context, change.Summer, bool) (T, error)) (source, target T, err error) {
	switch {
	case v.Barrier != nil && v.Back:
		if target, err = ask(ctx, v.Target, false); err != nil {
			return source, target, err
		}
		if err = v.Barrier(ctx); err != nil {
			return source, target, err
		}
		source, err = ask(ctx, v.Source, true)
		return source, target, err
	case v.Barrier != nil:
		if source, err = ask(ctx, v.Source, true); err != nil {
			return source, target, err
		}
		if err = v.Barrier(ctx); err != nil {
			return source, target, err
		}
		target, err = ask(ctx, v.Target, false)
		return source, target, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { source, err = ask(ctx, v.Source, true); return err })
	g.Go(func() (err error) { target, err = ask(ctx, v.Target, false); return err })
	err = g.Wait()
	return source, target, err
}

// sums returns both sides' groups of a unit.
func (v *Verifier) sums(ctx context.Context, u unit, buckets uint64) (source, target map[uint64]change.Sum, err error) {
	sq, tq := v.queries(u)
	sq.Buckets, tq.Buckets = buckets, buckets
	return both(ctx, v, func(ctx context.Context, s change.Summer, isSource bool) (map[uint64]change.Sum, error) {
		q := tq
		if isSource {
			q = sq
		}
		list, err := s.Sums(ctx, q)
		m := make(map[uint64]change.Sum, len(list))
		for _, x := range list {
			m[x.Group] = x
		}
		return m, err
	})
}

// unit compares one unit and, where the sums differ, what is in it.
func (v *Verifier) unit(ctx context.Context, u unit) (found, error) {
	buckets := uint64(1)
	if t := &v.Tables[u.table]; t.byClient() && t.size().Rows > rowsDirect {
		buckets = suspectBuckets
	}
	source, target, err := v.sums(ctx, u, buckets)
	if err != nil {
		return found{}, err
	}
	s, t := total(source), total(target)
	f := found{rowsSource: s.Rows, rowsTarget: t.Rows, bySum: maps.Equal(source, target)}
	if f.bySum {
		return f, nil
	}
	if buckets > 1 {
		err = v.differing(ctx, u, buckets, source, target, &f)
	} else {
		err = v.narrow(ctx, u, max(s.Rows, t.Rows), &f)
	}
	if err != nil {
		return f, err
	}
	if f.differences > 0 || (f.byClient > 0 && s.Rows == t.Rows) || f.settled+f.unproved > 0 {
		return f, nil
	}
	return f, v.unlocated(ctx, u, &f)
}

// byClient reports whether the table has values whose texts may differ although they are equal.
func (t *Table) byClient() bool {
	return slices.ContainsFunc(t.Columns, func(p Pair) bool { return p.Form.ByClient() })
}

// total adds up all groups.
func total(groups map[uint64]change.Sum) (all change.Sum) {
	for _, g := range groups {
		all.Rows += g.Rows
		all.Hash += g.Hash
	}
	return all
}

// unlocated sums a unit again whose sums differed although no row did. Either the
// source changed meanwhile and the sums agree now, or there is a difference that
// narrowing cannot see: that must not pass as equal.
func (v *Verifier) unlocated(ctx context.Context, u unit, f *found) error {
	source, target, err := v.sums(ctx, u, 1)
	if err != nil {
		return err
	}
	s, t := source[0], target[0] // one group
	f.rowsSource, f.rowsTarget = s.Rows, t.Rows
	if s == t {
		return nil
	}
	if v.Barrier != nil {
		moving, err := v.moving(ctx, u, s, t)
		if err != nil || moving {
			return err
		}
	}
	v.differ(f, 1, event.Difference{
		Table: v.Tables[u.table].name(), Kind: "sum",
		Source: fmt.Sprintf("%d rows, sum %016x", s.Rows, s.Hash), Target: fmt.Sprintf("%d rows, sum %016x", t.Rows, t.Hash),
	})
	return nil
}

// narrow finds the differing rows of a unit of that many rows: by buckets of the
// key's hash, then row by row.
func (v *Verifier) narrow(ctx context.Context, u unit, rows int64, f *found) error {
	mod := max(1, u.mod)
	if rows <= rowsDirect || mod >= finest {
		return v.rows(ctx, u, f)
	}
	buckets := uint64(max(2, min(mostBuckets, rows/64)))
	if rows > rowsAtOnce {
		buckets = max(buckets, uint64(rows/(rowsAtOnce/2)))
	}
	source, target, err := v.sums(ctx, u, buckets)
	if err != nil {
		return err
	}
	return v.differing(ctx, u, buckets, source, target, f)
}

// differing narrows those buckets of a unit whose sums differ.
func (v *Verifier) differing(ctx context.Context, u unit, buckets uint64, source, target map[uint64]change.Sum, f *found) error {
	var list []uint64
	var some int64 // rows in them
	for b := range buckets {
		if source[b] != target[b] {
			list = append(list, b)
			some += max(source[b].Rows, target[b].Rows)
		}
	}
	rows := max(total(source).Rows, total(target).Rows)
	switch {
	case len(list) > fewBuckets && rows <= rowsAtOnce && (len(list) > listBuckets || some > rows/2):
		return v.rows(ctx, u, f)
	case len(list) > fewBuckets:
		return v.lots(ctx, u, lotsOf(u, buckets, list, source, target), rows, f)
	}
	for _, b := range list {
		sub := u.bucket(buckets, b)
		n := max(source[b].Rows, target[b].Rows)
		if n == rows {
			// Equal rows of a table without a key share one hash: no bucket parts them.
			if err := v.rows(ctx, u, f); err != nil {
				return err
			}
			continue
		}
		if err := v.narrow(ctx, sub, n, f); err != nil {
			return err
		}
	}
	return nil
}

// lotsOf gathers differing buckets of a unit into parts of it that fit in memory and in a statement. Each costs a scan.
func lotsOf(u unit, buckets uint64, list []uint64, source, target map[uint64]change.Sum) []unit {
	var lots []unit
	left := int64(0)
	for _, b := range list {
		n := max(source[b].Rows, target[b].Rows)
		if len(lots) == 0 || n > left || len(lots[len(lots)-1].rems) == listBuckets {
			sub := u
			sub.mod, sub.rems = max(1, u.mod)*buckets, nil
			lots, left = append(lots, sub), rowsAtOnce
		}
		last := &lots[len(lots)-1]
		last.rems = append(last.rems, u.bucket(buckets, b).rems[0])
		left -= n
	}
	return lots
}

// lots compares parts of a unit of that many rows, or all of it where that is fewer.
func (v *Verifier) lots(ctx context.Context, u unit, lots []unit, rows int64, f *found) error {
	if int64(len(lots)) > rows/(rowsAtOnce/2)+1 {
		return v.parts(ctx, u, rows, f)
	}
	for _, lot := range lots {
		if err := v.rows(ctx, lot, f); err != nil {
			return err
		}
	}
	return nil
}

// parts compares a unit that differs nearly everywhere, in parts that fit in memory.
func (v *Verifier) parts(ctx context.Context, u unit, rows int64, f *found) error {
	n := uint64(rows/(rowsAtOnce/2) + 1)
	for b := range n {
		if err := v.rows(ctx, u.bucket(n, b), f); err != nil {
			return err
		}
	}
	return nil
}
