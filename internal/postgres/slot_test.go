package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/servertest"
)

func identities(t *testing.T, w *way) []string {
	t.Helper()
	return query(t, w.owner, `SELECT c.relname, relreplident, (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = indexrelid WHERE indrelid = c.oid AND indisreplident)
		FROM pg_class c WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1`)
}

func TestArmAndDisarm(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE bare (v integer)", "CREATE TABLE flat (id integer PRIMARY KEY, n numeric(10,2), s varchar(30))",
			"CREATE TABLE large (id integer PRIMARY KEY, body text)", "CREATE TABLE own (id integer PRIMARY KEY, o integer NOT NULL UNIQUE, body text)",
			"ALTER TABLE own REPLICA IDENTITY USING INDEX own_o_key", "CREATE TABLE uniq (a integer NOT NULL UNIQUE, b integer UNIQUE)",
			"CREATE TABLE nothing (id integer PRIMARY KEY)", "ALTER TABLE nothing REPLICA IDENTITY NOTHING")
		for _, s := range w.tables {
			if s.Table.Name == "uniq" {
				s.Key = s.Columns[:1]
			}
		}
		before := identities(t, w)
		if err := w.end.CanArm(t.Context(), w.record, w.tables); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, identities(t, w)); diff != "" {
			t.Errorf("to look changed something: %s", diff)
		}
		at, err := w.end.Arm(t.Context(), w.record, 1, w.tables, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"bare|f|NULL", "flat|d|NULL", "large|f|NULL", "nothing|d|NULL", "own|f|NULL", "uniq|i|uniq_a_key"}
		if diff := cmp.Diff(want, identities(t, w)); diff != "" {
			t.Error(diff)
		}
		status, err := w.end.Armed(t.Context(), w.record)
		if err != nil || !status.Exists || !status.Published || status.Foreign || status.Lost() || status.Confirmed != at || status.ActivePID != 0 || status.WAL != "reserved" {
			t.Errorf("%+v, %v; armed at %s", status, err, at)
		}
		exec(t, w.owner, "INSERT INTO app.flat VALUES (1)")
		if again, err := w.end.Arm(t.Context(), w.record, 1, w.tables, nil); err != nil || again != at {
			t.Errorf("armed again at %s, %v; want %s", again, err, at)
		}
		if _, err := w.end.Arm(t.Context(), w.record, 1, w.tables[1:], nil); fault.ClassOf(err) != fault.Refused {
			t.Errorf("armed for other tables: %v", err)
		}
		for range 2 {
			if err := w.end.Disarm(t.Context(), w.record, 1); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, identities(t, w)); diff != "" {
				t.Error(diff)
			}
		}
		left := query(t, w.owner, "SELECT (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())")
		if left[0] != "0|0" {
			t.Errorf("left %s publications and slots", left[0])
		}
		if err := w.end.Streams(w.record).Stream(t.Context(), at, w.tables, nil); fault.ClassOf(err) != fault.Refused || fault.HintOf(err) != rearm {
			t.Errorf("without a slot: %v", err)
		}
	})
}

