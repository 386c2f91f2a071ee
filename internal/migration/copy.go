package migration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/snapshot"
)

// CopyResult is what one run of Copy did.
type CopyResult struct {
	Tables int `json:"tables"`
	// Rows and Bytes count what this process loaded.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Aborted counts this process's chunks that were rolled back and done again.
	Aborted  int64           `json:"aborted"`
	Elapsed  time.Duration   `json:"elapsed_ns"`
	Losses   change.Losses   `json:"-"`
	Position change.Position `json:"position"`
}

// Copy makes the schema and copies every table, or joins and resumes a copy that
// was begun. It returns when the ledger has nothing left to do, whoever did it.
func (m *Migration) Copy(ctx context.Context) (*CopyResult, error) {
	began := time.Now()
	rec, plan, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	c := &snapshot.Copier{
		Source: m.Source, Queue: m.Target.Queue(rec), Tables: m.tables(plan), At: rec.Position, Exact: m.Options.ForFollow,
		Lanes: m.lanes(), Retry: m.retry(), Events: m.Events, Log: m.Log,
	}
	if err := m.announce(ctx, rec, plan); err != nil {
		return nil, err
	}
	var done snapshot.Result
	err = m.spooled(ctx, rec, func(ctx context.Context) error {
		return m.phase("copy", func() (err error) {
			done, err = c.Run(ctx)
			return err
		})
	})
	if err != nil {
		return nil, m.explain(ctx, rec, err)
	}
	res := &CopyResult{
		Tables: len(plan.Tables), Rows: done.Rows, Bytes: done.Bytes, Aborted: done.Aborted,
		Elapsed: time.Since(began), Position: rec.Position,
	}
	res.Losses, err = m.Target.Losses(ctx, rec.Schema)
	return res, err
}

// begin opens the ledger's record, or makes it.
func (m *Migration) begin(ctx context.Context) (*change.Record, *convert.Plan, error) {
	rec, err := m.Target.Open(ctx, m.name())
	if err != nil {
		return nil, nil, err
	}
	if rec == nil {
		if rec, err = m.create(ctx); err != nil {
			return nil, nil, err
		}
	}
	return m.join(ctx, rec)
}

// create plans, checks, and makes schema and ledger in one transaction.
func (m *Migration) create(ctx context.Context) (*change.Record, error) {
	in, err := m.input(ctx, func(q schema.Question) bool { return q.Decides })
	if err != nil {
		return nil, err
	}
	plan, err := convert.New(*in)
	if err != nil {
		return nil, err
	}
	if err := m.phase("check", func() error { return m.admit(ctx, plan) }); err != nil {
		return nil, err
	}
	rec := change.Record{Schema: m.name(), Created: time.Now().UTC()}
	if rec.SourceID, rec.Source, err = m.Source.Identity(ctx); err != nil {
		return nil, err
	}
	if rec.Plan, err = (&stored{Input: *in, Filter: m.Filter}).marshal(); err != nil {
		return nil, err
	}
	if rec.Position, err = m.Source.Position(ctx); err != nil {
		return nil, err
	}
	var tasks []change.Task
	err = m.Source.Lane(ctx, rec.Position, func(ctx context.Context, r change.Reader) (err error) {
		tasks, err = snapshot.Seed(ctx, r, m.tables(plan))
		return err
	})
	if err != nil {
		return nil, err
	}
	var made *change.Record
	err = m.phase("schema", func() (err error) {
		now, _ := m.statements(plan, in.Options)
		made, err = m.Target.Create(ctx, rec, now, tasks)
		return err
	})
	return made, err
}

// admit reports the findings of both ends and of the plan, and refuses while one of them
// would make the copy fail or lose something nobody named.
func (m *Migration) admit(ctx context.Context, plan *convert.Plan) error {
	if len(plan.Tables) == 0 {
		return fault.New(fault.Usage, "prepare the copy", fmt.Errorf("there is no table to copy in %s", plan.Source.Name),
			"look at the database in --source, and at --include and --exclude")
	}
	fs, err := m.check(ctx, plan)
	if err != nil {
		return err
	}
	all := slices.Concat(fs, plan.Findings)
	for _, f := range all {
		m.emit(event.Found{Finding: f})
	}
	return refuse(all)
}

