package acceptance

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/servertest"
)

// badInput is one mistake that people make. Every one must get a single clear
// error that names what and where, the right exit code, and never a secret.
type badInput struct {
	args []string
	env  []string
	code int
	says []string // what the error must name
}

const secret = "s3cret-" + "Pass"

// with replaces parts of a server URL.
func with(t *testing.T, raw string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

func query(k, v string) func(*url.URL) {
	return func(u *url.URL) {
		q := u.Query()
		q.Set(k, v)
		u.RawQuery = q.Encode()
	}
}

// silent listens and never answers, as a firewall or a wrong port does.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestBadInput(t *testing.T) {
	s, d := servertest.MariaDB(t), servertest.Postgres15(t)
	from, into := s.Database(t), d.Database(t)
	s.Exec(t, from, `CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(10))`, `INSERT INTO a VALUES (1, 'x')`)
	cases := badEnds(t, s, d, from, into)
	maps.Copy(cases, badContents(t, s, d, from))
	maps.Copy(cases, badWords(t, from, into))
	var table strings.Builder
	for k, c := range cases {
		t.Run(k, func(t *testing.T) {
			o := basculeWith(t, c.env, c.args...)
			message := strings.TrimSpace(o.stderr)
			fmt.Fprintf(&table, "%-22s | %d | %s\n", k, o.code, strings.ReplaceAll(message, "\n", " / "))
			if o.code != c.code {
				t.Errorf("exit code %d, want %d:\n%s%s", o.code, c.code, o.stdout, o.stderr)
			}
			for _, w := range c.says {
				if !strings.Contains(strings.ToLower(message), strings.ToLower(w)) {
					t.Errorf("the error does not name %q:\n%s", w, message)
				}
			}
			if n := strings.Count(message, "\n"); n > 12 {
				t.Errorf("%d lines are not one clear error:\n%s", n, message)
			}
			if strings.Contains(o.stdout+o.stderr, secret) {
				t.Error("the password was printed")
			}
		})
	}
	t.Logf("input | exit code | message\n%s", table.String())
	if n := d.Query(t, into, "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'"); n[0][0] != "0" {
		t.Errorf("bad input left %s relations on the target", n[0][0])
	}
}

func copyArgs(from, into string, more ...string) []string {
	return append([]string{"db", "copy", "--source", from, "--target", into}, more...)
}

