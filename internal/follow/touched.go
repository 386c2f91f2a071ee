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

// Touched gathers the keys of the rows that a Follower touches: its Add is made for Follower.Touch. Of a table whose rows cannot be told
// apart by a key, or are too many, or were reached by a foreign key's action, it only knows that any row may have been touched.
// It is safe for concurrent use.
type Touched struct {
	// Most bounds the bytes that it holds; 0 means 32 MiB. Beyond it the table with the most gives up its keys.
	Most int

	mu     sync.Mutex
	tables map[*change.Replica]*TouchedKeys
	bytes  int
}

// TouchedKeys is what was touched of one table.
type TouchedKeys struct {
	Table *change.Replica
	// All says that any row may have been touched. Then Keys is empty.
	All bool
	// Keys has the columns of Table.Key, in the source's binary form; no key stands twice.
	Keys change.Batch
	// Present tells of every key whether the change that touched it last left a row there.
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
			t.giveUp(t.of(ts.Table))
		case len(ts.Table.Key) > 0:
			t.rows(t.of(ts.Table), ts)
		}
	}
	for i := range s.Cascades {
		t.cascade(s.Cascades[i].Table, map[*change.Replica]bool{})
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

// cascade gives up the tables that the foreign keys' actions of a parent may reach: the target alone knows which rows those are.
func (t *Touched) cascade(parent *change.Replica, seen map[*change.Replica]bool) {
	if seen[parent] {
		return
	}
	seen[parent] = true
	for _, a := range parent.Actions {
		t.giveUp(t.of(a.Child))
		t.cascade(a.Child, seen)
	}
}

func (t *Touched) of(table *change.Replica) *TouchedKeys {
	k := t.tables[table]
	if k == nil {
		k = &TouchedKeys{Table: table, slots: newIndex()}
		k.Keys.Reset(len(table.Key))
		if t.tables == nil {
			t.tables = map[*change.Replica]*TouchedKeys{}
		}
		t.tables[table] = k
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

func (t *Touched) giveUp(k *TouchedKeys) {
	t.bytes -= k.size()
	*k = TouchedKeys{Table: k.Table, All: true}
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
		t.giveUp(largest)
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
	now := t.of(k.Table)
	if k.All {
		t.giveUp(now)
		return
	}
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
