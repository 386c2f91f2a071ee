package servertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func all(t *testing.T) []*Server {
	t.Helper()
	return append(Sources(t), Targets(t)...)
}

func TestServerIsWhatItSays(t *testing.T) {
	t.Parallel()
	want := map[Kind]string{KindMySQL: "9.", KindMariaDB: "MariaDB", KindPostgres15: "PostgreSQL", KindPostgres18: "PostgreSQL 18"}
	for _, s := range all(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			got := s.Query(t, s.URL, "SELECT version()")[0][0]
			if s.dir != "" && !strings.Contains(got, want[s.Kind]) {
				t.Errorf("version() of %s is %q, without %q", s.Name, got, want[s.Kind])
			}
		})
	}
}

func TestDatabaseIsFreshAndDropped(t *testing.T) {
	t.Parallel()
	for _, s := range all(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var dbURL string
			t.Run("use", func(t *testing.T) {
				dbURL = s.Database(t)
				s.Exec(t, dbURL, "CREATE TABLE t (a INT, b VARCHAR(10))", "INSERT INTO t VALUES (1, 'x'), (2, NULL), (NULL, '')")
				got := s.Query(t, dbURL, "SELECT a, b FROM t ORDER BY a IS NULL, a")
				want := [][]string{{"1", "x"}, {"2", Null}, {Null, ""}}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
			})
			if err := s.exec(t.Context(), dbURL, "SELECT 1"); err == nil {
				t.Errorf("%s still answers after its test has ended", dbURL)
			}
		})
	}
}

func TestExecSharesOneSession(t *testing.T) {
	t.Parallel()
	for _, s := range all(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dbURL := s.Database(t)
			s.Exec(t, dbURL, "CREATE TEMPORARY TABLE t (a INT)", "INSERT INTO t VALUES (1)")
			if err := s.exec(t.Context(), dbURL, "INSERT INTO t VALUES (1)"); err == nil {
				t.Error("a second Exec sees the first one's temporary table")
			}
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for _, s := range all(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			files := s.TLS(t)
			for _, f := range []string{files.CA, files.Cert, files.Key} {
				if b, err := os.ReadFile(f); err != nil || !strings.Contains(string(b), "-----BEGIN") {
					t.Errorf("%s is no PEM file: %v", f, err)
				}
			}
			if s.Kind.SpeaksMySQL() {
				return
			}
			u := s.URL + "?sslmode=verify-full&sslrootcert=" + files.CA + "&sslcert=" + files.Cert + "&sslkey=" + files.Key
			got := s.Query(t, u, "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
			if diff := cmp.Diff([][]string{{"/CN=bascule-client"}}, got); diff != "" {
				t.Errorf("client certificate (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrivateSurvivesKill(t *testing.T) {
	t.Parallel()
	for _, k := range []Kind{KindMySQL, KindMariaDB, KindPostgres15, KindPostgres18} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			in := Private(t, k, Options{Set: []string{"max_connections=23"}})
			dbURL := in.Database(t)
			in.Exec(t, dbURL, "CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (7)")
			in.Kill(t)
			if err := in.exec(t.Context(), dbURL, "SELECT 1"); err == nil {
				t.Fatal("a killed server answers")
			}
			in.Start(t)
			if diff := cmp.Diff([][]string{{"7"}}, in.Query(t, dbURL, "SELECT a FROM t")); diff != "" {
				t.Errorf("rows after kill (-want +got):\n%s", diff)
			}
			in.Stop(t)
			in.Start(t)
			show := "SHOW max_connections"
			if k.SpeaksMySQL() {
				show = "SELECT @@max_connections"
			}
			if diff := cmp.Diff([][]string{{"23"}}, in.Query(t, dbURL, show)); diff != "" {
				t.Errorf("setting after restart (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadSamples(t *testing.T) {
	t.Parallel()
	counts := map[string]struct{ query, want string }{
		// As the samples' own documentation has it.
		"sakila":  {"SELECT (SELECT count(*) FROM film), (SELECT count(*) FROM rental), (SELECT count(*) FROM customer_list)", "1000 16044 599"},
		"chinook": {"SELECT (SELECT count(*) FROM Track), (SELECT count(*) FROM InvoiceLine), (SELECT count(*) FROM Artist)", "3503 2240 275"},
	}
	for name, c := range counts {
		for _, s := range Sources(t) {
			t.Run(name+" on "+s.Name, func(t *testing.T) {
				t.Parallel()
				files := Samples(t, name)
				dbURL := s.Database(t)
				s.LoadFile(t, dbURL, files...)
				if got := strings.Join(s.Query(t, dbURL, c.query)[0], " "); got != c.want {
					t.Errorf("counts are %s, not %s", got, c.want)
				}
			})
		}
	}
}

func TestSamplesSkipWhereThereAreNone(t *testing.T) {
	t.Setenv("BASCULE_SAMPLES", t.TempDir())
	skipped := true
	t.Run("absent", func(t *testing.T) {
		Samples(t, "sakila")
		skipped = false
	})
	if !skipped {
		t.Error("Samples returned without files")
	}
}

func TestIntoOtherDatabase(t *testing.T) {
	t.Parallel()
	script := "\xef\xbb\xbfDROP SCHEMA IF EXISTS shop;\nCREATE SCHEMA shop;\nUSE shop;\nCREATE VIEW v AS SELECT * FROM shop.t;\nINSERT INTO t VALUES ('workshop.x');\n"
	want := "\n\n\nCREATE VIEW v AS SELECT * FROM t;\nINSERT INTO t VALUES ('workshop.x');\n"
	if diff := cmp.Diff(want, string(intoOtherDatabase([]byte(script)))); diff != "" {
		t.Errorf("script (-want +got):\n%s", diff)
	}
	if got := string(intoOtherDatabase([]byte("SELECT 1;"))); got != "SELECT 1;" {
		t.Errorf("a script without USE became %q", got)
	}
}

func TestFileOfTheTestbed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BASCULE_TESTBED", dir)
	if got := fromFile(KindMySQL); got != "" {
		t.Errorf("without a file: %q", got)
	}
	line := `export BASCULE_TEST_MYSQL=mysql://u:p@h:1/d\?a=1\&b=2` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "env"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := fromFile(KindMySQL), "mysql://u:p@h:1/d?a=1&b=2"; got != want {
		t.Errorf("from the file: %q, want %q", got, want)
	}
	if got := fromFile(KindMariaDB); got != "" {
		t.Errorf("for another kind: %q", got)
	}
}
