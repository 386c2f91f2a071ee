package mysql

import (
	"context"
	"database/sql"
	"sync"
	"testing"

	"github.com/bascule/bascule/internal/servertest"
)

// TestCommitOnItsWay stops an XA COMMIT, alone and within a procedure, between its start and the log: a snapshot may not count then. A transaction
// that is prepared and stays so is no obstacle.
func TestCommitOnItsWay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server of its own")
	}
	for _, k := range []servertest.Kind{servertest.KindMySQL, servertest.KindMariaDB} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := servertest.Private(t, k, servertest.Options{}).Server
			src := open(t, s, "CREATE TABLE a (n INT)", "CREATE PROCEDURE ends() XA COMMIT 'called'")
			db := openSQL(t, src.url)
			sent(t, prepared(t, db, "earlier", "INSERT INTO a VALUES (0)"), "XA COMMIT 'earlier'")
			for id, q := range map[string]string{"alone": "XA COMMIT 'alone'", "called": "CALL ends()"} {
				c := prepared(t, db, id, "INSERT INTO a VALUES (1)")
				before := ways(t, src)
				if before.ending {
					t.Errorf("%s: it is prepared, and seems to be on its way", id)
				}
				lock := connection(t, db)
				sent(t, lock, "FLUSH TABLES WITH READ LOCK")
				var wg sync.WaitGroup
				wg.Go(func() { sent(t, c, q) })
				waitFor(t, "the commit waits for its turn", func() bool {
					return s.Query(t, src.url, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE LIKE 'Waiting for % lock'")[0][0] == "1"
				})
				if x := ways(t, src); !x.ending || x.commits == before.commits {
					t.Errorf("%s: it waits, and is neither seen nor counted: %+v, before %+v", id, x, before)
				}
				sent(t, lock, "UNLOCK TABLES")
				wg.Wait()
				if x := ways(t, src); x.ending {
					t.Errorf("%s: it has ended, and seems to be on its way", id)
				}
			}
			if n := s.Query(t, src.url, "SELECT COUNT(*) FROM a")[0][0]; n != "3" {
				t.Errorf("%s rows were committed, want 3", n)
			}
		})
	}
}

// ways is what a snapshot is told of XA transactions.
func ways(t *testing.T, src *source) (x twoPhases) {
	t.Helper()
	err := src.end.withReader(t.Context(), func(ctx context.Context, r *reader) (err error) {
		x, err = r.twoPhases(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// prepared prepares an XA transaction and returns its connection.
func prepared(t *testing.T, db *sql.DB, id, q string) *sql.Conn {
	t.Helper()
	c := connection(t, db)
	for _, s := range []string{"XA START '" + id + "'", q, "XA END '" + id + "'", "XA PREPARE '" + id + "'"} {
		sent(t, c, s)
	}
	return c
}

func connection(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func sent(t *testing.T, c *sql.Conn, q string) {
	t.Helper()
	if _, err := c.ExecContext(context.WithoutCancel(t.Context()), q); err != nil {
		t.Errorf("%s: %v", q, err)
	}
}