// refuse turns the findings that stand against a copy into one error. When all of
// them are about rights it is about rights, so that scripts can tell.
func refuse(fs []finding.Finding) error {
	var what, do []string
	class := fault.Privilege
	for _, f := range fs {
		if f.Severity != finding.Blocker || f.Accepted {
			continue
		}
		what = append(what, strings.TrimSpace(fmt.Sprintf("%s %s: %s", f.Code, f.Object, f.What)))
		if f.Do != "" {
			do = append(do, f.Do)
		}
		if !strings.Contains(string(f.Code), "privilege") {
			class = fault.Refused
		}
	}
	if len(what) == 0 {
		return nil
	}
	return fault.New(class, "prepare the copy", errors.New(strings.Join(what, "; ")), strings.Join(do, "; "))
}

// announce tells what is to be copied and what is already there.
func (m *Migration) announce(ctx context.Context, rec *change.Record, plan *convert.Plan) error {
	done, err := m.Target.Progress(ctx, rec.Schema)
	if err != nil {
		return err
	}
	by := map[schema.Name]change.Progress{}
	for _, p := range done {
		by[p.Table] = p
	}
	for _, t := range plan.Tables {
		p := by[t.Target.Name]
		m.emit(event.TableStarted{
			Table: string(t.Target.Name), Rows: t.Select.Table.Rows, Bytes: t.Select.Table.Bytes, DoneRows: p.Rows, DoneBytes: p.Bytes,
		})
	}
	return nil
}

// explain turns a value that cannot arrive into the whole account of such values in its
// table: how many, which, and how to accept them.
func (m *Migration) explain(ctx context.Context, rec *change.Record, cause error) error {
	loss, ok := errors.AsType[*change.LossError](cause)
	if !ok || ctx.Err() != nil {
		return cause
	}
	in, _, err := recorded(rec)
	if err != nil {
		return errors.Join(cause, err)
	}
	var qs []schema.Question
	for _, q := range convert.Questions(in.Source, in.Options) {
		if string(q.Table) == loss.Table && !q.Decides {
			qs = append(qs, q)
		}
	}
	answers, err := m.Source.Answer(ctx, in.Source, qs)
	if err != nil {
		return errors.Join(cause, err)
	}
	in.Answers = append(in.Answers, answers...)
	plan, err := convert.New(in.Input)
	if err != nil {
		return errors.Join(cause, err)
	}
	var accept []string
	for _, f := range plan.Findings {
		if f.Kind != finding.Loss || f.Accepted {
			continue
		}
		if strings.HasPrefix(f.Object, loss.Table+".") {
			m.emit(event.Found{Finding: f})
			accept = append(accept, f.AcceptFlag())
		}
	}
	if len(accept) == 0 {
		accept = []string{finding.Finding{Kind: finding.Loss, Code: loss.Code, Object: loss.Table + "." + loss.Column}.AcceptFlag()}
	}
	return fault.New(fault.Refused, "copy "+loss.Table, cause,
		"what is copied stays; mend the values on the source, or accept what is lost and run the same command with "+strings.Join(accept, " "))
}

// tables are the plan's tables as the copy needs them, the largest first: the ledger
// hands tasks out in that order, and a large table that came last would keep one lane
// busy while the others have nothing left. For a follow it says which have to be of one moment.
func (m *Migration) tables(p *convert.Plan) []snapshot.Table {
	out := make([]snapshot.Table, len(p.Tables))
	for i, t := range p.Tables {
		out[i] = snapshot.Table{Select: t.Select, Target: t.Target.Name, Into: t.Into}
	}
	slices.SortStableFunc(out, func(a, b snapshot.Table) int { return cmp.Compare(b.Select.Table.Bytes, a.Select.Table.Bytes) })
	if m.Options.ForFollow {
		together(out, p.Exact())
	}
	return out
}

// together has each group read from one exact snapshot, and makes its first table the one with which the others are copied. A group
// may be one table alone, which refers to itself.
func together(tables []snapshot.Table, groups [][]*convert.Table) {
	group := map[schema.Name]int{}
	for i, g := range groups {
		for _, t := range g {
			group[t.Target.Name] = i + 1
		}
	}
	leaders := map[int]*snapshot.Table{}
	for i := range tables {
		t := &tables[i]
		n := group[t.Target]
		t.Exact = n > 0
		switch first := leaders[n]; {
		case n == 0:
		case first == nil:
			leaders[n] = t
		default:
			t.Leader = first.Target
			first.With = append(first.With, t.Target)
		}
	}
}
