package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// TestApplyKilled ends the session's backend at any moment, at commits too, and sees that rows and mark always agree: row 1
// holds the number of the transaction that the mark names.
func TestApplyKilled(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v int)")
		e := d.open(t)
		r := record(t, e)
		tab := replica("t", 1, "k", "v")
		killer, err := pgx.Connect(t.Context(), d.admin.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = killer.Close(context.WithoutCancel(t.Context())) }()
		const kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
		n, committed, unknown := 0, 0, 0
		for round := range 25 {
			after := time.Duration(rand.IntN(30_000)) * time.Microsecond
			err := e.Applying(t.Context(), r, "x", []*change.Replica{tab}, func(ctx context.Context, s change.Session) error {
				m, err := s.Mark(ctx)
				if err != nil {
					return err
				}
				if got := query(t, d.owner, "SELECT COALESCE(max(v), 0) FROM app.t")[0]; got != fmt.Sprint(m.Txns) {
					t.Errorf("round %d: the row says %s, the mark %d", round, got, m.Txns)
				}
				switch int(m.Txns) {
				case n:
				case n + 1:
					unknown++
				default:
					t.Errorf("round %d: the mark says %d, %d were committed", round, m.Txns, n)
				}
				n = int(m.Txns)
				done := make(chan error, 1)
				timer := time.AfterFunc(after, func() {
					_, err := killer.Exec(ctx, kill)
					done <- err
				})
				defer timer.Stop()
				for {
					err := applySteps(ctx, s, change.Mark{Position: "p", Txns: int64(n + 1)}, step(tab, [][][]byte{{i4(1)}}, [][][]byte{{i4(1), i4(n + 1)}}))
					if err != nil {
						return errors.Join(err, <-done)
					}
					n++
					committed++
				}
			})
			if fault.ClassOf(err) != fault.Connect {
				t.Fatalf("round %d: %v (class %s)", round, err, fault.ClassOf(err))
			}
		}
		t.Logf("%d transactions, %d of them committed although their commit failed", committed, unknown)
	})
}

// modelTable is a table of the property test: rows by key, as k, u (unique or not) and v.
type modelTable struct {
	r      *change.Replica
	unique bool
	rows   map[int][2]int
}

// TestApplyModel applies random steps to a table of each shape and to a model in memory.
func TestApplyModel(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.m0 (k int PRIMARY KEY, u int, v int)", "CREATE TABLE app.m1 (k int PRIMARY KEY, u int UNIQUE, v int)",
			"CREATE TABLE app.m2 (k int, u int, v int)", "CREATE TABLE app.w (k int, u int, v int)")
		e := d.open(t)
		r := record(t, e)
		tables := []*change.Replica{replica("m0", 1, "k", "u", "v"), replica("m1", 1, "k", "u", "v"), replica("m2", 1, "k", "u", "v"), replica("w", 0, "k", "u", "v")}
		conn, err := pgx.Connect(t.Context(), d.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		err = e.Applying(t.Context(), r, "x", tables, func(ctx context.Context, s change.Session) error {
			rapid.Check(t, func(rt *rapid.T) {
				models := make([]modelTable, len(tables))
				var empty change.Step
				for i := range models {
					models[i] = modelTable{tables[i], i == 1, map[int][2]int{}}
					empty.Tables = append(empty.Tables, change.TableStep{Table: tables[i], Truncate: true})
				}
				steps := []change.Step{empty}
				for range rapid.IntRange(1, 12).Draw(rt, "steps") {
					var st change.Step
					for i := range models {
						st.Tables = append(st.Tables, models[i].draw(rt))
					}
					steps = append(steps, st)
				}
				if err := applySteps(ctx, s, change.Mark{Position: "p"}, steps...); err != nil {
					rt.Fatal(err)
				}
				var want []string
				for _, m := range models {
					for k, r := range m.rows {
						want = append(want, strings.ReplaceAll(fmt.Sprintf("(%s,%d,%d,%d)", m.r.Into.Table, k, r[0], r[1]), "-1", ""))
					}
				}
				slices.Sort(want)
				rows, err := conn.Query(ctx, `SELECT t::text COLLATE "C" FROM (SELECT 'm0', * FROM app.m0 UNION ALL SELECT 'm1', * FROM app.m1
					UNION ALL SELECT 'm2', * FROM app.m2 UNION ALL SELECT 'w', * FROM app.w) t ORDER BY 1`)
				if err != nil {
					rt.Fatal(err)
				}
				if got, err := pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || !slices.Equal(got, want) {
					rt.Fatalf("%v\n got %v\nwant %v", err, got, want)
				}
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// draw changes the model at random and returns the step that does the same: sometimes a truncation, keys
// touched, those of them that exist afterwards. A value of -1 is NULL.
func (m *modelTable) draw(rt *rapid.T) change.TableStep {
	ts := change.TableStep{Table: m.r, Truncate: rapid.IntRange(0, 9).Draw(rt, "truncate") == 0}
	if ts.Truncate {
		clear(m.rows)
	}
	touched := rapid.SliceOfNDistinct(rapid.IntRange(0, 12), 0, 8, rapid.ID[int]).Draw(rt, "keys")
	var del, ins [][][]byte
	for _, k := range touched {
		old, there := m.rows[k]
		switch {
		case len(m.r.Key) > 0:
			del = append(del, [][]byte{i4(k)})
		case there:
			del = append(del, wholeRow(k, old))
		}
		delete(m.rows, k)
	}
	used := map[int]bool{}
	for _, r := range m.rows {
		used[r[0]] = true
	}
	for _, k := range touched {
		if rapid.IntRange(0, 3).Draw(rt, "deleted") == 0 {
			continue
		}
		u := rapid.IntRange(-1, 15).Draw(rt, "u")
		if m.unique && u >= 0 && used[u] {
			u = -1
		}
		used[u] = true
		row := [2]int{u, rapid.IntRange(-1, 2).Draw(rt, "v")}
		m.rows[k] = row
		ins = append(ins, wholeRow(k, row))
	}
	ts.Delete, ts.Insert = batchOf(del...), batchOf(ins...)
	return ts
}

func wholeRow(k int, r [2]int) [][]byte {
	row := [][]byte{i4(k), i4(r[0]), i4(r[1])}
	for i, v := range r {
		if v < 0 {
			row[i+1] = nil
		}
	}
	return row
}

// TestApplyRowForm compares the array that is sent with what the server sends for the same rows.
func TestApplyRowForm(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (gone int, a int, b text, c numeric(5,2)); ALTER TABLE app.t DROP gone; INSERT INTO app.t VALUES (1, 'x', 2.5), (2, NULL, NULL)")
		r := replica("t", 0, "a", "b", "c")
		inSession(t, d.open(t), []*change.Replica{r}, func(_ context.Context, s change.Session) {
			h := s.(*applier).shapes[r]
			rows := payloads(t, d.owner, "SELECT a, b, c FROM app.t ORDER BY a")
			b := batchOf(rows...)
			got, err := h.array(&b, 0, 2, h.columnsOf(upTo(3), nil))
			if err != nil {
				t.Fatal(err)
			}
			want := payloads(t, d.owner, "SELECT array_agg(t ORDER BY a) FROM app.t t")[0][0]
			if !bytes.Equal(got, want) {
				t.Errorf("\n got %x\nwant %x", got, want)
			}
		})
	})
}
