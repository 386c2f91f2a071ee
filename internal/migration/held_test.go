package migration_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/servertest"
)

// member is one database of a group that moves together, with its application's account on both sides.
type member struct {
	*lab
	user string
}

// groupOf makes databases that are copied and are to be followed. The source is private, since a prepared transaction of any test would keep it from
// being fenced.
func groupOf(t *testing.T, source *servertest.Server, n int) (all []*member) {
	t.Helper()
	target := servertest.Postgres15(t)
	for range n {
		m := &member{lab: &lab{source: source, target: target, from: source.Database(t), into: target.Database(t)}}
		m.user = strings.TrimPrefix(m.place(t, m.from), "bascule_")
		m.exec(t, "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL)", "INSERT INTO a (v) VALUES (1), (2), (3)",
			fmt.Sprintf("CREATE USER %[1]s@'%%' IDENTIFIED BY '%[1]s'", m.user), fmt.Sprintf("GRANT SELECT, INSERT ON `%s`.* TO %s@'%%'", m.place(t, m.from), m.user))
		m.begin(t, convert.Options{ForFollow: true}, change.Filter{}).copied(t)
		target.Exec(t, m.into, fmt.Sprintf("CREATE ROLE %[1]s LOGIN PASSWORD '%[1]s'", m.user), "GRANT SELECT, INSERT ON a TO "+m.user)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
			defer cancel()
			if err := execute(ctx, m.into, "DROP OWNED BY "+m.user); err != nil {
				t.Error(err)
			}
			if err := execute(ctx, m.into, "DROP ROLE "+m.user); err != nil {
				t.Error(err)
			}
		})
		all = append(all, m)
	}
	return all
}

func (m *member) place(t *testing.T, dbURL string) string {
	t.Helper()
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// execute runs a statement, which may fail, in a session of its own.
func execute(ctx context.Context, dbURL, statement string) error {
	u, err := url.Parse(dbURL)
	if err != nil {
		return err
	}
	if u.Scheme == "postgres" {
		c, err := pgx.Connect(ctx, dbURL)
		if err != nil {
			return err
		}
		_, err = c.Exec(ctx, statement)
		return errors.Join(err, c.Close(ctx))
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.DBName = "tcp", u.Host, u.User.Username(), strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// writes says where the application can write: it tries both sides.
func (m *member) writes(t *testing.T) (sides string) {
	t.Helper()
	for _, side := range []struct{ name, url string }{{"old", m.from}, {"new", m.into}} {
		u, err := url.Parse(side.url)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(m.user, m.user)
		if err := execute(t.Context(), u.String(), "INSERT INTO a (v) VALUES (10)"); err == nil {
			sides += side.name
		}
	}
	return sides
}

// damage changes the target behind its fence, as its only migration's applier would.
func (m *member) damage(t *testing.T, statement string) {
	t.Helper()
	m.target.Exec(t, m.into, "SELECT set_config('bascule.applier', id::text, false) FROM bascule.migration", statement)
}

// stands says where the members' applications can write.
func stands(t *testing.T, all []*member, want string) {
	t.Helper()
	for i, m := range all {
		if got := m.writes(t); got != want {
			t.Errorf("the application of database %d can write on %q, want %q", i, got, want)
		}
	}
}

// process is another process's migration of the member.
func (m *member) process(t *testing.T, name string) *run {
	t.Helper()
	r := m.begin(t, convert.Options{}, change.Filter{})
	r.Who = name
	return r
}

func (m *member) options() migration.SwitchOptions {
	return migration.SwitchOptions{Users: []string{m.user}, Budget: time.Minute, Lag: time.Minute}
}

// hold holds every member, all at once.
func hold(t *testing.T, all []*member, g cutover.Goal, change func(i int, r *run, o *migration.SwitchOptions)) ([]*migration.Held, []error) {
	t.Helper()
	held, errs := make([]*migration.Held, len(all)), make([]error, len(all))
	var wg sync.WaitGroup
	for i, m := range all {
		r, o := m.process(t, fmt.Sprintf("round, process %d", i)), m.options()
		o.Stay = true
		if change != nil {
			change(i, r, &o)
		}
		wg.Go(func() { held[i], errs[i] = r.Hold(t.Context(), o, g) })
	}
	wg.Wait()
	return held, errs
}

// every runs fn for all members at once.
func every(held []*migration.Held, fn func(i int, h *migration.Held)) {
	var wg sync.WaitGroup
	for i, h := range held {
		if h != nil {
			wg.Go(func() { fn(i, h) })
		}
	}
	wg.Wait()
}

// openAll binds and opens them.
func openAll(t *testing.T, held []*migration.Held, live cutover.Side) {
	t.Helper()
	for i, h := range held {
		if err := h.Bind(); err != nil {
			t.Fatalf("database %d is not bound: %v", i, err)
		}
	}
	every(held, func(i int, h *migration.Held) {
		s, err := h.Open(t.Context())
		if err != nil || s.Live != live || s.Phase != cutover.Idle || s.Stopped() <= 0 {
			t.Errorf("database %d: %s, stopped for %s, %v (%s)", i, s.Text(), s.Stopped(), err, fault.HintOf(err))
		}
	})
}

func TestHeld(t *testing.T) {
	if testing.Short() {
		t.Skip("moves groups of databases")
	}
	// Logins may be slow when the machine is busy: fifteen databases are moved at once.
	source := servertest.Private(t, servertest.KindMariaDB, servertest.Options{Set: []string{"connect_timeout=60"}}).Server
	for name, fn := range map[string]func(*testing.T, *servertest.Server){
		"there and back": heldThereAndBack, "one fails": heldOneFails, "killed": heldKilled, "ends": heldEnds, "fence passed": heldFencePassed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, source)
		})
	}
}

