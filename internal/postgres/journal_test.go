package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// journaled makes a migration with one table app.t0 and returns its record.
func journaled(t *testing.T, e *End) *change.Record {
	t.Helper()
	r, err := e.Create(t.Context(), change.Record{Schema: "app", Source: "s", SourceID: "s", Position: "p0"}, tables(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// opening is the journal with another opening than the fence's.
func (e *End) opening(r *change.Record, opens func(context.Context, pgx.Tx, journal.Direction) error) *cutoverJournal {
	return &cutoverJournal{e: e, migration: r.ID, opens: opens}
}

func claim(t *testing.T, j *cutoverJournal, id string, seen int64) journal.Claim {
	t.Helper()
	c, err := j.Claim(t.Context(), "process of "+id, id, seen, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestJournal(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		j := e.journal(journaled(t, e))
		empty, err := j.Read(t.Context())
		if err != nil || len(empty.Entries) > 0 || empty.Epoch != 0 || empty.Driven() || empty.Now.IsZero() {
			t.Fatalf("an empty journal reads as %+v, %v", empty, err)
		}
		ann := claim(t, j, "ann", 0)
		if _, err := j.Claim(t.Context(), "bob", "bob", 1, time.Hour); fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "process of ann") {
			t.Errorf("a second driver gets %v, want to be told that ann drives", err)
		}
		in := []journal.Entry{
			{Direction: journal.Forward, Step: journal.StepGates, Mark: journal.MarkBegun},
			{Direction: journal.Forward, Step: journal.StepGates, Mark: journal.MarkDone, Evidence: json.RawMessage(`{"why": "\u0000 é"}`)},
		}
		for _, x := range in {
			if err := j.Append(t.Context(), ann, x); err != nil {
				t.Fatal(err)
			}
		}
		again := claim(t, j, "ann", 1)
		if err := j.Append(t.Context(), ann, in[0]); !errors.Is(err, journal.ErrStale) {
			t.Errorf("an entry of an older epoch: %v, want that it is stale", err)
		}
		if err := j.Renew(t.Context(), "bob", time.Hour); !errors.Is(err, journal.ErrStale) {
			t.Errorf("bob renews what ann holds: %v", err)
		}
		if err := j.Renew(t.Context(), "ann", -time.Second); err != nil {
			t.Fatal(err)
		}
		bob := claim(t, j, "bob", 2)
		if err := j.Switch(t.Context(), again, journal.Entry{Direction: journal.Back, Step: journal.StepSwitch, Mark: journal.MarkDone}); !errors.Is(err, journal.ErrStale) {
			t.Errorf("a switch of an older epoch: %v, want that it is stale", err)
		}
		if err := j.Watch(t.Context(), "cat", time.Hour); err != nil {
			t.Fatal(err)
		}
		log, err := d.open(t).Journal(&change.Record{ID: j.migration}).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []journal.Entry{in[0], in[1]}
		for i := range want {
			want[i].Seq, want[i].Who, want[i].Epoch = int64(i)+1, "process of ann", 1
		}
		if diff := cmp.Diff(want, log.Entries, cmpopts.IgnoreFields(journal.Entry{}, "At")); diff != "" {
			t.Errorf("what was written and what is read:\n%s", diff)
		}
		if log.Epoch != 3 || !log.Driven() || log.Driver.ID != "bob" || !log.Watched() || log.Watcher.Who != "cat" {
			t.Errorf("it is held by %+v, watched by %+v, at epoch %d", log.Driver, log.Watcher, log.Epoch)
		}
		if err := j.Release(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		if log, err = j.Read(t.Context()); err != nil || log.Driven() || log.Epoch != 3 {
			t.Errorf("after it was given back: %+v, %v", log, err)
		}
	})
}

// TestSwitchIsOneTransaction opens the new side by a GRANT, and asks the server whether the application may write.
func TestSwitchIsOneTransaction(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		app := d.role + "_app"
		exec(t, d.admin.String(), "CREATE ROLE "+app)
		t.Cleanup(func() { exec(t, d.admin.String(), "DROP OWNED BY "+app, "DROP ROLE "+app) })
		e := d.open(t)
		r := journaled(t, e)
		fail := errors.New("on purpose")
		grant := func(then error) *cutoverJournal {
			return e.opening(r, func(ctx context.Context, tx pgx.Tx, _ journal.Direction) error {
				_, err := tx.Exec(ctx, "GRANT INSERT ON app.t0 TO "+app)
				return errors.Join(err, then)
			})
		}
		c := claim(t, e.journal(r), "ann", 0)
		done := journal.Entry{Direction: journal.Forward, Step: journal.StepSwitch, Mark: journal.MarkDone}
		for _, try := range []struct {
			j    *cutoverJournal
			want string
		}{{e.journal(r), "f|0"}, {grant(fail), "f|0"}, {grant(nil), "t|1"}} {
			err := try.j.Switch(t.Context(), c, done)
			if (err == nil) != (try.want == "t|1") {
				t.Errorf("switch: %v", err)
			}
			got := query(t, d.owner, fmt.Sprintf("SELECT has_table_privilege('%s', 'app.t0', 'INSERT'), (SELECT count(*) FROM bascule.journal)", app))
			if got[0] != try.want {
				t.Errorf("may write, switches in the journal: %s, want %s", got[0], try.want)
			}
		}
	})
}

// TestClaimWaitsForSwitch is what makes an unknown switch known: no claim comes back while a switch is under way.
func TestClaimWaitsForSwitch(t *testing.T) {
	t.Parallel()
	const waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%bascule.cutover%FOR UPDATE%' AND datname = current_database())"
	onEachServer(t, func(t *testing.T, d *database) {
		for _, commits := range []bool{true, false} {
			e := d.open(t)
			r, err := e.Open(t.Context(), "app")
			if err != nil {
				t.Fatal(err)
			}
			if r == nil {
				r = journaled(t, e)
			}
			before, err := e.journal(r).Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c := claim(t, e.journal(r), "ann", before.Epoch)
			inside, goOn := make(chan struct{}), make(chan error)
			j := e.opening(r, func(context.Context, pgx.Tx, journal.Direction) error {
				close(inside)
				return <-goOn
			})
			switched := make(chan error, 1)
			go func() {
				switched <- j.Switch(t.Context(), c, journal.Entry{Direction: journal.Forward, Step: journal.StepSwitch, Mark: journal.MarkDone})
			}()
			<-inside
			claimed := make(chan error, 1)
			go func() {
				_, err := j.Claim(t.Context(), "ann", "ann", c.Epoch, time.Hour)
				claimed <- err
			}()
			waitFor(t, func() bool {
				return query(t, d.admin.String(), waiting)[0] == "t"
			})
			select {
			case err := <-claimed:
				t.Fatalf("the claim did not wait: %v", err)
			default:
			}
			var fail error
			if !commits {
				fail = errors.New("on purpose")
			}
			goOn <- fail
			if err := <-switched; (err == nil) != commits {
				t.Fatalf("switch: %v", err)
			}
			if err := <-claimed; err != nil {
				t.Fatal(err)
			}
			log, err := j.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := len(log.Entries) - len(before.Entries); (got == 1) != commits || log.Epoch != c.Epoch+1 {
				t.Errorf("committed: %v, but the journal has %d entries more, at epoch %d", commits, got, log.Epoch)
			}
		}
	})
}

// TestStalledSwitch stops a process within the switch: a claim must come back all the same, and the switch must not.
func TestStalledSwitch(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		r := journaled(t, e)
		c := claim(t, e.journal(r), "ann", 0)
		inside, goOn := make(chan struct{}), make(chan struct{})
		e.stall = 200 * time.Millisecond
		j := e.opening(r, func(context.Context, pgx.Tx, journal.Direction) error {
			close(inside)
			<-goOn
			return nil
		})
		switched := make(chan error, 1)
		go func() {
			switched <- j.Switch(t.Context(), c, journal.Entry{Direction: journal.Forward, Step: journal.StepSwitch, Mark: journal.MarkDone})
		}()
		<-inside
		_, err := d.open(t).Journal(r).Claim(t.Context(), "ann", "ann", c.Epoch, time.Hour)
		close(goOn)
		if err != nil {
			t.Error(err)
		}
		if err := <-switched; err == nil {
			t.Error("the switch committed after another claim")
		}
		if log, err := j.Read(t.Context()); err != nil || len(log.Entries) != 0 {
			t.Errorf("the journal holds %v, %v", log, err)
		}
	})
}