func TestArmWaitsForNobody(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY, body text)")
		c, err := pgx.Connect(t.Context(), w.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
		expect := func(what string, p patience) {
			t.Helper()
			began := time.Now()
			_, err := w.end.arm(t.Context(), w.record, 1, w.tables, nil, p)
			if fault.ClassOf(err) != fault.Resource || !strings.Contains(fmt.Sprint(err), fmt.Sprint(c.PgConn().PID())) || !strings.Contains(fmt.Sprint(err), w.role) {
				t.Errorf("%s: %v, want one that names process %d of %s", what, err, c.PgConn().PID(), w.role)
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("%s: it took %s", what, d)
			}
		}
		quick := patience{lock: 200 * time.Millisecond, slot: 500 * time.Millisecond, old: time.Hour}
		if _, err := c.Exec(t.Context(), "BEGIN; LOCK TABLE app.item"); err != nil {
			t.Fatal(err)
		}
		expect("lock", quick)
		if _, err := c.Exec(t.Context(), "ROLLBACK; BEGIN; SELECT pg_current_xact_id()"); err != nil {
			t.Fatal(err)
		}
		expect("young transaction", quick)
		expect("old transaction", patience{lock: time.Second, slot: time.Hour, old: 0})
		if err := w.end.CanArm(t.Context(), w.record, w.tables); err != nil {
			t.Errorf("a young transaction keeps it from being armed: %v", err)
		}
		if n := query(t, w.owner, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); n[0] != "0" {
			t.Errorf("%s slots are left", n[0])
		}
		if _, err := c.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.end.Arm(t.Context(), w.record, 1, w.tables, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestArmRefuses(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		exec(t, w.admin.String(), "ALTER ROLE "+w.role+" NOREPLICATION")
		if err := w.end.CanArm(t.Context(), w.record, w.tables); fault.ClassOf(err) != fault.Privilege {
			t.Errorf("can it be armed without the right: %v", err)
		}
		_, err := w.end.Arm(t.Context(), w.record, 1, w.tables, nil)
		if fault.ClassOf(err) != fault.Privilege || !strings.Contains(fault.HintOf(err), `ALTER ROLE "`+w.role+`" REPLICATION`) {
			t.Errorf("without the right: %v (%s)", err, fault.HintOf(err))
		}
		exec(t, w.admin.String(), "ALTER ROLE "+w.role+" REPLICATION")
		exec(t, w.owner, "ALTER TABLE app.item SET UNLOGGED")
		if _, err = w.end.Arm(t.Context(), w.record, 1, w.tables, nil); fault.ClassOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "unlogged") {
			t.Errorf("an unlogged table: %v", err)
		}
		if err := w.end.CanArm(t.Context(), w.record, w.tables); fault.ClassOf(err) != fault.Unsupported {
			t.Errorf("can an unlogged table be armed: %v", err)
		}
		exec(t, w.owner, "ALTER TABLE app.item SET LOGGED", "CREATE TABLE app.child () INHERITS (app.item)")
		if _, err = w.end.Arm(t.Context(), w.record, 1, w.tables, nil); fault.ClassOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "inherit") {
			t.Errorf("a table with children: %v", err)
		}
		exec(t, w.owner, "DROP TABLE app.child", fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'test_decoding')", slotName(w.record)))
		if _, err = w.end.Arm(t.Context(), w.record, 1, w.tables, nil); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "test_decoding") {
			t.Errorf("another plugin: %v", err)
		}
	})
}

