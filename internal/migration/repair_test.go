package migration_test

import (
	"context"
	"errors"
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
			e.Keys += by[e.Table].Keys
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
		damage := l.strange(t, kinds)
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
		for _, k := range kinds {
			if e := by[k.name]; k.primary != "" && e.Keys < 4 {
				t.Errorf("%s: %+v, want four rows", k.name, e)
			}
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

// strange adds rows that no writer touches, and returns what makes four of each table with a key differ on the target: two have another
// value, one goes, and one comes back that the source has deleted.
func (l *lab) strange(t *testing.T, kinds []keyed) (damage []string) {
	t.Helper()
	if err := l.caughtUp(t); err != nil {
		t.Fatal(err)
	}
	rows, gone := []string{"BEGIN"}, []string{"BEGIN"}
	aside := []string{"CREATE SCHEMA aside"}
	for _, k := range kinds {
		if k.primary == "" {
			continue
		}
		for n := range 4 {
			rows = append(rows, k.insert(120+n, 0))
		}
		aside = append(aside, fmt.Sprintf("CREATE TABLE aside.%[1]s AS SELECT * FROM %[1]s WHERE v = 'v120'", k.name))
		gone = append(gone, "DELETE FROM "+k.name+k.where(120))
		damage = append(damage, fmt.Sprintf("INSERT INTO %[1]s SELECT * FROM aside.%[1]s", k.name),
			fmt.Sprintf("UPDATE %s SET v = 'damaged' WHERE v IN ('v121', 'v122')", k.name), "DELETE FROM "+k.name+" WHERE v = 'v123'")
	}
	l.exec(t, append(rows, "COMMIT")...)
	if err := l.caughtUp(t); err != nil {
		t.Fatal(err)
	}
	l.target.Exec(t, l.into, aside...)
	l.exec(t, append(gone, "COMMIT")...)
	return damage
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
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
