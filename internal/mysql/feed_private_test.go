package mysql

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/servertest"
)

// TestFeedAfterPurge refuses a position whose log is gone, and says how to keep it longer.
func TestFeedAfterPurge(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.KindMySQL, servertest.KindMariaDB} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			in := servertest.Private(t, kind, servertest.Options{})
			src := open(t, in.Server, "CREATE TABLE a (id INT PRIMARY KEY)")
			selects := selectAll(t, src)
			start := startOf(t, src.end)
			in.Exec(t, src.url, "INSERT INTO a VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO a VALUES (2)", "FLUSH BINARY LOGS")
			last := in.Query(t, src.url, "SHOW BINARY LOGS")
			in.Exec(t, src.url, "PURGE BINARY LOGS TO '"+last[len(last)-1][0]+"'")
			until := endOf(t, src.end)
			_, err := read(t, src.end, start, selects, until, nil)
			if fault.ClassOf(err) != fault.Refused || !strings.Contains(fault.HintOf(err), "copy again") || !strings.Contains(fault.HintOf(err), "binlog_expire_logs_seconds") {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			in.Exec(t, src.url, "INSERT INTO a VALUES (3)")
			if txns, err := read(t, src.end, until, selects, endOf(t, src.end), nil); err != nil || len(txns) != 1 {
				t.Errorf("from the end: %v, %v", txns, err)
			}

			// The server dies and comes back: the feed breaks and goes on.
			at := endOf(t, src.end)
			err = src.end.Stream(t.Context(), at, selects, func(ctx context.Context, f change.Feed) error {
				if _, err := f.Next(ctx); err != nil {
					return err
				}
				in.Kill(t)
				for {
					if _, err := f.Next(ctx); err != nil {
						return err
					}
				}
			})
			if fault.ClassOf(err) != fault.Connect {
				t.Errorf("killed: %v", err)
			}
			in.Start(t)
			in.Exec(t, src.url, "INSERT INTO a VALUES (4)")
			txns, err := read(t, src.end, at, selects, endOf(t, src.end), nil)
			for range controls { // connections of the pool that broke too
				if fault.ClassOf(err) != fault.Connect {
					break
				}
				txns, err = read(t, src.end, at, selects, endOf(t, src.end), nil)
			}
			if err != nil || len(txns) != 1 {
				t.Errorf("after the restart: %v, %v", txns, err)
			}

			// Another history under the same address.
			reset := "RESET MASTER"
			if kind == servertest.KindMySQL {
				reset = "RESET BINARY LOGS AND GTIDS"
			}
			in.Exec(t, src.url, reset)
			never := change.Position("snapshot:none:binlog.000009:4:9-9-9")
			if kind == servertest.KindMySQL {
				never = "gtid:" + uuidA + ":9"
			}
			_, err = read(t, src.end, at, selects, never, nil)
			if fault.ClassOf(err) != fault.Refused {
				t.Errorf("a log that was reset: %v", err)
			}
		})
	}
}

// TestFeedAfterLoss has a server lose the end of its log, as a crash of its machine does where sync_binlog is not 1. It gives the GTIDs that it lost to what
// is committed next: without a look at its files that would pass for what was read, and be lost without a word.
func TestFeedAfterLoss(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.KindMySQL, servertest.KindMariaDB} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			in := servertest.Private(t, kind, servertest.Options{})
			src := open(t, in.Server, "CREATE TABLE a (id INT PRIMARY KEY)")
			selects := selectAll(t, src)
			start := startOf(t, src.end)
			in.Exec(t, src.url, "INSERT INTO a VALUES (1)")
			logs := in.Query(t, src.url, "SHOW BINARY LOGS")
			last := logs[len(logs)-1]
			size, err := strconv.ParseInt(last[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			in.Exec(t, src.url, "INSERT INTO a VALUES (2)")
			until := endOf(t, src.end)
			if txns, err := read(t, src.end, start, selects, until, nil); err != nil || len(txns) != 2 {
				t.Fatal(txns, err)
			}
			in.Kill(t)
			if err := os.Truncate(filepath.Join(in.Data(t), last[0]), size); err != nil {
				t.Fatal(err)
			}
			in.Start(t)
			in.Exec(t, src.url, "INSERT INTO a VALUES (3)")
			for range controls { // connections of the pool that broke
				if _, err = read(t, src.end, until, selects, until, nil); fault.ClassOf(err) != fault.Connect {
					break
				}
			}
			if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "lost transactions") || !strings.Contains(fault.HintOf(err), "copy again") {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
		})
	}
}

