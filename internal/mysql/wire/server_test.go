package wire_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/servertest"
)

// A server is one real server that the tests run against.
type server struct {
	*servertest.Server
	name, addr, user, password string
}

// servers returns every server that speaks the protocol, MySQL and MariaDB; at least one is needed.
func servers(t testing.TB) []server {
	t.Helper()
	var found []server
	for _, s := range servertest.Sources(t) {
		c := servertest.MySQLConfig(t, s.URL)
		found = append(found, server{Server: s, name: string(s.Kind), addr: c.Addr, user: c.User, password: c.Passwd})
	}
	return found
}

// each runs fn for every server.
func each(t *testing.T, fn func(t *testing.T, sv server)) {
	t.Helper()
	for _, sv := range servers(t) {
		t.Run(sv.name, func(t *testing.T) { fn(t, sv) })
	}
}

func (sv server) config() wire.Config {
	return wire.Config{
		Address: sv.addr, User: sv.user, Password: fixed(sv.password), ConnectTimeout: 30 * time.Second,
		Attributes: [][2]string{{"program_name", "bascule-test"}},
	}
}

func fixed(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

func connect(t testing.TB, cfg wire.Config) *wire.Conn {
	t.Helper()
	c, err := wire.Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func exec(t testing.TB, c *wire.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s[:min(len(s), 200)], err)
		}
	}
}

// driver opens the independent truth, go-sql-driver, on a database.
func (sv server) driver(t testing.TB, database string) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = sv.user, sv.password, "tcp", sv.addr, database
	cfg.MaxAllowedPacket = 1 << 30
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// database makes a fresh database for the test and returns its name.
func (sv server) database(t testing.TB) string {
	t.Helper()
	url := sv.Database(t)
	name := servertest.MySQLConfig(t, url).DBName
	sv.Exec(t, url, "ALTER DATABASE "+name+" CHARACTER SET utf8mb4") // other servers default to other sets
	return name
}

// drain reads all rows as copies; nil is NULL.
func drain(t testing.TB, r *wire.Rows, limit int) ([][][]byte, error) {
	t.Helper()
	var all [][][]byte
	var b change.Batch
	for {
		err := r.ReadBatch(t.Context(), limit, &b)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		for i := range b.Rows {
			row := make([][]byte, b.Columns)
			for j, s := range b.Row(i) {
				if !s.Null() {
					row[j] = append([]byte{}, b.Bytes(s)...)
				}
			}
			all = append(all, row)
		}
	}
}

// one runs a text query and returns the first value of its first row.
func one(t testing.TB, c *wire.Conn, query string) string {
	t.Helper()
	rows, err := c.Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	all, err := drain(t, rows, 1<<16)
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d rows, %v", query, len(all), err)
	}
	return string(all[0][len(all[0])-1])
}

// insecure trusts any certificate: the servers of the bench sign their own.
var insecure = &tls.Config{InsecureSkipVerify: true}
