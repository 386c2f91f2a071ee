package acceptance

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

// TestTypes moves the edge values of every type. What can arrive unchanged is
// compared value by value; what cannot is refused, and arrives as documented once
// it is accepted by name.
func TestTypes(t *testing.T) {
	file := filepath.Join("..", "crosscheck", "testdata", "types.sql")
	pairs(t, func(t *testing.T, s, d *servertest.Server) {
		from := s.Database(t)
		s.LoadFile(t, from, file)
		t.Run("Unchanged", func(t *testing.T) {
			into := d.Database(t)
			must(t, "db", "copy", "--source", from, "--target", into, "--exclude", "loss_*")
			must(t, "db", "verify", "--source", from, "--target", into)
			r := crosschecked(t, from, into, crosscheck.Options{Schema: "public", Only: kept(t, s, from), Rename: renamed(t, from, into)})
			t.Logf("%d tables, %d values equal", len(r.Tables), r.Values())
			table(t, s, d, from, into)
		})
		t.Run("Lost", func(t *testing.T) {
			into := d.Database(t)
			args := []string{"--source", from, "--target", into, "--include", "loss_*"}
			o := bascule(t, append([]string{"db", "copy"}, args...)...)
			if o.code != 4 || !strings.Contains(o.stderr, "--accept") {
				t.Fatalf("losses that nobody accepted: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
			}
			accept := []string{"--accept", "zero-date:*.*", "--accept", "partial-date:*.*", "--accept", "nul-byte:*.*"}
			must(t, append(append([]string{"db", "copy"}, args...), accept...)...)
			must(t, append([]string{"db", "verify"}, args[:4]...)...)
			status := must(t, "db", "status", "--target", into)
			if !strings.Contains(status.stdout, "zero-date") {
				t.Errorf("status does not count the losses:\n%s", status.stdout)
			}
		})
	})
}

// renamed maps source names to those that the plan says they take: long names are
// cut, and PostgreSQL has system columns such as ctid.
func renamed(t *testing.T, from, into string) map[string]string {
	t.Helper()
	var plan struct {
		Tables []struct {
			Source, Target string
			Columns        []struct{ Source, Target string }
		}
	}
	o := must(t, "db", "plan", "--json", "--source", from, "--target", into, "--exclude", "loss_*")
	if err := json.Unmarshal([]byte(o.stdout), &plan); err != nil {
		t.Fatalf("%v in %s", err, o.stdout)
	}
	names := map[string]string{}
	for _, tb := range plan.Tables {
		names[tb.Source] = tb.Target
		for _, c := range tb.Columns {
			names[tb.Source+"."+c.Source] = c.Target
		}
	}
	return names
}

// kept lists the source's tables whose values all have a target form.
func kept(t *testing.T, s *servertest.Server, from string) []string {
	t.Helper()
	var names []string
	for _, r := range s.Query(t, from, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'loss!_%' ESCAPE '!'") {
		names = append(names, r[0])
	}
	return names
}

// table prints, for every case that says what its rows are about, the value on the
// source and what psql's text protocol reads on the target.
func table(t *testing.T, s, d *servertest.Server, from, into string) {
	t.Helper()
	columns := s.Query(t, from, `SELECT table_name, column_name, column_type FROM information_schema.columns c WHERE table_schema = DATABASE() AND table_name LIKE 'c%' AND column_name NOT IN ('id', 'what')
		AND 2 = (SELECT count(*) FROM information_schema.columns k WHERE k.table_schema = c.table_schema AND k.table_name = c.table_name AND k.column_name IN ('id', 'what')) ORDER BY table_name, ordinal_position`)
	var b strings.Builder
	for _, c := range columns {
		name, column, typ := c[0], c[1], c[2]
		target := d.Query(t, into, fmt.Sprintf(`SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '%s'::regclass AND attname = '%s'`, strings.ToLower(name), strings.ToLower(column)))
		if len(target) != 1 {
			continue
		}
		there := map[string]string{}
		for _, r := range d.Query(t, into, fmt.Sprintf(`SELECT id, %q FROM %q`, strings.ToLower(column), strings.ToLower(name))) {
			there[r[0]] = r[1]
		}
		for _, r := range s.Query(t, from, fmt.Sprintf("SELECT id, what, `%s` FROM `%s` ORDER BY id", column, name)) {
			fmt.Fprintf(&b, "%-22s %-26s %-24.24s %-40.60q -> %-24s %.60q\n", name, r[1], typ, r[2], target[0][0], there[r[0]])
		}
	}
	t.Logf("case -> source -> value -> target -> value\n%s", b.String())
}