// TestFeedWithoutGTIDs goes by file and offset, across files, and resumes behind every transaction.
func TestFeedWithoutGTIDs(t *testing.T) {
	t.Parallel()
	in := servertest.Private(t, servertest.KindMySQL, servertest.Options{Set: []string{"gtid_mode=OFF", "enforce_gtid_consistency=OFF"}})
	src := open(t, in.Server, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE m (id INT PRIMARY KEY, v INT) ENGINE=MyISAM")
	selects := selectAll(t, src)
	in.Exec(t, src.url, "FLUSH BINARY LOGS")
	start := startOf(t, src.end)
	in.Exec(t, src.url, "INSERT INTO a VALUES (1, 1)", "FLUSH BINARY LOGS", "INSERT INTO a VALUES (2, 1), (3, 1)",
		"BEGIN", "INSERT INTO a VALUES (4, 1)", "INSERT INTO m VALUES (1, 1)", "ROLLBACK",
		"CREATE TABLE c SELECT * FROM a", "UPDATE a SET v = 2 WHERE id = 3", "FLUSH BINARY LOGS")
	until := endOf(t, src.end)
	got := mirror{}
	txns, err := read(t, src.end, start, selects, until, got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a+1", "a+2", "m+1", "a~1"}, texts2(txns)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stored(t, src.end, selects), got); diff != "" {
		t.Errorf("(-stored +followed):\n%s", diff)
	}
	for i, s := range txns {
		if !strings.HasPrefix(string(s.position), "file:") {
			t.Errorf("position %s", s.position)
		}
		rest, err := read(t, src.end, s.position, selects, until, nil)
		if diff := cmp.Diff(texts2(txns[i+1:]), texts2(rest)); err != nil || diff != "" {
			t.Errorf("behind %s: %v (-want +got):\n%s", s.position, err, diff)
		}
	}
	_, err = read(t, src.end, "file:00000000-0000-0000-0000-000000000000:binlog.000001:4", selects, until, nil)
	if err == nil || fault.ClassOf(err) != fault.Refused && !strings.Contains(err.Error(), "cannot be compared") {
		t.Errorf("another server's position: %v", err)
	}

	// What stands beyond 4 GiB is found by reading up to there; a smaller offset shows it.
	p, err := parsePosition(txns[1].position)
	if err != nil {
		t.Fatal(err)
	}
	follow, err := src.end.follow(t.Context(), selects)
	if err != nil {
		t.Fatal(err)
	}
	c, err := src.end.dumpConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := &feed{e: src.end, conn: c, follow: follow, dec: follow.decoder(), server: p.server, skipTo: p.pos, held: held{tables: selects}}
	if f.at, err = newSpot(p); err != nil {
		t.Fatal(err)
	}
	if f.dump, err = c.Dump(t.Context(), wire.DumpRequest{ServerID: 4000000001, File: p.file, Pos: firstEvent}); err != nil {
		t.Fatal(err)
	}
	for {
		ev, err := f.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind == change.EventRows {
			if ev.Rows.Table.Table.Name != "m" {
				t.Errorf("the first rows are of %s", ev.Rows.Table.Table.Name)
			}
			break
		}
	}
}

// TestFeedWithTags goes by sets with tags, and compares their encoding with the server's own in Previous_gtids.
func TestFeedWithTags(t *testing.T) {
	t.Parallel()
	in := servertest.Private(t, servertest.KindMySQL, servertest.Options{})
	if v := in.Query(t, in.URL, "SELECT VERSION()")[0][0]; strings.HasPrefix(v, "8.0") || strings.HasPrefix(v, "5.") {
		t.Skip("tags exist since MySQL 8.3, this is " + v)
	}
	src := open(t, in.Server, "CREATE TABLE a (id INT PRIMARY KEY)")
	selects := selectAll(t, src)
	in.Exec(t, src.url, "INSERT INTO a VALUES (1)", "SET gtid_next = 'AUTOMATIC:tag_b'", "INSERT INTO a VALUES (2)", "SET gtid_next = 'AUTOMATIC:a'", "INSERT INTO a VALUES (3)")
	start := startOf(t, src.end)
	in.Exec(t, src.url, "SET gtid_next = 'AUTOMATIC:a'", "INSERT INTO a VALUES (4)", "INSERT INTO a VALUES (5)", "SET gtid_next = 'AUTOMATIC'", "INSERT INTO a VALUES (6)")
	txns, err := read(t, src.end, start, selects, endOf(t, src.end), nil)
	if err != nil || len(txns) != 3 {
		t.Fatalf("%v, %v", txns, err)
	}
	rest, err := read(t, src.end, txns[0].position, selects, endOf(t, src.end), nil)
	if err != nil || len(rest) != 2 {
		t.Errorf("behind the first: %v, %v", rest, err)
	}

	in.Exec(t, src.url, "FLUSH BINARY LOGS")
	set := gtids(t, in.Query(t, src.url, "SELECT @@global.gtid_executed")[0][0])
	if printed := strings.NewReplacer("\n", "", " ", "").Replace(in.Query(t, src.url, "SELECT @@global.gtid_executed")[0][0]); printed != set.String() {
		t.Errorf("the server prints %s, this %s", printed, set)
	}
	files := in.Query(t, src.url, "SHOW BINARY LOGS")
	c, err := src.end.dumpConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := c.Dump(t.Context(), wire.DumpRequest{ServerID: 4000000002, File: files[len(files)-1][0], Pos: firstEvent, ToEnd: true})
	if err != nil {
		t.Fatal(err)
	}
	const previousGTIDs = 35
	for {
		raw, err := d.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if raw[4] == previousGTIDs {
			if theirs, ours := raw[eventHeaderBytes:len(raw)-4], set.encode(); !bytes.Equal(theirs, ours) {
				t.Errorf("the server encodes %s as\n%x, this as\n%x", set, theirs, ours)
			}
			return
		}
	}
}

// TestFeedLeavesOutWhatWasRolledBack gives the feed what servers log when a rolled back transaction changed tables of both kinds.
func TestFeedLeavesOutWhatWasRolledBack(t *testing.T) {
	s := servertest.MariaDB(t)
	src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
	selects := selectAll(t, src)
	start := startOf(t, src.end)
	s.Exec(t, src.url, "BEGIN", "INSERT INTO a VALUES (1)", "SAVEPOINT s", "INSERT INTO a SELECT 2", "CREATE TEMPORARY TABLE tmp (id INT)", "INSERT INTO m VALUES (1)", "ROLLBACK TO s",
		"INSERT INTO a VALUES (3)", "COMMIT",
		"BEGIN", "INSERT INTO a VALUES (4)", "CREATE TEMPORARY TABLE tmp2 (id INT)", "INSERT INTO m VALUES (2)", "ROLLBACK", "INSERT INTO a VALUES (5)")
	until := endOf(t, src.end)
	got, at := mirror{}, start
	for range 10 {
		try := mirror{}
		_, err := read(t, src.end, at, selects, until, try)
		if err == nil {
			got = try
			break
		}
		if fault.ClassOf(err) != fault.Connect {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(stored(t, src.end, selects), got); diff != "" {
		t.Errorf("(-stored +followed):\n%s\n%s", diff, fmt.Sprint(s.Query(t, src.url, "SELECT * FROM a")))
	}
}