// TestJournalOfOlderLedger brings a ledger without a journal up when it is first claimed, and reads it as empty before.
func TestJournalOfOlderLedger(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		for _, step := range ledgerSteps[:journalVersion-1] {
			exec(t, d.owner, step)
		}
		exec(t, d.owner, fmt.Sprintf("UPDATE bascule.ledger_version SET version = %d", journalVersion-1),
			"INSERT INTO bascule.migration VALUES (7, 'app', 's', 's', '{}', 'p0', now())")
		j := d.open(t).journal(&change.Record{ID: 7})
		if log, err := j.Read(t.Context()); err != nil || len(log.Entries) != 0 || log.Now.IsZero() {
			t.Fatalf("read: %+v, %v", log, err)
		}
		if err := j.Append(t.Context(), claim(t, j, "ann", 0), journal.Entry{Direction: journal.Forward, Step: journal.StepGates, Mark: journal.MarkBegun}); err != nil {
			t.Fatal(err)
		}
		if log, err := j.Read(t.Context()); err != nil || len(log.Entries) != 1 {
			t.Errorf("read: %+v, %v", log, err)
		}
	})
}

// TestDropOfLive asks for what must never be dropped.
func TestDropOfLive(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		j := e.opening(journaled(t, e), func(context.Context, pgx.Tx, journal.Direction) error { return nil })
		c := claim(t, j, "ann", 0)
		drop := func(when string, want fault.Class) {
			t.Helper()
			if _, err := e.Drop(t.Context(), "app", false); fault.ClassOf(err) != want {
				t.Errorf("drop %s: %v, want %s", when, err, want)
			}
			if got := query(t, d.owner, "SELECT to_regclass('app.t0') IS NULL")[0]; got != "f" {
				t.Fatalf("drop %s: the table is gone", when)
			}
		}
		write := func(dir journal.Direction, s journal.Step, m journal.Mark) {
			t.Helper()
			put := j.Append
			if s == journal.StepSwitch {
				put = j.Switch
			}
			if err := put(t.Context(), c, journal.Entry{Direction: dir, Step: s, Mark: m}); err != nil {
				t.Fatal(err)
			}
		}
		drop("while somebody drives", fault.Busy)
		if err := j.Release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		write(journal.Forward, journal.StepFence, journal.MarkBegun)
		drop("while the fence may stand", fault.Refused)
		write(journal.Forward, journal.StepSwitch, journal.MarkDone)
		drop("of the live side", fault.Refused)
		write(journal.Back, journal.StepFence, journal.MarkBegun)
		write(journal.Back, journal.StepFence, journal.MarkUndone)
		drop("of the live side after a fallback was undone", fault.Refused)
		write(journal.Back, journal.StepSwitch, journal.MarkDone)
		if _, err := e.Drop(t.Context(), "app", false); err != nil {
			t.Errorf("drop after a fallback: %v", err)
		}
		if got := query(t, d.owner, "SELECT to_regclass('app.t0') IS NULL, to_regnamespace('bascule') IS NULL")[0]; got != "t|t" {
			t.Errorf("table gone, ledger gone: %s", got)
		}
	})
}