func TestFeedIsKilled(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		exec(t, w.owner, "INSERT INTO app.item VALUES (1)")
		var at change.Position
		err := w.end.Streams(w.record).Stream(t.Context(), w.at, w.tables, func(ctx context.Context, f change.Feed) error {
			for at == "" {
				ev, err := f.Next(ctx)
				if err != nil {
					return err
				}
				if ev.Kind == change.EventCommit {
					at = f.Position()
				}
			}
			exec(t, w.admin.String(), "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '"+slotName(w.record)+"'")
			for {
				if _, err := f.Next(ctx); err != nil {
					return err
				}
			}
		})
		if fault.ClassOf(err) != fault.Connect {
			t.Errorf("killed: %v is %s", err, fault.ClassOf(err))
		}
		exec(t, w.owner, "INSERT INTO app.item VALUES (2)")
		got, _ := w.follow(t, at)
		if diff := cmp.Diff([]seen{{Table: "item", Op: change.Insert, New: [][]string{{string(be(32, 2))}}}}, joined(got)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFeedIsBusy(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		err := w.end.Streams(w.record).Stream(t.Context(), w.at, w.tables, func(ctx context.Context, f change.Feed) error {
			s, err := w.end.Armed(ctx, w.record)
			if err != nil {
				return err
			}
			second := w.end.Streams(w.record).Stream(ctx, w.at, w.tables, nil)
			if fault.ClassOf(second) != fault.Busy || !strings.Contains(second.Error(), fmt.Sprint(s.ActivePID)) || s.ActivePID == 0 || !strings.Contains(s.Holder, w.role) {
				t.Errorf("%v; the holder is %d, %s", second, s.ActivePID, s.Holder)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestFeedIsPatient lets a receiver take longer than the server waits for a sign of life, with more waiting than the
// network's buffers hold.
func TestFeedIsPatient(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY, v text)")
		exec(t, w.admin.String(), "ALTER ROLE "+w.role+" SET wal_sender_timeout = '2s'")
		exec(t, w.owner, "INSERT INTO app.item SELECT i, repeat(md5(i::text), 100) FROM generate_series(1, 10000) i")
		rows, idle := 0, 0
		s := w.end.Streams(w.record)
		err := s.Stream(t.Context(), w.at, w.tables, func(ctx context.Context, f change.Feed) error {
			for idle < 2 {
				ev, err := f.Next(ctx)
				if err != nil {
					return err
				}
				switch {
				case ev.Kind == change.EventIdle && rows > 0:
					idle++
				case ev.Kind == change.EventRows && rows == 0:
					if f.Lag() <= 0 {
						t.Errorf("the lag is %d", f.Lag())
					}
					exec(t, w.owner, "SELECT pg_sleep(4)") // what is waited for is time
				}
				if ev.Kind == change.EventRows {
					rows += ev.Rows.New.Rows
				}
			}
			return errDone
		})
		if !errors.Is(err, errDone) || rows != 10000 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
}

// TestFeedIdles shows that a feed without changes moves, and ends when it is told to.
func TestFeedIdles(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY)", "CREATE TABLE unrelated (v integer)")
		s := w.end.Streams(w.record)
		err := s.Stream(t.Context(), w.at, w.tables, func(ctx context.Context, f change.Feed) error {
			end, err := s.End(ctx)
			if err != nil {
				return err
			}
			for ok := false; !ok; {
				ev, err := f.Next(ctx)
				if err != nil || ev.Kind != change.EventIdle {
					return fmt.Errorf("event %v, %w", ev, err)
				}
				if ok, err = s.Includes(ctx, f.Position(), end); err != nil {
					return err
				}
			}
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			for err == nil {
				_, err = f.Next(short)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			if _, err := f.Next(ctx); err != nil {
				return fmt.Errorf("after a wait that was given up: %w", err)
			}
			return errDone
		})
		if !errors.Is(err, errDone) {
			t.Error(err)
		}
	})
}

func TestServerIsNotReady(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{"WALLevel": "wal_level=replica", "Lost": "max_slot_wal_keep_size=1MB"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := servertest.Private(t, servertest.KindPostgres15, servertest.Options{Set: []string{set, "max_replication_slots=1"}})
			d := newDatabase(t, in.URL)
			w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY)")
			at, err := w.end.Arm(t.Context(), w.record, 1, w.tables, nil)
			if name == "WALLevel" {
				if fault.ClassOf(err) != fault.Unsupported || !strings.Contains(fault.HintOf(err), "cloudsql.logical_decoding=on") {
					t.Errorf("%v (%s)", err, fault.HintOf(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			other, err := w.end.Create(t.Context(), change.Record{Schema: "other"}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.end.Arm(t.Context(), other, 1, nil, nil)
			if fault.ClassOf(err) != fault.Unsupported || !strings.Contains(fault.HintOf(err), "max_replication_slots = 6") {
				t.Errorf("no slot is free: %v (%s)", err, fault.HintOf(err))
			}
			for range 3 {
				exec(t, w.admin.String(), "INSERT INTO app.item SELECT COALESCE(max(id), 0) + 1 FROM app.item", "SELECT pg_switch_wal()", "CHECKPOINT")
			}
			if s, err := w.end.Armed(t.Context(), w.record); err != nil || !s.Lost() {
				t.Errorf("%+v, %v", s, err)
			}
			err = w.end.Streams(w.record).Stream(t.Context(), at, w.tables, nil)
			if fault.ClassOf(err) != fault.Refused || fault.HintOf(err) != rearm {
				t.Errorf("a lost slot: %v", err)
			}
			if _, err = w.end.Arm(t.Context(), w.record, 1, w.tables, nil); fault.ClassOf(err) != fault.Refused {
				t.Errorf("a lost slot: %v", err)
			}
			if err := w.end.Disarm(t.Context(), w.record, 1); err != nil {
				t.Error(err)
			}
		})
	}
}