// heldThereAndBack: while all hold nobody can write anywhere; then all are open, there and back.
func heldThereAndBack(t *testing.T, source *servertest.Server) {
	t.Helper()
	all := groupOf(t, source, 3)
	for _, leg := range []struct {
		goal cutover.Goal
		live cutover.Side
	}{{cutover.ToNew, cutover.New}, {cutover.ToOld, cutover.Old}} {
		held, errs := hold(t, all, leg.goal, nil)
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("%s: %v (%s)", leg.goal, err, fault.HintOf(err))
		}
		stands(t, all, "")
		for i, h := range held {
			e := h.Evidence
			if e.Direction != leg.goal.Direction() || e.Drained == "" || e.Proof.Differences != 0 || e.Frozen.IsZero() || time.Until(e.Until) <= 0 || len(e.Steps) != 8 {
				t.Errorf("database %d holds on %+v", i, e)
			}
			if b, err := json.Marshal(e); err != nil || !strings.Contains(string(b), `"took_ns"`) {
				t.Errorf("its evidence is %s, %v", b, err)
			}
			if h.Err() != nil {
				t.Errorf("database %d holds, and has ended: %v", i, h.Err())
			}
		}
		someoneElse(t, all[0])
		openAll(t, held, leg.live)
		stands(t, all, string(leg.live))
	}
	for i, m := range all {
		rows := counted(t, m.source, m.from, "SELECT COUNT(*) FROM a")
		if rows != 3+2 { // and those that were acknowledged
			t.Errorf("database %d has %d rows on its old side", i, rows)
		}
	}
}

