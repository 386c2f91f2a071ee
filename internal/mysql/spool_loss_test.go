package mysql

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/servertest"
)

// TestSpoolAfterLoss: who comes back to a server that lost the end of its log is refused, again and again, also by a new process; who copies anew, as the
// error asks for, is not.
func TestSpoolAfterLoss(t *testing.T) {
	t.Parallel()
	in := servertest.Private(t, servertest.KindMySQL, servertest.Options{})
	src := open(t, in.Server, "CREATE TABLE a (id INT PRIMARY KEY)")
	root := t.TempDir()
	end := spooling(t, src.url, root, testKey)
	keeps := startSpool(t, end, "one", startOf(t, end))
	logs := in.Query(t, src.url, "SHOW BINARY LOGS")
	last := logs[len(logs)-1]
	size, err := strconv.ParseInt(last[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	in.Exec(t, src.url, "INSERT INTO a VALUES (1)")
	until := endOf(t, end)
	waitSpooled(t, end, until)
	if err := keeps.stop(); err != nil {
		t.Fatal(err)
	}
	in.Kill(t)
	if err := os.Truncate(filepath.Join(in.Data(t), last[0]), size); err != nil {
		t.Fatal(err)
	}
	in.Start(t)
	in.Exec(t, src.url, "INSERT INTO a VALUES (2)") // under the number of what was lost
	for range 2 {
		err := spooling(t, src.url, root, testKey).Spool(t.Context(), "one", until, func(bool) {})
		if !errors.Is(err, errLostEnd) || fault.ClassOf(err) != fault.Refused {
			t.Fatalf("%v", err)
		}
	}
	if held, err := ReleaseSpool(root, "one"); err != nil || !held {
		t.Fatal(held, err)
	}
	anew := spooling(t, src.url, root, testKey)
	next := startSpool(t, anew, "two", startOf(t, anew))
	in.Exec(t, src.url, "INSERT INTO a VALUES (3)")
	waitSpooled(t, anew, endOf(t, anew))
	if err := next.stop(); err != nil {
		t.Error(err)
	}
}
