package crashtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

// TestLanesKilled follows transactions of thousands of rows, which are applied beside each other, while bascule and PostgreSQL are killed: rows of each
// writer's own, whose unique values pass from one row to another and whose keys differ by their case alone.
func TestLanesKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("copies and follows for half a minute")
	}
	bin := build(t)
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			d := servertest.Private(t, servertest.KindPostgres15, servertest.Options{})
			from, into := s.Database(t), d.Database(t)
			ends := []string{"--source", from, "--target", into, "--spool", t.TempDir()}
			s.Exec(t, from, "CREATE TABLE digits (n INT PRIMARY KEY)", "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
				"CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, code INT NOT NULL UNIQUE, n INT NOT NULL, note VARCHAR(80), big BIGINT UNSIGNED NOT NULL, KEY (n))",
				"INSERT INTO item SELECT NULL, a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n, 0, 'an item', 18446744073709551615 - b.n FROM digits a, digits b, digits c, digits d, digits e WHERE e.n < 4",
				"CREATE TABLE word (word VARCHAR(20) COLLATE utf8mb4_unicode_ci PRIMARY KEY, code INT NOT NULL, n INT NOT NULL, KEY (code))",
				"INSERT INTO word SELECT CONCAT('w', code), code, 0 FROM item",
				"CREATE TABLE event (id INT PRIMARY KEY AUTO_INCREMENT, code INT NOT NULL, KEY (code))")
			run(t, bin, append([]string{"db", "copy", "--follow", "--collation", "icu"}, ends...)...)

			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			db := open(t, from)
			defer db.Close()
			var writers errgroup.Group
			for w := range 4 {
				writers.Go(func() error { return writeLanes(ctx, db, w) })
			}
			draw := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
			seen := int64(0)
			for kills := range 6 {
				p := launch(t, bin, append([]string{"db", "follow"}, ends...), nil)
				seen = applied(t, into, p, seen+1+draw.Int64N(60_000))
				if kills%3 == 2 {
					d.Kill(t)
					d.Start(t)
				}
				_ = p.cmd.Process.Kill()
				<-p.ended
			}
			stop()
			if err := writers.Wait(); err != nil {
				t.Fatal(err)
			}
			run(t, bin, append([]string{"db", "follow", "--until-now"}, ends...)...)
			run(t, bin, append([]string{"db", "verify"}, ends...)...)
			r, err := crosscheck.Compare(t.Context(), from, into, crosscheck.Options{Schema: "public"})
			if err != nil || r.Different() != 0 || r.Values() == 0 {
				t.Errorf("the independent comparison: %+v, %v", r, err)
			}
			if used := d.Query(t, into, "SELECT count(*) FROM bascule.apply WHERE direction = 'forward lane 1' AND updated IS NOT NULL")[0][0]; used != "1" {
				t.Error("nothing was applied in a second lane")
			}
			t.Logf("%d row changes applied by the last kill", seen)
		})
	}
}

// applied waits until the target has applied as many row changes, and returns how many it has.
func applied(t *testing.T, into string, p *process, want int64) int64 {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	var n int64
	for {
		c, err := pgx.Connect(t.Context(), into)
		if err == nil {
			err = c.QueryRow(t.Context(), "SELECT rows FROM bascule.apply WHERE direction = 'forward'").Scan(&n)
			_ = c.Close(t.Context())
		}
		if err == nil && n >= want {
			return n
		}
		select {
		case code := <-p.ended:
			t.Fatalf("the follow ended with %d at %d row changes:\n%s", code, n, p.said())
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d row changes after two minutes, want %d (%v):\n%s", n, want, err, p.said())
		}
	}
}

// writeLanes commits large transactions over rows of its own until ctx ends.
func writeLanes(ctx context.Context, db *sql.DB, writer int) error {
	draw := rand.New(rand.NewPCG(uint64(writer), uint64(time.Now().UnixNano())))
	for at := 0; ctx.Err() == nil; at = (at + 1 + draw.IntN(2000)) % 8000 { // each goes on about where the last one ended, so that many units touch different rows
		err := writeLane(ctx, db, draw, 10_000*writer+at)
		said, ok := errors.AsType[*mysql.MySQLError](err)
		locked := ok && (said.Number == 1205 || said.Number == 1213)
		if err != nil && !locked && ctx.Err() == nil {
			return fmt.Errorf("writer %d: %w", writer, err)
		}
	}
	return nil
}

// writeLane commits one transaction over the codes from low on.
func writeLane(ctx context.Context, db *sql.DB, draw *rand.Rand, low int) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	high := low + 1000 + draw.IntN(1000)
	of := fmt.Sprintf("code BETWEEN %d AND %d", low, high)
	numbers := fmt.Sprintf("(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n AS code FROM digits a, digits b, digits c, digits d, digits e) x WHERE %s", of)
	for _, q := range [][]string{
		{"DELETE FROM item WHERE " + of, "INSERT INTO item SELECT NULL, code, 0, 'has the code of one that went', 18446744073709551615 - code FROM " + numbers},
		{"UPDATE item SET code = -1 - code WHERE " + of, fmt.Sprintf("UPDATE item SET code = %d + code WHERE code BETWEEN %d AND %d", low+high+1, -1-high, -1-low)},
		{"UPDATE word SET word = IF(BINARY LEFT(word, 1) = 'w', UPPER(word), LOWER(word)), n = n + 1 WHERE " + of},
		{"DELETE FROM word WHERE " + of, "INSERT INTO word SELECT CONCAT('W', code), code, 0 FROM " + numbers},
		{"UPDATE item SET n = n + 1, big = big - code WHERE " + of},
		{"INSERT INTO event SELECT NULL, code FROM " + numbers},
		{"DELETE FROM event WHERE " + of},
		{"UPDATE item SET note = CONCAT('n is ', n) WHERE " + of, "UPDATE word SET n = n + 1 WHERE " + of},
	}[draw.IntN(8)] {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return tx.Commit()
}
