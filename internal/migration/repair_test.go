package migration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
)

// repaired runs a live verification with repair, and returns what it copied again and how many passes it made.
func (l *lab) repaired(t *testing.T, passes int) (equal bool, by map[string]event.Repaired, made int) {
	t.Helper()
	r, by := l.begin(t, convert.Options{}, change.Filter{}), map[string]event.Repaired{}
	r.Events = func(e event.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch e := e.(type) {
		case event.Repaired:
			by[e.Table] = e
		case event.Passed:
			made = e.Pass
		}
	}
	rep, err := r.VerifyLive(t.Context(), migration.LiveOptions{Passes: passes, Repair: true})
	if err != nil {
		t.Fatalf("verify with repair: %v (%s)", err, fault.HintOf(err))
	}
	return rep.Equal, by, made
}

// TestRepair damages rows of every kind of key while the source is written to, in every way; they are copied again, and the next pass
// finds nothing.
func TestRepair(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		kinds := keyKinds(l.source.Kind)
		l.makeKinds(t, kinds)
		l.exec(t, "CREATE TABLE u (id INT PRIMARY KEY, a INT UNIQUE, b INT)")
		var rows []string
		for i := range 500 {
			rows = append(rows, fmt.Sprintf("(%d, %d, 0)", i, i))
		}
		l.exec(t, "INSERT INTO u VALUES "+strings.Join(rows, ", "))
		l.begin(t, convert.Options{ForFollow: true}, change.Filter{}).copied(t)
		if err := l.caughtUp(t); err != nil { // with its unique indexes
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		written := make(chan struct{})
		go func() {
			defer close(written)
			draw := rand.New(rand.NewPCG(2, 2))
			for i := 1; ctx.Err() == nil; i++ {
				k := kinds[draw.IntN(len(kinds))]
				l.exec(t, append(append([]string{"BEGIN"}, k.write(draw, i)...), fmt.Sprintf("UPDATE u SET b = %d WHERE id = %d", i, 20+draw.IntN(80)), "COMMIT")...)
			}
		}()
		var damage []string
		for _, k := range kinds {
			if k.primary != "" {
				damage = append(damage,
					"UPDATE "+k.name+" SET v = 'damaged' WHERE ctid IN (SELECT ctid FROM "+k.name+" ORDER BY v LIMIT 3)",
					"DELETE FROM "+k.name+" WHERE ctid IN (SELECT ctid FROM "+k.name+" ORDER BY v DESC LIMIT 3)")
			}
		}
		// A whole range goes; values that are unique change places; a row comes.
		damage = append(damage, "DELETE FROM u WHERE id BETWEEN 100 AND 380", "UPDATE u SET a = -1 - a WHERE id < 10", "UPDATE u SET a = 10 + a WHERE id < 10", "INSERT INTO u VALUES (-7, 200, 1)")
		l.target.Exec(t, l.into, damage...)
		equal, by, made := l.repaired(t, 4)
		if !equal || made < 2 {
			t.Errorf("equal %t after %d passes: %+v", equal, made, by)
		}
		if e := by["u"]; e.Keys < 281 || e.Left != "" || e.Position == "" {
			t.Errorf("u: %+v", e)
		}
		if len(by) != len(kinds) {
			t.Errorf("%d tables were repaired, want %d: %+v", len(by), len(kinds), by)
		}
		stop()
		<-written
		if err := l.caughtUp(t); err != nil {
			t.Fatal(err)
		}
		l.begin(t, convert.Options{}, change.Filter{}).verified(t, len(kinds)+1)
		// One pass that repairs is no proof.
		l.target.Exec(t, l.into, "DELETE FROM u WHERE id < 3", "DELETE FROM k_none")
		equal, by, made = l.repaired(t, 1)
		if equal || made != 1 || by["u"].Rows != 3 || !strings.Contains(by["k_none"].Left, "key") {
			t.Errorf("equal %t after %d passes: %+v", equal, made, by)
		}
	})
}

// TestRepairAlone refuses to pause what another process applies.
func TestRepairAlone(t *testing.T) {
	l := oneLab(t)
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
	_, err := l.begin(t, convert.Options{}, change.Filter{}).VerifyLive(t.Context(), migration.LiveOptions{Passes: 1, Repair: true})
	if fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "ada@bridge, process 1") {
		t.Errorf("got %v (%s), want to be told that ada follows", err, fault.ClassOf(err))
	}
	cancel()
	<-done
}
