package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// inLanes runs fn in a session with its lanes open.
func inLanes(t *testing.T, e *End, tables []*change.Replica, fn func(context.Context, change.Parallel)) {
	t.Helper()
	inSession(t, e, tables, func(ctx context.Context, s change.Session) {
		p, ok := s.(change.Parallel)
		if !ok {
			t.Fatal("a session without lanes")
		}
		if n := p.Lanes(ctx); n != applyLanes {
			t.Fatalf("%d lanes, want %d", n, applyLanes)
		}
		fn(ctx, p)
	})
}

// fork opens a lane and applies one step to it, without waiting for the server.
func fork(t *testing.T, ctx context.Context, s change.Parallel, st change.Step) change.Lane { //nolint:revive // t first, as everywhere in tests
	t.Helper()
	l, err := s.Fork(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Apply(ctx, &st); err != nil {
		t.Fatal(err)
	}
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put is a step that puts rows of a key and one value, whatever was there.
func put(r *change.Replica, rows ...[2]int) change.Step {
	var del, ins [][][]byte
	for _, v := range rows {
		del, ins = append(del, [][]byte{i4(v[0])}), append(ins, [][]byte{i4(v[0]), i4(v[1])})
	}
	return step(r, del, ins)
}

// TestLanes applies two transactions at the same time, the later one first: each is seen when it is committed, with its mark.
func TestLanes(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v int UNIQUE)", "INSERT INTO app.t VALUES (1, 1), (2, 2)")
		tab := replica("t", 1, "k", "v")
		seen := func() string {
			return query(t, d.owner, "SELECT concat_ws(' ', (SELECT string_agg(k || '=' || v, ',' ORDER BY k) FROM app.t), (SELECT position FROM bascule.apply WHERE direction = 'forward'))")[0]
		}
		inLanes(t, d.open(t), []*change.Replica{tab}, func(ctx context.Context, s change.Parallel) {
			for round := range 3 {
				first := fork(t, ctx, s, put(tab, [2]int{1, 10 + round}))
				second := fork(t, ctx, s, put(tab, [2]int{2, 20 + round}))
				before := seen()
				must(t, second.Flush(ctx))
				must(t, first.Flush(ctx))
				if hinders, err := second.Hinders(ctx); hinders || err != nil {
					t.Errorf("nobody waits: %v %v", hinders, err)
				}
				same(t, "before both commits", []string{seen()}, before)
				must(t, first.Commit(ctx, change.Mark{Position: "a"}))
				must(t, second.Commit(ctx, change.Mark{Position: "b"}))
				same(t, "after both", []string{seen()}, fmt.Sprintf("1=%d,2=%d b", 10+round, 20+round))
			}
			mustApply(t, ctx, s, put(tab, [2]int{1, 0}))
			same(t, "one after the other again", []string{seen()}, "1=0,2=22 p")
		})
		same(t, "connections", query(t, d.owner, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"), "0")
	})
}

// TestLanesMeet lets two transactions meet where their keys do not show it: the later one waits, or fails, or finds out that the earlier waits for it, and
// comes right behind the earlier.
func TestLanesMeet(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
			"CREATE TABLE app.u (k int PRIMARY KEY, v int UNIQUE)", "CREATE TABLE app.c (k text COLLATE app.ci PRIMARY KEY, v int)",
			"INSERT INTO app.u VALUES (1, 1), (2, 2), (3, 3)", "INSERT INTO app.c VALUES ('a', 1)")
		u, c := replica("u", 1, "k", "v"), replica("c", 1, "k", "v")
		rows := func() []string {
			return query(t, d.owner, "SELECT concat_ws(' ', (SELECT string_agg(k || '=' || v, ',' ORDER BY k) FROM app.u), (SELECT string_agg(k || '=' || v, ',') FROM app.c))")
		}
		a, b := change.Mark{Position: "a"}, change.Mark{Position: "b"}
		inLanes(t, d.open(t), []*change.Replica{u, c}, func(ctx context.Context, s change.Parallel) {
			// The second takes a value that the first has given up, and waits for its commit.
			first, second := fork(t, ctx, s, put(u, [2]int{1, 7})), fork(t, ctx, s, put(u, [2]int{4, 1}))
			must(t, first.Flush(ctx))
			ready := make(chan error, 1)
			go func() { ready <- second.Flush(ctx) }()
			must(t, first.Commit(ctx, a))
			must(t, <-ready)
			must(t, second.Commit(ctx, b))
			same(t, "waited", rows(), "1=7,2=2,3=3,4=1 a=1")

			// The first has not given it up yet: the second fails, and is applied again.
			take := put(u, [2]int{5, 2})
			first, second = fork(t, ctx, s, change.Step{}), fork(t, ctx, s, take)
			if err := second.Flush(ctx); err == nil {
				t.Error("a value that stands twice passes")
			}
			give := put(u, [2]int{2, 8})
			must(t, first.Apply(ctx, &give))
			must(t, second.Undo(ctx))
			must(t, first.Commit(ctx, a))
			must(t, second.Apply(ctx, &take))
			must(t, second.Commit(ctx, b))
			same(t, "failed", rows(), "1=7,2=8,3=3,4=1,5=2 a=1")

			// Two keys that only the target takes for equal: the second changes the row that the first removes, which therefore waits.
			key := func(s string) [][]byte { return [][]byte{[]byte(s)} }
			take = step(c, [][][]byte{key("A")}, [][][]byte{{[]byte("A"), i4(2)}})
			first, second = fork(t, ctx, s, change.Step{}), fork(t, ctx, s, take)
			must(t, second.Flush(ctx))
			give = step(c, [][][]byte{key("a")}, nil)
			must(t, first.Apply(ctx, &give))
			go func() { ready <- first.Flush(ctx) }()
			waitFor(t, func() bool {
				hinders, err := second.Hinders(ctx)
				return hinders && err == nil
			})
			must(t, second.Undo(ctx))
			must(t, <-ready)
			must(t, first.Commit(ctx, a))
			must(t, second.Apply(ctx, &take))
			must(t, second.Commit(ctx, b))
			same(t, "hindered", rows(), "1=7,2=8,3=3,4=1,5=2 A=2")

			// An index is built meanwhile: it waits for the second, and the first waits behind it.
			take = put(u, [2]int{4, 9})
			first, second = fork(t, ctx, s, change.Step{}), fork(t, ctx, s, take)
			must(t, second.Flush(ctx))
			built := make(chan error, 1)
			builder, err := pgx.Connect(ctx, d.owner)
			must(t, err)
			defer func() { _ = builder.Close(ctx) }()
			go func() { built <- builder.PgConn().Exec(ctx, "CREATE INDEX u_v ON app.u (v)").Close() }()
			waitFor(t, func() bool {
				return query(t, d.owner, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'app.u'::regclass")[0] == "1"
			})
			give = put(u, [2]int{5, 5})
			go func() { ready <- errors.Join(first.Apply(ctx, &give), first.Flush(ctx)) }()
			waitFor(t, func() bool {
				hinders, err := second.Hinders(ctx)
				return hinders && err == nil
			})
			must(t, second.Undo(ctx))
			must(t, <-built)
			must(t, <-ready)
			must(t, first.Commit(ctx, a))
			must(t, second.Apply(ctx, &take))
			must(t, second.Commit(ctx, b))
			same(t, "behind an index", rows(), "1=7,2=8,3=3,4=9,5=5 A=2")
		})
	})
}

