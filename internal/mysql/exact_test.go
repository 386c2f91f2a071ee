package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/servertest"
)

// TestExactSnapshot opens snapshots of two tables while they, and others, are written to without a pause. What each shows and what the log has
// behind its position must amount to what is stored at last: not a row twice, none missing, in a table without a key.
func TestExactSnapshot(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (n INT, v VARCHAR(20))", "CREATE TABLE b (id INT PRIMARY KEY, v INT)", "CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
			"INSERT INTO b VALUES (1, 0), (2, 0), (3, 0)")
		all := selectAll(t, src)
		tables := []*change.Select{all[0], all[1]}
		tables[0].Key, tables[0].Index = nil, ""
		left := prepared(t, openSQL(t, src.url), src.name(t), "INSERT INTO a VALUES (-1, 'prepared')")
		t.Cleanup(func() { _, _ = left.ExecContext(context.WithoutCancel(t.Context()), "XA ROLLBACK '"+src.name(t)+"'") }) // if the test failed
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var wg sync.WaitGroup
		for w := range 4 {
			db := openSQL(t, src.url)
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					q := fmt.Sprintf("INSERT INTO a VALUES (%d, 'w%d')", n, w)
					switch {
					case w == 1:
						q = fmt.Sprintf("UPDATE b SET v = v + 1 WHERE id = %d", 1+n%3)
					case w > 1:
						q = "INSERT INTO c (v) VALUES (1)"
					}
					var err error
					if w == 0 {
						err = inTwoPhases(ctx, db, fmt.Sprintf("'%s','%d'", src.name(t), n), q, n%2 == 0 && !isMariaDB(s))
					} else {
						_, err = db.Exec(q)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		type shot struct {
			at   change.Position
			rows mirror
		}
		var shots []shot
		for range 5 {
			err := src.end.Snapshot(t.Context(), tables, func(ctx context.Context, r change.Reader, at change.Position, exact bool) error {
				if !exact {
					t.Errorf("the snapshot at %s is not exact", at)
				}
				m := mirror{}
				shots = append(shots, shot{at, m})
				return m.read(ctx, t, r, tables)
			})
			if err != nil {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
		}
		stop()
		wg.Wait()
		sent(t, left, "XA COMMIT '"+src.name(t)+"'")
		until, want := endOf(t, src.end), stored(t, src.end, tables)
		for i, x := range shots {
			if _, err := read(t, src.end, x.at, tables, until, x.rows); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, x.rows); diff != "" {
				t.Errorf("snapshot %d at %s and what followed (-stored +followed):\n%.1000s", i, x.at, diff)
			}
		}
	})
}

// inTwoPhases runs a statement in an XA transaction, whose second phase comes over another connection when the first is let go. MariaDB can log an
// XA COMMIT and not carry it out while the connection that prepared is still going.
func inTwoPhases(ctx context.Context, db *sql.DB, id, q string, letGo bool) error {
	c, err := db.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	for _, s := range []string{"XA START " + id, q, "XA END " + id, "XA PREPARE " + id} {
		if _, err := c.ExecContext(context.WithoutCancel(ctx), s); err != nil {
			return err
		}
	}
	if !letGo {
		_, err = c.ExecContext(context.WithoutCancel(ctx), "XA COMMIT "+id)
		return errors.Join(err, c.Close())
	}
	_ = c.Raw(func(any) error { return driver.ErrBadConn }) // the pool must not keep it
	_ = c.Close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, err = db.ExecContext(context.WithoutCancel(ctx), "XA COMMIT "+id); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
