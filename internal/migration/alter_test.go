package migration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// follows opens a migration that follows, after a copy for that.
func (l *lab) follows(t *testing.T, apply bool) *run {
	t.Helper()
	r := l.begin(t, convert.Options{ForFollow: true}, change.Filter{})
	r.ApplyDDL, r.Who = apply, "a test"
	r.Changes, r.Applier = r.Source.(interface {
		change.Streamer
		Within(change.Position, string) (bool, error)
	}), r.Target.(change.Applier)
	return r
}

// caughtUp follows to the present end of the source's log.
func (r *run) caughtUp(t *testing.T) error {
	t.Helper()
	end, err := r.Changes.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Follow(t.Context(), func() change.Position { return end })
}

const base = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, name VARCHAR(20) NOT NULL DEFAULT 'x', kind ENUM('p','q') NOT NULL DEFAULT 'p', n SMALLINT UNSIGNED NOT NULL DEFAULT 1, KEY by_a (a), UNIQUE KEY by_name (name, id)) ENGINE=InnoDB"

// changed says, for each kind of statement, what runs on the source while it is followed, and how many tables there are afterwards.
var changed = []struct {
	name   string
	run    []string
	tables int
}{
	{"add", []string{"ALTER TABLE t ADD COLUMN b INT NOT NULL DEFAULT 7, ADD COLUMN c VARCHAR(9) AFTER id, ADD d DECIMAL(5,2) NOT NULL", "INSERT INTO t (id, a, b, c, d) VALUES (50, 1, 2, 'c', 3.5)", "UPDATE t SET b = 9 WHERE id = 2"}, 1},
	{"add moment", []string{"SET TIMESTAMP = 1700000000", "ALTER TABLE t ADD COLUMN made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP", "INSERT INTO t (id) VALUES (50)"}, 1},
	{"drop", []string{"ALTER TABLE t DROP COLUMN a", "INSERT INTO t (id, name) VALUES (50, 'n')", "DELETE FROM t WHERE id = 3"}, 1},
	{"modify", []string{"ALTER TABLE t MODIFY a BIGINT, MODIFY name VARCHAR(60) NOT NULL, MODIFY n INT UNSIGNED", "INSERT INTO t (id, a, name, n) VALUES (50, 5000000000, REPEAT('y', 55), 70000)"}, 1},
	{"enum", []string{"ALTER TABLE t MODIFY kind ENUM('p','q','r') NOT NULL DEFAULT 'r'", "INSERT INTO t (id) VALUES (50)"}, 1},
	{"null", []string{"UPDATE t SET a = 0 WHERE a IS NULL", "ALTER TABLE t MODIFY a INT NOT NULL", "INSERT INTO t (id, a) VALUES (50, 1)", "ALTER TABLE t MODIFY a INT NULL", "INSERT INTO t (id, a) VALUES (51, NULL)"}, 1},
	{"rename column", []string{"ALTER TABLE t RENAME COLUMN a TO alpha", "UPDATE t SET alpha = 3 WHERE id = 1", "ALTER TABLE t CHANGE alpha beta BIGINT NULL", "INSERT INTO t (id, beta) VALUES (50, 5000000000)"}, 1},
	{"rename table", []string{"RENAME TABLE t TO u", "INSERT INTO u (id) VALUES (50)", "ALTER TABLE u RENAME TO v", "INSERT INTO v (id) VALUES (51)"}, 1},
	{"create", []string{"CREATE TABLE u (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(9), UNIQUE KEY (v))", "INSERT INTO u (v) VALUES ('a'), ('b')", "CREATE TABLE w LIKE t", "INSERT INTO w SELECT * FROM t"}, 3},
	{"drop table", []string{"CREATE TABLE u (id INT PRIMARY KEY)", "DROP TABLE t", "INSERT INTO u VALUES (1)"}, 1},
	{"index", []string{"ALTER TABLE t ADD INDEX by_n (n), DROP INDEX by_a", "CREATE UNIQUE INDEX once ON t (n, id)", "INSERT INTO t (id) VALUES (50)", "DROP INDEX once ON t", "ALTER TABLE t RENAME INDEX by_n TO by_m", "CREATE UNIQUE INDEX once ON t (n, id)"}, 1},
	{"default", []string{"ALTER TABLE t ALTER a SET DEFAULT 4, COMMENT = 'about t'", "INSERT INTO t (id) VALUES (50)"}, 1},
	{"two in the log", []string{"ALTER TABLE t ADD b INT", "UPDATE t SET b = 1", "ALTER TABLE t DROP COLUMN b", "INSERT INTO t (id) VALUES (50)", "ALTER TABLE t ADD b VARCHAR(5) DEFAULT 'z'", "INSERT INTO t (id) VALUES (51)"}, 1},
	{"gh-ost", []string{
		"CREATE TABLE _t_ghc (id BIGINT AUTO_INCREMENT, hint VARCHAR(64), PRIMARY KEY (id))", "CREATE TABLE _t_gho LIKE t", "ALTER TABLE _t_gho ADD COLUMN extra INT NOT NULL DEFAULT 3, MODIFY a BIGINT",
		"INSERT INTO _t_gho (id, a, name, kind, n) SELECT id, a, name, kind, n FROM t", "CREATE TABLE _t_del (id INT PRIMARY KEY)", "DROP TABLE _t_del",
		"RENAME TABLE t TO _t_del, _t_gho TO t", "DROP TABLE _t_ghc", "INSERT INTO t (id, extra) VALUES (50, 8)", "DROP TABLE _t_del",
	}, 1},
	{"pt-online-schema-change", []string{
		"CREATE TABLE _t_new (id INT NOT NULL, a INT, name VARCHAR(20) NOT NULL DEFAULT 'x', kind ENUM('p','q') NOT NULL DEFAULT 'p', n SMALLINT UNSIGNED NOT NULL DEFAULT 1, PRIMARY KEY (id), KEY by_a (a), UNIQUE KEY by_name (name, id))",
		"ALTER TABLE _t_new DROP COLUMN a", "INSERT INTO _t_new (id, name, kind, n) SELECT id, name, kind, n FROM t",
		"RENAME TABLE t TO _t_old, _t_new TO t", "DROP TABLE IF EXISTS _t_old", "INSERT INTO t (id) VALUES (50)",
	}, 1},
}

