package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// blockers returns the codes of findings that would stop a copy.
func blockers(t *testing.T, e *End, db *schema.Database) []finding.Code {
	t.Helper()
	fs, err := e.Check(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var codes []finding.Code
	for _, f := range fs {
		if f.What == "" || f.Severity != finding.Info && f.Do == "" {
			t.Errorf("%s says too little: %+v", f.Code, f)
		}
		if f.Severity == finding.Blocker {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

func TestCheck(t *testing.T) {
	plan := &schema.Database{Name: "app", Tables: []*schema.Table{{Name: "t0", Bytes: 5e9, Columns: []*schema.Column{{Name: "a", Type: schema.Text{}}}}}}
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		if got := blockers(t, e, plan); got != nil {
			t.Fatalf("an owner of an empty database is stopped by %v", got)
		}
		fs, _ := e.Check(t.Context(), plan)
		i := slices.IndexFunc(fs, func(f finding.Finding) bool { return f.Code == CodeDisk })
		if i < 0 || !strings.Contains(strings.Join(fs[i].Evidence, " "), "5.00 GB") {
			t.Errorf("the disk's need is not told: %+v", fs)
		}
		exec(t, d.owner, "CREATE SCHEMA app; CREATE TABLE app.t0 ()")
		if diff := cmp.Diff([]finding.Code{CodeNotEmpty}, blockers(t, e, plan)); diff != "" {
			t.Errorf("a table in the way:\n%s", diff)
		}
		exec(t, d.owner, "DROP TABLE app.t0")
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, tables(1), nil); err != nil {
			t.Fatal(err)
		}
		if got := blockers(t, e, plan); got != nil {
			t.Errorf("bascule's own tables stop it: %v", got)
		}
	})
}

func TestCheckBlocks(t *testing.T) {
	spatialPlan := &schema.Database{Tables: []*schema.Table{{Name: "g", Columns: []*schema.Column{{Name: "p", Type: schema.Geometry{Shape: "POINT", SRID: 4326}}}}}}
	tests := map[string]struct {
		setup, undo string
		plan        *schema.Database
		want        finding.Code
		do          string
	}{
		"no right to create schemas": {
			"REVOKE ALL ON DATABASE %[1]s FROM PUBLIC; ALTER DATABASE %[1]s OWNER TO postgres; GRANT CONNECT ON DATABASE %[1]s TO %[1]s", "ALTER DATABASE %[1]s OWNER TO %[1]s",
			nil, CodePrivilege, "GRANT CREATE ON DATABASE",
		},
		"a schema of somebody else": {"CREATE SCHEMA app", "DROP SCHEMA app", nil, CodePrivilege, `GRANT USAGE, CREATE ON SCHEMA "app" TO`},
		"read-only":                 {"ALTER ROLE %[1]s SET default_transaction_read_only = on", "ALTER ROLE %[1]s RESET ALL", nil, CodeReadOnly, "ALTER ROLE"},
		"spatial without PostGIS":   {"", "", spatialPlan, CodeExtension, "CREATE EXTENSION postgis"},
	}
	onEachServer(t, func(t *testing.T, d *database) {
		for reason, tc := range tests {
			fill := func(sql string) string { return strings.ReplaceAll(sql, "%[1]s", d.role) }
			exec(t, d.admin.String(), fill(tc.setup))
			e := d.open(t)
			c, err := e.Capabilities(t.Context())
			if err != nil || c.Version < 130000 {
				t.Fatalf("%s: capabilities %+v, %v", reason, c, err)
			}
			if tc.plan != nil && c.PostGIS {
				t.Logf("%s: not tried, this server has PostGIS", reason)
				exec(t, d.admin.String(), fill(tc.undo))
				continue
			}
			fs, err := e.Check(t.Context(), tc.plan)
			if err != nil {
				t.Fatal(err)
			}
			ok := slices.ContainsFunc(fs, func(f finding.Finding) bool {
				return f.Code == tc.want && f.Severity == finding.Blocker && strings.Contains(f.Do, tc.do)
			})
			if !ok {
				t.Errorf("%s: no blocker %s with %q in %+v", reason, tc.want, tc.do, fs)
			}
			exec(t, d.admin.String(), fill(tc.undo))
		}
	})
}

// TestCheckLatin1 looks at a database whose encoding cannot hold every character.
func TestCheckLatin1(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		name := d.role + "_latin1"
		exec(t, d.admin.String(), fmt.Sprintf("CREATE DATABASE %s ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 OWNER %s", name, d.role))
		defer exec(t, d.admin.String(), fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name))
		e := d.openAs(t, strings.TrimSuffix(d.owner, d.role)+name, "app")
		if got := blockers(t, e, nil); !slices.Contains(got, CodeEncoding) {
			t.Errorf("blockers: %v", got)
		}
		e.Close()
	})
}
