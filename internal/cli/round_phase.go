package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/drive"
	"github.com/bascule/bascule/internal/round/store"
)

// phases is the hand of automated steps: each is a phase of bascule db, on the database's own configuration. What it has closed it holds until it is opened, or
// given back.
type phases struct {
	*desk
	vitals *vitals
	slips  chan drive.Slip
	quit   <-chan struct{} // closed when nobody takes slips any more

	mu   sync.Mutex
	held map[string]*holding
	// opened are the databases of groups that this process has let switch; after a take-over it knows them by their journals.
	opened map[string]bool
	groups map[string]*meeting
}

func newPhases(d *desk, v *vitals, quit <-chan struct{}) *phases {
	return &phases{desk: d, vitals: v, slips: make(chan drive.Slip), quit: quit, held: map[string]*holding{}, opened: map[string]bool{}, groups: map[string]*meeting{}}
}

// The phases that an automated step can be.
const (
	phaseCopy     = "copy"
	phaseFollow   = "follow"
	phaseVerify   = "verify"
	phaseRehearse = "rehearse"
	phaseFinish   = "finish"
)

// Do implements drive.Hand.
func (p *phases) Do(ctx context.Context, w *drive.Work) (string, error) {
	switch role := w.Task.Step.Role; {
	case w.Verb == round.CloseBack:
		return p.close(ctx, w, cutover.ToOld)
	case w.Verb == round.UndoStep && role == round.RoleOpen:
		return p.openBack(ctx, w)
	case w.Verb == round.UndoStep && role == round.RoleClose:
		return p.giveBack(ctx, w)
	case w.Verb == round.UndoStep:
		return "", nil // a phase without a role leaves nothing that matters
	case role == round.RoleClose:
		return p.close(ctx, w, cutover.ToNew)
	case role == round.RoleOpen:
		return p.openNew(ctx, w)
	}
	return p.phase(ctx, w)
}

// phase carries out what leaves both sides as they are.
func (p *phases) phase(ctx context.Context, w *drive.Work) (said string, err error) {
	err = p.at(ctx, w, func(ctx context.Context, cmd *cobra.Command, s *settings, x *work) error {
		m := x.migration
		switch w.Task.Do {
		case phaseCopy:
			res, err := m.Copy(ctx)
			if err == nil {
				said = evidence(map[string]any{"rows": res.Rows, "bytes": res.Bytes, "tables": res.Tables})
			}
			return err
		case phaseFollow:
			end, err := m.Changes.End(ctx)
			if err != nil {
				return err
			}
			said = evidence(map[string]any{"position": end})
			return m.Follow(ctx, func() change.Position { return end })
		case phaseVerify:
			rep, err := m.VerifyLive(ctx, migration.LiveOptions{Passes: 1})
			if err != nil {
				return err
			}
			var rows int64
			for _, t := range rep.Tables {
				rows += t.RowsSource
			}
			said = evidence(map[string]any{"rows": rows, "proof": rep.Equal})
			return verifyFault(rep, x)
		case phaseRehearse:
			o, err := p.switchOptions(cmd, s)
			if err != nil {
				return err
			}
			o.Rehearse = true
			_, err = m.Cutover(ctx, o)
			return err
		case phaseFinish:
			_, err := m.Finish(ctx)
			return err
		}
		return fmt.Errorf("there is no phase %q", w.Task.Do)
	})
	return said, err
}

// Check implements drive.Hand. What leaves both sides as they are is simply done again.
func (p *phases) Check(ctx context.Context, w *drive.Work) (drive.Found, string, error) {
	if w.Task.Step.Role != round.RoleClose && w.Task.Step.Role != round.RoleOpen {
		return drive.FoundAbsent, "", nil
	}
	live, err := p.living(ctx, w)
	if err != nil {
		return drive.FoundUnknown, "", err
	}
	mine, others := live[w.Task.Step.Database], false
	for db, side := range live {
		others = others || db != w.Task.Step.Database && side == cutover.New
	}
	found, rest := drive.FoundAbsent, true
	switch {
	case w.Task.Step.Role == round.RoleOpen && w.Verb == round.Do:
		if mine == cutover.New {
			found = drive.FoundDone
		} else {
			rest = !others
		}
	case w.Task.Step.Role == round.RoleOpen && w.Verb == round.UndoStep:
		if mine == cutover.Old {
			found = drive.FoundDone
		} else {
			rest = false // its new side stays closed: the next try goes on from there
		}
	case w.Task.Step.Role == round.RoleClose && w.Verb == round.UndoStep:
		found = drive.FoundDone
	case w.Task.Step.Role == round.RoleClose:
		rest = !others
	}
	if !rest {
		return found, "its fence stays up", nil
	}
	state, err := p.settle(ctx, w)
	if err != nil {
		return drive.FoundUnknown, "", err
	}
	return found, livesText(state.Live), nil
}

