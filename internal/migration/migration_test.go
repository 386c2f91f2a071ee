package migration_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/postgres"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// lab is one source database and one target database of a test's own.
type lab struct {
	source, target *servertest.Server
	from, into     string // their URLs
}

// inLabs runs fn against every source, each with the oldest target: what is tested here
// is the program's own judgement, which the target's version does not touch.
func inLabs(t *testing.T, fn func(t *testing.T, l *lab)) {
	t.Helper()
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			d := servertest.Postgres15(t)
			fn(t, &lab{source: s, target: d, from: s.Database(t), into: d.Database(t)})
		})
	}
}

// oneLab is a lab of the first source.
func oneLab(t *testing.T) *lab {
	t.Helper()
	s, d := servertest.Sources(t)[0], servertest.Postgres15(t)
	return &lab{source: s, target: d, from: s.Database(t), into: d.Database(t)}
}

func (l *lab) exec(t *testing.T, statements ...string) {
	t.Helper()
	l.source.Exec(t, l.from, statements...)
}

// run is a migration of one process, and what it told.
type run struct {
	migration.Migration
	mu    sync.Mutex
	found []finding.Finding
}

// begin opens both ends anew, as another process would.
func (l *lab) begin(t *testing.T, o convert.Options, f change.Filter) *run {
	t.Helper()
	return l.beginFrom(t, l.from, o, f)
}

func (l *lab) beginFrom(t *testing.T, from string, o convert.Options, f change.Filter) *run {
	t.Helper()
	sc, err := mysql.ParseConfig(from)
	if err != nil {
		t.Fatal(err)
	}
	source, err := mysql.Open(t.Context(), sc, mysql.Options{Throttle: mysql.Throttle{MaxThreadsRunning: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	tc, err := postgres.ParseConfig(l.into)
	if err != nil {
		t.Fatal(err)
	}
	target, err := postgres.Open(t.Context(), tc, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	r := &run{Migration: migration.Migration{Source: source, Target: target, Changes: source, Applier: target, Old: source, New: target, Options: o, Filter: f, Lanes: 2}}
	r.Events = r.hear
	return r
}

func (r *run) hear(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := e.(event.Found); ok {
		r.found = append(r.found, f.Finding)
	}
}

// copied runs a whole copy, which must succeed.
func (r *run) copied(t *testing.T) {
	t.Helper()
	if _, err := r.Copy(t.Context()); err != nil {
		t.Fatalf("copy: %v (%s)", err, fault.HintOf(err))
	}
}

// interrupted ends a copy in its first moment: the schema is made and its tasks are
// recorded, and nothing is copied.
func (r *run) interrupted(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.Events = func(e event.Event) {
		r.hear(e)
		if p, ok := e.(event.PhaseStarted); ok && p.Phase == "copy" {
			cancel()
		}
	}
	if _, err := r.Copy(ctx); err == nil {
		t.Fatal("the copy was cancelled and ended well")
	}
	r.Events = r.hear
}

// verified compares both sides, which must be equal and hold that many tables.
func (r *run) verified(t *testing.T, tables int) {
	t.Helper()
	rep, err := r.Verify(t.Context())
	if err != nil {
		t.Fatalf("verify: %v (%s)", err, fault.HintOf(err))
	}
	if !rep.Equal || len(rep.Tables) != tables {
		t.Errorf("got %+v, want %d equal tables", rep, tables)
	}
}

// refused says that an error is a refusal with a next step, and names what it must.
func refused(t *testing.T, err error, names ...string) {
	t.Helper()
	if fault.ClassOf(err) != fault.Refused || fault.HintOf(err) == "" {
		t.Fatalf("got %v (%s, hint %q), want a refusal with a hint", err, fault.ClassOf(err), fault.HintOf(err))
	}
	for _, n := range names {
		if !strings.Contains(err.Error(), n) {
			t.Errorf("%q does not name %q", err, n)
		}
	}
}

func TestJoinWithOtherFilter(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, "CREATE TABLE a1 (id INT PRIMARY KEY)", "CREATE TABLE a2 (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)",
			"INSERT INTO a1 VALUES (1)", "INSERT INTO a2 VALUES (2)")
		filter := change.Filter{Include: []string{"a1", "a2"}}
		l.begin(t, convert.Options{}, filter).interrupted(t)
		for name, f := range map[string]change.Filter{
			"none":        {},
			"fewer":       {Include: []string{"a1"}},
			"more":        {Include: []string{"a1", "a2", "b"}},
			"another way": {Include: []string{"a1", "a2"}, Exclude: []string{"b"}},
		} {
			_, err := l.begin(t, convert.Options{}, f).Copy(t.Context())
			if err == nil {
				t.Errorf("%s: joined", name)
				continue
			}
			refused(t, err, "a2", "--include", "--exclude")
		}
		same := change.Filter{Include: []string{"a2", "a1"}}
		l.begin(t, convert.Options{}, same).copied(t)
		// db verify has no such flags: it compares what was recorded.
		l.begin(t, convert.Options{}, change.Filter{}).verified(t, 2)
	})
}

func TestJoinWithOtherOptions(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1)")
		l.begin(t, convert.Options{}, change.Filter{}).interrupted(t)
		for name, o := range map[string]convert.Options{
			"type":      {Types: map[string]string{"a.v": "bigint"}},
			"case":      {KeepCase: true},
			"collation": {Collation: convert.CollationICU},
		} {
			_, err := l.begin(t, o, change.Filter{}).Copy(t.Context())
			if err == nil {
				t.Errorf("%s: joined", name)
				continue
			}
			refused(t, err, "other options")
		}
		l.begin(t, convert.Options{Schema: schema.Name("public")}, change.Filter{}).copied(t)
	})
}

