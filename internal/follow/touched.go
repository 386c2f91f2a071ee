package follow

import (
	"sync"

	"github.com/bascule/bascule/internal/change"
)

const (
	// touchedBytes bounds what a Touched holds: about a million integer keys.
	touchedBytes = 32 << 20
	// entryBytes is what a key costs beside its values and their spans: its place in the index, and whether its row is there.
	entryBytes = 9
	// spanBytes is the size of a change.Span.
	spanBytes = 8
)

// Touched gathers the keys of the rows that a Follower touches: its Add is made for Follower.Touch and its Reach for Follower.Reached. Of a table
// whose rows cannot be told apart by a key, or are too many, it only knows that any row may have been touched.
// It is safe for concurrent use.
type Touched struct {
	// Most bounds the bytes that it holds; 0 means 32 MiB. Beyond it the table with the most gives up its keys.
	Most int

	mu     sync.Mutex
	tables map[touchedBy]*TouchedKeys
	bytes  int
}

// touchedBy parts the keys of a table by the form that they have.
type touchedBy struct {
	table   *change.Replica
	reached bool
}

// TouchedKeys is what was touched of one table.
type TouchedKeys struct {
	Table *change.Replica
	// All says that any row may have been touched. Then Keys is empty.
	All bool
	// Reached says that foreign keys' actions touched the rows: then Keys has the applying end's binary form, else the other's.
	Reached bool
	// Keys has the columns of Table.Key; no key stands twice.
	Keys change.Batch
	// Present tells of every key whether the change that touched it last left a row there, and is known to have.
	Present []bool

	slots *index
	spans []change.Span // scratch: the key of a row
}

// Add takes what a step touches.
func (t *Touched) Add(s *change.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range s.Tables {
		ts := &s.Tables[i]
		switch {
		case ts.Truncate, len(ts.Table.Key) == 0 && ts.Delete.Rows+ts.Insert.Rows > 0:
			t.giveUp(ts.Table)
		case len(ts.Table.Key) > 0:
			t.rows(t.of(ts.Table, false), ts)
		}
	}
	for i := range s.Cascades {
		if s.Cascades[i].Reached == nil {
			t.cascade(s.Cascades[i].Table, map[*change.Replica]bool{})
		}
	}
	t.shrink()
}

// Reach takes the keys of rows that foreign keys' actions removed or changed; nil stands for any row.
func (t *Touched) Reach(table *change.Replica, keys *change.Batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if keys == nil {
		t.giveUp(table)
		return
	}
	k := t.of(table, true)
	for i := range keys.Rows {
		t.put(k, keys.Data, keys.Row(i), false)
	}
	t.shrink()
}

// rows takes the keys of a step of one table.
func (t *Touched) rows(k *TouchedKeys, ts *change.TableStep) {
	for i := range ts.Delete.Rows {
		t.put(k, ts.Delete.Data, ts.Delete.Row(i), false)
	}
	for i := range ts.Insert.Rows {
		row := ts.Insert.Row(i)
		k.spans = k.spans[:0]
		for _, c := range ts.Table.Key {
			k.spans = append(k.spans, row[c])
		}
		t.put(k, ts.Insert.Data, k.spans, true)
	}
}

// cascade gives up the tables that the foreign keys' actions of a parent may reach: nobody tells which rows those are.
func (t *Touched) cascade(parent *change.Replica, seen map[*change.Replica]bool) {
	if seen[parent] {
		return
	}
	seen[parent] = true
	for _, a := range parent.Actions {
		t.giveUp(a.Child)
		t.cascade(a.Child, seen)
	}
}

// of is where a table's keys of one form go; of a table that was given up that is one place for both.
func (t *Touched) of(table *change.Replica, reached bool) *TouchedKeys {
	by := touchedBy{table, reached}
	if whole := t.tables[touchedBy{table, false}]; whole != nil && whole.All {
		return whole
	}
	k := t.tables[by]
	if k == nil {
		k = &TouchedKeys{Table: table, Reached: reached, slots: newIndex()}
		k.Keys.Reset(len(table.Key))
		if t.tables == nil {
			t.tables = map[touchedBy]*TouchedKeys{}
		}
		t.tables[by] = k
	}
	return k
}

// put notes one key.
func (t *Touched) put(k *TouchedKeys, data []byte, key []change.Span, present bool) {
	if k.All {
		return
	}
	if slot := k.slots.find(&k.Keys, data, key); slot >= 0 {
		k.Present[slot] = present
		return
	}
	before := len(k.Keys.Data)
	appendRow(&k.Keys, data, key)
	k.slots.add(&k.Keys)
	k.Present = append(k.Present, present)
	t.bytes += len(k.Keys.Data) - before + len(key)*spanBytes + entryBytes
}

// size is what the keys of a table cost.
func (k *TouchedKeys) size() int {
	return len(k.Keys.Data) + k.Keys.Rows*(k.Keys.Columns*spanBytes+entryBytes)
}

func (t *Touched) giveUp(table *change.Replica) {
	for _, reached := range []bool{false, true} {
		if k := t.tables[touchedBy{table, reached}]; k != nil {
			t.bytes -= k.size()
			delete(t.tables, touchedBy{table, reached})
		}
	}
	*t.of(table, false) = TouchedKeys{Table: table, All: true}
}

// shrink gives up the largest table until the rest fits.
func (t *Touched) shrink() {
	most := t.Most
	if most == 0 {
		most = touchedBytes
	}
	for t.bytes > most {
		var largest *TouchedKeys
		for _, k := range t.tables {
			if !k.All && (largest == nil || k.size() > largest.size()) {
				largest = k
			}
		}
		t.giveUp(largest.Table)
	}
}

// Take returns everything that was touched since the last Take, and forgets it.
func (t *Touched) Take() []*TouchedKeys {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*TouchedKeys
	for _, k := range t.tables {
		if k.All || k.Keys.Rows > 0 {
			all = append(all, k)
		}
	}
	t.tables, t.bytes = nil, 0
	return all
}

// Return brings back a table that was taken: those of its keys that keep picks, or the whole of it. What was touched in the meantime stays as
// it is.
func (t *Touched) Return(k *TouchedKeys, keep func(i int) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.All {
		t.giveUp(k.Table)
		return
	}
	now := t.of(k.Table, k.Reached)
	for i := range k.Keys.Rows {
		if keep(i) && !now.All && now.slots.find(&now.Keys, k.Keys.Data, k.Keys.Row(i)) < 0 {
			t.put(now, k.Keys.Data, k.Keys.Row(i), k.Present[i])
		}
	}
	t.shrink()
}

// Pending returns how many keys were touched, and how many tables as a whole.
func (t *Touched) Pending() (keys, tables int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.tables {
		keys += k.Keys.Rows
		if k.All {
			tables++
		}
	}
	return keys, tables
}
