package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// TestFeedSkipsApplied applies changes between those of an application: the feed shows the application's alone, from the server and from a
// spool, and its position passes the others.
func TestFeedSkipsApplied(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT)", "CREATE TABLE b (id INT PRIMARY KEY, v INT)", "CREATE TABLE other (id INT PRIMARY KEY)")
		selects := slices.DeleteFunc(selectAll(t, src), func(s *change.Select) bool { return s.Table.Name == "other" })
		name, key := schema.Name(src.name(t)), testKey
		e := spooling(t, src.url, t.TempDir(), key)
		e.ledgerName = name // whose table is then in the followed database
		haveLedger(t, e)
		rec, ctx, start := newRecord(), t.Context(), startOf(t, e)
		spool := startSpool(t, e, "m", start)
		a, b := verbatim("a", []int{0}, "id", "v"), verbatim("b", []int{0}, "id", "v")
		var many []any
		for i := range 600 {
			many = append(many, 1000+i, strings.Repeat("x", 5000)) // row events have 8 KiB
		}
		s.Exec(t, src.url, "INSERT INTO a VALUES (1, 'app')")
		applying(t, e, rec, func(ctx context.Context, ses change.Session) {
			for i, st := range []change.Step{
				step(change.TableStep{Table: a, Insert: batchOf(2, many...)}, change.TableStep{Table: b, Insert: batchOf(2, 1, 1, 2, 2)}),
				step(change.TableStep{Table: b, Truncate: true, Insert: batchOf(2, 3, 3)}),
				step(change.TableStep{Table: b, Delete: batchOf(1, 3), Insert: batchOf(2, 3, 4)}),
				{},
			} {
				s.Exec(t, src.url, fmt.Sprintf("INSERT INTO a VALUES (%d, 'app')", 10+i))
				if err := commit(ctx, ses, change.Mark{Position: change.Position(fmt.Sprint(i))}, st); err != nil {
					t.Fatal(err)
				}
			}
			gone, err := ses.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			st := step(change.TableStep{Table: b, Insert: batchOf(2, 7, 7)})
			if err := gone.Apply(ctx, &st); err != nil {
				t.Fatal(err)
			}
			if err := ses.Rollback(ctx); err != nil {
				t.Fatal(err)
			}
		}, a, b)
		if err := e.Start(ctx, rec, 1, change.Mark{Position: "lsn:0/1"}); err != nil {
			t.Fatal(err)
		}
		mark := fmt.Sprintf("UPDATE %s.apply SET txns = txns + 1 WHERE migration = %d", quote(name), inLedger(rec))
		if !isMariaDB(s) {
			s.Exec(t, src.url, "SET SESSION binlog_transaction_compression = ON", "BEGIN", mark, "INSERT INTO b VALUES (8, 8)", mark, "COMMIT",
				"BEGIN", "INSERT INTO b VALUES (9, 9)", "COMMIT", "DELETE FROM b WHERE id = 9")
		}
		s.Exec(t, src.url, "BEGIN", mark, "INSERT INTO other VALUES (1)", "DELETE FROM a WHERE id = 1000", "COMMIT", "DELETE FROM a WHERE id = 1001")
		until := endOf(t, e)
		want := []string{"a+1", "a+1", "a+1", "a+1", "a+1", "a-1"}
		if !isMariaDB(s) {
			want = slices.Insert(want, 5, "b+1", "b-1")
		}
		waitSpooled(t, e, until)
		if err := spool.stop(); err != nil {
			t.Fatal(err)
		}
		live := applyEnd(t, src.url)
		var txns []seen
		for _, e := range []*End{e, live} { // from the spool, from the server
			var err error
			txns, err = read(t, e, start, selects, until, nil)
			if diff := cmp.Diff(want, texts2(txns)); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
		}
		// Behind the application's last but one: what was applied since is passed over.
		at := len(want) - 2
		rest, err := read(t, live, txns[at].position, selects, until, nil)
		if diff := cmp.Diff(want[at+1:], texts2(rest)); err != nil || diff != "" {
			t.Errorf("behind transaction %d: %v (-want +got):\n%s", at, err, diff)
		}

		s.Exec(t, src.url, "BEGIN", "INSERT INTO a VALUES (2, 'app')", mark, "COMMIT")
		_, err = read(t, live, until, selects, endOf(t, live), nil)
		if fault.ClassOf(err) != fault.Internal || !strings.Contains(err.Error(), "apply, but not first") {
			t.Errorf("a mark within a transaction: %v", err)
		}
		if txns, err := read(t, src.end, until, selects, endOf(t, live), nil); err != nil || len(txns) != 1 {
			t.Errorf("with a ledger elsewhere: %v, %v", txns, err)
		}
	})
}

// TestFeedTellsOfOthers lets the position follow transactions that concern nobody here at once, not at the server's next heartbeat: a
// freeze waits for it.
func TestFeedTellsOfOthers(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE other (id INT PRIMARY KEY)")
		selects := slices.DeleteFunc(selectAll(t, src), func(s *change.Select) bool { return s.Table.Name == "other" })
		var waits []time.Duration
		err := src.end.Stream(t.Context(), startOf(t, src.end), selects, func(ctx context.Context, f change.Feed) error {
			for i := range 11 {
				s.Exec(t, src.url, fmt.Sprintf("INSERT INTO other VALUES (%d)", i))
				until, began := endOf(t, src.end), time.Now()
				for past := false; !past; {
					if _, err := f.Next(ctx); err != nil {
						return err
					}
					var err error
					if past, err = src.end.Includes(ctx, f.Position(), until); err != nil {
						return err
					}
				}
				waits = append(waits, time.Since(began))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(waits)
		if median := waits[len(waits)/2]; median > heartbeat/5 {
			t.Errorf("the position came after %s (median of %d), and a heartbeat comes every %s", median, len(waits), heartbeat)
		}
	})
}
