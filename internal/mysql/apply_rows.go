package mysql

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
)

const (
	// insertRows is the most rows that one statement inserts. BenchmarkApply: beyond it nothing gets faster.
	insertRows = 512
	// deleteRows is the most rows that one statement deletes by key. MariaDB's optimizer gives up on lists whose parts multiply to more
	// than 16,000 (optimizer_max_sel_args) and reads the table.
	deleteRows = 64
	// statementBytes is about what one statement carries at most, unless one row is larger.
	statementBytes = 1 << 20
	// maxParams is what the protocol allows in one statement.
	maxParams = 1<<16 - 1
	// maxApplyStmts bounds what is prepared at a time; servers hold 16,382 for everybody.
	maxApplyStmts = 256
)

// rowVerb is what a statement does to rows.
type rowVerb uint8

const (
	deletes rowVerb = iota
	inserts
)

func (v rowVerb) String() string { return [...]string{"delete from", "insert into"}[v] }

// applyStmts are prepared statements by table, verb and number of rows; those that were not used for longest go first.
type applyStmts struct {
	conn    *wire.Conn
	stmts   map[stmtKey]*applyStmt
	clock   int64
	args    wire.Args
	scratch []byte
}

type stmtKey struct {
	table *applyTable
	verb  rowVerb
	rows  int
}

type applyStmt struct {
	*wire.Stmt
	used int64
}

func (a *applyStmts) get(ctx context.Context, k stmtKey) (*wire.Stmt, error) {
	a.clock++
	if st := a.stmts[k]; st != nil {
		st.used = a.clock
		return st.Stmt, nil
	}
	if a.stmts == nil {
		a.stmts = map[stmtKey]*applyStmt{}
	}
	if len(a.stmts) >= maxApplyStmts {
		var oldest stmtKey
		least := a.clock
		for k, st := range a.stmts {
			if st.used < least {
				oldest, least = k, st.used
			}
		}
		if err := a.stmts[oldest].Close(ctx); err != nil {
			return nil, err
		}
		delete(a.stmts, oldest)
	}
	sql := k.table.insertSQL(k.rows)
	if k.verb == deletes {
		sql = k.table.deleteSQL(k.rows)
	}
	st, err := a.conn.Prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	a.stmts[k] = &applyStmt{st, a.clock}
	return st, nil
}

// Apply does one step: what empties tables, all deletes, all inserts.
func (s *applySession) Apply(ctx context.Context, step *change.Step) error {
	if !s.open {
		return errors.New("apply changes: no transaction is open")
	}
	if len(step.Cascades) > 0 {
		return fmt.Errorf("apply changes to %s: a step with cascades, but PostgreSQL logs the rows that its foreign keys change", s.e.cfg.label())
	}
	for i := range step.Tables {
		ts := &step.Tables[i]
		t := s.tables[ts.Table]
		if t == nil {
			return fmt.Errorf("apply changes to %s: the session was not opened for it", ts.Table.Into.Table)
		}
		if ts.Truncate {
			// TRUNCATE would commit what came before it.
			if _, err := s.r.conn.Exec(ctx, "DELETE FROM "+t.name); err != nil {
				return s.explainRows(t, deletes, nil, err)
			}
		}
		if err := s.rows(ctx, t, deletes, &ts.Delete); err != nil {
			return err
		}
	}
	for i := range step.Tables {
		ts := &step.Tables[i]
		if err := s.rows(ctx, s.tables[ts.Table], inserts, &ts.Insert); err != nil {
			return err
		}
	}
	return nil
}