// TestAltered: what the source does to its tables while it is followed arrives on the target, with the rows of before and after.
func TestAltered(t *testing.T) {
	t.Parallel()
	for _, c := range changed {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			inLabs(t, func(t *testing.T, l *lab) {
				l.exec(t, base, "INSERT INTO t (id, a, name) VALUES (1, 1, 'one'), (2, NULL, 'two'), (3, 3, 'three')")
				l.follows(t, true).copied(t)
				l.exec(t, append([]string{"INSERT INTO t (id, a) VALUES (10, 10)"}, c.run...)...)
				r := l.follows(t, true)
				if err := r.caughtUp(t); err != nil {
					t.Fatalf("follow: %v (%s)", err, fault.HintOf(err))
				}
				l.follows(t, true).verified(t, c.tables)
				// Once more: nothing is left to do, and nothing is done twice.
				if err := l.follows(t, false).caughtUp(t); err != nil {
					t.Fatalf("follow again: %v (%s)", err, fault.HintOf(err))
				}
			})
		})
	}
}

// TestAlteredRefused: what cannot be repeated with proof stops the follow, also with --apply-ddl, and changes nothing.
func TestAlteredRefused(t *testing.T) {
	t.Parallel()
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, base, "INSERT INTO t (id, a, name) VALUES (1, 1, 'one')")
		l.follows(t, true).copied(t)
		for sql, why := range map[string]string{
			"ALTER TABLE t MODIFY kind ENUM('q','p') NOT NULL": "another order",
			"ALTER TABLE t MODIFY name VARCHAR(10) NOT NULL":   "rounded or cut",
			"ALTER TABLE t ADD u DATETIME DEFAULT NOW()":       "only the source knows",
			"RENAME TABLE t TO other, fresh TO t":              "rows",
		} {
			l.other(t, sql, why)
		}
	})
}