// badEnds are servers that cannot be used.
func badEnds(t *testing.T, s, d *servertest.Server, from, into string) map[string]badInput {
	t.Helper()
	wrong := func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), secret) }
	nobody := func(u *url.URL) { u.Host = "127.0.0.1:1" }
	noHost := func(u *url.URL) { u.Host = "no-such-host.invalid:3306" }
	noDatabase := func(u *url.URL) { u.Path = "/no_such_database" }
	none := func(u *url.URL) { u.Path = "" }
	mute := silent(t)
	hang := func(u *url.URL) { u.Host = mute }
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, from, `CREATE OR REPLACE USER bascule_poor@'%' IDENTIFIED BY 'poor'`, `CREATE OR REPLACE USER bascule_blind@'%' IDENTIFIED BY 'poor'`)
	database := strings.TrimPrefix(mustParse(t, from).Path, "/")
	s.Exec(t, from, fmt.Sprintf("GRANT INSERT ON `%s`.* TO bascule_blind@'%%'", database))
	poor := func(u *url.URL) { u.User = url.UserPassword("bascule_poor", "poor") }
	blind := func(u *url.URL) { u.User = url.UserPassword("bascule_blind", "poor") }
	d.Exec(t, into, `DROP ROLE IF EXISTS bascule_poor`, `CREATE ROLE bascule_poor LOGIN PASSWORD 'poor'`, `REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
	readonly := query("default_transaction_read_only", "on")
	return map[string]badInput{
		"SourcePassword":    {args: copyArgs(with(t, from, wrong), into), code: 5, says: []string{"source", "denied"}},
		"TargetPassword":    {args: copyArgs(from, with(t, into, wrong)), code: 5, says: []string{"target", "password"}},
		"SourceUnreachable": {args: copyArgs(with(t, from, nobody), into), code: 5, says: []string{"127.0.0.1:1", "refused"}},
		"TargetUnreachable": {args: copyArgs(from, with(t, into, nobody)), code: 5, says: []string{"127.0.0.1", "refused"}},
		"SourceNoHost":      {args: copyArgs(with(t, from, noHost), into), code: 5, says: []string{"no-such-host.invalid"}},
		"SourceSilent":      {args: copyArgs(with(t, with(t, from, hang), query("connect-timeout", "1s")), into), code: 5, says: []string{mute, "time"}},
		"SourceNoDatabase":  {args: copyArgs(with(t, from, noDatabase), into), code: 5, says: []string{"no_such_database"}},
		"SourceUnnamed":     {args: copyArgs(with(t, from, none), into), code: 2, says: []string{"database"}},
		"TargetNoDatabase":  {args: copyArgs(from, with(t, into, noDatabase)), code: 5, says: []string{"no_such_database"}},
		"SourcePrivilege":   {args: copyArgs(with(t, from, poor), into), code: 6, says: []string{"GRANT"}},
		"SourceSelect":      {args: copyArgs(with(t, from, blind), into), code: 6, says: []string{"GRANT SELECT"}},
		"TargetPrivilege":   {args: copyArgs(from, with(t, into, poor)), code: 6, says: []string{"GRANT"}},
		"TargetReadOnly":    {args: copyArgs(from, with(t, into, readonly)), code: 4, says: []string{"read-only"}},
		"SourceIsPostgres":  {args: copyArgs(into, into), code: 2, says: []string{"mysql://"}},
		"TargetIsMySQL":     {args: copyArgs(from, from), code: 2, says: []string{"postgres://"}},
		"SourceCA":          {args: copyArgs(with(t, with(t, from, query("ssl-mode", "VERIFY_CA")), query("ssl-ca", ca)), into), code: 2, says: []string{"ca.pem"}},
		"SourceIdentity":    {args: copyArgs(with(t, from, query("ssl-mode", "VERIFY_IDENTITY")), into), code: 5, says: []string{"certificate"}},
		"TargetCA":          {args: copyArgs(from, with(t, with(t, into, query("sslmode", "verify-full")), query("sslrootcert", ca))), code: 2, says: []string{"ca.pem"}},
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// badContents are databases that a copy must refuse.
func badContents(t *testing.T, s, d *servertest.Server, from string) map[string]badInput {
	t.Helper()
	full := d.Database(t)
	d.Exec(t, full, `CREATE TABLE a (id int)`)
	empty := s.Database(t)
	latin := d.Database(t)
	d.Exec(t, d.URL, `DROP DATABASE IF EXISTS bascule_latin1`, `CREATE DATABASE bascule_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
	latin = with(t, latin, func(u *url.URL) { u.Path = "/bascule_latin1" })
	other, taken := s.Database(t), d.Database(t)
	s.Exec(t, other, `CREATE TABLE b (id INT PRIMARY KEY)`)
	must(t, "db", "copy", "--source", other, "--target", taken)
	return map[string]badInput{
		"TargetNotEmpty":  {args: copyArgs(from, full), code: 4, says: []string{`a`, "--schema"}},
		"SourceEmpty":     {args: copyArgs(empty, d.Database(t)), code: 2, says: []string{"no table"}},
		"TargetEncoding":  {args: copyArgs(from, latin), code: 4, says: []string{"UTF8"}},
		"OtherSource":     {args: copyArgs(from, taken), code: 4, says: []string{"drop"}},
		"OtherOptions":    {args: copyArgs(other, taken, "--keep-case"), code: 4, says: []string{"keep_case"}},
		"VerifyUnknown":   {args: []string{"db", "verify", "--source", from, "--target", full}, code: 2, says: []string{"public"}},
		"StatusUnknown":   {args: []string{"db", "status", "--target", full}, code: 2, says: []string{"public"}},
		"DropUnconfirmed": {args: []string{"db", "drop", "--target", taken}, code: 4, says: []string{"--yes"}},
	}
}

// badWords are command lines and configurations that mean nothing.
func badWords(t *testing.T, from, into string) map[string]badInput {
	t.Helper()
	config := func(text string) string {
		p := filepath.Join(t.TempDir(), "bascule.yaml")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	return map[string]badInput{
		"NoSource":       {args: []string{"db", "copy", "--target", into}, code: 2, says: []string{"--source"}},
		"UnknownFlag":    {args: copyArgs(from, into, "--parallel", "4"), code: 2, says: []string{"--parallel"}},
		"UnknownCommand": {args: []string{"db", "copi"}, code: 2, says: []string{"copi"}},
		"ConfigKey":      {args: []string{"db", "copy", "--config", config("source: x\nsuorce: y\n")}, code: 2, says: []string{"line 2", "suorce"}},
		"ConfigSyntax":   {args: []string{"db", "copy", "--config", config("source: [\n")}, code: 2, says: []string{"line"}},
		"ConfigMissing":  {args: []string{"db", "copy", "--config", "/no/such/file.yaml"}, code: 2, says: []string{"/no/such/file.yaml"}},
		"SecretMissing":  {args: copyArgs("env:NO_SUCH_VARIABLE", into), code: 2, says: []string{"NO_SUCH_VARIABLE"}},
		"SecretCommand":  {args: copyArgs(from, into, "--source-password", "exec:false"), code: 5, says: []string{"false"}},
		"BadPattern":     {args: copyArgs(from, into, "--include", "[a"), code: 2, says: []string{"[a"}},
		"NoSuchTable":    {args: copyArgs(from, into, "--include", "nothing_*"), code: 2, says: []string{"nothing_*"}},
		"BadAccept":      {args: copyArgs(from, into, "--accept", "zero-dates:a.v"), code: 2, says: []string{"zero-dates"}},
		"BadType":        {args: copyArgs(from, into, "--type", "a.v=money"), code: 2, says: []string{"money"}},
		"TypeNoColumn":   {args: copyArgs(from, into, "--type", "a.nothing=text"), code: 2, says: []string{"nothing"}},
	}
}
