package mysql

import (
	"context"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

const (
	// exactPatience is how long a snapshot with an exact position is sought. A try takes some milliseconds, and so does a commit.
	exactPatience = time.Minute
	// logPatience is how long a transaction that the server is about to commit may take to show in the log.
	logPatience = 2 * time.Second
)

// Snapshot runs fn inside one consistent snapshot whose position is known as far as some tables are concerned.
//
// MariaDB pairs the two itself. On MySQL with GTIDs, L = gtid_executed is read before the snapshot and U = gtid_executed with
// gtid_owned after it: what the snapshot shows was committed before U was read, so it is within U, and all of L is shown. When no
// transaction between the two touches the tables, L is exact for them. gtid_owned holds what is in the binlog and not yet committed.
// An XA COMMIT on its way is waited for: see twoPhases.
func (e *End) Snapshot(ctx context.Context, tables []*change.Select, fn func(ctx context.Context, r change.Reader, p change.Position, exact bool) error) error {
	return e.withReader(ctx, func(ctx context.Context, r *reader) error {
		p, exact, err := r.openSnapshot(ctx, tables)
		if err != nil {
			return e.explain("open a consistent snapshot", err)
		}
		if err := fn(ctx, r, change.Position(p.String()), exact); err != nil {
			return err
		}
		return e.explain("end the snapshot", r.exec(ctx, "ROLLBACK"))
	})
}

func (r *reader) openSnapshot(ctx context.Context, tables []*change.Select) (p position, exact bool, err error) {
	w := watcher{e: r.e, tables: tables}
	defer w.close()
	try := func() (bool, error) { return r.trySnapshot(ctx, &p, &w) }
	if r.e.server.dialect == schema.MariaDB {
		try = func() (bool, error) { return r.tryMariaDB(ctx, &p) }
	}
	for deadline := time.Now().Add(exactPatience); ; {
		exact, err = try()
		if err != nil || exact || len(tables) == 0 || p.kind == positionNone || p.kind == positionFile || time.Now().After(deadline) {
			return p, exact, err
		}
		if err := r.exec(ctx, "ROLLBACK"); err != nil {
			return p, false, err
		}
	}
}

// trySnapshot opens a snapshot of MySQL.
func (r *reader) trySnapshot(ctx context.Context, p *position, w *watcher) (exact bool, err error) {
	if *p, err = r.position(ctx); err != nil {
		return false, err
	}
	if p.kind != positionGTID || len(w.tables) == 0 {
		return false, r.begin(ctx)
	}
	xa, err := r.twoPhases(ctx)
	if err == nil {
		err = r.begin(ctx)
	}
	if err != nil || xa.ending {
		return false, err
	}
	return w.exact(ctx, r, *p)
}

// tryMariaDB opens a snapshot of MariaDB.
func (r *reader) tryMariaDB(ctx context.Context, p *position) (exact bool, err error) {
	before, err := r.twoPhases(ctx)
	if err == nil {
		err = r.begin(ctx)
	}
	if err != nil {
		return false, err
	}
	if *p, err = r.snapshotPosition(ctx); err != nil || before.ending {
		return false, err
	}
	after, err := r.twoPhases(ctx)
	return err == nil && p.kind == positionSnapshot && after.commits == before.commits, err
}

// A watcher reads the log beside snapshots, to tell which transactions touch some tables.
type watcher struct {
	e      *End
	tables []*change.Select
	f      *feed
	hits   []gtidSet // transactions that touch the tables, as far as the log was read
}

// exact reports whether the position, read before the snapshot that r holds, is the snapshot's as far as the tables are concerned.
func (w *watcher) exact(ctx context.Context, r *reader, p position) (bool, error) {
	lower, err := parseGTIDSet(p.gtids)
	if err != nil {
		return false, err
	}
	upper := p
	if err := r.endGTIDs(ctx, &upper); err != nil {
		return false, err
	}
	until, err := parseGTIDSet(upper.gtids)
	if err != nil || lower.contains(until) {
		return err == nil, err
	}
	if w.f == nil {
		if err := w.open(ctx, p); err != nil {
			return false, err
		}
	}
	if read, err := w.read(ctx, until); err != nil || !read {
		return false, err
	}
	w.hits = slices.DeleteFunc(w.hits, lower.contains)
	return len(w.hits) == 0, nil
}

// open begins to read the log behind a position.
func (w *watcher) open(ctx context.Context, p position) error {
	follow, err := w.e.follow(ctx, w.tables)
	if err != nil {
		return err
	}
	f := &feed{e: w.e, follow: follow, dec: follow.decoder(), last: time.Now(), suspects: true, held: held{tables: w.tables}}
	if f.at, err = newSpot(p); err != nil {
		return err
	}
	if err := f.start(ctx, p); err != nil {
		return f.explain(err)
	}
	w.f, w.hits = f, nil
	return nil
}

// read reads the log until it has all of a set. It reports false when that does not come: the server was about to commit a transaction and
// gave up, or the connection broke.
func (w *watcher) read(ctx context.Context, until gtidSet) (bool, error) {
	within, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	for w.f.until = until; !w.f.at.set.contains(until); {
		ev, err := w.f.Next(within)
		switch {
		case err != nil && ctx.Err() != nil:
			return false, context.Cause(ctx)
		case err != nil && (within.Err() != nil || fault.ClassOf(err) == fault.Connect):
			w.close()
			return false, nil
		case err != nil:
			return false, err
		case ev.Kind == change.EventBegin:
			if err := w.note(ev.Txn); err != nil {
				return false, err
			}
		case ev.Kind == change.EventDDL:
			w.close() // such a feed ends
			return false, nil
		}
	}
	return true, nil
}

// note remembers a transaction that touches the tables.
func (w *watcher) note(txn string) error {
	id, n, err := parseGTID(txn)
	if err == nil {
		w.hits = append(w.hits, gtidSet{id: {{n, n + 1}}})
	}
	return err
}

func (w *watcher) close() {
	if w.f != nil {
		w.f.disconnect()
		w.f.held.close()
		w.f = nil
	}
}
