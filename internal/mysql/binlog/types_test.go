package binlog_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bascule/bascule/internal/servertest"
)

// TestEdgeValues reads the database that holds every type's edge values from the log, written in the ways that the servers have.
func TestEdgeValues(t *testing.T) {
	for _, s := range servertest.Sources(t) {
		file := "../../crosscheck/testdata/types_" + s.Name + ".sql"
		ways := map[string]string{"Plain": ""}
		if s.Kind == servertest.KindMySQL {
			ways["Compressed"] = "SET SESSION binlog_transaction_compression = ON;\n"
		}
		for way, first := range ways {
			t.Run(s.Name+"/"+way, func(t *testing.T) {
				t.Parallel()
				src := fresh(t, s)
				src.load(t, file, first)
				src.compare(t)
			})
		}
	}
}

// load runs a file after other statements, in one session.
func (s *source) load(t *testing.T, file, first string) {
	t.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "script.sql")
	if err := os.WriteFile(path, append([]byte(first), script...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.LoadFile(t, s.url, path)
}