// someoneElse finds a database that is held as it is, and can do nothing about it.
func someoneElse(t *testing.T, m *member) {
	t.Helper()
	other := m.process(t, "somebody else")
	s, err := other.Where(t.Context())
	if err != nil || !s.Holds() || !s.Fenced() {
		t.Errorf("somebody else is told: %s, %v", s.Text(), err)
	}
	if _, err := other.Abort(t.Context(), m.options()); fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "round, process 0") {
		t.Errorf("somebody else aborts: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var waits []event.Waiting
	other.Events = func(e event.Event) {
		if w, ok := e.(event.Waiting); ok {
			waits = append(waits, w)
		}
	}
	if _, err := other.Settle(ctx, m.options()); fault.ClassOf(err) != fault.Busy || len(waits) != 1 || waits[0].For != "round, process 0" {
		t.Errorf("somebody else settles: %v, told %+v", err, waits)
	}
}

// heldOneFails: the third one's last proof finds a difference, so the two that hold are undone, and all can write where they could.
func heldOneFails(t *testing.T, source *servertest.Server) {
	t.Helper()
	all := groupOf(t, source, 3)
	held, errs := hold(t, all, cutover.ToNew, func(i int, r *run, _ *migration.SwitchOptions) {
		if i != 2 {
			return
		}
		m := all[i]
		r.Events = func(e event.Event) {
			if s, ok := e.(event.StepStarted); ok && !s.Undo {
				switch journal.Step(s.Step) {
				case journal.StepGates:
					m.exec(t, "INSERT INTO a (id, v) VALUES (99, 1)")
				case journal.StepProof:
					m.damage(t, "UPDATE a SET v = 2 WHERE id = 99")
				default:
				}
			}
		}
	})
	if errs[0] != nil || errs[1] != nil || fault.ClassOf(errs[2]) != fault.Difference || held[2] != nil {
		t.Fatalf("they hold: %v, %v, %v", errs[0], errs[1], errs[2])
	}
	stands(t, all[:2], "")
	every(held, func(i int, h *migration.Held) {
		s, err := h.Undo(t.Context(), "database 2 differs")
		if err != nil || s.Phase != cutover.Idle || s.Live != cutover.Old || !strings.Contains(s.Why, "database 2 differs") || s.Stopped() <= 0 {
			t.Errorf("database %d: %s, stopped for %s, %v", i, s.Text(), s.Stopped(), err)
		}
		if again, err := h.Open(t.Context()); err == nil || again.Live != cutover.Old {
			t.Errorf("database %d was opened after its undo: %s", i, again.Text())
		}
	})
	stands(t, all, "old")
	// It can be tried again: two hold, and the third is told to.
	held, errs = hold(t, all[:2], cutover.ToNew, nil)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	openAll(t, held, cutover.New)
	stands(t, all[:2], "new")
}

// heldEnds: nobody says anything, so that the budget undoes it; and one that is bound is undone by nobody but its own.
func heldEnds(t *testing.T, source *servertest.Server) {
	t.Helper()
	all := groupOf(t, source, 2)
	held, errs := hold(t, all, cutover.ToNew, func(_ int, _ *run, o *migration.SwitchOptions) { o.Budget = 8 * time.Second })
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if err := held[0].Bind(); err != nil {
		t.Fatal(err)
	}
	wait(t, closed(held[1].Done()))
	if err := held[1].Err(); fault.ClassOf(err) != fault.Resource {
		t.Errorf("it ended with %v", err)
	}
	if err := held[1].Bind(); err == nil {
		t.Error("what has ended was bound")
	}
	if s, err := held[1].Undo(t.Context(), "too late"); err != nil || s.Phase != cutover.Idle || s.Live != cutover.Old {
		t.Errorf("it left %s, %v", s.Text(), err)
	}
	stands(t, all[1:], "old")
	stands(t, all[:1], "")
	if held[0].Err() != nil {
		t.Errorf("what is bound has ended: %v", held[0].Err())
	}
	if s, err := held[0].Undo(t.Context(), "the others are undone"); err != nil || s.Phase != cutover.Idle || s.Live != cutover.Old {
		t.Errorf("what was bound left %s, %v", s.Text(), err)
	}
	stands(t, all, "old")
}

// closed is a channel that ends when another does.
func closed(c <-chan struct{}) chan struct{} {
	out := make(chan struct{})
	go func() {
		defer close(out)
		<-c
	}()
	return out
}

// heldFencePassed: an account that the fence does not stop writes while it holds. Nothing of it is lost.
func heldFencePassed(t *testing.T, source *servertest.Server) {
	t.Helper()
	all := groupOf(t, source, 1)
	for _, stays := range []bool{true, false} {
		held, errs := hold(t, all, cutover.ToNew, func(_ int, _ *run, o *migration.SwitchOptions) { o.Stay = stays })
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		all[0].exec(t, "INSERT INTO a (v) VALUES (77)")
		s, err := held[0].Open(t.Context())
		if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "rows of a were written") || s.Live != cutover.Old || s.Fenced() != stays {
			t.Errorf("it was opened: %s, %v", s.Text(), err)
		}
		if !stays {
			break
		}
		stands(t, all, "")
		if s, err := all[0].process(t, "a person").Settle(t.Context(), all[0].options()); err != nil || s.Phase != cutover.Idle {
			t.Errorf("it was settled: %s, %v", s.Text(), err)
		}
	}
	stands(t, all, "old")
	held, errs := hold(t, all, cutover.ToNew, nil)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	openAll(t, held, cutover.New)
	if got := counted(t, all[0].target, all[0].into, "SELECT COUNT(*) FROM a WHERE v = 77"); got != 2 {
		t.Errorf("the new side has %d of the 2 rows", got)
	}
}

