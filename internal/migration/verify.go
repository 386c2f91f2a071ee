package migration

import (
	"context"

	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/verify"
)

// shownDifferences is how many differences of one table are printed: enough to see
// what they have in common, and all are counted.
const shownDifferences = 20

// Verify compares every table of the recorded migration on both sides.
// Differences are in the report, not in the error.
func (m *Migration) Verify(ctx context.Context) (*verify.Report, error) {
	rec, err := m.record(ctx)
	if err != nil {
		return nil, err
	}
	_, plan, err := recorded(rec)
	if err != nil {
		return nil, err
	}
	v := &verify.Verifier{
		Source: m.Source, Target: m.Target, Reader: m.Source, Lanes: m.lanes(), Events: m.Events, Show: shownDifferences, Retry: m.retry(),
	}
	for _, t := range plan.Tables {
		v.Tables = append(v.Tables, paired(t))
	}
	var rep *verify.Report
	err = m.phase("verify", func() (err error) {
		rep, err = v.Run(ctx)
		return err
	})
	return rep, err
}

// paired pairs the columns of a table, and its key.
func paired(t *convert.Table) verify.Table {
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
			// A key column that does not exist on the target cannot tell rows apart there.
			out.Key = nil
			return out
		}
		out.Key = append(out.Key, p)
	}
	return out
}
