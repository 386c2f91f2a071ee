package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// The statements of every transaction.
const (
	beginName  = "bascule_begin"
	commitName = "bascule_commit"
	touchName  = "bascule_touch"
	markName   = "bascule_mark"
	hashOn     = "bascule_hash_on"
	hashOff    = "bascule_hash_off"
	replanName = "bascule_replan"
)

// replanRows is after how many rows plans are made anew. For a table that is empty, or nearly, the server plans to walk all of it and to look
// for each of its rows among those given; it keeps that plan until the table's statistics are made anew, and meanwhile every batch would
// cost the rows given times the rows there. Planning costs a fraction of a millisecond.
const replanRows = 2000

// applyMarkSQL fails when the row is not there, or another session has taken the lock, so that the COMMIT behind it is not carried out.
const applyMarkSQL = `WITH u AS (UPDATE bascule.apply SET position = $3, at = NULLIF($4, '')::timestamptz, txns = $5, rows = $6, updated = clock_timestamp()
	WHERE migration = $1 AND direction = $2 AND since = $7::timestamptz RETURNING 1) SELECT 1 / count(*) FROM u`

// applyTouchSQL makes the ledger the first thing that a transaction changes: by that a feed of this database's own changes knows
// the transactions that it must not carry back. Every lane has a row of its own for it, or it would wait for the others' commits.
const applyTouchSQL = "UPDATE bascule.apply SET updated = clock_timestamp() WHERE migration = $1 AND direction = $2"

func (l *lane) prepareFixed(ctx context.Context) error {
	for name, sql := range map[string]string{
		beginName: "BEGIN", commitName: "COMMIT", markName: applyMarkSQL, touchName: applyTouchSQL,
		hashOn: "SET LOCAL enable_hashjoin = on", hashOff: "SET LOCAL enable_hashjoin = off",
		replanName: "DISCARD PLANS",
	} {
		if _, err := l.conn.PgConn().Prepare(ctx, name, sql, nil); err != nil {
			return err
		}
	}
	return nil
}

// applyTx is the open transaction of a lane.
type applyTx struct {
	*lane
	shapes  map[*change.Replica]*shape // as they were when it began, and the number of unique indexes
	uniques int
	err     error // the first; nothing goes on after it
}

