package mysql

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/mysql/spool"
	"github.com/bascule/bascule/internal/servertest"
)

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// spooling is a process's end with a spool.
func spooling(t *testing.T, url, root, key string) *End {
	t.Helper()
	cfg, err := ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	o := &SpoolOptions{Root: root, Who: "a test", segmentBytes: 64 << 10}
	if key != "" {
		if o.Key, err = spool.ParseKey(key); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Open(t.Context(), cfg, Options{Throttle: Throttle{MaxThreadsRunning: -1}, Spool: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// A run is a spool that is being written.
type run struct {
	stop func() error
}

// start spools in the background and returns when that has begun.
func startSpool(t *testing.T, e *End, migration string, from change.Position) *run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan bool, 1), make(chan error, 1)
	go func() { done <- e.Spool(ctx, migration, from, func(covered bool) { ready <- covered }) }()
	select {
	case covered := <-ready:
		if !covered {
			t.Errorf("the spool does not cover %s", from)
		}
	case err := <-done:
		cancel()
		t.Fatalf("spool: %v (%s)", err, fault.HintOf(err))
	case <-time.After(30 * time.Second):
		t.Fatal("the spool does not begin")
	}
	r := &run{stop: func() error { cancel(); err := <-done; done <- nil; return err }}
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// waitSpooled waits until everything up to a position is in the spool.
func waitSpooled(t *testing.T, e *End, until change.Position) {
	t.Helper()
	want, err := parsePosition(until)
	if err != nil {
		t.Fatal(err)
	}
	deadline, tick := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		st, err := spool.Look(e.spoolDir())
		if err != nil {
			t.Fatal(err)
		}
		if st.Segments > 0 {
			have, err := parsePosition(change.Position(st.Last.Position))
			if err != nil {
				t.Fatal(err)
			}
			if have.includes(want) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the spool is at %+v, not yet at %s", st.Last, until)
		}
	}
}

// forget makes the server delete all of its log but a new file.
func forget(t *testing.T, s *servertest.Server) {
	t.Helper()
	last := "SHOW MASTER STATUS"
	if s.Kind == servertest.KindMySQL {
		last = "SHOW BINARY LOG STATUS"
	}
	deadline, tick := time.After(30*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		s.Exec(t, s.URL, "FLUSH BINARY LOGS")
		file := s.Query(t, s.URL, last)[0][0]
		s.Exec(t, s.URL, "PURGE BINARY LOGS TO '"+file+"'")
		if logs := s.Query(t, s.URL, "SHOW BINARY LOGS"); len(logs) == 1 && logs[0][0] == file {
			return
		}
		select {
		case <-tick.C: // a dump that has just ended still uses its file
		case <-deadline:
			t.Fatalf("the server keeps its log: %v", s.Query(t, s.URL, "SHOW BINARY LOGS"))
		}
	}
}

// TestSpoolOnPrivate mistreats a server of each kind.
func TestSpoolOnPrivate(t *testing.T) {
	for _, k := range []servertest.Kind{servertest.KindMySQL, servertest.KindMariaDB} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := servertest.Private(t, k, servertest.Options{}).Server
			t.Run("outlives retention", func(t *testing.T) { outlivesRetention(t, s) })
			t.Run("looks behind what it leaves out", func(t *testing.T) { seeksBehindTheSpool(t, s) })
			t.Run("meets a gap", func(t *testing.T) { meetsAGap(t, s) })
		})
	}
}

func equalTables(t *testing.T, name string, want, got mirror) {
	t.Helper()
	for n, rows := range want {
		if !maps.Equal(rows, got[n]) {
			t.Errorf("%s, %s (-stored +followed):\n%.1000s", name, n, cmp.Diff(rows, got[n]))
		}
	}
}

