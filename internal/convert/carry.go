package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/convert/alter"
	"github.com/bascule/bascule/internal/schema"
)

// Carry returns the input of the plan after a statement of the source: what is known about columns and what was chosen for them goes with
// them to their new names. What a statement put into rows that were there is known like an answer.
func Carry(in Input, after *schema.Database, tables []alter.Table) Input {
	c := &carrying{tables: map[schema.Name]alter.Table{}, made: map[schema.Name]alter.Table{}}
	for _, t := range tables {
		if t.Before != "" {
			c.tables[t.Before] = t
		}
		if t.After != "" {
			c.made[t.After] = t
		}
	}
	out := in
	out.Source = after
	out.Answers = nil
	for _, a := range in.Answers {
		to, ok := c.to(ref{a.Table, a.Column})
		if !ok {
			continue
		}
		a.Table, a.Column = to.table, to.column
		out.Answers = append(out.Answers, a)
	}
	out.Options.Types = c.types(in.Options.Types)
	out.Options.Accept = c.accepted(in.Options.Accept, after)
	known := newEvidence(out.Answers)
	for _, q := range Questions(after, out.Options) {
		if _, ok := known.answer(ref{q.Table, q.Column}, q.Ask); ok {
			continue
		}
		if a, ok := c.told(q, in.Source, after); ok {
			out.Answers = append(out.Answers, a)
		}
	}
	return out
}

type carrying struct{ tables, made map[schema.Name]alter.Table }

// to returns where a column is afterwards.
func (c *carrying) to(r ref) (ref, bool) {
	t, changed := c.tables[r.table]
	switch {
	case !changed:
		return r, true
	case t.After == "":
		return r, false
	}
	for now, was := range t.Columns {
		if was == r.column {
			return ref{t.After, now}, true
		}
	}
	return r, false
}

func (c *carrying) types(names map[string]string) map[string]string {
	if names == nil {
		return nil
	}
	out := map[string]string{}
	for name, typ := range names {
		table, column, _ := strings.Cut(name, ".")
		if to, ok := c.to(ref{schema.Name(table), schema.Name(column)}); ok {
			out[to.String()] = typ
		}
	}
	return out
}

func (c *carrying) accepted(list []string, after *schema.Database) []string {
	var out []string
	for _, a := range list {
		code, what, _ := strings.Cut(a, ":")
		table, column, _ := strings.Cut(what, ".")
		if table != "*" && column != "*" {
			to, ok := c.to(ref{schema.Name(table), schema.Name(column)})
			if !ok {
				continue
			}
			what = to.String()
		} else if t, ok := c.tables[schema.Name(table)]; ok {
			what = string(t.After) + "." + column
		}
		if namesSomething(after, what) {
			out = append(out, code+":"+what)
		}
	}
	return slices.Clip(out)
}

// told answers a question about a column that the statement made or changed: its rows hold the default, or what fitted the type before.
func (c *carrying) told(q schema.Question, before, after *schema.Database) (schema.Answer, bool) {
	t, changed := c.made[q.Table]
	if !changed {
		return schema.Answer{}, false
	}
	now := after.Table(q.Table).Column(q.Column)
	a := schema.Answer{Question: q}
	was, old := t.Columns[q.Column]
	if old {
		i, ok := before.Table(t.Before).Column(was).Type.(schema.Int)
		if q.Ask != schema.AskMax || !ok || i.Bits == 64 {
			return a, false
		}
		a.Max = strconv.FormatUint(1<<i.Bits-1, 10)
		return a, true
	}
	if d := now.Default; d != nil && t.Before != "" {
		if d.Expr != "" {
			return a, false
		}
		switch q.Ask { //nolint:exhaustive // no default holds what the others look for, or it has no form on the target
		case schema.AskMax:
			a.Max = d.Literal
		case schema.AskNotBoolean:
			if d.Literal != "0" && d.Literal != "1" {
				a.Count = 1
			}
		case schema.AskOutOfDay:
			if hour, err := strconv.Atoi(strings.SplitN(d.Literal, ":", 2)[0]); err != nil || hour < 0 || hour > 23 || strings.HasPrefix(d.Literal, "-") {
				a.Count = 1
			}
		}
	}
	return a, true
}
