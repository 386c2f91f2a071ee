//go:build unix

package store

import (
	"os/signal"
	"strconv"
	"syscall"
	"testing"
)

// limitFiles lets no file of this process grow beyond size bytes, as a full disk would.
func limitFiles(t *testing.T, size string) {
	t.Helper()
	if size == "" {
		return
	}
	n, err := strconv.ParseUint(size, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
		t.Fatal(err)
	}
}
