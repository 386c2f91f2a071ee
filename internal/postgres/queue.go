package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// queue hands out the tasks of one migration. It is safe for concurrent use.
type queue struct {
	end  *End
	id   int64
	name schema.Name
}

// Queue returns the queue of a migration that Create or Open returned. When it was
// dropped since, its methods refuse, also when another goes into the same schema.
func (e *End) Queue(r *change.Record) change.Queue { return &queue{e, r.ID, r.Schema} }

// readyChunks is how many open chunks of a table make its walk wait: enough that
// no lane runs dry while one step is walked.
const readyChunks = 4

// claimSQL locks the first runnable task in the order of rank and takes a number
// for the attempt. OFFSET 0 keeps the subqueries from becoming joins: they are index
// probes that run for the few rows visited before one can be locked. The order is
// that of index task_open, so nothing is sorted.
const claimSQL = `WITH c AS MATERIALIZED (
	SELECT id, kind, tbl, stage, parent, after, upto, lim, sql, what, rank
	FROM bascule.task t
	WHERE migration = $1 AND NOT done
		AND (kind <> 'walk' OR $2::bigint > (SELECT count(*) FROM (
			SELECT FROM bascule.task r WHERE r.migration = t.migration AND r.tbl = t.tbl
				AND r.stage = t.stage AND r.kind = 'chunk' AND NOT r.done LIMIT $2) ready))
		AND NOT EXISTS (SELECT FROM bascule.task l
			WHERE l.migration = t.migration AND l.tbl = t.tbl AND l.stage < t.stage AND NOT l.done OFFSET 0)
		AND (parent = '' OR NOT EXISTS (SELECT FROM bascule.task p
			WHERE p.migration = t.migration AND p.tbl = t.parent AND p.stage <= 3 AND NOT p.done OFFSET 0))
	ORDER BY rank, id LIMIT 1 FOR UPDATE OF t SKIP LOCKED)
SELECT *, nextval('bascule.attempts') FROM c`

// claimed is a task and what the ledger alone knows of it.
type claimed struct {
	change.Task
	rank, attempt int64
}

// Claim implements change.Queue. A connection lost before, in or after fn is a
// fault.Connect, and leaves nothing.
func (q *queue) Claim(ctx context.Context, fn func(context.Context, *change.Task, change.Work) (change.Done, error)) (bool, error) {
	c, err := q.end.lanes.Acquire(ctx)
	if err != nil {
		return false, q.end.fail("claim a task", err)
	}
	// A connection that is still in a transaction is closed by the pool, which rolls it back.
	defer c.Release()
	t, err := q.lock(ctx, c)
	if err != nil || t == nil {
		return false, q.fail("claim a task", err)
	}
	done, err := fn(ctx, &t.Task, &work{end: q.end, schema: q.name, task: t, conn: c.Conn()})
	if err != nil {
		rollback(ctx, c)
		return true, err
	}
	if err := q.finish(ctx, c, t, done); err != nil {
		rollback(ctx, c)
		return true, q.end.fail(fmt.Sprintf("mark task %d of %s done", t.ID, t.Table), err)
	}
	return true, nil
}

// rollback gives the task back at once. It runs after a cancel too; should it fail,
// the pool closes the connection, which does the same.
func rollback(ctx context.Context, c *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = c.Exec(ctx, "ROLLBACK")
}

// lock begins a transaction that a fence lets pass, and claims in the same round trip. When nothing is
// runnable it looks once more, and lets walks go ahead of their chunks.
func (q *queue) lock(ctx context.Context, c *pgxpool.Conn) (*claimed, error) {
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	b.Queue("SELECT set_config($1, $2, true)", fenceSetting, strconv.FormatInt(q.id, 10))
	b.Queue(claimSQL, q.id, int64(readyChunks))
	res := c.SendBatch(ctx, b)
	_, err := res.Exec()
	if err == nil {
		_, err = res.Exec()
	}
	var t *claimed
	if err == nil {
		t, err = scanTask(res.QueryRow())
	}
	if err := errors.Join(err, res.Close()); err != nil {
		return nil, err
	}
	if t == nil {
		if t, err = scanTask(c.QueryRow(ctx, claimSQL, q.id, int64(1)<<40)); err != nil {
			return nil, err
		}
	}
	if t == nil {
		rollback(ctx, c)
	}
	return t, nil
}