// outlivesRetention follows two databases of a server from where the server has long forgotten them.
func outlivesRetention(t *testing.T, s *servertest.Server) {
	t.Helper()
	root := t.TempDir()
	const table = "CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT)"
	one, two := open(t, s, table), open(t, s, table)
	first := spooling(t, one.url, root, testKey)
	fromOne := startOf(t, first)
	writing := startSpool(t, first, "one", fromOne)
	write := func(n int) {
		for _, url := range []string{one.url, two.url} {
			s.Exec(t, url, fmt.Sprintf("INSERT INTO a VALUES (%d, REPEAT('x%d', 20000)), (%d, 'y')", n, n, n+1000),
				fmt.Sprintf("UPDATE a SET id = id + 5000 WHERE id = %d", n+1000), fmt.Sprintf("DELETE FROM a WHERE id = %d", n-2))
		}
	}
	for n := range 8 {
		write(n)
		if n%3 == 0 {
			s.Exec(t, s.URL, "FLUSH BINARY LOGS")
		}
	}
	// Another process joins for the other database; the first one goes, and it takes over.
	second := spooling(t, two.url, root, testKey)
	fromTwo, initial := startOf(t, second), stored(t, second, selectAll(t, two))
	takesOver := startSpool(t, second, "two", fromTwo)
	s.Exec(t, one.url, "XA START 'x', 'b', 7", "INSERT INTO a VALUES (90, 'prepared before')", "XA END 'x', 'b', 7", "XA PREPARE 'x', 'b', 7")
	afterPrepare := endOf(t, first)
	write(20)
	if err := writing.stop(); err != nil {
		t.Fatal(err)
	}
	write(30)
	s.Exec(t, one.url, "INSERT INTO a VALUES (91, REPEAT('large', 600000))")
	waitSpooled(t, second, endOf(t, second))
	if err := takesOver.stop(); err != nil {
		t.Fatal(err)
	}
	write(40) // only the server has this
	// A third process goes on; then nobody writes the spool.
	again := startSpool(t, second, "two", fromTwo)
	waitSpooled(t, second, endOf(t, second))
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	forget(t, s)
	s.Exec(t, one.url, "XA COMMIT 'x', 'b', 7")
	write(50)

	if _, err := read(t, one.end, fromOne, selectAll(t, one), endOf(t, one.end), nil); fault.ClassOf(err) != fault.Refused {
		t.Fatalf("without a spool: %v, want the server to have forgotten", err)
	}
	got := mirror{}
	if _, err := read(t, first, fromOne, selectAll(t, one), endOf(t, first), got); err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	equalTables(t, "one", stored(t, first, selectAll(t, one)), got)
	if _, err := read(t, second, fromTwo, selectAll(t, two), endOf(t, second), initial); err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	equalTables(t, "two", stored(t, second, selectAll(t, two)), initial)

	// From behind the XA PREPARE, which is sought in the spool.
	txns, err := read(t, first, afterPrepare, selectAll(t, one), endOf(t, first), nil)
	if err != nil {
		t.Fatalf("behind XA PREPARE: %v (%s)", err, fault.HintOf(err))
	}
	if texts := texts2(txns); len(texts) == 0 || !slices.Contains(texts, "a+1") {
		t.Errorf("behind XA PREPARE: %v", texts)
	}
	wrong := spooling(t, one.url, root, testKey[2:]+"ff")
	for name, e := range map[string]*End{"another key": wrong, "no key": spooling(t, one.url, root, "")} {
		if _, err := read(t, e, fromOne, selectAll(t, one), endOf(t, first), nil); fault.ClassOf(err) != fault.Refused {
			t.Errorf("%s: %v", name, err)
		}
		if err := e.Spool(t.Context(), "one", fromOne, func(bool) {}); fault.ClassOf(err) != fault.Refused {
			t.Errorf("write with %s: %v", name, err)
		}
	}
	sts, err := SpoolStatus(root)
	if err != nil || len(sts) != 1 || sts[0].Segments < 5 || !sts[0].Encrypted || len(sts[0].Holds) != 2 || sts[0].Writer != nil || sts[0].Raw < 3<<20 {
		t.Errorf("status: %+v, %v", sts, err)
	}
}

