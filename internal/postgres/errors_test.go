package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/fault"
)

func TestOpenFails(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		tests := map[string]struct {
			dsn   string
			class fault.Class
			hint  string
		}{
			"wrong password":   {strings.Replace(d.owner, ":own@", ":wrong@", 1), fault.Login, "password"},
			"no such user":     {strings.Replace(d.owner, d.role+":own@", "nobody_here:x@", 1), fault.Login, "password"},
			"no such database": {strings.TrimSuffix(d.owner, d.role) + "nowhere", fault.Login, "CREATE DATABASE"},
			"nobody listens":   {"postgres://u@127.0.0.1:" + freePort(t) + "/db", fault.Connect, "reachable"},
			"no such host":     {"postgres://u@host.invalid/db", fault.Connect, "reachable"},
			"an unknown CA":    {d.owner + "?sslmode=verify-full", fault.Login, "sslrootcert"},
		}
		if query(t, d.admin.String(), "SHOW ssl")[0] == "off" {
			tests["an unknown CA"] = tests["nobody listens"]
			tests["no TLS"] = struct {
				dsn   string
				class fault.Class
				hint  string
			}{d.owner + "?sslmode=require", fault.Login, "ssl = on"}
		}
		for reason, tc := range tests {
			c, err := ParseConfig(tc.dsn)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Open(t.Context(), c, Options{})
			if err == nil {
				e.Close()
			}
			if fault.ClassOf(err) != tc.class || !strings.Contains(fault.HintOf(err), tc.hint) {
				t.Errorf("%s: %v (class %s, hint %q), want class %s and hint %q", reason, err, fault.ClassOf(err), fault.HintOf(err), tc.class, tc.hint)
			}
			if err != nil && strings.Contains(err.Error(), "wrong") {
				t.Errorf("%s: the password is shown: %v", reason, err)
			}
		}
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestClassify covers what cannot be made to happen on a shared server.
func TestClassify(t *testing.T) {
	c, err := ParseConfig("postgres://u:secret@h/db")
	if err != nil {
		t.Fatal(err)
	}
	e := &End{config: c, schema: "app"}
	for code, want := range map[string]fault.Class{
		"53100": fault.Resource, "53200": fault.Resource, "53300": fault.Resource, "57P01": fault.Connect, "57P03": fault.Connect,
		"08006": fault.Connect, "08P01": fault.Internal, "28000": fault.Login, "25006": fault.Unsupported, "42501": fault.Privilege,
		"23505": fault.Data, "22003": fault.Data, "55P03": fault.Resource, "58030": fault.Resource, "0A000": fault.Unsupported, "42601": fault.Internal,
	} {
		err := e.fail("load t", fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code, Message: "m"}))
		if got := fault.ClassOf(err); got != want {
			t.Errorf("SQLSTATE %s is %s, want %s", code, got, want)
		}
		if !strings.Contains(err.Error(), code) {
			t.Errorf("%v does not name its SQLSTATE", err)
		}
		if p := unwrapPg(err); p == nil || p.Code != code {
			t.Errorf("SQLSTATE %s is lost in %v", code, err)
		}
		if _, has := map[string]bool{"53100": true, "23505": true, "42501": true}[code]; has && fault.HintOf(err) == "" {
			t.Errorf("SQLSTATE %s has no hint", code)
		}
	}
	if err := e.fail("x", context.Canceled); !errors.Is(err, context.Canceled) || fault.ClassOf(err) != fault.Internal {
		t.Errorf("a cancel became %v", err)
	}
	if e.fail("x", nil) != nil {
		t.Error("no error became one")
	}
}

func TestCopyTarget(t *testing.T) {
	into := everyInto()
	for where, want := range map[string]string{
		"COPY t, line 78, column n": "t.n (row 78 of this chunk)",
		"COPY t, line 5":            "t (row 5 of this chunk)",
		"COPY odd, name, line 12, column c: \"x\"\nsecond line": "t",
		"COPY t, Zeile 78, Spalte n":                            "t.n (row 78 of this chunk)",
		"":                                                      "t",
	} {
		if got := copyTarget(into, &pgconn.PgError{Where: where}); got != want {
			t.Errorf("%q is %q, want %q", where, got, want)
		}
	}
}
