package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// The parts of a plan's hash that are not steps.
const (
	partProgram = "program"
	partSchema  = "schema "
	partLosses  = "losses "
	partStep    = "step "
	partLimits  = "limits and watches"
)

// newRound plans a round of an environment. It reads the catalogs of the databases, and writes nothing.
func (d *desk) newRound(ctx context.Context, e *platform.Environment, purpose platform.Purpose) (*store.Round, error) {
	live, _, err := d.platform.Script(e, platform.Live)
	if err != nil {
		return nil, err
	}
	script, unrehearsed, err := d.platform.Script(e, purpose)
	if err != nil {
		return nil, err
	}
	if err := script.Plan().Check(); err != nil {
		return nil, fault.New(fault.Usage, fmt.Sprintf("plan the %s round of %s", purpose, e.Name), err, "bascule config check looks at the steps")
	}
	r := &store.Round{
		Environment: e.Name, Kind: store.Kind(purpose), Production: e.Production, Script: script, Unrehearsed: unrehearsed, Program: programVersion(),
		Zone: e.Zone, Cost: e.Cost,
	}
	if r.WindowFrom, r.WindowTo, err = e.Times(); err != nil {
		return nil, err
	}
	if r.Parts, err = d.parts(ctx, e, &live, purpose); err != nil {
		return nil, err
	}
	r.Hash = hashParts(r.Parts)
	return r, nil
}

// parts hashes what a rehearsal proves something about, part by part, so that it can be said which has changed.
func (d *desk) parts(ctx context.Context, e *platform.Environment, live *round.Script, purpose platform.Purpose) (map[string]string, error) {
	parts := map[string]string{partProgram: programVersion()}
	rest := *live
	rest.Tasks = nil
	parts[partLimits] = platform.Hash(rest)
	for i := range live.Tasks {
		parts[partStep+string(live.Tasks[i].Step.ID)] = platform.Hash(round.Script{Tasks: live.Tasks[i : i+1]})
	}
	for i := range e.Databases {
		db := &e.Databases[i]
		config := db.Config
		if purpose == platform.Rehearsal && db.Rehearsal != "" {
			config = db.Rehearsal
		}
		shape, accepted, err := d.shape(ctx, config)
		if err != nil {
			return nil, fmt.Errorf("database %s: %w", db.Name, err)
		}
		parts[partSchema+db.Name], parts[partLosses+db.Name] = shape, accepted
	}
	return parts, nil
}