// living says where the databases of a group live, each once nobody drives its cutover any more.
func (p *phases) living(ctx context.Context, w *drive.Work) (map[string]cutover.Side, error) {
	live := map[string]cutover.Side{}
	for _, t := range group(w) {
		err := p.at(ctx, &drive.Work{Round: w.Round, Task: t}, func(ctx context.Context, _ *cobra.Command, _ *settings, x *work) error {
			s, err := x.migration.Undriven(ctx)
			live[t.Step.Database] = s.Live
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("database %s: %w", t.Step.Database, err)
		}
	}
	return live, nil
}

// group lists the steps that close the databases which switch together with a step's.
func group(w *drive.Work) (all []*round.Task) {
	for i := range w.Round.Script.Tasks {
		t := &w.Round.Script.Tasks[i]
		mine := w.Task.Step
		if t.Step.Role == round.RoleClose && (t.Step.Database == mine.Database || mine.Group != "" && t.Step.Group == mine.Group) {
			all = append(all, t)
		}
	}
	return all
}

// settle brings to rest what a process has left of a cutover.
func (p *phases) settle(ctx context.Context, w *drive.Work) (state cutover.State, err error) {
	err = p.at(ctx, w, func(ctx context.Context, cmd *cobra.Command, s *settings, x *work) error {
		o, err := p.switchOptions(cmd, s)
		if err != nil {
			return err
		}
		state, err = x.migration.Settle(ctx, o)
		return err
	})
	return state, err
}

// Keep implements drive.Keeper.
func (p *phases) Keep(ctx context.Context, r *store.Round, k drive.Keeping) error {
	t := &round.Task{Step: round.Step{Database: k.Database}, Config: k.Config}
	err := p.at(ctx, &drive.Work{Round: r, Task: t}, func(ctx context.Context, _ *cobra.Command, _ *settings, x *work) error {
		if k.Back {
			return x.migration.Fallback(ctx, false)
		}
		return x.migration.Follow(ctx, nil)
	})
	if err != nil && ctx.Err() == nil {
		p.vitals.trouble(k.Database, err)
	}
	return err
}

// Open implements drive.Criteria: every gate of every database's cutover.
func (p *phases) Open(ctx context.Context, r *store.Round) (open bool, saw string, err error) {
	open = true
	var said []string
	for i := range r.Script.Tasks {
		t := &r.Script.Tasks[i]
		if t.Step.Role != round.RoleClose && t.Do != phaseRehearse {
			continue
		}
		err := p.at(ctx, &drive.Work{Round: r, Task: t}, func(ctx context.Context, cmd *cobra.Command, s *settings, x *work) error {
			o, err := p.switchOptions(cmd, s)
			if err != nil {
				return err
			}
			gates, err := x.migration.Gates(ctx, o, cutover.ToNew)
			for _, g := range gates {
				if !g.Open {
					open = false
					said = append(said, fmt.Sprintf("%s: %s is shut: %s", databaseOf(t), g.Name, g.Saw))
				}
			}
			return err
		})
		if err != nil {
			return false, "", fmt.Errorf("database %s: %w", databaseOf(t), err)
		}
	}
	if open {
		return true, "every gate of every database is open", nil
	}
	return false, strings.Join(said, "; "), nil
}

// databaseOf names the database of a step, also where it has no role.
func databaseOf(t *round.Task) string {
	if t.Step.Database != "" {
		return t.Step.Database
	}
	_, db, _ := strings.Cut(string(t.Step.ID), " ")
	return db
}

// at opens the ends of a step's database.
func (p *phases) at(ctx context.Context, w *drive.Work, body func(context.Context, *cobra.Command, *settings, *work) error) error {
	return p.open(ctx, w.Task.Config, needs{source: true, target: true}, p.vitals.view(databaseOf(w.Task), w.Task.Do), body)
}

// open opens the ends that a file of bascule db names. A round always follows.
func (d *desk) open(ctx context.Context, config string, n needs, view renderer, body func(context.Context, *cobra.Command, *settings, *work) error) error {
	s := &settings{config: d.path(config), spools: true, follows: true}
	cmd := &cobra.Command{Use: "round"}
	cmd.SetContext(ctx)
	cmd.Flags().BoolVar(&s.Follow, "follow", false, "")
	if err := cmd.Flags().Set("follow", "true"); err != nil {
		return err
	}
	return d.engage(cmd, s, n, view, func(ctx context.Context, w *work) error { return body(ctx, cmd, s, w) })
}

// evidence is what a step found, as JSON, whose keys are read by those who draw up accounts.
func evidence(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and strings alone
	}
	return string(b)
}

// errUnheld says that what a step builds on was not done by this process.
var errUnheld = errors.New("this process does not hold it closed")

// patient is the budget of a freeze that a person has chosen: that of a comparison of all rows.
const patient = 24 * time.Hour

func held(err error) error {
	return fault.New(fault.Refused, "open the new side", err, "the round closes it again")
}