// other tries one statement on a lab of its own.
func (l *lab) other(t *testing.T, sql, why string) {
	t.Helper()
	own := &lab{source: l.source, target: l.target, from: l.source.Database(t), into: l.target.Database(t)}
	own.exec(t, base, "INSERT INTO t (id, a, name) VALUES (1, 1, 'one')")
	own.follows(t, true).copied(t)
	own.exec(t, "INSERT INTO t (id) VALUES (5)")
	if strings.Contains(sql, "fresh") {
		r := own.follows(t, true)
		if err := r.caughtUp(t); err != nil {
			t.Fatal(err)
		}
		// The log of a table that is made and excluded says nothing of its rows.
		own.exec(t, "SET sql_log_bin = 0", "CREATE TABLE fresh LIKE t")
	}
	own.exec(t, sql)
	r := own.follows(t, true)
	before := own.target.Query(t, own.into, "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't' ORDER BY 1")
	err := r.caughtUp(t)
	refused(t, err, why)
	if after := own.target.Query(t, own.into, "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't' ORDER BY 1"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%s: the target changed from %v to %v", sql, before, after)
	}
	if rows := own.target.Query(t, own.into, "SELECT count(*) FROM t"); rows[0][0] != "2" {
		t.Errorf("%s: %s rows, want what came before the statement", sql, rows[0][0])
	}
}

// TestAlteredStops: without leave to alter the target it stops before the statement, shows what it would run, and goes on when
// somebody lets it.
func TestAlteredStops(t *testing.T) {
	t.Parallel()
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, base, "INSERT INTO t (id, a, name) VALUES (1, 1, 'one')")
		l.follows(t, false).copied(t)
		l.exec(t, "INSERT INTO t (id) VALUES (5)", "ALTER TABLE t ADD b INT NOT NULL DEFAULT 7", "INSERT INTO t (id) VALUES (6)")
		r := l.follows(t, false)
		var told []event.Altered
		r.Events = func(e event.Event) {
			if a, ok := e.(event.Altered); ok {
				told = append(told, a)
			}
		}
		refused(t, r.caughtUp(t), "ADD b INT")
		if len(told) != 1 || told[0].Applied || len(told[0].Statements) != 1 || !strings.Contains(told[0].Statements[0], `ADD COLUMN "b" integer DEFAULT '7' NOT NULL`) {
			t.Errorf("told %+v", told)
		}
		if rows := l.target.Query(t, l.into, "SELECT count(*) FROM t"); rows[0][0] != "2" {
			t.Errorf("%s rows are there, want the two of before", rows[0][0])
		}
		if err := l.follows(t, true).caughtUp(t); err != nil {
			t.Fatal(err)
		}
		l.follows(t, true).verified(t, 1)
	})
}

// breaking is a target whose alterations fail behind a number of statements of its own.
type breaking struct {
	change.Applier
	alterer change.Alterer
	after   int
}

func (b *breaking) Spell(in schema.Name, edits []change.Edit) []string {
	return b.alterer.Spell(in, edits)
}

// Alter puts an edit that fails at a place among the others.
func (b *breaking) Alter(ctx context.Context, r *change.Record, who string, a *change.Alteration) error {
	own := *a
	if b.after < len(a.Edits) {
		own.Edits = append(append([]change.Edit{}, a.Edits[:b.after]...), change.Edit{Kind: change.EditDropTable, Table: "no_such_table"})
	} else {
		own.Tasks = append(own.Tasks, change.Retask{To: &change.Statement{Table: "x\x00", SQL: "at the very end"}})
	}
	return b.alterer.Alter(ctx, r, who, &own)
}

// TestAlteredWhole: an alteration that fails at any point leaves neither a statement, nor another plan, nor another position.
func TestAlteredWhole(t *testing.T) {
	t.Parallel()
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, base, "INSERT INTO t (id, a, name) VALUES (1, 1, 'one')")
		l.follows(t, true).copied(t)
		l.exec(t, "INSERT INTO t (id) VALUES (5)", "ALTER TABLE t ADD b INT, DROP COLUMN a, MODIFY n INT UNSIGNED, ADD KEY by_b (b)", "INSERT INTO t (id, b) VALUES (6, 1)")
		const state = "SELECT md5(plan::text), (SELECT string_agg(column_name || data_type, ',' ORDER BY 1) FROM information_schema.columns WHERE table_name = 't') FROM bascule.migration"
		for after := range 8 {
			r := l.follows(t, true)
			before := l.target.Query(t, l.into, state)
			r.Applier = &breaking{r.Applier, r.Applier.(change.Alterer), after}
			if err := r.caughtUp(t); err == nil {
				t.Fatalf("it ended well, broken behind edit %d", after)
			}
			if now := l.target.Query(t, l.into, state); fmt.Sprint(now) != fmt.Sprint(before) {
				t.Errorf("broken behind edit %d: %v, was %v", after, now, before)
			}
		}
		if err := l.follows(t, true).caughtUp(t); err != nil {
			t.Fatal(err)
		}
		l.follows(t, true).verified(t, 1)
	})
}
