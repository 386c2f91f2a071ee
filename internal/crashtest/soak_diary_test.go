package crashtest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/servertest"
)

// diary is what a soak leaves for those who must find out why two sides differ: who was killed when, and each process's output.
type diary struct {
	dir string
	mu  sync.Mutex
	out *os.File
}

func begin(t *testing.T) *diary {
	t.Helper()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "diary"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return &diary{dir: dir, out: out}
}

// says writes a line of the soak's own.
func (j *diary) says(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _ = fmt.Fprintf(j.out, "%s "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05.000000")}, args...)...)
}

// of returns who hears a process.
func (j *diary) of(role string) func(line string) {
	j.says("%s begins", role)
	return func(line string) { j.says("%s: %s", role, line) }
}

// keep leaves a failed soak in the folder BASCULE_SOAK_KEEP: the diary, and the data of both servers with the binlog, the ledger and
// what was applied.
func (j *diary) keep(t *testing.T, name string, source, target *servertest.Instance) {
	t.Helper()
	parent := os.Getenv("BASCULE_SOAK_KEEP")
	if !t.Failed() || parent == "" {
		return
	}
	dir, err := os.MkdirTemp(parent, name+".") //nolint:usetesting // it is to stay
	if err != nil {
		t.Error(err)
		return
	}
	if err := os.CopyFS(dir, os.DirFS(j.dir)); err != nil {
		t.Error(err)
	}
	source.Keep(t, filepath.Join(dir, "source"))
	target.Keep(t, filepath.Join(dir, "target"))
	t.Logf("kept in %s", dir)
}