// TestLaterLossThatChangesAType: MySQL's JSON with \u0000 is json, and would be jsonb had
// the loss been accepted from the beginning. MariaDB's is json in any case.
func TestLaterLossThatChangesAType(t *testing.T) {
	l := &lab{source: servertest.MySQL(t), target: servertest.Postgres15(t)}
	l.from, l.into = l.source.Database(t), l.target.Database(t)
	l.exec(t, "CREATE TABLE d (id INT PRIMARY KEY, doc JSON)", `INSERT INTO d VALUES (1, '{"a": "x\\u0000y"}'), (2, '{"a": 1}')`)
	l.begin(t, convert.Options{}, change.Filter{}).interrupted(t)
	accepting := convert.Options{Accept: []string{"json-nul:d.doc"}}
	_, err := l.begin(t, accepting, change.Filter{}).Copy(t.Context())
	refused(t, err, "d.doc", "json", "jsonb")
	// The refusal changed nothing that is recorded.
	l.begin(t, convert.Options{}, change.Filter{}).copied(t)
	l.begin(t, convert.Options{}, change.Filter{}).verified(t, 1)
	got := l.target.Query(t, l.into, "SELECT pg_typeof(doc), doc FROM d ORDER BY id")
	if want := `{"a": "x\u0000y"}`; got[0][0] != "json" || got[0][1] != want {
		t.Errorf("got %s %s, want json %s", got[0][0], got[0][1], want)
	}
}

// TestLaterLossRelaxes: a date that has no form stops the copy; accepting it then lets
// the same copy end.
func TestLaterLossRelaxes(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY, born DATE NOT NULL)", "SET SESSION sql_mode = ''",
			"INSERT INTO a VALUES (1, '2024-02-29'), (2, '0000-00-00')")
		_, err := l.begin(t, convert.Options{}, change.Filter{}).Copy(t.Context())
		refused(t, err, "zero-date")
		if !strings.Contains(fault.HintOf(err), "--accept zero-date:a.born") {
			t.Errorf("the hint %q does not say how to accept it", fault.HintOf(err))
		}
		accepting := convert.Options{Accept: []string{"zero-date:a.born"}}
		l.begin(t, accepting, change.Filter{}).copied(t)
		got := l.target.Query(t, l.into, "SELECT id, born FROM a ORDER BY id")
		if len(got) != 2 || got[0][1] != "2024-02-29" || got[1][1] != servertest.Null {
			t.Errorf("got %v, want the first date and NULL", got)
		}
		l.begin(t, convert.Options{}, change.Filter{}).verified(t, 1)
	})
}

