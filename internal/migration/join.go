package migration

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

const opResume = "resume the copy"

// join takes the recorded plan, checks that it is about the same source, options and
// tables, and amends it with losses that were accepted since.
func (m *Migration) join(ctx context.Context, rec *change.Record) (*change.Record, *convert.Plan, error) {
	if err := m.sameSource(ctx, rec, opResume); err != nil {
		return nil, nil, err
	}
	then, plan, err := recorded(rec)
	if err != nil {
		return nil, nil, err
	}
	if err := sameOptions(m.Options, then.Options); err != nil {
		return nil, nil, err
	}
	if err := sameFilter(m.Filter, then.Filter); err != nil {
		return nil, nil, err
	}
	if err := m.unaltered(ctx, then.Filter, plan, opResume); err != nil {
		return nil, nil, err
	}
	added := missing(m.Options.Accept, then.Options.Accept)
	if len(added) == 0 {
		return rec, plan, nil
	}
	then.Options.Accept = append(then.Options.Accept, added...)
	return m.amend(ctx, rec, then, plan)
}

// amend stores a plan that accepts more losses. The tables are made already, so such a
// plan may relax columns, whose rows stay valid, and may change nothing else of them.
func (m *Migration) amend(ctx context.Context, rec *change.Record, now *stored, old *convert.Plan) (*change.Record, *convert.Plan, error) {
	plan, err := convert.New(now.Input)
	if err != nil {
		return nil, nil, err
	}
	if err := sameColumns(old, plan); err != nil {
		return nil, nil, err
	}
	amended := *rec
	if amended.Plan, err = now.marshal(); err != nil {
		return nil, nil, err
	}
	if err := m.Target.Amend(ctx, rec.Schema, amended.Plan, relaxed(old.Target, plan.Target)); err != nil {
		return nil, nil, err
	}
	for _, f := range plan.Findings {
		if f.Code == convert.CodeNullRelaxed {
			m.emit(event.Found{Finding: f})
		}
	}
	return &amended, plan, nil
}

// sameColumns refuses a plan whose columns are other ones than those already made.
func sameColumns(old, plan *convert.Plan) error {
	var differ []string
	for i, t := range plan.Tables {
		for k, c := range t.Columns {
			was := old.Tables[i].Columns[k].Target
			if a, b := convert.TargetType(was.Type), convert.TargetType(c.Target.Type); a != b {
				differ = append(differ, fmt.Sprintf("%s.%s is %s and would be %s", t.Select.Table.Name, c.Source.Name, a, b))
			}
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return fault.New(fault.Refused, opResume, fmt.Errorf("a loss that was accepted since changes types of tables that are made: %s", strings.Join(differ, "; ")),
		"take back that --accept, or begin anew with it: bascule db drop, then bascule db copy")
}

// relaxed lists the columns that were NOT NULL and no longer are.
func relaxed(before, after *schema.Database) []change.Relax {
	var out []change.Relax
	for _, t := range after.Tables {
		b := before.Table(t.Name)
		if b == nil {
			continue
		}
		for _, c := range t.Columns {
			if o := b.Column(c.Name); o != nil && !o.Nullable && c.Nullable {
				out = append(out, change.Relax{Table: t.Name, Column: c.Name})
			}
		}
	}
	return out
}

func missing(want, have []string) []string {
	var out []string
	for _, w := range want {
		if !slices.Contains(have, w) {
			out = append(out, w)
		}
	}
	return out
}

// sameOptions refuses to go on with options that would have made another plan.
func sameOptions(now, then convert.Options) error {
	now.Accept, then.Accept = nil, nil
	now.Schema, then.Schema = cmp.Or(now.Schema, "public"), cmp.Or(then.Schema, "public")
	a, err1 := json.Marshal(now)
	b, err2 := json.Marshal(then)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if string(a) == string(b) {
		return nil
	}
	return fault.New(fault.Refused, opResume, fmt.Errorf("it was begun with other options: %s, and now they are %s", b, a),
		"use the same options, or begin anew after: bascule db drop")
}

// sameFilter refuses to go on with other patterns than those that chose the tables.
func sameFilter(now, then change.Filter) error {
	same := func(a, b []string) bool {
		return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
	}
	if same(now.Include, then.Include) && same(now.Exclude, then.Exclude) {
		return nil
	}
	return fault.New(fault.Refused, opResume,
		fmt.Errorf("it was begun with --include %q --exclude %q, and now they are %q and %q", then.Include, then.Exclude, now.Include, now.Exclude),
		"use the same patterns, or begin anew after: bascule db drop")
}
