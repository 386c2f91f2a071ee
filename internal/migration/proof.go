package migration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/verify"
)

const (
	// quickRound is how long the last round of Settle may take: about what the proof inside a freeze will take.
	quickRound = 300 * time.Millisecond
	// fruitless is after how many rounds that are not clearly faster than the fastest Settle gives up.
	fruitless = 3
	// drainKeys is from how many keys on they are checked while a full pass goes on, lest a table gives up its keys.
	drainKeys = 50_000
	// drainEvery is how often that is looked at.
	drainEvery = time.Second
	// keysAtOnce is how many keys are spelled and compared at once.
	keysAtOnce = 10_000
)

// lastProof proves that both ends hold equal values while nobody writes, in the time that it takes to compare what changed last (DESIGN rule
// 9). It begins with a full pass that finds no difference; from the pass's beginning on it knows the keys of every row that its follower
// touches. Rounds compare those rows while both sides change and let go of those that are equal; what is left is compared in the freeze.
//
// It invents nothing: what was touched while no follower told it, by another process or before this one began, is proved by a full
// pass only. Its methods but touch are called one at a time.
type lastProof struct {
	verifier *verify.Verifier // with the barrier
	touched  *follow.Touched
	tables   map[*change.Replica]proofTable
	at       func() change.Mark
	measured bool // since the process began

	mu    sync.Mutex
	clean *fullPass
}

// proofTable is where a replica stands in the verifier's tables, and what spells its keys as they come from the end that is followed, and from the
// other; nil when its rows are compared all at once.
type proofTable struct {
	index          int
	spell, reached []convert.KeyText
}

func (t proofTable) spelling(k *follow.TouchedKeys) []convert.KeyText {
	if k.Reached {
		return t.reached
	}
	return t.spell
}

// fullPass says that a full pass found no difference.
type fullPass struct {
	// Began is when it began, and At what was applied when it ended.
	Began time.Time
	At    change.Mark
	Rows  int64
	// Waived says that there was none, on somebody's word.
	Waived bool
}

// newLastProof makes f tell the proof what it touches, from now on: f must not have begun to run. f's and v's tables are the plan's, in
// order. v has a barrier behind which the follower's target holds what its source showed; at returns what is applied. back says that f
// leads from the plan's target to its source.
func newLastProof(f *follow.Follower, v *verify.Verifier, plan *convert.Plan, back bool, at func() change.Mark) (*lastProof, error) {
	p := &lastProof{verifier: v, touched: &follow.Touched{}, tables: map[*change.Replica]proofTable{}, at: at}
	for i, t := range plan.Tables {
		spell, err := t.KeyTexts(back)
		if err != nil {
			return nil, err
		}
		reached, err := t.KeyTexts(!back)
		if err != nil {
			reached = nil // a key that leads one way only; then the rows that a foreign key's action reached are compared with all others
		}
		p.tables[f.Tables[i].Replica] = proofTable{i, spell, reached}
	}
	f.Touch, f.Reached = p.touched.Add, p.touched.Reach
	return p, nil
}