// Apply implements change.Applying. What a small step does is carried out with the next large one, or at the commit,
// and then its errors are found.
func (x *applyTx) Apply(ctx context.Context, st *change.Step) error {
	return x.guard(ctx, func() error {
		for i := range st.Tables {
			if err := x.table(ctx, &st.Tables[i]); err != nil {
				return err
			}
		}
		for i := range st.Cascades {
			if err := x.cascade(ctx, &st.Cascades[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// guard runs fn unless the transaction has failed or ended, and keeps its error.
func (x *applyTx) guard(ctx context.Context, fn func() error) error {
	switch {
	case x.err != nil:
		return x.err
	case x.tx != x:
		return errors.New("apply: the transaction has ended")
	case ctx.Err() != nil:
		x.err = context.Cause(ctx)
	default:
		err := fn()
		if p := unwrapPg(err); p != nil && p.Code == "23505" && x.outdated(ctx) {
			x.err = fault.New(fault.Connect, fmt.Sprintf("apply changes to schema %q", x.schema),
				fmt.Errorf("a unique index came while they were applied: %w", &serverError{p}), "")
			break
		}
		x.err = x.end.applyFail(ctx, fmt.Sprintf("apply changes to schema %q", x.schema), err)
	}
	return x.err
}

// Commit implements change.Applying.
func (x *applyTx) Commit(ctx context.Context, m change.Mark) error {
	return x.guard(ctx, func() error {
		at := ""
		if !m.Time.IsZero() {
			at = m.Time.UTC().Truncate(time.Microsecond).Format("2006-01-02 15:04:05.999999Z07:00")
		}
		x.pipe.add(markName, []string{
			strconv.FormatInt(x.migration, 10), forward, string(m.Position), at,
			strconv.FormatInt(m.Txns, 10), strconv.FormatInt(m.Rows, 10), x.since,
		}, expectation{op: "save the mark", fault: func(err error) error { return x.unmarked(ctx, err) }})
		x.pipe.add(commitName, nil, expectation{op: "commit", took: committed})
		if err := x.pipe.flush(ctx, x.conn.PgConn()); err != nil {
			return err
		}
		x.tx = nil
		return nil
	})
}

// unmarked gives the error of a mark that was not saved its meaning.
func (x *applyTx) unmarked(ctx context.Context, err error) error {
	p := unwrapPg(err)
	if p == nil || p.Code != "22012" {
		return &opError{"save the mark", err}
	}
	var holder string
	err = x.end.control.QueryRow(ctx, "SELECT holder FROM bascule.apply WHERE migration = $1 AND direction = $2 AND since <> $3::timestamptz",
		x.migration, forward, x.since).Scan(&holder)
	if err == nil {
		return fault.New(fault.Connect, "save the mark", fmt.Errorf("%s has taken over", holder), "")
	}
	return gone("save the mark", errors.New("its row in bascule.apply is not there"))
}

// committed refuses the ROLLBACK that a server makes of a COMMIT in a failed transaction.
func committed(r *pgconn.Result) error {
	if tag := r.CommandTag.String(); tag != "COMMIT" {
		return fmt.Errorf("commit: the server answered %s", tag)
	}
	return nil
}

// statement prepares SQL that this session has not seen. What is queued goes first, since a transaction's
// statements are sent in order.
func (x *applyTx) statement(ctx context.Context, sql string) (string, error) {
	if name, ok := x.prepared[sql]; ok {
		return name, nil
	}
	if err := x.pipe.flush(ctx, x.conn.PgConn()); err != nil {
		return "", err
	}
	name := fmt.Sprintf("bascule_%d", len(x.prepared))
	if _, err := x.conn.PgConn().Prepare(ctx, name, sql, nil); err != nil {
		return "", &opError{"prepare " + sql, err}
	}
	x.prepared[sql] = name
	return name, nil
}

// table does what a step does to one table.
func (x *applyTx) table(ctx context.Context, ts *change.TableStep) error {
	h := x.shapes[ts.Table]
	if h == nil {
		return fmt.Errorf("table %s was not named when the session was opened", ts.Table.Into.Table)
	}
	del, ins := &ts.Delete, &ts.Insert
	width := len(h.Key)
	if width == 0 {
		width = len(h.Into.Columns)
	}
	if del.Rows > 0 && del.Columns != width || ins.Rows > 0 && ins.Columns != len(h.Into.Columns) {
		return fmt.Errorf("apply to %s: batches of %d and %d columns, want %d and %d", h.name, del.Columns, ins.Columns, width, len(h.Into.Columns))
	}
	if ts.Truncate {
		name, err := x.statement(ctx, "TRUNCATE "+h.name)
		if err != nil {
			return err
		}
		x.pipe.add(name, nil, expectation{op: "truncate " + h.name})
	}
	if len(h.Key) == 0 {
		return x.whole(ctx, h, del, ins)
	}
	return x.keyed(ctx, h, del, ins)
}

// whole removes whole rows, then adds rows.
func (x *applyTx) whole(ctx context.Context, h *shape, del, ins *change.Batch) error {
	all := h.columnsOf(upTo(len(h.Into.Columns)), nil)
	remove := rowsOfStep{
		h: h, sql: h.removeSQL(), op: "remove rows from", batch: del, cols: all, hash: len(h.probe) == 0,
		took: func(r *pgconn.Result) error { return notRemoved(h, r) },
	}
	err := x.send(ctx, &remove)
	if err == nil && del.Rows > 0 {
		// The result must be known before a COMMIT is sent.
		err = x.pipe.flush(ctx, x.conn.PgConn())
	}
	if err != nil {
		return err
	}
	return x.insert(ctx, h, ins, h.insertSQL())
}

// notRemoved refuses to go on when rows to remove were not there.
func notRemoved(h *shape, r *pgconn.Result) error {
	if len(r.Rows) != 1 || len(r.Rows[0]) != 2 || len(r.Rows[0][0]) != 8 {
		return fmt.Errorf("remove rows from %s: an unexpected result", h.name)
	}
	missing := binary.BigEndian.Uint64(r.Rows[0][0])
	if missing == 0 {
		return nil
	}
	return fault.New(fault.Data, "remove rows from "+h.name,
		fmt.Errorf("%d of them are not there, for instance %s", missing, r.Rows[0][1]),
		"the table has no key and differs from the source: copy it again")
}

// keyed deletes keys, then puts the last images.
func (x *applyTx) keyed(ctx context.Context, h *shape, del, ins *change.Batch) error {
	remove := rowsOfStep{h: h, sql: h.deleteSQL(), op: "delete from", batch: del, cols: h.columnsOf(h.Key, nil), hash: !h.indexed}
	if !h.inPlace {
		if err := x.send(ctx, &remove); err != nil {
			return err
		}
		return x.insert(ctx, h, ins, h.insertSQL())
	}
	pick := x.onlyDeleted(h, del, ins)
	remove.pick = pick
	remove.sent = func(rows int) { x.missing += int64(rows) }
	remove.took = func(r *pgconn.Result) error { x.missing -= r.CommandTag.RowsAffected(); return nil }
	if err := x.send(ctx, &remove); err != nil {
		return err
	}
	if len(h.unique) > 0 && ins.Rows > 0 {
		cols := h.columnsOf(upTo(len(h.Into.Columns)), append(h.keyAttributes(), h.unique...))
		moved := rowsOfStep{h: h, sql: h.movedSQL(), op: "delete from", batch: ins, cols: cols}
		if err := x.send(ctx, &moved); err != nil {
			return err
		}
	}
	return x.insert(ctx, h, ins, h.putSQL())
}

// onlyDeleted tells which rows of del must be deleted before anything is put: those that ins does not have, or has as
// a row that goes by COPY. A key that ins has with other bytes is deleted too, which is safe.
func (x *applyTx) onlyDeleted(h *shape, del, ins *change.Batch) func(int) bool {
	large := hasLarge(ins)
	if del.Rows == ins.Rows && !large {
		// Every key of ins stands in del, and none stands twice.
		return func(int) bool { return false }
	}
	clear(x.keys)
	for i := range ins.Rows {
		if !large || rowBytes(ins, i) < copyBytes {
			x.keys[hashKey(ins, i, h.Key)] = int32(i)
		}
	}
	own := upTo(len(h.Key))
	return func(i int) bool {
		j, ok := x.keys[hashKey(del, i, own)]
		return !ok || !sameKey(del, i, own, ins, int(j), h.Key)
	}
}

// rowsOfStep is rows that one statement takes, in one or several parameters.
type rowsOfStep struct {
	h     *shape
	sql   string
	op    string
	batch *change.Batch
	cols  []int
	pick  func(int) bool // nil: all
	hash  bool           // no index helps
	sent  func(rows int) // may be nil
	took  func(*pgconn.Result) error
}

// send queues the rows, and flushes when enough is queued.
func (x *applyTx) send(ctx context.Context, c *rowsOfStep) error {
	for i := 0; i < c.batch.Rows; {
		if c.pick != nil && !c.pick(i) {
			i++
			continue
		}
		name, err := x.statement(ctx, c.sql)
		if err != nil {
			return err
		}
		from, rows := len(x.pipe.data), 0
		data := c.h.beginArray(x.pipe.data)
		for ; i < c.batch.Rows && len(data)-from < pipeBytes; i++ {
			if c.pick != nil && !c.pick(i) {
				continue
			}
			if data, err = c.h.appendRow(data, c.batch, i, c.cols); err != nil {
				return err
			}
			rows++
		}
		endArray(data, from, rows)
		x.pipe.data = data
		if x.sent >= replanRows {
			x.pipe.add(replanName, nil, expectation{op: "plan anew"})
			x.sent = 0
		}
		x.sent += rows
		if c.hash {
			x.pipe.add(hashOn, nil, expectation{op: "set enable_hashjoin"})
		}
		x.pipe.addWritten(name, from, expectation{op: c.op + " " + c.h.name, took: c.took})
		if c.hash {
			x.pipe.add(hashOff, nil, expectation{op: "set enable_hashjoin"})
		}
		if c.sent != nil {
			c.sent(rows)
		}
		if len(data) >= pipeBytes {
			if err := x.pipe.flush(ctx, x.conn.PgConn()); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyBytes is from where a row goes by COPY, which sends it without holding it in one piece.
const copyBytes = 1 << 20

func rowBytes(b *change.Batch, i int) (n int) {
	for _, s := range b.Row(i) {
		if !s.Null() {
			n += int(s.Len)
		}
	}
	return n
}

// hasLarge tells whether a row may be that large.
func hasLarge(b *change.Batch) bool {
	if len(b.Data) < copyBytes {
		return false
	}
	for i := range b.Rows {
		if rowBytes(b, i) >= copyBytes {
			return true
		}
	}
	return false
}

// insert sends rows to a statement, and the large ones by COPY. Their keys are not there.
func (x *applyTx) insert(ctx context.Context, h *shape, ins *change.Batch, sql string) error {
	put := rowsOfStep{h: h, sql: sql, op: "write to", batch: ins, cols: h.columnsOf(upTo(len(h.Into.Columns)), nil)}
	large := hasLarge(ins)
	if large {
		put.pick = func(i int) bool { return rowBytes(ins, i) < copyBytes }
	}
	if err := x.send(ctx, &put); err != nil || !large {
		return err
	}
	if err := x.pipe.flush(ctx, x.conn.PgConn()); err != nil {
		return err
	}
	w := &work{end: x.end, schema: x.schema, conn: x.conn}
	_, err := w.Load(ctx, h.Into, func(yield func(*change.Batch, error) bool) {
		for i := range ins.Rows {
			if rowBytes(ins, i) >= copyBytes && !yield(&change.Batch{Data: ins.Data, Spans: ins.Row(i), Rows: 1, Columns: ins.Columns}, nil) {
				return
			}
		}
	})
	return err
}
