package migration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/convert/alter"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/schema"
)

const (
	againHint = "copy again: bascule db drop, then bascule db copy --follow"
	applyHint = "look at the statements above; to alter the target so and go on: bascule db follow --apply-ddl"
)

// altering is a statement of the source and what becomes of the migration by it.
type altering struct {
	ddl *change.DDL
	// next is the plan's input afterwards, tables what became of the followed ones: none when the statement is not about them.
	next   *stored
	tables []alter.Table
	before *convert.Plan
	after  *convert.Plan
	differ *convert.Difference
}

// meet works out what a statement of the source asks for. It changes nothing.
func (m *Migration) meet(ctx context.Context, rec *change.Record, d *change.DDL) (*altering, error) {
	then, before, err := recorded(rec)
	if err != nil {
		return nil, err
	}
	a := &altering{ddl: d, before: before}
	refused := func(err error) error {
		return fault.New(fault.Refused, opFollow, fmt.Errorf("the source altered %v by %q, which cannot be repeated on the target: %w", d.Tables, d.SQL, err), againHint)
	}
	if err := a.read(then); err != nil {
		return nil, refused(err)
	}
	if len(a.tables) == 0 {
		return a, nil
	}
	if a.after, err = convert.New(a.next.Input); err != nil {
		return nil, err
	}
	if a.differ, err = convert.Differ(before, a.after, a.tables, d.Began); err != nil {
		return nil, refused(err)
	}
	if err := m.copiedBefore(ctx, rec, a); err != nil {
		return nil, refused(err)
	}
	if err := refuse(fresh(before.Findings, a.after.Findings)); err != nil {
		return nil, refused(err)
	}
	return a, nil
}

// fresh are the findings that a plan has and the one before had not.
func fresh(before, after []finding.Finding) (out []finding.Finding) {
	for _, f := range after {
		if !slices.ContainsFunc(before, func(b finding.Finding) bool { return b.Code == f.Code && b.Object == f.Object }) {
			out = append(out, f)
		}
	}
	return out
}

// copiedBefore refuses a statement that was carried out before the exact snapshot from which its table was copied: what it and
// later transactions put into new columns was read without them, and those transactions are not applied again.
func (m *Migration) copiedBefore(ctx context.Context, rec *change.Record, a *altering) error {
	if len(a.differ.Edits) == 0 {
		return nil
	}
	since, err := m.Target.Snapshots(ctx, rec)
	if err != nil {
		return err
	}
	for _, t := range a.tables {
		for _, p := range a.before.Tables {
			at := since[p.Target.Name]
			if p.Select.Table.Name != t.Before || at == "" {
				continue
			}
			if in, err := m.Changes.Includes(ctx, at, a.ddl.After); err != nil || in {
				return cmp.Or(err, fmt.Errorf("table %q was copied from a snapshot that is younger than the statement", t.Before))
			}
		}
	}
	return nil
}

// read applies the statement to the definitions that are known, and parts those that are followed from those that are not.
func (a *altering) read(then *stored) error {
	next := *then
	a.next = &next
	st, err := alter.Parse(a.ddl.SQL, a.ddl.Schema)
	if err != nil {
		if a.names(then) {
			return err
		}
		return nil // it is about nothing that is known
	}
	all := *then.Source
	all.Tables = slices.Clone(then.Source.Tables)
	for _, s := range then.Shadows {
		all.Tables = append(all.Tables, s.Table)
	}
	if made, like := st.Made(all.Name); made != "" && all.Table(made) == nil {
		if besideOf(made, then.Source) == "" && !wanted(then.Filter, made) {
			return nil
		}
		if like != "" && all.Table(like) == nil {
			return fmt.Errorf("CREATE TABLE %s LIKE %s, whose definition is not known", made, like)
		}
	}
	if a.ddl.WithRows {
		return errors.New("the rows that came with it in the same transaction are not in the log as changes of a table that is followed")
	}
	r, err := st.Apply(&all)
	if err != nil {
		if a.names(then) || then.Source.Table(firstMade(st, all.Name)) == nil && firstMade(st, all.Name) != "" {
			return err
		}
		return nil
	}
	return a.part(then, r)
}

func firstMade(st *alter.Statement, db schema.Name) schema.Name {
	made, _ := st.Made(db)
	return made
}

// names reports whether the statement names a table that is followed, or one that stands beside it.
func (a *altering) names(then *stored) bool {
	return slices.ContainsFunc(a.ddl.Tables, func(n schema.Name) bool { return then.Source.Table(n) != nil || shadowOf(then.Shadows, n) != nil })
}

// wanted reports whether the patterns that chose the tables choose this one.
func wanted(f change.Filter, name schema.Name) bool {
	match := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, string(name)); return ok })
	}
	return !match(f.Exclude) && (len(f.Include) == 0 || match(f.Include))
}