// seeksBehindTheSpool begins right at the XA COMMIT of a transaction whose XA PREPARE the spool has, too early for the position: between them is nothing.
func seeksBehindTheSpool(t *testing.T, s *servertest.Server) {
	t.Helper()
	src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT)")
	spooled := spooling(t, src.url, t.TempDir(), testKey)
	startSpool(t, spooled, "one", startOf(t, spooled))
	s.Exec(t, src.url, "INSERT INTO a VALUES (1, REPEAT('x', 100000))")
	src.xa(t, "late", "INSERT INTO a VALUES (2, 'prepared')")
	at := endOf(t, spooled)
	src.xaEnd(t, "COMMIT", "late")
	s.Exec(t, src.url, "INSERT INTO a VALUES (3, 'after')")
	until := endOf(t, spooled)
	waitSpooled(t, spooled, until)
	for name, e := range map[string]*End{"spool": spooled, "server": src.end} {
		txns, err := read(t, e, at, selectAll(t, src), until, nil)
		if err != nil {
			t.Fatalf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
		if diff := cmp.Diff([]string{"a+1", "a+1"}, texts2(txns)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// What has ended has no rows, though its XA PREPARE is still there.
	files, err := src.end.binlogFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1]
	for name, e := range map[string]*End{"spool": spooled, "server": src.end} {
		follow, err := e.follow(t.Context(), selectAll(t, src))
		if err != nil {
			t.Fatal(err)
		}
		f := &feed{e: e, follow: follow, server: e.server.id, txn: txn{file: last.name, off: last.size}}
		_, err = f.seek(t.Context(), binlog.XAID{Format: 1, Global: "late"})
		if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "had ended") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// meetsAGap has the server forget what follows the spool.
func meetsAGap(t *testing.T, s *servertest.Server) {
	t.Helper()
	root := t.TempDir()
	src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY)")
	e := spooling(t, src.url, root, "")
	from := startOf(t, e)
	writing := startSpool(t, e, "one", from)
	s.Exec(t, src.url, "INSERT INTO a VALUES (1)")
	waitSpooled(t, e, endOf(t, e))
	if err := writing.stop(); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, src.url, "INSERT INTO a VALUES (2)")
	forget(t, s)
	s.Exec(t, src.url, "INSERT INTO a VALUES (3)")
	if err := e.Spool(t.Context(), "one", from, func(bool) { t.Error("it says that it is ready") }); fault.ClassOf(err) != fault.Refused {
		t.Errorf("it goes on over the gap: %v", err)
	}
	if _, err := read(t, e, from, selectAll(t, src), endOf(t, e), nil); fault.ClassOf(err) != fault.Refused {
		t.Errorf("it follows over the gap: %v", err)
	}
	// Another migration that begins now cannot go on behind it either, because the first one would lose something silently.
	now := startOf(t, e)
	if err := e.Spool(t.Context(), "two", now, func(bool) {}); fault.ClassOf(err) != fault.Refused {
		t.Errorf("the other one is let go over the gap: %v", err)
	}
	if was, err := ReleaseSpool(root, "one"); err != nil || !was {
		t.Fatalf("release: %v, %v", was, err)
	}
	writing = startSpool(t, e, "two", now)
	s.Exec(t, src.url, "INSERT INTO a VALUES (4)")
	waitSpooled(t, e, endOf(t, e))
	if err := writing.stop(); err != nil {
		t.Fatal(err)
	}
	forget(t, s)
	if txns, err := read(t, e, now, selectAll(t, src), endOf(t, e), nil); err != nil || len(txns) != 1 {
		t.Errorf("the new spool: %v, %v", txns, err)
	}
}

// TestSpoolTrims deletes what both migrations have.
func TestSpoolTrims(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		root := t.TempDir()
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT)")
		e := spooling(t, src.url, root, "")
		from := startOf(t, e)
		writing := startSpool(t, e, "one", from)
		for i := range 6 {
			s.Exec(t, src.url, fmt.Sprintf("INSERT INTO a VALUES (%d, REPEAT('x', 700000))", i))
		}
		half := endOf(t, e)
		s.Exec(t, src.url, "INSERT INTO a VALUES (7, REPEAT('x', 700000)), (8, REPEAT('y', 700000))")
		waitSpooled(t, e, endOf(t, e))
		if err := writing.stop(); err != nil {
			t.Fatal(err)
		}
		before, err := spool.Segments(e.spoolDir())
		if err != nil || len(before) < 4 {
			t.Fatalf("%d segments, %v", len(before), err)
		}
		if n, err := TrimSpool(e.spoolDir(), 0); err != nil || n != 0 {
			t.Errorf("%d trimmed that are needed, %v", n, err)
		}
		if err := e.hold("one", half); err != nil {
			t.Fatal(err)
		}
		if n, err := TrimSpool(e.spoolDir(), time.Hour); err != nil || n != 0 {
			t.Errorf("%d trimmed that are new, %v", n, err)
		}
		n, err := TrimSpool(e.spoolDir(), 0)
		if err != nil || n == 0 {
			t.Fatalf("%d trimmed, %v", n, err)
		}
		s0, _ := e.readSpool(must(parsePosition(from)), must(newSpot(must(parsePosition(from)))))
		if s0 != nil {
			t.Error("the spool still reaches back")
		}
		p := must(parsePosition(half))
		s1, err := e.readSpool(p, must(newSpot(p)))
		if err != nil || s1 == nil {
			t.Fatalf("the spool does not reach what is held: %v", err)
		}
		if err := s1.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(e.spoolDir()); err != nil {
			t.Error(err)
		}
		if txns, err := read(t, e, half, selectAll(t, src), endOf(t, e), nil); err != nil || len(txns) != 1 {
			t.Errorf("behind the mark: %v, %v", txns, err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSeekTrimmed looks for a transaction in a segment that was trimmed since it was listed.
func TestSeekTrimmed(t *testing.T) {
	f := &feed{e: &End{spool: &SpoolOptions{Root: t.TempDir()}}}
	x, over, err := f.seekSegment(t.Context(), binlog.XAID{}, spool.Segment{Number: 7})
	if x != nil || over || err != nil {
		t.Errorf("found %v, over %v, %v: a segment that is gone is passed over", x, over, err)
	}
}
