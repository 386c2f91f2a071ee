package migration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/migration"
)

// followed copies a database to be followed, with a plain table, a unique index, a cascade and a table without a key.
func followed(t *testing.T, l *lab) {
	t.Helper()
	l.exec(t,
		"CREATE TABLE a (id INT PRIMARY KEY, u INT UNIQUE, v VARCHAR(20))",
		"CREATE TABLE p (id INT PRIMARY KEY)",
		"CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)",
		"CREATE TABLE n (x INT, y VARCHAR(20))",
		"INSERT INTO a VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')",
		"INSERT INTO p VALUES (1), (2)", "INSERT INTO c VALUES (10, 1), (11, 1), (20, 2)",
		"INSERT INTO n VALUES (1, 'x'), (1, 'x'), (2, NULL)")
	l.begin(t, convert.Options{ForFollow: true}, change.Filter{}).copied(t)
}

// caughtUp follows until everything is applied that is in the log now.
func (l *lab) caughtUp(t *testing.T) error {
	t.Helper()
	r := l.begin(t, convert.Options{}, change.Filter{})
	end, err := r.Changes.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Follow(t.Context(), func() change.Position { return end })
}

// unchanged verifies that both sides are equal.
func (l *lab) unchanged(t *testing.T) {
	t.Helper()
	l.begin(t, convert.Options{}, change.Filter{}).verified(t, 4)
}

func TestFollow(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		followed(t, l)
		for _, round := range [][]string{
			{"UPDATE a SET u = -1 WHERE id = 1", "UPDATE a SET u = 1 WHERE id = 2", "UPDATE a SET u = 2 WHERE id = 1"},
			{"DELETE FROM p WHERE id = 1", "INSERT INTO c VALUES (30, 2)"},
			{"DELETE FROM n WHERE x = 1 LIMIT 1", "INSERT INTO n VALUES (3, 'z')", "UPDATE n SET y = 'was null' WHERE y IS NULL"},
			{"UPDATE a SET id = 100 WHERE id = 3", "INSERT INTO a VALUES (3, 33, 'again')", "DELETE FROM a WHERE id = 2", "TRUNCATE TABLE n", "INSERT INTO n VALUES (9, '')"},
		} {
			l.exec(t, round...)
			if err := l.caughtUp(t); err != nil {
				t.Fatalf("follow: %v (%s)", err, fault.HintOf(err))
			}
			l.unchanged(t)
		}
		unique := l.target.Query(t, l.into, "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'a' AND indexdef LIKE 'CREATE UNIQUE%'")
		if unique[0][0] != "2" {
			t.Errorf("a has %s unique indexes, want its key and the one that waited", unique[0][0])
		}
	})
}

// TestFollowNeedsItsCopy refuses a copy whose foreign keys are live, and one that is not at its end.
func TestFollowNeedsItsCopy(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY)")
		l.begin(t, convert.Options{}, change.Filter{}).copied(t)
		refused(t, l.caughtUp(t), "foreign keys and unique indexes")
		if _, err := l.begin(t, convert.Options{}, change.Filter{}).Drop(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		l.begin(t, convert.Options{ForFollow: true}, change.Filter{}).interrupted(t)
		refused(t, l.caughtUp(t), "not copied yet")
	})
}

// TestFollowStopsBeforeDDL holds that everything before a statement that alters a table is applied, and nothing behind it.
func TestFollowStopsBeforeDDL(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		followed(t, l)
		running := l.begin(t, convert.Options{}, change.Filter{})
		done := make(chan error, 1)
		live := make(chan struct{})
		running.Events = func(e event.Event) {
			if p, ok := e.(event.PhaseDone); ok && p.Phase == "keys" {
				close(live)
			}
		}
		go func() { done <- running.Follow(t.Context(), nil) }()
		wait(t, live)
		l.exec(t, "INSERT INTO a VALUES (4, 4, 'before')", "ALTER TABLE a ADD COLUMN w INT", "INSERT INTO a VALUES (5, 5, 'behind', 0)")
		err := <-done
		ddl, ok := errors.AsType[*follow.DDLError](err)
		if !ok || !strings.Contains(ddl.DDL.SQL, "ADD COLUMN w") || fault.ClassOf(err) != fault.Refused || fault.HintOf(err) == "" {
			t.Fatalf("got %v (%s, hint %q)", err, fault.ClassOf(err), fault.HintOf(err))
		}
		if got := fmt.Sprint(l.target.Query(t, l.into, "SELECT id FROM a WHERE id > 3")); got != "[[4]]" {
			t.Errorf("the target has %s, want what came before the statement", got)
		}
	})
}

// TestOneFollower tells a second process who follows, and lets it follow when the first has ended.
func TestOneFollower(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		followed(t, l)
		ctx, cancel := context.WithCancel(t.Context())
		first := l.begin(t, convert.Options{}, change.Filter{})
		first.Who = "ada@bridge, process 1"
		live := make(chan struct{})
		first.Events = func(e event.Event) {
			if p, ok := e.(event.PhaseDone); ok && p.Phase == "keys" {
				close(live)
			}
		}
		done := make(chan error, 1)
		go func() { done <- first.Follow(ctx, nil) }()
		wait(t, live)
		if err := l.caughtUp(t); fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "ada@bridge, process 1") {
			t.Errorf("got %v (%s), want to be told that ada follows", err, fault.ClassOf(err))
		}
		// A verification beside it reads from the ledger how far the first has come.
		l.exec(t, "UPDATE a SET v = 'changed' WHERE id = 1")
		rep, err := l.begin(t, convert.Options{}, change.Filter{}).VerifyLive(t.Context(), migration.LiveOptions{Passes: 1})
		if err != nil || !rep.Equal {
			t.Errorf("live verification beside a follower: %+v, %v", rep, err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the first ended with %v", err)
		}
		if err := l.caughtUp(t); err != nil {
			t.Fatal(err)
		}
		l.unchanged(t)
	})
}

// TestVerifyLive finds, while the source is written to, what the target alone holds.
func TestVerifyLive(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		followed(t, l)
		var many []string
		for i := range 600 {
			many = append(many, fmt.Sprintf("(%d, %d, 'row')", 100+i, 100+i))
		}
		l.exec(t, "INSERT INTO a VALUES "+strings.Join(many, ", "))
		if err := l.caughtUp(t); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		written := make(chan struct{})
		go func() {
			defer close(written)
			for i := 0; ctx.Err() == nil; i++ {
				l.exec(t, fmt.Sprintf("UPDATE a SET v = 'v%d' WHERE id = %d", i, 100+i%600), fmt.Sprintf("INSERT INTO c VALUES (%d, 2)", 1000+i))
			}
		}()
		rep, err := l.begin(t, convert.Options{}, change.Filter{}).VerifyLive(t.Context(), migration.LiveOptions{Passes: 2})
		if err != nil || !rep.Equal {
			t.Errorf("equal sides under writes: %+v, %v", rep, err)
		}
		l.target.Exec(t, l.into, "UPDATE p SET id = 77 WHERE id = 2")
		rep, err = l.begin(t, convert.Options{}, change.Filter{}).VerifyLive(t.Context(), migration.LiveOptions{Passes: 1})
		if err != nil || rep.Equal {
			t.Errorf("a planted difference: %+v, %v", rep, err)
		}
		stop()
		<-written
	})
}

func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing came in two minutes")
	}
}
