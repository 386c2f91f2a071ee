package crashtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/postgres"
	"github.com/bascule/bascule/internal/servertest"
)

// TestCascadesBesidePlainCapture follows one source twice: as bascule does, and as a pipeline that applies what the log has and nothing
// else. Both start from the same exact copy. Orphans are rows whose parent is gone; stale is every row or value that differs from the source. MySQL 9.7 without native keys
// may leave orphans itself.
func TestCascadesBesidePlainCapture(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers of its own")
	}
	bin := build(t)
	seed := seeded(t)
	report := []string{fmt.Sprintf("%-18s %-8s %8s %8s | %8s %8s %6s | %8s %8s %6s", "server", "table", "source", "orphans", "bascule", "orphans", "stale", "plain", "orphans", "stale")}
	for _, s := range soakServers {
		t.Run(s.name, func(t *testing.T) {
			logged := s.name == "mysql"
			source, target := s.shared(t), servertest.Postgres15(t)
			from, into := source.Database(t), target.Database(t)
			tables := family(s.kind)
			fill(t, source, &load{name: "quiet", kind: s.kind, url: from, tables: tables}, rand.New(rand.NewPCG(seed, 1)))
			ends := []string{"--source", from, "--target", into, "--schema"}
			for _, schema := range []string{"quiet", "plain"} {
				run(t, bin, append([]string{"db", "copy", "--follow"}, append(ends, schema)...)...)
			}
			source.Exec(t, from,
				"DELETE FROM grand WHERE id % 5 = 1", "UPDATE grand SET id = id + 1000 WHERE id % 5 = 2", "UPDATE grand SET code = CONCAT(code, '!') WHERE id % 5 = 3",
				"DELETE FROM middle WHERE id % 7 = 1", "UPDATE leaf SET id = id + 5000 WHERE id % 11 = 1", "DELETE FROM tree WHERE id % 6 = 1")
			run(t, bin, append([]string{"db", "follow", "--until-now"}, append(ends, "quiet")...)...)
			plain(t, from, into)
			lost := 0
			for _, tb := range tables {
				rows := func(in, prefix string, s *servertest.Server) (rows, orphans int) {
					for i, q := range []string{"SELECT count(*) FROM " + prefix + tb.name, orphanQuery(prefix, tb.name)} {
						if _, err := fmt.Sscan(s.Query(t, in, q)[0][0], []any{&rows, &orphans}[i]); err != nil {
							t.Fatal(err)
						}
					}
					return rows, orphans
				}
				n, own := rows(from, "", source)
				line := fmt.Sprintf("%-18s %-8s %8d %8d", s.name, tb.name, n, own)
				for _, schema := range []string{"quiet", "plain"} {
					n, orphans := rows(into, schema+".", target)
					different := stale(t, from, into, schema, tb.name)
					line += fmt.Sprintf(" | %8d %8d %6d", n, orphans, different)
					if schema == "quiet" && (orphans != own || different > 0) {
						t.Errorf("%s: %d orphans where the source has %d, %d values or rows differ", tb.name, orphans, own, different)
					}
					if schema == "plain" {
						lost += orphans - own
					}
				}
				report = append(report, line)
			}
			// What the test shows must be there to be shown.
			if logged == (lost > 0) {
				t.Errorf("a plain pipeline leaves %d orphans although cascades logged is %v", lost, logged)
			}
		})
	}
	t.Logf("one exact copy, the same changes:\n%s", strings.Join(report, "\n"))
}

// shared returns a server with those settings: the shared one, save for the foreign keys that it does not have.
func (s soakServer) shared(t *testing.T) *servertest.Server {
	t.Helper()
	switch s.name {
	case "mariadb":
		return servertest.MariaDB(t)
	case "mysql":
		return servertest.MySQL(t)
	}
	return servertest.Private(t, s.kind, servertest.Options{Set: s.set}).Server
}

// orphanQuery counts the rows of a table whose parent is not there.
func orphanQuery(prefix, table string) string {
	keys := map[string][][3]string{
		"middle": {{"grand_id", "grand", "id"}},
		"leaf":   {{"middle_id", "middle", "id"}, {"grand_id", "grand", "id"}},
		"tag":    {{"code", "grand", "code"}, {"leaf_id", "leaf", "id"}},
		"tree":   {{"parent_id", "tree", "id"}},
	}
	terms := []string{"1 = 0"}
	for _, fk := range keys[table] {
		terms = append(terms, fmt.Sprintf("c.%[1]s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %[2]s%[3]s p WHERE p.%[4]s = c.%[1]s)", fk[0], prefix, fk[1], fk[2]))
	}
	return fmt.Sprintf("SELECT count(*) FROM %s%s c WHERE %s", prefix, table, strings.Join(terms, " OR "))
}

// stale counts what differs from the source.
func stale(t *testing.T, from, into, schema, table string) int64 {
	t.Helper()
	r, err := crosscheck.Compare(t.Context(), from, into, crosscheck.Options{Schema: schema, Only: []string{table}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Different()
}

// plain follows into schema plain what the log has, and nothing else.
func plain(t *testing.T, from, into string) {
	t.Helper()
	ctx := t.Context()
	sc, err := mysql.ParseConfig(from)
	if err != nil {
		t.Fatal(err)
	}
	src, err := mysql.Open(ctx, sc, mysql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	tc, err := postgres.ParseConfig(into)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := postgres.Open(ctx, tc, postgres.Options{Schema: "plain"})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	m := &migration.Migration{Source: src, Target: dst, Options: convert.Options{Schema: "plain", ForFollow: true}}
	p, err := m.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := dst.Open(ctx, "plain")
	if err != nil || rec == nil {
		t.Fatalf("the copy's record: %v, %v", rec, err)
	}
	replicas, err := p.Replicas()
	if err != nil {
		t.Fatal(err)
	}
	end, err := src.End(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f := &follow.Follower{
		Source: src, Target: dst, Record: rec, Who: fmt.Sprintf("the plain pipeline of a test, process %d", os.Getpid()), From: rec.Position,
		Until: func() change.Position { return end }, Retry: patience,
	}
	for i, tb := range p.Tables {
		replicas[i].Actions = nil
		f.Tables = append(f.Tables, &follow.Table{Select: &tb.Select, Replica: replicas[i]})
	}
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
}
