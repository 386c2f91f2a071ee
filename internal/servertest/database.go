package servertest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// Null is how Query prints an SQL NULL: no server prints a value so.
const Null = "⟨NULL⟩"

// Database makes a fresh, empty database with a random name and returns its URL,
// mysql://root:bascule@127.0.0.1:43306/bascule_test_… or
// postgres://postgres:bascule@127.0.0.1:45432/bascule_test_…
// It is dropped when the test ends, together with sessions that still use it.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "bascule_test_" + strings.ToLower(rand.Text()[:16])
	if err := s.exec(t.Context(), s.URL, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create database on %s: %v", s.Name, err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		drop := []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"}
		if s.Kind.SpeaksMySQL() {
			drop = []string{"SET SESSION lock_wait_timeout = 30", "DROP DATABASE IF EXISTS " + name}
		}
		if err := s.exec(ctx, s.URL, drop...); err != nil {
			t.Errorf("drop database %s on %s: %v", name, s.Name, err)
		}
	})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatalf("parse the URL of %s: %v", s.Name, err)
	}
	u.Path = "/" + name
	return u.String()
}

// Exec runs statements one after the other in one session of the database that
// dbURL names, or fails the test naming the statement.
func (s *Server) Exec(t testing.TB, dbURL string, statements ...string) {
	t.Helper()
	if err := s.exec(t.Context(), dbURL, statements...); err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
}

// Query runs one query in the database that dbURL names and returns its rows as
// the server prints them in its text protocol, with Null for NULL.
func (s *Server) Query(t testing.TB, dbURL, query string) [][]string {
	t.Helper()
	ask := queryPostgres
	if s.Kind.SpeaksMySQL() {
		ask = queryMySQL
	}
	rows, err := ask(t.Context(), dbURL, query)
	if err != nil {
		t.Fatalf("%s: query %s: %v", s.Name, shorten(query), err)
	}
	return rows
}

// MySQLConfig translates a mysql:// URL into go-sql-driver's configuration. It
// fails the test on a URL that it cannot read; query parameters are ignored.
func MySQLConfig(t testing.TB, serverURL string) *mysql.Config {
	t.Helper()
	c, err := mysqlConfig(serverURL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mysqlConfig(serverURL string) (*mysql.Config, error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return nil, fmt.Errorf("parse MySQL URL: %w", err)
	}
	if u.Scheme != "mysql" {
		return nil, fmt.Errorf("parse MySQL URL: scheme is %q, not mysql", u.Scheme)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", u.Host
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.DBName = strings.TrimPrefix(u.Path, "/")
	c.MaxAllowedPacket = 0 // the server's own
	return c, nil
}

func (s *Server) exec(ctx context.Context, dbURL string, statements ...string) error {
	if s.Kind.SpeaksMySQL() {
		return execMySQL(ctx, dbURL, statements)
	}
	return execPostgres(ctx, dbURL, statements)
}

func execMySQL(ctx context.Context, dbURL string, statements []string) error {
	db, err := openMySQL(dbURL)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, q := range statements {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("execute %s: %w", shorten(q), err)
		}
	}
	return nil
}

func openMySQL(dbURL string) (*sql.DB, error) {
	c, err := mysqlConfig(dbURL)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func queryMySQL(ctx context.Context, dbURL, query string) ([][]string, error) {
	db, err := openMySQL(dbURL)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, query) // without arguments: the text protocol
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	raw := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range raw {
		into[i] = &raw[i]
	}
	var out [][]string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(raw))
		for i, v := range raw {
			row[i] = text(v)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func execPostgres(ctx context.Context, dbURL string, statements []string) error {
	conn, err := pgconn.Connect(ctx, dbURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // a cancelled test must say goodbye too
	for _, q := range statements {
		if _, err := conn.Exec(ctx, q).ReadAll(); err != nil {
			return fmt.Errorf("execute %s: %w", shorten(q), err)
		}
	}
	return nil
}

func queryPostgres(ctx context.Context, dbURL, query string) ([][]string, error) {
	conn, err := pgconn.Connect(ctx, dbURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	results, err := conn.Exec(ctx, query).ReadAll() // the simple protocol: all text
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, r := range results {
		for _, values := range r.Rows {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = text(v)
			}
			out = append(out, row)
		}
	}
	return out, nil
}

func text(v []byte) string {
	if v == nil {
		return Null
	}
	return string(v)
}

// shorten keeps a message on a line, whatever a test inserts.
func shorten(query string) string {
	q := strings.Join(strings.Fields(query), " ")
	if len(q) > 200 {
		q = q[:200] + "…"
	}
	return fmt.Sprintf("%q", q)
}
