package postgres

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is a fresh database and a role that owns it and is nothing else.
type database struct {
	admin *url.URL // as the superuser, in this database
	owner string   // connection string of the owner
	role  string
}

var databases atomic.Int64

// onEachServer runs a test in a fresh database of every server there is.
func onEachServer(t *testing.T, fn func(*testing.T, *database)) {
	t.Helper()
	for _, s := range servertest.Targets(t) {
		t.Run(s.Name, func(t *testing.T) { fn(t, newDatabase(t, s.URL)) })
	}
}

func newDatabase(t *testing.T, server string) *database {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("bascule_test_%d_%d", os.Getpid(), databases.Add(1))
	exec(t, server, fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD 'own'`, name),
		fmt.Sprintf(`CREATE DATABASE %s OWNER %s ENCODING 'UTF8' TEMPLATE template0`, name, name))
	t.Cleanup(func() {
		exec(t, server, fmt.Sprintf(`DROP DATABASE %s WITH (FORCE)`, name), `DROP ROLE `+name)
	})
	admin := *u
	admin.Path = "/" + name
	owner := admin
	owner.User = url.UserPassword(name, "own")
	return &database{admin: &admin, owner: owner.String(), role: name}
}

// exec runs statements over a connection of their own.
func exec(t *testing.T, dsn string, sql ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	for _, s := range sql {
		if _, err := c.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// query returns the rows of a query, columns as text joined by |.
func query(t *testing.T, dsn, sql string) []string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	res, err := c.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, row := range res[len(res)-1].Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = string(v)
			if v == nil {
				cells[i] = "NULL"
			}
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

// open opens the database as its owner, with schema app as the target.
func (d *database) open(t *testing.T) *End {
	t.Helper()
	return d.openAs(t, d.owner, "app")
}

func (d *database) openAs(t *testing.T, dsn string, name schema.Name) *End {
	t.Helper()
	c, err := ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), c, Options{Schema: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}
