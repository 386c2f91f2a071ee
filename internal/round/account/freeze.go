package account

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// ice is when the writes of one database were stopped.
type ice struct {
	spans []span
	from  time.Time // not zero while they are
	// measured is what the database's own protocol says of the freeze that goes on, as far as it has said so.
	measured time.Duration
}

type span struct{ from, to time.Time }

// freeze follows what an event means for writes. They are stopped from when the old side begins to close until the new side is open, or the old one is
// again; and from when the new side begins to close until the old one is open.
//
// What the database's own protocol measured (frozen_ns in the evidence) is less than the steps took, and is preferred: it is laid at the end of the span,
// since what ends a freeze also ends its step.
func (w *watch) freeze(step *round.Step, e *round.Event) {
	if step.Role != round.RoleClose && step.Role != round.RoleOpen || step.Database == "" {
		return
	}
	f := w.ice[step.Database]
	if f == nil {
		f = &ice{}
		w.ice[step.Database] = f
	}
	if d, ok := figure(e.Evidence, "frozen_ns"); ok && d >= 0 && !f.from.IsZero() {
		f.measured = time.Duration(d)
	}
	closes := step.Role == round.RoleClose
	switch e.What {
	case round.Started, round.UndoBegun:
		if f.from.IsZero() && (closes == (e.What == round.Started)) {
			f.from = w.last
		}
	case round.Done:
		if !closes {
			f.thaw(w.last)
		}
	case round.Undone, round.Slipped:
		if closes {
			f.thaw(w.last)
		}
	case round.Skipped: // a closing is never left out, but its undo may have been done by hand
		if closes && len(w.tracks[step.ID].laps) > 0 {
			f.thaw(w.last)
		}
	case round.Absent, round.Retried: // closing the new side did nothing: it is still open
		if t := w.tracks[step.ID]; !closes && t.isOpen() {
			f.thaw(w.last)
		}
	default:
	}
}

// isOpen reports whether a step that opened a database has not even begun to close it again, as far as its laps say.
func (t *track) isOpen() bool {
	opened := false
	for i := range t.laps {
		switch l := &t.laps[i]; {
		case !l.back:
			opened = l.ok
		case l.ok:
			opened = false
		}
	}
	return opened
}

func (f *ice) thaw(at time.Time) {
	if f.from.IsZero() {
		return
	}
	from := f.from
	if f.measured > 0 {
		from = at.Add(-f.measured)
	}
	f.spans = append(f.spans, span{from, at})
	f.from, f.measured = time.Time{}, 0
}

// frozen returns for how long writes were stopped, in all and for each database that was closed, and whether they are now. A step that closes a database
// compares first and stops writes then: where the database's last sign says since when (frozen_since, null while they are not), that is believed.
func (w *watch) frozen(now time.Time, signs map[string]store.Sign) (all time.Duration, each map[string]time.Duration, is bool) {
	var spans []span
	for db, f := range w.ice {
		of := slices.Clone(f.spans)
		if from, stopped := f.since(signs[db].Body); stopped {
			of, is = append(of, span{from, later(now, from)}), true
		}
		if len(of) == 0 {
			continue
		}
		if each == nil {
			each = map[string]time.Duration{}
		}
		each[db] = union(of)
		spans = append(spans, of...)
	}
	return union(spans), each, is
}

// since returns since when writes are stopped now, if they are.
func (f *ice) since(sign json.RawMessage) (time.Time, bool) {
	if f.from.IsZero() {
		return f.from, false
	}
	raw, said := field(string(sign), "frozen_since")
	if !said {
		return f.from, true
	}
	var at *time.Time
	if json.Unmarshal(raw, &at) != nil || at == nil {
		return f.from, false
	}
	return later(f.from, *at), true
}

// union is the time that at least one of the spans covers. It sorts them.
func union(spans []span) (sum time.Duration) {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var until time.Time
	for _, s := range spans {
		if from := later(s.from, until); s.to.After(from) {
			sum += s.to.Sub(from)
			until = s.to
		}
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// figure returns a whole number from evidence that is a JSON object.
func figure(evidence, key string) (int64, bool) {
	raw, ok := field(evidence, key)
	var n int64
	if !ok || json.Unmarshal(raw, &n) != nil {
		return 0, false
	}
	return n, true
}

// said reports whether evidence that is a JSON object says something of a key: not null, false, nothing or 0.
func said(evidence, key string) bool {
	raw, ok := field(evidence, key)
	return ok && !slices.Contains([]string{"null", "false", `""`, "0", "[]", "{}"}, string(raw))
}

func field(evidence, key string) (json.RawMessage, bool) {
	if evidence == "" || evidence[0] != '{' {
		return nil, false
	}
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(evidence), &all) != nil {
		return nil, false
	}
	raw, ok := all[key]
	return raw, ok
}
