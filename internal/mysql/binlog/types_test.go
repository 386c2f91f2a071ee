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

// TestOtherSettings does the same, and more, on servers that say as little as they may about columns, write no checksums, and compress.
func TestOtherSettings(t *testing.T) {
	for kind, set := range map[servertest.Kind][]string{
		servertest.KindMySQL:   {"binlog_row_metadata=MINIMAL", "binlog_checksum=NONE", "binlog_transaction_compression=ON", "binlog_transaction_compression_level_zstd=22"},
		servertest.KindMariaDB: {"binlog_row_metadata=NO_LOG", "binlog_checksum=NONE", "log_bin_compress=ON", "log_bin_compress_min_len=10"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := servertest.Private(t, kind, servertest.Options{Set: set})
			src := fresh(t, s.Server)
			src.checkEvents(t)
			src.Exec(t, src.url, "DROP TABLE t")
			src.load(t, "../../crosscheck/testdata/types_"+string(kind)+".sql", "")
			// The catalog prints the emoji as a question mark, and here the log has no members.
			src.Exec(t, src.url, "DROP TABLE c05_enum")
			src.compare(t)
			src.fill(t, 7)
			src.compare(t)
		})
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
