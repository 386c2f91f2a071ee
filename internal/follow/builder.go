package follow

import (
	"bytes"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// limits bound a step. A step that is as large as this gains nothing by growing: its statements already carry thousands of rows.
type limits struct {
	rows  int64
	bytes int
}

var defaultLimits = limits{rows: 20_000, bytes: 8 << 20}

// unit is what the builder hands to the applying side: a step, and the mark to commit with it when the step ends at the boundary
// of a transaction. A unit whose mark is nil is a part of a transaction that goes on in the next unit.
type unit struct {
	step  change.Step
	mark  *change.Mark
	rows  int64 // row changes of the feed that went into it
	bytes int
	// touched is the number of rows by table, for people.
	touched map[*Table]int64

	tables  map[*change.Select]*pending
	order   []*pending
	cascade change.Cascade
	own     change.Mark
}

func newUnit() *unit {
	return &unit{tables: map[*change.Select]*pending{}, touched: map[*Table]int64{}}
}

func (u *unit) reset() {
	for _, p := range u.order {
		p.reset()
	}
	u.order = u.order[:0]
	u.step.Tables = u.step.Tables[:0]
	u.step.Cascades = nil
	u.mark, u.rows, u.bytes = nil, 0, 0
	clear(u.touched)
}

// pending returns what the unit will do to a table.
func (u *unit) pending(t *Table) *pending {
	p := u.tables[t.Select]
	if p == nil {
		p = newPending(t)
		p.reset()
		u.tables[t.Select] = p
	}
	if !p.used {
		p.used = true
		u.order = append(u.order, p)
	}
	return p
}

// close renders the step.
func (u *unit) close() {
	for _, p := range u.order {
		u.step.Tables = append(u.step.Tables, p.finish())
	}
}

// empty reports whether nothing would be applied.
func (u *unit) empty() bool { return len(u.order) == 0 && len(u.step.Cascades) == 0 }

// builder folds the events of a feed into units. It is a pure state machine: give takes an event and returns the units that are
// complete by it. It does not decide when a unit that could grow is handed over early: see flush.
type builder struct {
	tables map[*change.Select]*Table
	limits limits
	// within tells whether a transaction is part of a position: tables that were copied from an exact snapshot skip it.
	within func(at change.Position, txn string) (bool, error)
	fresh  func() *unit // hands out an empty unit, used before or new

	mark  change.Mark // behind the last complete transaction
	unit  *unit       // what is being filled
	open  bool        // inside a transaction
	split bool        // a part of the open transaction was handed over
	txn   string
	skip  map[*Table]bool // for the open transaction
}

// give takes one event. done receives every unit that is complete; after it the builder fills another one.
func (b *builder) give(e *change.Event, position func() change.Position, done func(*unit) error) error {
	switch e.Kind {
	case change.EventBegin:
		if b.open {
			return fmt.Errorf("transaction %s begins inside %s", e.Txn, b.txn)
		}
		b.open, b.split, b.txn = true, false, e.Txn
		clear(b.skip)
		return nil
	case change.EventRows:
		if !b.open {
			return fmt.Errorf("rows of %s outside a transaction", e.Rows.Table.Table.Name)
		}
		return b.rows(&e.Rows, done)
	case change.EventCommit:
		if !b.open {
			return fmt.Errorf("transaction %s ends without a beginning", e.Txn)
		}
		b.open = false
		b.mark.Txns++
		b.mark.Time = e.Time
		b.mark.Position = position()
		if b.ripe() || b.split {
			return b.flush(done)
		}
		return nil
	case change.EventIdle:
		if b.open {
			return nil // in the middle of a transaction there is nothing to save
		}
		b.mark.Position = position()
		return nil
	case change.EventDDL:
		if b.open {
			return fmt.Errorf("a statement that alters a table inside transaction %s: %s", b.txn, e.DDL.SQL)
		}
		return b.flush(done)
	}
	return fmt.Errorf("an event of kind %d", e.Kind)
}

// full reports whether the unit has reached its limits.
func (b *builder) full() bool {
	return b.unit != nil && (b.unit.rows >= b.limits.rows || b.unit.bytes >= b.limits.bytes)
}

// ripe reports whether the unit is better ended with this transaction than filled up: with one more of the same size it might have to end in the
// middle of it, and what is part of a transaction cannot be applied beside anything.
func (b *builder) ripe() bool {
	return b.unit != nil && (2*b.unit.rows >= b.limits.rows || 2*b.unit.bytes >= b.limits.bytes)
}

// waiting reports whether changes wait in the unit.
func (b *builder) waiting() bool { return b.unit != nil && !b.unit.empty() }

// flush hands over what is complete, with its mark. Inside a transaction it must not be called.
func (b *builder) flush(done func(*unit) error) error {
	u := b.take()
	u.own = b.mark
	u.mark = &u.own
	return b.hand(u, done)
}

func (b *builder) take() *unit {
	u := b.unit
	if u == nil {
		u = b.fresh()
	}
	b.unit = nil
	return u
}

func (b *builder) hand(u *unit, done func(*unit) error) error {
	u.close()
	return done(u)
}

// rows folds the rows of one event into the unit.
func (b *builder) rows(r *change.Rows, done func(*unit) error) error {
	t := b.tables[r.Table]
	if t == nil {
		return fmt.Errorf("rows of %s, which is not followed", r.Table.Table.Name)
	}
	if skip, err := b.skips(t); err != nil || skip {
		return err
	}
	n := max(r.Old.Rows, r.New.Rows)
	if r.Op == change.Truncate {
		n = 1
	}
	for i := range n {
		if b.unit == nil {
			b.unit = b.fresh()
		}
		p := b.unit.pending(t)
		grew, err := p.add(r.Op, &r.Old, &r.New, i)
		if err != nil {
			return err
		}
		b.unit.rows++
		b.mark.Rows++
		b.unit.touched[t]++
		b.unit.bytes += grew
		if r.Cascades && t.acts(r, i) {
			// An ordering point: what came before is applied, then the cascade, then what comes after (DESIGN rule 5).
			b.cascade(t, r, i)
		} else if !b.full() {
			continue
		}
		// A part of a transaction: whoever applies it keeps the target's transaction open.
		b.split = true
		u := b.take()
		if err := b.hand(u, done); err != nil {
			return err
		}
	}
	return nil
}

// skips reports whether the open transaction is already in what was copied of t.
func (b *builder) skips(t *Table) (bool, error) {
	if t.Since == "" {
		return false, nil
	}
	if skip, known := b.skip[t]; known {
		return skip, nil
	}
	skip, err := b.within(t.Since, b.txn)
	if err != nil {
		return false, err
	}
	b.skip[t] = skip
	return skip, nil
}

// cascade ends the unit's step with the actions of foreign keys that refer to a row which went or changed.
func (b *builder) cascade(t *Table, r *change.Rows, i int) {
	c := &b.unit.cascade
	c.Table = t.Replica
	width := len(t.Select.Columns)
	c.Old.Reset(width)
	c.New.Reset(width)
	appendRow(&c.Old, r.Old.Data, r.Old.Row(i))
	if r.Op == change.Update {
		appendRow(&c.New, r.New.Data, r.New.Row(i))
	}
	b.unit.step.Cascades = []change.Cascade{*c}
}

// acts reports whether row i of r makes a foreign key that refers to the table act.
func (t *Table) acts(r *change.Rows, i int) bool {
	for k := range t.Replica.Actions {
		a := &t.Replica.Actions[k]
		switch r.Op {
		case change.Delete:
			if does(a.OnDelete) {
				return true
			}
		case change.Update:
			if does(a.OnUpdate) && differ(&r.Old, &r.New, i, a.Parent) {
				return true
			}
		case change.Insert, change.Truncate:
		}
	}
	return false
}

func does(a schema.Action) bool {
	return a == schema.Cascade || a == schema.SetNull || a == schema.SetDefault
}

// differ reports whether an update changed one of the columns.
func differ(before, after *change.Batch, i int, columns []int) bool {
	o, n := before.Row(i), after.Row(i)
	for _, c := range columns {
		if o[c].Len != n[c].Len || !o[c].Null() && !bytes.Equal(before.Bytes(o[c]), after.Bytes(n[c])) {
			return true
		}
	}
	return false
}

// lag is how far the mark lies behind now; 0 before the first transaction.
func lag(m change.Mark, now time.Time) time.Duration {
	if m.Time.IsZero() {
		return 0
	}
	return max(0, now.Sub(m.Time))
}