// rows deletes or inserts the rows of a batch, in statements of 2^n rows so that few are prepared.
func (s *applySession) rows(ctx context.Context, t *applyTable, v rowVerb, b *change.Batch) error {
	if b.Rows == 0 {
		return nil
	}
	slots := t.slots(v)
	want := len(t.columns)
	if v == deletes && len(t.key) > 0 {
		want = len(t.key)
	}
	if b.Columns != want {
		return fmt.Errorf("%s %s: rows of %d columns where %d were due", v, t.replica.Into.Table, b.Columns, want)
	}
	most := min(insertRows, maxParams/len(slots))
	if v == deletes {
		if most = min(deleteRows, maxParams/len(slots)); len(t.key) == 0 {
			most = 1
		}
	}
	for from := 0; from < b.Rows; {
		n := fitting(b, from, min(most, b.Rows-from))
		done, err := s.statement(ctx, t, v, b, from, n)
		if err != nil {
			return err
		}
		from += done
	}
	return nil
}

// slots are the columns of the table whose values a row of a statement takes, in order.
func (t *applyTable) slots(v rowVerb) []int {
	switch {
	case v == deletes && len(t.key) > 0:
		return t.key
	case v == deletes:
		return t.wholeSlots
	}
	all := make([]int, len(t.columns))
	for i := range all {
		all[i] = i
	}
	return all
}

// fitting is the largest power of two of rows, at most n, that takes about statementBytes.
func fitting(b *change.Batch, from, n int) int {
	size, rows := 0, 0
	for rows < n {
		for _, sp := range b.Row(from + rows) {
			if !sp.Null() {
				size += int(sp.Len)
			}
		}
		if size > statementBytes && rows > 0 {
			break
		}
		rows++
	}
	return 1 << (bits.Len(uint(rows)) - 1)
}

// statement runs one statement over n rows, or fewer when they turn out larger than a packet, and returns how many.
func (s *applySession) statement(ctx context.Context, t *applyTable, v rowVerb, b *change.Batch, from, n int) (int, error) {
	a := &s.stmts
	for {
		a.args.Reset()
		if err := s.gather(t, v, b, from, n); err != nil {
			return 0, err
		}
		if a.args.Size() <= s.packet {
			break
		}
		if n == 1 {
			return 0, fault.New(fault.Resource, s.opOf(t, v, b, from), fmt.Errorf("the row takes %d bytes, and max_allowed_packet is %d", a.args.Size(), s.packet),
				"SET GLOBAL max_allowed_packet = 1073741824; new connections then have it")
		}
		n /= 2
	}
	st, err := a.get(ctx, stmtKey{t, v, n})
	if err != nil {
		return 0, s.explainRows(t, v, nil, err)
	}
	at := &place{b, from, n}
	res, err := st.ExecuteArgs(ctx, &a.args)
	switch {
	case err != nil && n > 1 && v == inserts && s.nameless(err):
		return 0, s.culprit(ctx, t, at, err)
	case err != nil:
		return 0, s.explainRows(t, v, at, err)
	case v == inserts && res.Warnings > 0:
		return 0, s.warned(ctx, t, at)
	case v == inserts && res.AffectedRows != uint64(n):
		return 0, fmt.Errorf("%s: %d rows went in where %d were sent", s.opOf(t, v, b, from), res.AffectedRows, n)
	case v == deletes && len(t.key) == 0 && res.AffectedRows != 1:
		return 0, fault.New(fault.Data, s.opOf(t, v, b, from), errors.New("no row equals the one to be deleted"),
			"the two sides differ: verify the table; a table with a primary key is safer to follow")
	}
	return n, nil
}

// gather encodes n rows.
func (s *applySession) gather(t *applyTable, v rowVerb, b *change.Batch, from, n int) error {
	a := &s.stmts
	if cap(a.scratch) > keepScratch {
		a.scratch = nil
	}
	keyed := v == deletes && len(t.key) > 0
	slots := t.slots(v)
	for i := from; i < from+n; i++ {
		row := b.Row(i)
		for j, c := range slots {
			span := row[c]
			if keyed {
				span = row[j]
			}
			var err error
			if a.scratch, err = t.columns[c].add(&a.args, b, span, a.scratch); err != nil {
				return fault.New(fault.Data, s.opOf(t, v, b, i), err, "the old side cannot take this value back: change it on the new side")
			}
		}
	}
	return nil
}

// keepScratch is the largest buffer for one value that is kept for the next.
const keepScratch = 1 << 20
