package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
)

func TestOpenFaults(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := filepath.Join(dir, "foreign.db")
	execFile(t, foreign, "CREATE TABLE t (a)", "PRAGMA user_version = 3")
	newer := filepath.Join(dir, "newer.db")
	if err := open(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	execFile(t, newer, "UPDATE meta SET version = 99")
	cases := map[string]struct {
		url   string
		class fault.Class
		says  string
	}{
		"Empty":       {"", fault.Usage, "neither a path nor"},
		"OtherServer": {"mysql://root@localhost/x", fault.Usage, "neither a path nor"},
		"Folder":      {dir, fault.Usage, "directory"},
		"BelowAFile":  {filepath.Join(write("file", "x"), "rounds.db"), fault.Usage, "not a directory"},
		"NoDatabase":  {write("text.db", strings.Repeat("This is no database. ", 100)), fault.Usage, "not a database"},
		"Foreign":     {foreign, fault.Usage, "another program"},
		"Newer":       {newer, fault.Unsupported, "99"},
		"BadURL":      {"postgres://ada:s3cret@localhost:port/x", fault.Usage, "cannot be read"},
		"NoServer":    {"postgres://ada:s3cret@127.0.0.1:1/x?sslmode=disable", fault.Connect, "refused"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), tc.url)
			if s != nil || fault.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.says) || fault.HintOf(err) == "" {
				t.Errorf("%v of class %s with hint %q, want %s and %q", err, fault.ClassOf(err), fault.HintOf(err), tc.class, tc.says)
			}
			if strings.Contains(fmt.Sprint(err, fault.HintOf(err)), "s3cret") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
	// What is another program's is as it was.
	if got := execFile(t, foreign, "SELECT 1"); got != "delete" {
		t.Errorf("the foreign database's journal_mode is %s", got)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "text.db")); err != nil || len(text) != 2100 {
		t.Errorf("the text has %d bytes, %v", len(text), err)
	}
}

// execFile runs statements in a file and returns its journal_mode.
func execFile(t *testing.T, path string, statements ...string) (mode string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil {
		t.Fatal(err)
	}
	return mode
}

func TestNoRightToWrite(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("this user may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"rounds.db", "sub/rounds.db"} {
		if _, err := Open(t.Context(), filepath.Join(dir, path)); fault.ClassOf(err) != fault.Privilege {
			t.Errorf("%s: %v of class %s", path, err, fault.ClassOf(err))
		}
	}
}

func TestFilesAreOnesOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	s := open(t, filepath.Join(dir, "b", "rounds.db"))
	create(t, s)
	modes := map[string]os.FileMode{"": 0o700, "b": 0o700, "b/rounds.db": 0o600, "b/rounds.db-wal": 0o600, "b/rounds.db-shm": 0o600}
	for name, want := range modes {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	if s.Shared() {
		t.Error("a file is no place for two machines")
	}
}

// TestDurableSettings asks the connections that write for what makes a commit durable.
func TestDurableSettings(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "rounds.db"))
	for _, tc := range []struct {
		name string
		db   *sql.DB
		want string
	}{{"write", s.write, "2"}, {"read", s.read, "2"}, {"loose", s.loose, "1"}} {
		var synchronous, mode string
		if err := tc.db.QueryRowContext(t.Context(), "SELECT (SELECT synchronous FROM pragma_synchronous), (SELECT journal_mode FROM pragma_journal_mode)").Scan(&synchronous, &mode); err != nil {
			t.Fatal(err)
		}
		if synchronous != tc.want || mode != "wal" {
			t.Errorf("%s: synchronous is %s, and journal_mode %s", tc.name, synchronous, mode)
		}
	}
	if _, err := s.read.ExecContext(t.Context(), "DELETE FROM rounds"); err == nil {
		t.Error("the connections for reading can write")
	}
}

// fill appends until it fails, and returns the last Seq and the error.
func fill(t *testing.T, s *Store, id string, last int64) (int64, error) {
	t.Helper()
	for {
		e, err := s.Append(t.Context(), id, last, 0, round.Event{What: round.Noted, Reason: strings.Repeat("x", 1000)})
		if err != nil {
			return last, err
		}
		last = e.Seq
	}
}

// TestFull lets SQLite find no room for one page more, as on a full disk, and makes room again.
func TestFull(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "rounds.db"))
	r := create(t, s)
	var pages int
	if err := s.write.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		if _, err := s.write.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages + 5)
	last, err := fill(t, s, r.ID, 0)
	if fault.ClassOf(err) != fault.Resource || !strings.Contains(fault.HintOf(err), "full") || errors.Is(err, ErrUnsure) || last == 0 {
		t.Fatalf("after %d entries: %v of class %s, %q", last, err, fault.ClassOf(err), fault.HintOf(err))
	}
	if es := entries(t, s, r.ID, 0); len(es) != int(last) {
		t.Errorf("%d entries, want %d", len(es), last)
	}
	// What needs no new page goes on: a driver keeps its lease.
	if _, err := s.Claim(t.Context(), r.ID, "ada", 1<<30, false); err != nil {
		t.Errorf("a claim: %v", err)
	}
	limit(1 << 20)
	mustAppend(t, s, r.ID, last, 1, round.Event{What: round.Noted})
	audit(t, s, r.ID)
}

// TestFullDisk has the system refuse to write, in the middle of the log, in a process of its own.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this system has no such limit")
	}
	path := filepath.Join(t.TempDir(), "rounds.db")
	s := open(t, path)
	r := create(t, s)
	for _, limit := range []int{200_000, 300_001, 1_000_000} {
		cmd, out := writer(t, path, r.ID, "ada", fmt.Sprint(envLimit, "=", limit))
		said, rest := acknowledged(out, func(int) {})
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer has not stopped")
		}
		if len(said) == 0 || !strings.Contains(rest, "stopped:") || !strings.Contains(rest, "it was not written") && !strings.Contains(rest, "disk") {
			t.Errorf("limit %d: %d entries, then: %s", limit, len(said), rest)
		}
		last := kept(t, s, r.ID, said)
		t.Logf("limit %d: %d acknowledged, %d there; %s", limit, len(said), last, rest)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		if again := kept(t, s, r.ID, said); again != last {
			t.Errorf("limit %d: %d entries, and %d after it was opened again", limit, last, again)
		}
	}
}

// TestOpenAtOnce makes one store eight times at once.
func TestOpenAtOnce(t *testing.T) {
	for range 5 {
		path := filepath.Join(t.TempDir(), "rounds.db")
		atOnce(t, nil, nil, func(ctx context.Context, _ *Store, _ int) error {
			s, err := Open(ctx, path)
			if err != nil {
				return err
			}
			return errors.Join(s.Create(ctx, &Round{Environment: "prod", Kind: Live}), s.Close())
		})
		if rounds, err := open(t, path).Rounds(t.Context()); len(rounds) != 8 || err != nil {
			t.Errorf("%d rounds, %v", len(rounds), err)
		}
	}
}
