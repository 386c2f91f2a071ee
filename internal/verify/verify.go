// Package verify owns the proof that two databases hold equal values: sums
// computed inside both, bisection of what differs down to rows, and a comparison of
// those rows' values. It knows ports only, repairs nothing, and never calls a
// table equal that it did not read on both sides.
package verify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Pair is a column on both sides and the form in which they are compared.
type Pair struct {
	Source, Target *schema.Column
	Form           change.Form
}

// Table is one table to compare. Columns are all that exist on both sides,
// generated ones included.
type Table struct {
	Select  change.Select // the source's table and its key
	Target  schema.Name
	Columns []Pair
	Key     []Pair // the pairs of Select.Key, in its order; empty without a key
	// Size is what Measure found; until then the plan's is taken, which may be long out of date.
	Size change.Size
}

// Verifier compares tables.
type Verifier struct {
	Source, Target change.Summer
	// Reader finds the bounds of integer keys on the source.
	Reader change.Rower
	// Sizer tells Measure how large the source's tables have become; nil to go by their plan.
	Sizer  change.Sizer
	Tables []Table
	// Lanes is how many ranges are compared at once.
	Lanes  int
	Events event.Sink
	// Show is how many differences of one table are kept and shown; all are counted.
	Show int
	// Keep is how many keys of differing rows of one table its report holds.
	Keep int
	// Retry is how long a lost server is waited for.
	Retry time.Duration
	// Barrier is set when both sides change: it returns when the target holds everything that a read of the source which has
	// ended can have seen. Then the source is read first, the target behind the barrier, and a row that differs is looked
	// at again, because it may have changed in between.
	Barrier func(context.Context) error
	// Back says that it is the target which is written to, and the source that follows: then the target is read first.
	Back bool
}

// Report is the outcome of a verification. It covers every table given.
type Report struct {
	Tables []TableReport `json:"tables"`
	Equal  bool          `json:"equal"`
}

// TableReport is the outcome for one table.
type TableReport struct {
	Table      string `json:"table"`
	RowsSource int64  `json:"rows_source"`
	RowsTarget int64  `json:"rows_target"`
	// Ranges is how many ranges were compared, RangesEqual how many agreed by their sums alone.
	Ranges      int `json:"ranges"`
	RangesEqual int `json:"ranges_equal"`
	// Differences counts differing values and missing or extra rows.
	Differences int64 `json:"differences"`
	// ByClient counts rows that the sums could not judge and the client found equal.
	ByClient int64 `json:"by_client"`
	// Unproved counts rows that changed at every look, so that nothing can be said of them. Only with a barrier.
	Unproved int64              `json:"unproved,omitempty"`
	Shown    []event.Difference `json:"shown,omitempty"`
	// Keys are the keys of differing rows in canonical text, as many as the verifier keeps.
	Keys    [][]string    `json:"-"`
	Elapsed time.Duration `json:"elapsed_ns"`
}

// Run compares every table and returns the report. Differences are not an error;
// an error means that the comparison could not be completed.
func (v *Verifier) Run(ctx context.Context) (*Report, error) {
	units, err := v.units(ctx)
	if err != nil {
		return nil, err
	}
	jobs := make([]job, len(v.Tables))
	for i := range v.Tables {
		jobs[i].report.Table = string(v.Tables[i].Select.Table.Name)
	}
	for _, u := range units {
		jobs[u.table].report.Ranges++
		jobs[u.table].left++
	}
	for i := range v.Tables {
		t := &v.Tables[i]
		v.emit(event.TableStarted{Table: t.name(), Rows: t.size().Rows, Bytes: t.size().Bytes})
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, v.Lanes))
	for _, u := range units {
		g.Go(func() error { return v.run(ctx, &jobs[u.table], u) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r := &Report{Equal: len(jobs) > 0}
	for i := range jobs {
		r.Tables = append(r.Tables, jobs[i].report)
		r.Equal = r.Equal && jobs[i].report.Differences == 0 && jobs[i].report.Unproved == 0
	}
	return r, nil
}

// job gathers what the units of one table find.
type job struct {
	mu     sync.Mutex
	began  time.Time
	left   int
	report TableReport
}

// run compares one unit, again from its start when a server was lost meanwhile.
func (v *Verifier) run(ctx context.Context, j *job, u unit) error {
	j.mu.Lock()
	if j.began.IsZero() {
		j.began = time.Now()
	}
	j.mu.Unlock()
	began, pause := time.Now(), 100*time.Millisecond
	for {
		f, err := v.unit(ctx, u)
		if err == nil {
			v.finish(j, f)
			return nil
		}
		err = fmt.Errorf("verify %s: %w", v.Tables[u.table].Select.Table.Name, err)
		if fault.ClassOf(err) != fault.Connect || ctx.Err() != nil || time.Since(began) > v.Retry {
			return err
		}
		v.emit(event.Retried{What: "verify " + j.report.Table, Error: err.Error(), After: pause})
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (v *Verifier) finish(j *job, f found) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &j.report
	r.RowsSource += f.rowsSource
	r.RowsTarget += f.rowsTarget
	r.Differences += f.differences
	r.ByClient += f.byClient
	r.Unproved += f.unproved
	if f.bySum {
		r.RangesEqual++
	}
	r.Keys = append(r.Keys, f.keys[:min(len(f.keys), max(0, v.Keep-len(r.Keys)))]...)
	v.emit(event.RangeVerified{Table: r.Table, Rows: f.rowsSource, Equal: f.differences == 0})
	for _, d := range f.shown {
		if len(r.Shown) < v.Show {
			r.Shown = append(r.Shown, d)
			v.emit(d)
		}
	}
	j.left--
	if j.left == 0 {
		r.Elapsed = time.Since(j.began)
		v.emit(event.TableVerified{
			Table: r.Table, RowsSource: r.RowsSource, RowsTarget: r.RowsTarget,
			Differences: r.Differences, ByClient: r.ByClient, Elapsed: r.Elapsed,
		})
	}
}

func (v *Verifier) emit(e event.Event) {
	if v.Events != nil {
		v.Events(e)
	}
}