const heldChild = "BASCULE_TEST_HELD"

// TestHeldChild is not a test: it holds a database until it is killed.
func TestHeldChild(t *testing.T) {
	args := strings.Split(os.Getenv(heldChild), " ")
	if len(args) != 3 {
		t.Skip("this is the other process of TestHeld")
	}
	m := &member{lab: &lab{from: args[0], into: args[1]}, user: args[2]}
	if _, err := m.process(t, "the one that dies").Hold(t.Context(), m.options(), cutover.ToNew); err != nil {
		t.Fatal(err)
	}
	t.Log("it holds")
	_, _ = os.Stdout.WriteString("HOLDS\n")
	select {} // until it is killed
}

// killed holds every member in a process of its own, and kills it.
func killed(t *testing.T, all []*member) {
	t.Helper()
	var wg sync.WaitGroup
	for _, m := range all {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHeldChild$", "-test.v")
			cmd.Env = append(os.Environ(), heldChild+"="+m.from+" "+m.into+" "+m.user)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Error(err)
				return
			}
			if err := cmd.Start(); err != nil {
				t.Error(err)
				return
			}
			said, holds := "", false
			for s := bufio.NewScanner(out); !holds && s.Scan(); {
				said += s.Text() + "\n"
				holds = s.Text() == "HOLDS"
			}
			if !holds {
				t.Errorf("it does not hold:\n%s", said)
			}
			_ = cmd.Process.Kill() // it may have failed already
			_ = cmd.Wait()         // it was killed
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// heldKilled: the process dies while all hold. They stay fenced until somebody undoes them, or goes on.
func heldKilled(t *testing.T, source *servertest.Server) {
	t.Helper()
	all := groupOf(t, source, 3)
	killed(t, all)
	stands(t, all, "")
	var wg sync.WaitGroup
	for i, m := range all {
		r := m.process(t, "the next one")
		wg.Go(func() {
			s, err := r.Settle(t.Context(), m.options())
			if err != nil || s.Phase != cutover.Idle || s.Live != cutover.Old || s.Stopped() <= 0 {
				t.Errorf("database %d: %s, %v", i, s.Text(), err)
			}
		})
	}
	wg.Wait()
	stands(t, all, "old")

	all = all[:2]
	killed(t, all)
	for _, m := range all {
		if _, err := m.process(t, "the next one").Undriven(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// What one side alone has is found by the comparison, and the fence stays up.
	all[1].damage(t, "DELETE FROM a WHERE id = 1")
	held, errs := hold(t, all, cutover.ToNew, func(_ int, _ *run, o *migration.SwitchOptions) { o.Keep = true })
	if errs[0] != nil || fault.ClassOf(errs[1]) != fault.Difference {
		t.Fatalf("to go on: %v, %v", errs[0], errs[1])
	}
	stands(t, all, "")
	openAll(t, held[:1], cutover.New)
	stands(t, all[:1], "new")
	all[1].damage(t, "INSERT INTO a (id, v) VALUES (1, 1)")
	held, errs = hold(t, all[1:], cutover.ToNew, func(_ int, _ *run, o *migration.SwitchOptions) { o.Keep = true })
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	openAll(t, held, cutover.New)
	stands(t, all, "new")
}