func scanTask(row pgx.Row) (*claimed, error) {
	var (
		t           claimed
		kind        string
		after, upto [][]byte
		stage       int16
	)
	err := row.Scan(&t.ID, &kind, &t.Table, &stage, &t.Parent, &after, &upto, &t.Limit, &t.SQL, &t.What, &t.rank, &t.attempt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	t.Kind, t.Stage = change.TaskKind(kind), change.Stage(stage)
	t.Range = change.Range{After: after, UpTo: upto}
	return &t, err
}

// The end of a task. Whether the table's stage ends with it is a guess: two last
// tasks that end at once both see the other one open. Then nobody is woken at once
// and the commit is not forced to disk; Idle's limit and Left mend both.
const (
	markSQL = `UPDATE bascule.task SET done = true, rows = $2, bytes = $3, position = $4, attempt = $5, ended = now() WHERE id = $1`
	withSQL = `UPDATE bascule.task w SET done = true, rows = $3, bytes = $4, position = $5, attempt = $6, ended = now()
		FROM bascule.task t WHERE t.id = $1 AND w.migration = t.migration AND w.parent = t.tbl AND w.tbl = $2 AND w.kind = 'chunk' AND NOT w.done`
	addSQL = `INSERT INTO bascule.task (migration, rank, kind, tbl, stage, parent, after, upto, lim, sql, what)
		SELECT migration, $2, $3, tbl, stage, parent, $4, $5, $6, $7, $8 FROM bascule.task WHERE id = $1`
	lossSQL = `INSERT INTO bascule.loss AS l (migration, code, tbl, col, n)
		SELECT migration, $2, $3, $4, $5 FROM bascule.task WHERE id = $1
		ON CONFLICT (migration, code, tbl, col) DO UPDATE SET n = l.n + excluded.n`
	endSQL = `WITH last AS MATERIALIZED (SELECT NOT EXISTS (SELECT FROM bascule.task o JOIN bascule.task t
			ON o.migration = t.migration AND o.tbl = t.tbl AND o.stage = t.stage
			WHERE t.id = $1 AND NOT o.done AND o.id <> t.id) AS last)
		SELECT CASE WHEN last THEN set_config('synchronous_commit', 'on', true) END,
			CASE WHEN last OR $2 THEN pg_notify('bascule', $3) END FROM last`
)

// finish commits the end of a task with all that follows from it, in one round trip.
func (q *queue) finish(ctx context.Context, c *pgxpool.Conn, t *claimed, d change.Done) error {
	for _, w := range d.With {
		tag, err := c.Exec(ctx, withSQL, t.ID, string(w.Table), w.Rows, w.Bytes, string(d.At), t.attempt)
		if err != nil {
			return err
		}
		if n := tag.RowsAffected(); n != 1 {
			return fmt.Errorf("%d chunks of table %q wait for %q, where one was due", n, w.Table, t.Table)
		}
	}
	b := &pgx.Batch{}
	for _, a := range d.Add {
		b.Queue(addSQL, t.ID, rankAfter(t, &a), string(a.Kind), [][]byte(a.Range.After), [][]byte(a.Range.UpTo), a.Limit, a.SQL, a.What)
	}
	b.Queue(markSQL, t.ID, d.Rows, d.Bytes, string(d.At), t.attempt)
	b.Queue(endSQL, t.ID, len(d.Add)+len(d.With) > 0, q.channel())
	for _, k := range sortedLosses(d.Losses) {
		b.Queue(lossSQL, t.ID, string(k.Code), k.Table, k.Column, d.Losses[k])
	}
	b.Queue("COMMIT")
	res := c.SendBatch(ctx, b)
	for range b.Len() {
		if _, err := res.Exec(); err != nil {
			return errors.Join(err, res.Close())
		}
	}
	return res.Close()
}

// rankAfter puts a follow-up beside the task it follows from.
func rankAfter(t *claimed, a *change.Task) int64 {
	if a.Kind == change.TaskStatement {
		return t.rank
	}
	return rank(t.rank/8, a)
}

// sortedLosses orders the rows that are updated, so that two lanes never wait for each other.
func sortedLosses(l change.Losses) []change.LossKey {
	keys := make([]change.LossKey, 0, len(l))
	for k, n := range l {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b change.LossKey) int {
		return strings.Compare(string(a.Code)+"\x00"+a.Table+"\x00"+a.Column, string(b.Code)+"\x00"+b.Table+"\x00"+b.Column)
	})
	return keys
}

// Left counts the open tasks. When it first finds none, it notes so durably: that
// commit takes with it to disk every earlier one that did not wait.
func (q *queue) Left(ctx context.Context) (int64, error) {
	var n int64
	var finished, found bool
	err := q.end.control.QueryRow(ctx, `SELECT m.id IS NOT NULL, finished IS NOT NULL, (SELECT count(*) FROM bascule.task t WHERE t.migration = m.id AND NOT done)
		FROM (SELECT 1) one LEFT JOIN bascule.migration m ON m.id = $1`, q.id).Scan(&found, &finished, &n)
	if err != nil {
		return 0, q.fail("count the tasks left", err)
	}
	if !found {
		return 0, q.missing("count the tasks left")
	}
	if n > 0 || finished {
		return n, nil
	}
	_, err = q.end.control.Exec(ctx, "UPDATE bascule.migration SET finished = now() WHERE id = $1 AND finished IS NULL", q.id)
	return 0, q.fail("note that no task is left", err)
}