// part decides for every table of the statement whether it is followed.
func (a *altering) part(then *stored, r *alter.Result) error {
	source := *r.After
	source.Tables = nil
	shadows := slices.Clone(then.Shadows)
	named := map[schema.Name]bool{} // tables afterwards that the statement is about
	for _, c := range r.Tables {
		named[c.After] = true
	}
	follow := func(c alter.Table) {
		a.tables = append(a.tables, c)
		if c.After != "" {
			source.Tables = append(source.Tables, r.After.Table(c.After))
		}
	}
	forget := func(name schema.Name) {
		shadows = slices.DeleteFunc(shadows, func(s *shadow) bool { return s.Table.Name == name })
	}
	for _, c := range r.Tables {
		table := r.After.Table(c.After)
		s := shadowOf(then.Shadows, c.Before)
		followed := c.Before != "" && then.Source.Table(c.Before) != nil
		switch {
		case followed:
			in := swap(r, c, then.Shadows)
			if in == nil {
				follow(c)
				continue
			}
			// The table keeps its rows and takes the other's definition; what is moved aside is nobody's any more.
			took := shadowOf(then.Shadows, in.Before).altered(r.After.Table(in.After), in.Columns)
			forget(in.Before)
			follow(alter.Table{Before: c.Before, After: in.After, Columns: took.Columns})
			shadows = append(shadows, &shadow{Table: table, Of: c.Before})
		case s != nil && c.After == "":
			forget(c.Before)
		case s != nil:
			if _, swapped := a.taking(c.After); swapped || replaces(r, then, c) {
				continue
			}
			if besideOf(c.After, then.Source) == "" {
				return fmt.Errorf("table %q takes the name %q, and its rows were not followed", c.Before, c.After)
			}
			forget(c.Before)
			shadows = append(shadows, s.altered(table, c.Columns))
		case c.Before == "" && besideOf(c.After, then.Source) != "":
			of := besideOf(c.After, then.Source)
			shadows = append(shadows, newShadow(table, then.Source.Table(of)))
		case c.Before == "":
			follow(c)
		}
	}
	for _, t := range r.After.Tables {
		if !named[t.Name] && then.Source.Table(t.Name) != nil {
			source.Tables = append(source.Tables, t)
		}
	}
	slices.SortFunc(source.Tables, func(x, y *schema.Table) int { return strings.Compare(string(x.Name), string(y.Name)) })
	a.next.Input = convert.Carry(then.Input, &source, a.tables)
	a.next.Shadows = shadows
	return nil
}

// taking returns the followed table that has that name afterwards.
func (a *altering) taking(name schema.Name) (alter.Table, bool) {
	for _, t := range a.tables {
		if t.After == name {
			return t, true
		}
	}
	return alter.Table{}, false
}

// replaces reports whether c is the shadow of a swap in r.
func replaces(r *alter.Result, then *stored, c alter.Table) bool {
	for _, moved := range r.Tables {
		if then.Source.Table(moved.Before) != nil {
			if in := swap(r, moved, then.Shadows); in != nil && in.Before == c.Before {
				return true
			}
		}
	}
	return false
}

// alteration is what the target has to do.
func (m *Migration) alteration(ctx context.Context, rec *change.Record, a *altering) (*change.Alteration, error) {
	mark, err := m.Applier.Applied(ctx, rec)
	if err != nil {
		return nil, err
	}
	out := &change.Alteration{Before: mark.Position, After: a.ddl.After}
	if out.Plan, err = a.next.marshal(); err != nil {
		return nil, err
	}
	if a.differ != nil {
		out.Edits, out.Tables, out.Tasks = a.differ.Edits, a.differ.Tables, m.retasks(a)
	}
	return out, nil
}

// pass goes past a statement that is about no followed table.
func (m *Migration) pass(ctx context.Context, old *change.Record, d *change.DDL) (bool, error) {
	rec, err := m.record(ctx)
	if err != nil || rec.ID != old.ID {
		return false, err
	}
	a, err := m.meet(ctx, rec, d)
	if err != nil || len(a.tables) > 0 {
		return false, nil //nolint:nilerr // whoever follows meets the statement again, and says why
	}
	return true, m.carryOut(ctx, rec, a)
}

func (m *Migration) carryOut(ctx context.Context, rec *change.Record, a *altering) error {
	alterer, ok := m.Applier.(change.Alterer)
	if !ok {
		return errors.New("alter the target: this end cannot")
	}
	what, err := m.alteration(ctx, rec, a)
	if err != nil {
		return err
	}
	return alterer.Alter(ctx, rec, m.Who, what)
}

// alter deals with a statement of the source that ended a follow: the target is altered, or the error says what would be.
func (m *Migration) alter(ctx context.Context, rec *change.Record, d *change.DDL) error {
	a, err := m.meet(ctx, rec, d)
	if err != nil {
		return err
	}
	alterer, ok := m.Applier.(change.Alterer)
	if !ok {
		return errors.New("alter the target: this end cannot")
	}
	told := event.Altered{SQL: d.SQL}
	for _, t := range d.Tables {
		told.Tables = append(told.Tables, string(t))
	}
	if a.differ != nil {
		told.Statements = alterer.Spell(rec.Schema, a.differ.Edits)
	}
	if !m.ApplyDDL {
		m.emit(told)
		return fault.New(fault.Refused, opFollow, &follow.DDLError{DDL: *d}, applyHint)
	}
	if err := m.carryOut(ctx, rec, a); err != nil {
		if c := fault.ClassOf(err); c == fault.Data || c == fault.Internal {
			m.emit(told)
			return fault.New(fault.Refused, opFollow, fmt.Errorf("the target refused what the source's statement %q became: %w", d.SQL, err), "mend the rows that it names, and follow on; or "+againHint)
		}
		return err
	}
	told.Applied = true
	m.emit(told)
	for _, f := range fresh(a.before.Findings, a.after.Findings) {
		m.emit(event.Found{Finding: f})
	}
	return nil
}