// TestLaneOutlivesLock takes the lock from a session by the end of its first connection, and gives it to another: what the first still has in its
// other lane is not committed, neither before nor after the other has applied something.
func TestLaneOutlivesLock(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v int)")
		tab := replica("t", 1, "k", "v")
		e := d.open(t)
		r := record(t, e)
		gone := errors.New("the test is over")
		for round, applies := range []bool{false, true} {
			err := e.Applying(t.Context(), r, "ada@host", []*change.Replica{tab}, func(ctx context.Context, session change.Session) error {
				s, _ := session.(change.Parallel)
				if n := s.Lanes(ctx); n != 2 {
					t.Fatalf("%d lanes", n)
				}
				must(t, fork(t, ctx, s, put(tab, [2]int{1, round})).Commit(ctx, change.Mark{Position: "a"}))
				late := fork(t, ctx, s, put(tab, [2]int{2, 1}))
				must(t, late.Flush(ctx))
				exec(t, d.admin.String(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
				must(t, d.open(t).Applying(ctx, r, "bob@host", []*change.Replica{tab}, func(ctx context.Context, s change.Session) error {
					if !applies {
						return nil
					}
					return applySteps(ctx, s, change.Mark{Position: "b"}, put(tab, [2]int{3, 2}))
				}))
				if err := late.Commit(ctx, change.Mark{Position: "c"}); fault.ClassOf(err) != fault.Connect || !strings.Contains(err.Error(), "bob@host") {
					t.Errorf("a lane without its lock commits: %v (class %s)", err, fault.ClassOf(err))
				}
				return gone
			})
			if !errors.Is(err, gone) {
				t.Error(err)
			}
			want := []string{"1=0 a", "1=1,3=2 b"}[round]
			same(t, "rows and mark", query(t, d.owner, "SELECT concat_ws(' ', (SELECT string_agg(k || '=' || v, ',' ORDER BY k) FROM app.t), (SELECT position FROM bascule.apply WHERE direction = 'forward'))"), want)
		}
	})
}
