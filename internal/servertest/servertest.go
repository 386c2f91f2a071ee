// Package servertest hands real database servers to tests: the shared ones that
// testbed/up runs or that BASCULE_TEST_* variables name, private ones that a test
// may kill, fresh databases on both, and sample schemas to fill them with.
//
// It is test support: no program imports it. It never fakes a server, never
// installs one, and never stops a shared one.
package servertest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Kind is one of the servers that the testbed knows, by the name that
// testbed/server takes.
type Kind string

// The kinds. KindPostgres15 stands for the distribution's own PostgreSQL, which
// is 15 on Debian 12 and newer elsewhere.
const (
	KindMySQL      Kind = "mysql"
	KindMariaDB    Kind = "mariadb"
	KindPostgres15 Kind = "postgres15"
	KindPostgres18 Kind = "postgres18"
)

// SpeaksMySQL reports whether servers of this kind are sources: MySQL or MariaDB.
func (k Kind) SpeaksMySQL() bool { return k == KindMySQL || k == KindMariaDB }

// variable is the environment variable that names a server of this kind.
func (k Kind) variable() string {
	switch k {
	case KindMySQL:
		return "BASCULE_TEST_MYSQL"
	case KindMariaDB:
		return "BASCULE_TEST_MARIADB"
	case KindPostgres15:
		return "BASCULE_TEST_POSTGRES"
	case KindPostgres18:
		return "BASCULE_TEST_POSTGRES18"
	}
	panic("unknown kind " + string(k))
}

// required reports whether every machine that runs the project's CI has this
// kind. The others exist on some distributions only.
func (k Kind) required() bool { return k == KindMariaDB || k == KindPostgres15 }

// Server is one server that answers. It is safe for concurrent use.
type Server struct {
	// Name is for test names and messages: the kind's.
	Name string
	// Kind says which server this is.
	Kind Kind
	// URL logs in as the administrator:
	// mysql://root:bascule@127.0.0.1:43306/ or postgres://postgres:bascule@127.0.0.1:45432/postgres.
	URL string
	// dir is the folder of an instance that the testbed runs; empty for a foreign server.
	dir string
}

// MySQL returns the shared MySQL server, or skips the test.
func MySQL(t testing.TB) *Server { t.Helper(); return shared(t, KindMySQL) }

// MariaDB returns the shared MariaDB server, or skips the test. With CI=true a
// missing one is a failure.
func MariaDB(t testing.TB) *Server { t.Helper(); return shared(t, KindMariaDB) }

// Postgres15 returns the shared PostgreSQL 15 (the distribution's own), or skips
// the test. With CI=true a missing one is a failure.
func Postgres15(t testing.TB) *Server { t.Helper(); return shared(t, KindPostgres15) }

// Postgres18 returns the shared PostgreSQL 18, or skips the test.
func Postgres18(t testing.TB) *Server { t.Helper(); return shared(t, KindPostgres18) }

// Sources returns every shared server that speaks MySQL's dialect, MySQL first.
// Without any the test is skipped; with CI=true a missing MariaDB is a failure.
func Sources(t testing.TB) []*Server { t.Helper(); return available(t, KindMySQL, KindMariaDB) }

// Targets returns every shared PostgreSQL, oldest first. Without any the test is
// skipped; with CI=true a missing PostgreSQL 15 is a failure.
func Targets(t testing.TB) []*Server { t.Helper(); return available(t, KindPostgres15, KindPostgres18) }

// TLS holds the certificates of a server that the testbed made, as paths of PEM
// files. CA signs both the server's certificate (127.0.0.1, localhost) and
// Cert, a client's, whose key is Key.
type TLS struct {
	CA, Cert, Key string
}

// TLS returns the server's certificates, or skips the test when the server is
// not the testbed's.
func (s *Server) TLS(t testing.TB) TLS {
	t.Helper()
	if s.dir == "" {
		t.Skipf("%s at %s is not the testbed's: its certificates are unknown", s.Kind, s.Host())
	}
	dir := filepath.Join(s.dir, "tls")
	return TLS{
		CA:   filepath.Join(dir, "ca.pem"),
		Cert: filepath.Join(dir, "client.pem"),
		Key:  filepath.Join(dir, "client.key"),
	}
}

