package servertest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Samples returns the .sql files of an optional sample database such as "sakila",
// in the order in which they load: schema.sql first. They are sought in
// $BASCULE_SAMPLES/NAME, else in ../shared/samples/NAME beside the repository;
// without them the test is skipped.
func Samples(t testing.TB, name string) []string {
	t.Helper()
	dir := os.Getenv("BASCULE_SAMPLES")
	if dir == "" {
		dir = filepath.Join(repository(), "..", "shared", "samples")
	}
	files, err := filepath.Glob(filepath.Join(dir, name, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no sample %q in %s: BASCULE_SAMPLES names another folder", name, dir)
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(loadOrder(a), loadOrder(b)) })
	return files
}

func loadOrder(path string) string {
	base := filepath.Base(path)
	if base == "schema.sql" {
		return ""
	}
	return base
}

// LoadFile feeds .sql files to the server's own command-line client, which knows
// DELIMITER. A file that makes and uses a database of its own lands in the
// database of dbURL instead, so that tests may load it side by side. Rows are
// committed together: Chinook's 15,000 single INSERTs would each wait for the disk.
func (s *Server) LoadFile(t testing.TB, dbURL string, files ...string) {
	t.Helper()
	if !s.Kind.SpeaksMySQL() {
		t.Fatalf("load %q: %s does not read MySQL's SQL", files, s.Kind)
	}
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatalf("parse database URL: %v", err)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatalf("parse database URL: %v", err)
	}
	client := findClient(t)
	password, _ := u.User.Password()
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), client, "--no-defaults", "--default-character-set=utf8mb4",
			"-h", host, "-P", port, "-u", u.User.Username(), strings.TrimPrefix(u.Path, "/"))
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
		cmd.Stdin = io.MultiReader(strings.NewReader("SET autocommit = 0;\n"),
			bytes.NewReader(intoOtherDatabase(script)), strings.NewReader("\nCOMMIT;\n"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("load %s into %s: %v: %s", file, s.Name, err, out)
		}
	}
}

// findClient prefers MariaDB's client: it talks to both servers.
func findClient(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"mariadb", "mysql"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no mariadb or mysql command to load SQL files with: testbed/install mariadb")
	return ""
}

var (
	databaseLine = regexp.MustCompile("(?im)^(?:DROP|CREATE) (?:SCHEMA|DATABASE)\\b[^;\n]*;\r?$")
	useLine      = regexp.MustCompile("(?im)^USE `?(\\w+)`?;\r?$")
)

// intoOtherDatabase removes the statements that make and choose a database, and
// the qualification of names by it.
func intoOtherDatabase(script []byte) []byte {
	script = bytes.TrimPrefix(script, []byte("\xef\xbb\xbf"))
	use := useLine.FindSubmatch(script)
	if use == nil {
		return script
	}
	script = databaseLine.ReplaceAll(script, nil)
	script = useLine.ReplaceAll(script, nil)
	qualifier := regexp.MustCompile(`\b` + regexp.QuoteMeta(string(use[1])) + `\.`)
	return qualifier.ReplaceAll(script, nil)
}