// Pass compares every row of every table while both sides change. What a pass that finds a difference, or does not end, leaves is no
// basis for a proof.
func (p *lastProof) Pass(ctx context.Context) (*verify.Report, error) {
	p.setClean(nil)
	if err := p.verifier.Measure(ctx); err != nil {
		return nil, err
	}
	p.measured = true
	p.touched.Take() // the pass reads all of it
	pass := fullPass{Began: time.Now()}
	running, ended := context.WithCancel(ctx)
	defer ended()
	g, gctx := errgroup.WithContext(running)
	g.Go(func() error { return p.drain(gctx) })
	var rep *verify.Report
	g.Go(func() (err error) {
		defer ended()
		rep, err = p.verifier.Run(gctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if !rep.Equal {
		return rep, nil
	}
	for _, t := range rep.Tables {
		pass.Rows += t.RowsSource
	}
	pass.At = p.at()
	p.setClean(&pass)
	return rep, nil
}

// Waive stands in for a pass. What was touched since the follower began is compared, and nothing else.
func (p *lastProof) Waive() {
	p.setClean(&fullPass{Began: time.Now(), At: p.at(), Waived: true})
}

// drain compares keys while a pass goes on, when there are many.
func (p *lastProof) drain(ctx context.Context) error {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if keys, _ := p.touched.Pending(); keys < drainKeys {
			continue
		}
		if _, err := p.round(ctx, p.verifier, false); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// LastPass returns the last full pass, if it found no difference.
func (p *lastProof) LastPass() (fullPass, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clean == nil {
		return fullPass{}, false
	}
	return *p.clean, true
}

func (p *lastProof) setClean(pass *fullPass) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clean = pass
}

// Gate is open behind a full pass without a difference.
func (p *lastProof) Gate() cutover.Gate {
	g := cutover.Gate{Name: "verified", Wants: "a full pass over all rows that finds no difference, in this process"}
	pass, ok := p.LastPass()
	if !ok {
		g.Saw, g.Do = "none yet", "let bascule db verify --live find out what differs"
		return g
	}
	keys, tables := p.touched.Pending()
	g.Open = true
	if pass.Waived {
		g.Saw = fmt.Sprintf("NOT PROVED: no comparison of all rows was made, as was ordered; %d rows that changed since %s will be compared", keys, pass.Began.UTC().Format(time.RFC3339))
		return g
	}
	g.Saw = fmt.Sprintf("%d rows equal in the pass that began at %s and ended with %s applied; %d changed since and will be compared again",
		pass.Rows, pass.Began.UTC().Format(time.RFC3339), pass.At.Position, keys)
	if tables > 0 {
		g.Saw += fmt.Sprintf(", and %d whole tables", tables)
	}
	return g
}

// settled is what rounds came to.
type settled struct {
	Rounds int
	// Keys is how many rows the last round compared, and Took how long, without what it waited for changes to be applied: in a freeze
	// nothing is left to wait for.
	Keys int64
	Took time.Duration
	// Left is how many rows are still to be proved, and Whole how many tables are, all their rows.
	Left, Whole int
}

// Quick reports whether the last round was as fast as it should be before a freeze.
func (s settled) Quick() bool { return s.Took < quickRound }

// Settle compares what was touched, round after round, until a round is quick or rounds get no faster.
func (p *lastProof) Settle(ctx context.Context) (settled, error) {
	var s settled
	if !p.measured {
		if err := p.verifier.Measure(ctx); err != nil {
			return s, err
		}
		p.measured = true
	}
	best, since := time.Duration(0), 0
	for {
		o, err := p.round(ctx, p.verifier, true)
		if err != nil {
			return s, err
		}
		s.Rounds, s.Keys, s.Took = s.Rounds+1, o.rows, max(o.longest, o.work/time.Duration(max(1, p.verifier.Lanes)))
		s.Left, s.Whole = p.touched.Pending()
		if since++; best == 0 || s.Took < best*3/4 {
			best, since = s.Took, 0
		}
		if s.Quick() || since >= fruitless {
			return s, nil
		}
	}
}

// Prove compares what was touched and is not proved yet. Both sides stand still, and all that was written is applied.
func (p *lastProof) Prove(ctx context.Context) (cutover.Proved, error) {
	const op = "prove that both sides are equal"
	began := time.Now()
	pass, ok := p.LastPass()
	if !ok {
		return cutover.Proved{}, fault.New(fault.Refused, op, errors.New("no full pass without a difference came before"),
			"let bascule db verify --live find out what differs")
	}
	still := *p.verifier
	still.Barrier = nil
	o, err := p.round(ctx, &still, true)
	if err != nil {
		return cutover.Proved{}, fmt.Errorf("%s: %w", op, err)
	}
	for _, d := range o.shown {
		if p.verifier.Events != nil {
			p.verifier.Events(d)
		}
	}
	if o.vanished != "" {
		return cutover.Proved{}, fault.New(fault.Internal, op,
			fmt.Errorf("%s was written last and stands on neither side: either end lost it, or its key is spelled in another way than it is stored", o.vanished), "")
	}
	return cutover.Proved{Keys: o.rows, Partial: pass.Waived, Differences: o.differences, Elapsed: time.Since(began)}, nil
}

// outcome is what a round found.
type outcome struct {
	rows        int64
	differences int64 // rows that changed at every look included
	shown       []event.Difference
	vanished    string // a row that should be there and is on neither side
	// work is what the comparisons took together, longest what the longest did, without what they waited for changes to be applied.
	work, longest time.Duration
}

// round compares what was touched and keeps what was not equal. Without whole, tables of which every row may have been touched are kept as
// they are. After an error all of it is kept that was not compared.
func (p *lastProof) round(ctx context.Context, v *verify.Verifier, whole bool) (outcome, error) {
	var all []*follow.TouchedKeys
	var o outcome
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, v.Lanes))
	for _, k := range p.touched.Take() {
		t, known := p.tables[k.Table]
		if !known {
			p.back([]*follow.TouchedKeys{k})
			g.Go(func() error {
				return fmt.Errorf("rows of %s were touched, which is none of the tables to prove", k.Table.Into.Table)
			})
			continue
		}
		if k.All || t.spelling(k) == nil {
			k.All = true
			all = append(all, k)
			continue
		}
		g.Go(func() error {
			began := time.Now()
			own, waited := *v, time.Duration(0)
			if v.Barrier != nil {
				own.Barrier = func(ctx context.Context) error {
					began := time.Now()
					defer func() { waited += time.Since(began) }()
					return v.Barrier(ctx)
				}
			}
			found, err := p.keys(gctx, &own, t, k)
			if err != nil {
				p.back([]*follow.TouchedKeys{k})
				return err
			}
			found.work = time.Since(began) - waited
			found.longest = found.work
			mu.Lock()
			defer mu.Unlock()
			o.add(found)
			return nil
		})
	}
	err := g.Wait()
	if err == nil && whole {
		err = p.whole(ctx, v, all, &o)
	}
	if err != nil || !whole {
		p.back(all)
	}
	return o, err
}

// add counts what another comparison found.
func (o *outcome) add(other outcome) {
	o.rows += other.rows
	o.work += other.work
	o.longest = max(o.longest, other.longest)
	o.differences += other.differences
	o.shown = append(o.shown, other.shown...)
	if other.vanished != "" {
		o.vanished = other.vanished
	}
}

// back keeps tables for the next round.
func (p *lastProof) back(tables []*follow.TouchedKeys) {
	for _, k := range tables {
		p.touched.Return(k, func(int) bool { return true })
	}
}

// keys compares the touched rows of one table. After an error none of them is let go; the caller keeps them.
func (p *lastProof) keys(ctx context.Context, v *verify.Verifier, t proofTable, k *follow.TouchedKeys) (o outcome, err error) {
	keep := map[int]bool{}
	for from := 0; from < k.Keys.Rows; from += keysAtOnce {
		texts, err := t.texts(k, from, min(k.Keys.Rows, from+keysAtOnce))
		if err != nil {
			return o, err
		}
		c, err := v.Keys(ctx, t.index, texts)
		if err != nil {
			return o, err
		}
		for _, i := range c.Differing {
			keep[from+i] = true
		}
		for _, i := range c.Absent {
			if k.Present[from+i] {
				keep[from+i] = true
				o.vanished = fmt.Sprintf("a row of %s with the key %q", k.Table.Into.Table, texts[i])
			}
		}
		o.differences += c.Differences
		o.shown = append(o.shown, c.Shown...)
	}
	o.rows += int64(k.Keys.Rows)
	if len(keep) > 0 {
		p.touched.Return(k, func(i int) bool { return keep[i] })
	}
	return o, nil
}

// texts spells some keys.
func (t proofTable) texts(k *follow.TouchedKeys, from, to int) ([][]string, error) {
	out := make([][]string, 0, to-from)
	spell := t.spelling(k)
	width := len(spell)
	flat := make([]string, 0, (to-from)*width)
	var text []byte
	for i := from; i < to; i++ {
		row := k.Keys.Row(i)
		if len(row) != width {
			return nil, fmt.Errorf("a key of %d values of %s, which has %d", len(row), k.Table.Into.Table, width)
		}
		for c, s := range row {
			if s.Null() {
				return nil, fmt.Errorf("NULL in a key of %s", k.Table.Into.Table)
			}
			var err error
			if text, err = spell[c](text[:0], k.Keys.Bytes(s)); err != nil {
				return nil, err
			}
			flat = append(flat, string(text))
		}
		out = append(out, flat[len(flat)-width:])
	}
	return out, nil
}

// whole compares tables row by row, all of them.
func (p *lastProof) whole(ctx context.Context, v *verify.Verifier, tables []*follow.TouchedKeys, o *outcome) error {
	if len(tables) == 0 {
		return nil
	}
	sub := *v
	sub.Events, sub.Tables = nil, nil
	for _, k := range tables {
		sub.Tables = append(sub.Tables, v.Tables[p.tables[k.Table].index])
	}
	began := time.Now()
	rep, err := sub.Run(ctx)
	if err != nil {
		return err
	}
	o.longest += time.Since(began)
	for i, r := range rep.Tables {
		o.rows += r.RowsSource
		o.differences += r.Differences + r.Unproved
		o.shown = append(o.shown, r.Shown...)
		if r.Differences+r.Unproved > 0 {
			p.back(tables[i : i+1])
		}
	}
	return nil
}
