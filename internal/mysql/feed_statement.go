package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/binlog"
)

// query takes a logged statement.
func (f *feed) query(ctx context.Context, ev *binlog.Event) (bool, error) {
	sql := ev.Query.SQL
	if !f.txn.open {
		f.open(ev)
	}
	if sql == "BEGIN" { // nearly every one
		f.txn.inside = true
		return false, nil
	}
	if sql == "COMMIT" {
		return f.commit(ev.Time)
	}
	st := classify(sql)
	if f.txn.applied && st.verb == verbWrite {
		return f.single()
	}
	switch st.verb {
	case verbBegin, verbXAEnd:
		f.txn.inside = true
		return false, nil
	case verbCommit:
		return f.commit(ev.Time)
	case verbRollback:
		return f.rolledBack(0, ev)
	case verbSavepoint:
		if f.txn.saves == nil {
			f.txn.saves = map[string]int{}
		}
		f.txn.saves[strings.ToLower(st.name)] = f.txn.events
		return false, nil
	case verbRollbackTo:
		return f.rolledBackTo(st.name)
	case verbXAStart:
		f.beginXA(st.xa)
		return false, nil
	case verbXACommit:
		return f.completed(ctx, st.xa)
	case verbXARollback:
		f.held.drop(st.xa)
		return false, f.pass()
	case verbHarmless:
		return f.single()
	case verbDDL:
		return f.definition(&st, ev)
	case verbWrite:
		return f.write(&st, ev)
	}
	return false, fault.New(fault.Unsupported, "read the binlog", fmt.Errorf("statement %q is not understood", shorten(sql)), "")
}

// single passes a statement that changes nothing here and, outside a transaction, is one of its own.
func (f *feed) single() (bool, error) {
	if f.txn.inside {
		return false, nil
	}
	return false, f.pass()
}

// definition takes DDL.
func (f *feed) definition(st *statement, ev *binlog.Event) (bool, error) {
	if st.at(len(st.words)-2).is("START") && st.at(len(st.words)-1).is("TRANSACTION") {
		f.txn.inside = true // CREATE TABLE ... SELECT of MySQL 8.0.21 and later: its rows follow
	}
	t := f.follow.touched(st, ev.Query.SQL, ev.Query.Schema)
	switch {
	case len(t.tables) == 0:
		return f.single()
	case t.truncate:
		return f.truncated(t)
	}
	if f.txn.begun {
		if !t.known {
			return false, nil // rows that are not followed, of a table that is not
		}
		return false, fault.New(fault.Unsupported, "read the binlog", fmt.Errorf("%q alters %s within a transaction", shorten(ev.Query.SQL), strings.Join(nameTexts(t.tables), ", ")), "")
	}
	f.txn.ddl = &change.DDL{SQL: ev.Query.SQL, Schema: ev.Query.Schema, Tables: t.tables, Began: ev.Time, WithRows: f.txn.inside}
	if f.txn.inside {
		return false, nil
	}
	return f.deliverDDL()
}

// truncated delivers the removal of all rows, as a transaction of its own unless it is within one.
func (f *feed) truncated(t touch) (bool, error) {
	rows := change.Event{Kind: change.EventRows, Rows: change.Rows{Table: f.follow.tables[t.tables[0]], Op: change.Truncate}}
	f.queue = f.queue[:0]
	if !f.txn.begun {
		f.queue = append(f.queue, f.begin())
	}
	f.queue = append(f.queue, rows)
	if !f.txn.inside {
		f.queue = append(f.queue, f.end())
	}
	f.out = f.queue[0]
	f.queue = f.queue[1:]
	return true, nil
}

// write takes a statement that changed rows as a statement, which nobody can repeat elsewhere.
func (f *feed) write(st *statement, ev *binlog.Event) (bool, error) {
	t := f.follow.touched(st, ev.Query.SQL, ev.Query.Schema)
	switch {
	case len(t.tables) == 0:
		return f.single()
	case t.truncate:
		return f.truncated(t)
	}
	return false, fault.New(fault.Unsupported, "follow "+strings.Join(nameTexts(t.tables), ", "),
		fmt.Errorf("a session logged a statement in place of rows: %q", shorten(ev.Query.SQL)),
		"set binlog_format = ROW on the source, also in the sessions that set it themselves; then copy again (bascule db drop, bascule db copy)")
}

// An undoing says that of a transaction's row events those from, from+1 ... to-1 have no effect on tables that have transactions. Servers log such
// events when a rolled back transaction also changed what cannot be rolled back.
type undoing struct {
	from, to int
	// all says that nothing of the transaction holds, whatever its tables.
	all bool
}

// skips reports whether a row event has no effect.
func (t *txn) skips(i int, s *change.Select) bool {
	for _, u := range t.undone {
		if u.all || i >= u.from && i < u.to && transactional(s.Table.Engine) {
			return true
		}
	}
	return false
}

// errUndone asks the caller to begin again before the transaction; then the feed knows what to leave out.
var errUndone = errors.New("the transaction was rolled back at its end, after rows of it had been delivered")

// rolledBack ends a transaction by ROLLBACK: its rows of transactional tables, from that row event on, do not hold.
func (f *feed) rolledBack(from int, ev *binlog.Event) (bool, error) {
	if f.txn.begun && !f.txn.knows(from) {
		return false, f.undo(undoing{from: from, to: f.txn.events})
	}
	return f.commit(ev.Time)
}

func (f *feed) rolledBackTo(savepoint string) (bool, error) {
	from := f.txn.saves[strings.ToLower(savepoint)] // unknown: since the beginning
	if f.txn.events > from && (f.txn.begun || f.txn.hold != nil) && !f.txn.knows(from) {
		return false, f.undo(undoing{from: from, to: f.txn.events})
	}
	return false, nil
}

// knows reports whether the row events from there to here were left out already.
func (t *txn) knows(from int) bool {
	for _, u := range t.undone {
		if u.all || u.from <= from && u.to >= t.events {
			return true
		}
	}
	return false
}

// undo remembers what to leave out and ends the feed as if the connection had broken.
func (f *feed) undo(u undoing) error {
	f.e.undone.Store(f.place(), append(slices.Clip(f.txn.undone), u))
	return fault.New(fault.Connect, "read transaction "+f.txn.name(), errUndone, "it is read again without those rows")
}

// unfinished meets the beginning of something else within a transaction: its server went down while it wrote it, and rolled it back.
func (f *feed) unfinished() error {
	return f.undo(undoing{all: true})
}
