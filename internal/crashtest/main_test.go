package crashtest

import (
	"os"
	"testing"
)

// TestMain gives the programs under test a spool of their own: one process writes a server's spool, and other tests' programs use the
// same servers.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bascule-state")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if err := os.Setenv("XDG_STATE_HOME", dir); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}