func hashParts(parts map[string]string) string {
	text, err := json.Marshal(parts) // which sorts the names
	if err != nil {
		panic(err) // strings alone
	}
	return digest(text)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// shape returns the fingerprints of a source's schema, as what it becomes on the target, and of the losses that are accepted.
func (d *desk) shape(ctx context.Context, config string) (shape, accepted string, err error) {
	err = d.open(ctx, config, needs{source: true}, silent{}, func(ctx context.Context, _ *cobra.Command, s *settings, w *work) error {
		p, err := w.migration.Shape(ctx)
		if err != nil {
			return err
		}
		for _, t := range p.Target.Tables {
			t.NextIdentity = 0 // it moves with every row, and differs between a source and its scratch copy
		}
		text, err := json.Marshal(statements(p))
		shape, accepted = digest(text), digest([]byte(strings.Join(slices.Sorted(slices.Values(s.Accept)), "\n")))
		return err
	})
	return shape, accepted, err
}

// changed lists the parts that differ between two plans.
func changed(was, now map[string]string) (out []string) {
	names := map[string]bool{}
	for n := range was {
		names[n] = true
	}
	for n := range now {
		names[n] = true
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		switch {
		case was[n] == "":
			out = append(out, n+" is new")
		case now[n] == "":
			out = append(out, n+" is gone")
		case was[n] != now[n]:
			out = append(out, n+" has changed")
		}
	}
	return out
}

// allowed refuses a live round that nobody has rehearsed, or that others stand in the way of. An override says why it goes on nevertheless.
func (d *desk) allowed(ctx context.Context, r *store.Round, e *platform.Environment) error {
	if err := d.alone(ctx, r); err != nil {
		return err
	}
	if r.Kind != store.Live || r.Override != "" {
		return nil
	}
	if day := d.now().In(zoneOf(r)).Format(time.DateOnly); slices.Contains(e.Blackout, day) {
		return fault.New(fault.Refused, "run round of "+r.Environment, fmt.Errorf("%s is a blackout day", day), "choose another day, or say why it has to be: --override REASON")
	}
	return d.rehearsed(ctx, r)
}

// alone refuses a second round of an environment, and of production beside another one's.
func (d *desk) alone(ctx context.Context, r *store.Round) error {
	rounds, err := d.store.Rounds(ctx)
	if err != nil {
		return err
	}
	busy := 0
	for i := range rounds {
		other := &rounds[i]
		state, _, err := d.state(ctx, other)
		if err != nil {
			return err
		}
		if over(state) {
			continue
		}
		if other.Environment == r.Environment {
			return fault.New(fault.Busy, "begin a round of "+r.Environment, fmt.Errorf("round %s has not ended: it is %s", other.ID, state.Phase),
				"bascule round status "+r.Environment+" says what it waits for; bascule round resume "+r.Environment+" goes on with it")
		}
		if other.Production && r.Production && other.Kind == store.Live && r.Kind == store.Live && moving(other, state) {
			busy++
		}
	}
	if most := max(1, r.Script.Across["production"]); busy >= most {
		return fault.New(fault.Busy, "begin a round of "+r.Environment, fmt.Errorf("%s of production not at an end, and at most %d may be", plural(int64(busy), "round"), most),
			"wait for its end, or raise production under limits in "+d.file)
	}
	return nil
}

// moving reports whether not every database of a round has opened.
func moving(r *store.Round, s *round.State) bool {
	for i := range r.Script.Tasks {
		if step := &r.Script.Tasks[i].Step; step.Role == round.RoleOpen && s.Steps[step.ID].Status != round.StatusDone {
			return true
		}
	}
	return false
}

func over(s *round.State) bool {
	return s.Phase == round.PhaseDone || s.Phase == round.PhaseAborted || s.Phase == round.PhaseFellBack
}

// rehearsed refuses a live round without a green rehearsal of the same plan that is new enough.
func (d *desk) rehearsed(ctx context.Context, r *store.Round) error {
	op, hint := "run round of "+r.Environment, "bascule round rehearse "+r.Environment+"; or say why it goes without: --override REASON"
	rounds, err := d.store.Rounds(ctx)
	if err != nil {
		return err
	}
	for i := range slices.Backward(rounds) {
		x := &rounds[i]
		if x.Environment != r.Environment || x.Kind != store.Rehearsal || x.Leg != secondLeg {
			continue
		}
		state, _, err := d.state(ctx, x)
		if err != nil {
			return err
		}
		if state.Phase != round.PhaseDone {
			continue
		}
		if what := changed(x.Parts, r.Parts); len(what) > 0 {
			return fault.New(fault.Refused, op, fmt.Errorf("it is not what was rehearsed in %s: %s", x.ID, strings.Join(what, ", ")), hint)
		}
		if age := d.now().Sub(x.Began); age > d.platform.RehearsalAge() {
			return fault.New(fault.Refused, op, fmt.Errorf("its rehearsal %s is %s old, and may be %s", x.ID, duration(age), duration(d.platform.RehearsalAge())), hint)
		}
		return nil
	}
	return fault.New(fault.Refused, op, errors.New("it was never rehearsed to the end"), hint)
}

// The legs of a rehearsal: forward and back, and forward again.
const (
	firstLeg  = 1
	secondLeg = 2
)

// zoneOf is the zone in which people read a round's times.
func zoneOf(r *store.Round) *time.Location {
	zone, err := time.LoadLocation(cmp.Or(r.Zone, "UTC"))
	if err != nil {
		return time.UTC
	}
	return zone
}

// programVersion names the program that makes a plan.
func programVersion() string {
	v := buildVersion()
	return strings.TrimSpace(v.Version + " " + v.Revision)
}
