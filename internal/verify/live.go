package verify

import (
	"context"
	"slices"

	"github.com/bascule/bascule/internal/change"
)

const (
	// looks is how often a row that differs is looked at while both sides change.
	looks = 20
	// nullKey is the text of a NULL in a key.
	nullKey = "\x00"
	// steady is at how many looks in a row the source must have shown the same row before a target that shows another is called
	// different: between two looks the row may have changed and changed back.
	steady = 3
)

// watched is a row that is looked at again and again.
type watched struct {
	suspect
	spelled string // the row at the last look, on the side that is written to
	same    int    // looks in a row at which it was that
}

// moved returns those of suspected rows that still differ when their hashes are read once more: of rows that were written to while a
// range was read, which are most, one look proves thousands. Rows that are not found by their key, which may hold a NULL, are left to be looked at by their values.
func (v *Verifier) moved(ctx context.Context, u unit, all []suspect) (left []suspect, err error) {
	for part := range slices.Chunk(all, keysAtOnce) {
		sq, tq := v.queries(unit{table: u.table})
		for _, s := range part {
			if !slices.Contains(s.Key, nullKey) {
				sq.Keys = append(sq.Keys, s.Key)
			}
		}
		tq.Keys = sq.Keys
		if len(sq.Keys) == 0 {
			return all, nil
		}
		source, target, err := v.hashes(ctx, sq, tq)
		if err != nil {
			return nil, err
		}
		for _, s := range part {
			id := identity(s.RowSum)
			a, inSource := source[id]
			if b, inTarget := target[id]; !inSource || !inTarget || a.Hash != b.Hash || a.Rows != b.Rows {
				left = append(left, s)
			}
		}
	}
	return left, nil
}

// settle compares suspected rows while both sides change. A row that is equal at one look is proved at that look's barrier; one
// that the source shows unchanged, and the target differently, is a difference.
func (v *Verifier) settle(ctx context.Context, u unit, part []suspect, f *found) error {
	open := make([]*watched, len(part))
	for i, s := range part {
		open[i] = &watched{suspect: s}
	}
	for range looks {
		list := make([]suspect, len(open))
		for i, w := range open {
			list[i] = w.suspect
		}
		source, target, err := v.fetch(ctx, u, list)
		if err != nil {
			return err
		}
		var left []*watched
		for _, w := range open {
			if v.look(u, w, source, target, f) {
				left = append(left, w)
			}
		}
		if open = left; len(open) == 0 {
			return nil
		}
	}
	f.unproved += int64(len(open))
	return nil
}

// look judges one row at one look and reports whether it has to be looked at again.
func (v *Verifier) look(u unit, w *watched, source, target map[string]change.RowValues, f *found) bool {
	t := &v.Tables[u.table]
	id := identity(w.RowSum)
	s, inSource := source[id]
	d, inTarget := target[id]
	var now found
	// How often it stood there at first says nothing any more.
	v.judge(u, suspect{RowSum: w.RowSum, source: 1, target: 1}, source, target, &now)
	if now.differences == 0 {
		f.settled++
		if inSource && inTarget && !slices.Equal(s.Values, d.Values) {
			f.byClient++ // equal, and spelt differently
		}
		return false
	}
	first, there := s.Values, inSource
	if v.Back {
		first, there = d.Values, inTarget
	}
	text := "absent"
	if there {
		text = spelled(t, first)
	}
	if text != w.spelled {
		w.spelled, w.same = text, 0
	}
	if w.same++; w.same < steady {
		return true
	}
	f.differences += now.differences
	v.keep(f, w.Key)
	for _, shown := range now.shown {
		if len(f.shown) < v.Show {
			f.shown = append(f.shown, shown)
		}
	}
	return false
}

// keylessLive compares a table without a key while both sides change: rows cannot be looked at one by one, so all that differed is
// counted again until it agrees, or until the same rows differ three times.
func (v *Verifier) keylessLive(ctx context.Context, u unit, all []suspect, f *found) error {
	var last, now found
	same := 0
	for range looks {
		now = found{}
		if err := v.keyless(ctx, u, all, &now); err != nil {
			return err
		}
		if now.differences == 0 {
			f.byClient += now.byClient
			f.settled++
			return nil
		}
		if !sameShown(now, last) {
			last, same = now, 0
		}
		if same++; same == steady {
			f.differences += now.differences
			f.shown = append(f.shown, now.shown...)
			return nil
		}
		var err error
		if all, err = v.suspected(ctx, u); err != nil {
			return err
		}
	}
	f.unproved += now.differences
	return nil
}

func sameShown(a, b found) bool {
	if a.differences != b.differences || len(a.shown) != len(b.shown) {
		return false
	}
	for i := range a.shown {
		if a.shown[i] != b.shown[i] {
			return false
		}
	}
	return true
}

// moving reports whether a unit whose sums differ although no row does is merely being written to: the sums of a side that
// stands still are the same at every look.
func (v *Verifier) moving(ctx context.Context, u unit, s, t change.Sum) (bool, error) {
	for range steady {
		source, target, err := v.sums(ctx, u, 1)
		if err != nil {
			return false, err
		}
		if source[0] == target[0] || source[0] != s || target[0] != t {
			return true, nil
		}
	}
	return false, nil
}