// TestAlteredSource alters the source between a run and the next, and after a copy.
func TestAlteredSource(t *testing.T) {
	for name, c := range map[string]struct {
		ddl, undo string
		names     []string
	}{
		"type":          {"ALTER TABLE a MODIFY v BIGINT", "ALTER TABLE a MODIFY v INT", []string{`"a"`, `"v"`, "BIGINT"}},
		"character set": {"ALTER TABLE a MODIFY s VARCHAR(9) CHARACTER SET latin1", "ALTER TABLE a MODIFY s VARCHAR(9) CHARACTER SET utf8mb4", []string{`"s"`, "latin1"}},
		"added column":  {"ALTER TABLE a ADD n INT", "ALTER TABLE a DROP n", []string{`"n"`, "added"}},
		"gone column":   {"ALTER TABLE a DROP w", "ALTER TABLE a ADD w INT", []string{`"w"`, "gone"}},
		"gone table":    {"DROP TABLE b", "CREATE TABLE b (id INT PRIMARY KEY)", []string{`"b"`, "gone"}},
		"other key":     {"ALTER TABLE a DROP PRIMARY KEY, ADD PRIMARY KEY (id, k)", "ALTER TABLE a DROP PRIMARY KEY, ADD PRIMARY KEY (id)", []string{`"PRIMARY"`}},
	} {
		t.Run(name, func(t *testing.T) {
			inLabs(t, func(t *testing.T, l *lab) {
				l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY, k INT NOT NULL, v INT, w INT, s VARCHAR(9) CHARACTER SET utf8mb4)", "CREATE TABLE b (id INT PRIMARY KEY)",
					"INSERT INTO a VALUES (1, 1, -1, 7, 'x')")
				l.begin(t, convert.Options{}, change.Filter{}).interrupted(t)
				l.exec(t, c.ddl)
				_, err := l.begin(t, convert.Options{}, change.Filter{}).Copy(t.Context())
				refused(t, err, c.names...)
				if rows := l.target.Query(t, l.into, "SELECT count(*) FROM a"); rows[0][0] != "0" {
					t.Errorf("%s rows were loaded", rows[0][0])
				}
				l.exec(t, c.undo)
				l.begin(t, convert.Options{}, change.Filter{}).copied(t)
				l.exec(t, c.ddl)
				_, err = l.begin(t, convert.Options{}, change.Filter{}).Verify(t.Context())
				refused(t, err, c.names...)
			})
		})
	}
}

func TestIncludedTableIsGone(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)")
		filter := change.Filter{Include: []string{"a", "b"}}
		l.begin(t, convert.Options{}, filter).interrupted(t)
		l.exec(t, "DROP TABLE b")
		_, err := l.begin(t, convert.Options{}, filter).Copy(t.Context())
		refused(t, err, `"b"`)
	})
}

// TestVerifyOfUnfinishedCopy compares nothing before all is loaded: what is missing would count as different.
func TestVerifyOfUnfinishedCopy(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
		l.begin(t, convert.Options{}, change.Filter{}).interrupted(t)
		_, err := l.begin(t, convert.Options{}, change.Filter{}).Verify(t.Context())
		if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "not at its end") {
			t.Fatalf("a copy that has not begun to load was verified: %v", err)
		}
		l.begin(t, convert.Options{}, change.Filter{}).copied(t)
		r, err := l.begin(t, convert.Options{}, change.Filter{}).Verify(t.Context())
		if err != nil || !r.Equal {
			t.Fatalf("finished, but %+v, %v", r, err)
		}
	})
}

// TestAddedTable tells of a table that came later, once a run, and of none that the
// filter keeps out.
func TestAddedTable(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY)")
		filter := change.Filter{Exclude: []string{"log*"}}
		l.begin(t, convert.Options{}, filter).interrupted(t)
		l.exec(t, "CREATE TABLE b (id INT PRIMARY KEY)", "CREATE TABLE log1 (id INT PRIMARY KEY)")
		told := func(r *run) {
			t.Helper()
			if len(r.found) != 1 || r.found[0].Code != migration.CodeTableAdded || r.found[0].Object != "b" || r.found[0].Severity != finding.Warning {
				t.Errorf("got %+v, want one warning about b", r.found)
			}
		}
		resumed := l.begin(t, convert.Options{}, filter)
		resumed.copied(t)
		told(resumed)
		verifying := l.begin(t, convert.Options{}, change.Filter{})
		verifying.verified(t, 1)
		told(verifying)
	})
}

func TestOtherSource(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		table := []string{"CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)"}
		l.exec(t, table...)
		other := l.source.Database(t)
		l.source.Exec(t, other, table...)
		l.begin(t, convert.Options{}, change.Filter{}).copied(t)
		label := other[strings.LastIndex(other, "/"):]
		_, err := l.beginFrom(t, other, convert.Options{}, change.Filter{}).Verify(t.Context())
		refused(t, err, label, l.from[strings.LastIndex(l.from, "/"):])
		_, err = l.beginFrom(t, other, convert.Options{}, change.Filter{}).Copy(t.Context())
		refused(t, err, label)
		l.begin(t, convert.Options{}, change.Filter{}).verified(t, 1)
	})
}