// Host returns the server's host:port.
func (s *Server) Host() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// search is the outcome of looking for one kind: a server, or the reason for none.
type search struct {
	server *Server
	reason string
}

var (
	searchesMu sync.Mutex
	searches   = map[Kind]search{} // once per test binary
)

func shared(t testing.TB, k Kind) *Server {
	t.Helper()
	s, reason := find(t, k)
	if s == nil {
		refuse(t, k, reason)
	}
	return s
}

func available(t testing.TB, kinds ...Kind) []*Server {
	t.Helper()
	var found []*Server
	var missing Kind
	var why string
	for _, k := range kinds {
		s, reason := find(t, k)
		switch {
		case s != nil:
			found = append(found, s)
		case k.required() || why == "":
			missing, why = k, reason
		}
	}
	if len(found) == 0 || missing.missedInCI() {
		refuse(t, missing, why)
	}
	return found
}

func (k Kind) missedInCI() bool { return k != "" && k.required() && os.Getenv("CI") == "true" }

// refuse ends a test that lacks a server: a failure where CI promises it, a skip elsewhere.
func refuse(t testing.TB, k Kind, reason string) {
	t.Helper()
	if k.missedInCI() {
		t.Fatalf("no %s although CI=true: %s", k, reason)
	}
	t.Skipf("no %s: %s ('make test' starts the servers, %s names another)", k, reason, k.variable())
}

func find(t testing.TB, k Kind) (*Server, string) {
	t.Helper()
	searchesMu.Lock()
	defer searchesMu.Unlock()
	if _, ok := searches[k]; !ok {
		s, reason := look(t.Context(), k)
		searches[k] = search{s, reason}
	}
	return searches[k].server, searches[k].reason
}

// look asks the environment, then the file that testbed/up writes. Only the file
// may be stale; a server that a variable names must answer, or tests fail on it.
func look(ctx context.Context, k Kind) (*Server, string) {
	dir := filepath.Join(testbed(), "shared", string(k))
	if v := os.Getenv(k.variable()); v != "" {
		s := &Server{Name: string(k), Kind: k, URL: v}
		if v == fromFile(k) && runsIn(dir, v) { // the file was sourced
			s.dir = dir
		}
		return s, ""
	}
	v := fromFile(k)
	if v == "" {
		return nil, "not in " + filepath.Join(testbed(), "env")
	}
	s := &Server{Name: string(k), Kind: k, URL: v}
	if runsIn(dir, v) {
		s.dir = dir
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.exec(ctx, s.URL, "SELECT 1"); err != nil {
		return nil, "the testbed is down: " + err.Error()
	}
	return s, ""
}

// runsIn reports whether the testbed's instance in dir is the one at serverURL.
func runsIn(dir, serverURL string) bool {
	port, err := os.ReadFile(filepath.Join(dir, "port"))
	if err != nil {
		return false
	}
	u, err := url.Parse(serverURL)
	return err == nil && u.Hostname() == "127.0.0.1" && u.Port() == strings.TrimSpace(string(port))
}

var exportLine = regexp.MustCompile(`(?m)^export (\w+)=(.*)$`)

// fromFile returns what testbed/up wrote about a kind. The file is for shells:
// a backslash there stands before characters that shells would interpret.
func fromFile(k Kind) string {
	b, err := os.ReadFile(filepath.Join(testbed(), "env"))
	if err != nil {
		return ""
	}
	for _, m := range exportLine.FindAllStringSubmatch(string(b), -1) {
		if m[1] == k.variable() {
			return strings.ReplaceAll(m[2], `\`, "")
		}
	}
	return ""
}

// testbed is the folder of the testbed's scripts, as testbed/lib.sh has it.
func testbed() string {
	if v := os.Getenv("BASCULE_TESTBED"); v != "" {
		return v
	}
	return "/var/tmp/bascule-testbed"
}

// repository returns the root of the checkout that this package was built from.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
