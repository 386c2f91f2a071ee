package migration

import (
	"context"
	"fmt"

	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/verify"
)

// shownDifferences is how many differences of one table are printed: enough to see
// what they have in common, and all are counted.
const shownDifferences = 20

// Verify compares every table of the recorded migration on both sides.
// Differences are in the report, not in the error. It refuses to compare with another
// source than the one that was copied, with one whose tables were altered since, and while
// the copy is not at its end: then all that is still missing would count as different.
func (m *Migration) Verify(ctx context.Context) (*verify.Report, error) {
	rec, err := m.record(ctx)
	if err != nil {
		return nil, err
	}
	const op = "verify the copy"
	if err := m.sameSource(ctx, rec, op); err != nil {
		return nil, err
	}
	left, err := m.Target.Queue(rec).Left(ctx)
	if err != nil {
		return nil, err
	}
	if left > 0 {
		return nil, fault.New(fault.Refused, op, fmt.Errorf("the copy into schema %q is not at its end: %d tasks are left", rec.Schema, left),
			"finish it first, by running the bascule db copy that began it; bascule db status tells how far it is")
	}
	then, plan, err := recorded(rec)
	if err != nil {
		return nil, err
	}
	if err := m.unaltered(ctx, then.Filter, plan, op); err != nil {
		return nil, err
	}
	v, err := m.verifier(plan)
	if err != nil {
		return nil, err
	}
	if err := v.Measure(ctx); err != nil {
		return nil, err
	}
	var rep *verify.Report
	err = m.phase("verify", func() (err error) {
		rep, err = v.Run(ctx)
		return err
	})
	return rep, err
}

// verifier compares the plan's tables.
func (m *Migration) verifier(plan *convert.Plan) (*verify.Verifier, error) {
	v := &verify.Verifier{
		Source: m.Source, Target: m.Target, Reader: m.Source, Sizer: m.Source, Lanes: m.lanes(), Events: m.Events, Show: shownDifferences, Retry: m.retry(),
	}
	for _, t := range plan.Tables {
		p, err := paired(t)
		if err != nil {
			return nil, err
		}
		v.Tables = append(v.Tables, p)
	}
	return v, nil
}

// paired pairs the columns of a table, and its key. A key column that the target lacks
// is an error: rows could not be told apart there.
func paired(t *convert.Table) (verify.Table, error) {
	out := verify.Table{Select: t.Select, Target: t.Target.Name}
	pairs := map[schema.Name]verify.Pair{}
	for _, c := range t.Columns {
		p := verify.Pair{Source: c.Source, Target: c.Target, Form: c.Form}
		pairs[c.Source.Name] = p
		out.Columns = append(out.Columns, p)
	}
	for _, k := range t.Select.Key {
		p, ok := pairs[k.Name]
		if !ok {
			return out, fmt.Errorf("pair the key of table %q: its column %q has no counterpart on the target", t.Select.Table.Name, k.Name)
		}
		out.Key = append(out.Key, p)
	}
	return out, nil
}
