package postgres

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

func everyInto() *change.Into { return &change.Into{Table: "t"} }

func TestParseConfig(t *testing.T) {
	t.Setenv("PGPASSWORD", "")
	for dsn, want := range map[string]string{
		"postgres://app:s3cret@db.example:6432/shop?sslmode=require": "postgres://app@db.example:6432/shop",
		"postgresql://app@[::1]/shop":                                "postgres://app@[::1]:5432/shop",
		"host=db.example user=app password='s3 cret' dbname=shop":    "postgres://app@db.example:5432/shop",
		"host=/run/pg user=app dbname=shop":                          "postgres://app@/shop?host=%2Frun%2Fpg&port=5432",
	} {
		c, err := ParseConfig(dsn)
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if got := c.Redacted(); got != want {
			t.Errorf("%s is redacted to %s, want %s", dsn, got, want)
		}
	}
	for _, dsn := range []string{"postgres://app:s3cret@host:port/db", "host=x password=s3cret sslmode=sometimes", "mysql://app:s3cret@h/db"} {
		_, err := ParseConfig(dsn)
		if fault.ClassOf(err) != fault.Usage || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v (class %s)", dsn, err, fault.ClassOf(err))
		}
	}
	for dsn, cause := range map[string]string{
		`host=127.0.0.1 user=app password='s3\'cr3t t4il' port=abc`: "invalid port",
		"postgres://app:s3/cr3t t4il@h/db":                          "spaces",
		"host=h password=s3 cr3t t4il":                              "keyword/value",
		"host=h password=s3`: cr3t t4il port=x":                     "",
		"host=h password='s3 cr3t t4il":                             "unterminated",
		"postgres://app:s3%zzcr3t-t4il@h/db":                        "",
		"host=h password='s3 cr3t t4il' sslrootcert=/nowhere/ca":    "no such file",
	} {
		_, err := ParseConfig(dsn)
		if err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: %v, want a cause with %q", dsn, err, cause)
			continue
		}
		for _, part := range []string{"s3", "cr3t", "t4il", "app", "127.0"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v shows %s", dsn, err, part)
			}
		}
	}
	if _, err := Open(t.Context(), Config{}, Options{}); fault.ClassOf(err) != fault.Usage {
		t.Errorf("an empty Config opens: %v", err)
	}
}

// TestFreshPassword sees that the password is asked again for every connection.
func TestFreshPassword(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		c, err := ParseConfig(strings.Replace(d.owner, ":own@", ":expired@", 1))
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		c.Password = func(context.Context) (string, error) { asked.Add(1); return "own", nil }
		e, err := Open(t.Context(), c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		first := asked.Load()
		if _, err := e.Queue(&change.Record{ID: 1, Schema: "app"}).Claim(t.Context(), nil); err == nil {
			t.Error("claimed without a ledger")
		}
		if asked.Load() <= first {
			t.Errorf("asked %d times before and %d after a new connection", first, asked.Load())
		}
		c.Password = func(context.Context) (string, error) { return "", errBoom }
		if _, err := Open(t.Context(), c, Options{}); !errors.Is(err, errBoom) || fault.ClassOf(err) != fault.Login {
			t.Errorf("a failing password reference gives %v", err)
		}
	})
}

// TestSession sees the settings that texts and recovery depend on, on both kinds of connections,
// whatever the role's own defaults are.
func TestSession(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.admin.String(), "ALTER ROLE "+d.role+" SET TimeZone = 'Asia/Tokyo'; ALTER ROLE "+d.role+" SET DateStyle = 'German'; ALTER ROLE "+d.role+
			" SET search_path = nowhere; ALTER ROLE "+d.role+" SET statement_timeout = 1000")
		e := d.open(t)
		const sql = `SELECT concat_ws('|', current_setting('TimeZone'), current_setting('DateStyle'), current_setting('search_path'), current_setting('statement_timeout'),
			current_setting('tcp_user_timeout'), current_setting('application_name'), current_setting('synchronous_commit'))`
		var control, lane string
		if err := e.control.QueryRow(t.Context(), sql).Scan(&control); err != nil {
			t.Fatal(err)
		}
		if err := e.lanes.QueryRow(t.Context(), sql).Scan(&lane); err != nil {
			t.Fatal(err)
		}
		const same = "UTC|ISO, YMD|pg_catalog|0|30000|bascule|"
		if control != same+"on" || lane != same+"off" {
			t.Errorf("control %s\nlane %s\nwant %son and off", control, lane, same)
		}
	})
}