// fail is that of the end, except that a ledger that is gone, gone with its last
// migration, is a refusal.
func (q *queue) fail(op string, err error) error {
	if p := unwrapPg(err); p != nil && (p.Code == "42P01" || p.Code == "3F000") {
		return q.missing(op)
	}
	return q.end.fail(op, err)
}

func (q *queue) missing(op string) error {
	return fault.New(fault.Refused, op, fmt.Errorf("the ledger no longer has this migration into schema %q", q.name),
		"somebody dropped it meanwhile: run bascule db status, then bascule db copy")
}

// channel is what processes of one migration say to each other.
func (q *queue) channel() string { return strconv.FormatInt(q.id, 10) }

// Idle waits until a process says that tasks became runnable, at most d. A
// connection that listens is kept for the next call, so that what is said between
// two calls is heard.
func (q *queue) Idle(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	c, err := q.end.listener(ctx)
	if err != nil {
		return q.end.fail("wait for tasks", err)
	}
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		n, err := c.Conn().WaitForNotification(wait)
		if err == nil && n.Payload != q.channel() {
			continue
		}
		timedOut := err != nil && wait.Err() != nil
		q.end.keepListener(c)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !timedOut:
			return q.end.fail("wait for tasks", err)
		default:
			return nil
		}
	}
}

func (e *End) listener(ctx context.Context) (*pgxpool.Conn, error) {
	e.mu.Lock()
	if n := len(e.listeners); n > 0 {
		c := e.listeners[n-1]
		e.listeners = e.listeners[:n-1]
		e.mu.Unlock()
		return c, nil
	}
	e.mu.Unlock()
	c, err := e.waiters.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, "LISTEN bascule"); err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

// keepListener keeps a connection that still works.
func (e *End) keepListener(c *pgxpool.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.Conn().IsClosed() {
		c.Release()
		return
	}
	e.listeners = append(e.listeners, c)
}

// Progress returns what the ledger says of every table, in name order.
func (e *End) Progress(ctx context.Context, name schema.Name) ([]change.Progress, error) {
	rows, err := e.control.Query(ctx, `SELECT tbl, sum(rows)::bigint, sum(bytes)::bigint,
			count(*) FILTER (WHERE kind = 'chunk'), count(*) FILTER (WHERE kind = 'chunk' AND done),
			COALESCE(bool_or(kind = 'walk' AND NOT done), false),
			count(*) FILTER (WHERE kind = 'statement'), count(*) FILTER (WHERE kind = 'statement' AND done)
		FROM bascule.task WHERE migration = (SELECT id FROM bascule.migration WHERE schema = $1)
		GROUP BY tbl ORDER BY tbl`, string(name))
	if err != nil {
		return nil, e.fail("read progress", err)
	}
	ps, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (p change.Progress, err error) {
		err = r.Scan(&p.Table, &p.Rows, &p.Bytes, &p.Chunks, &p.ChunksDone, &p.Walking, &p.Statements, &p.StatementsDone)
		return p, err
	})
	return ps, e.fail("read progress", err)
}

// Losses returns the accepted losses of all committed chunks.
func (e *End) Losses(ctx context.Context, name schema.Name) (change.Losses, error) {
	rows, err := e.control.Query(ctx, `SELECT code, tbl, col, n FROM bascule.loss
		WHERE migration = (SELECT id FROM bascule.migration WHERE schema = $1)`, string(name))
	if err != nil {
		return nil, e.fail("read losses", err)
	}
	losses := change.Losses{}
	var (
		k    change.LossKey
		code string
		n    int64
	)
	_, err = pgx.ForEachRow(rows, []any{&code, &k.Table, &k.Column, &n}, func() error {
		k.Code = finding.Code(code)
		losses[k] = n
		return nil
	})
	return losses, e.fail("read losses", err)
}

// Attempts returns how many claims there were in this database so far, those of
// workers that died included. Minus the tasks that are done, it is the work redone.
// A crash of the server may skip up to 32 numbers.
func (e *End) Attempts(ctx context.Context) (int64, error) {
	var n int64
	err := e.control.QueryRow(ctx, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM bascule.attempts").Scan(&n)
	return n, e.fail("count attempts", err)
}
