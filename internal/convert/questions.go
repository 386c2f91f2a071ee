package convert

import "github.com/bascule/bascule/internal/schema"

// Questions returns what must be known about the data of db, in the order of
// its columns. Those that decide a type are needed by a copy too; the others
// only foresee what it will meet.
func Questions(db *schema.Database, opt Options) []schema.Question {
	p := newPlanner(Input{Source: db, Options: opt})
	if err := p.nameTypes(); err != nil {
		p.asked = map[ref]asked{} // New reports it
	}
	var qs []schema.Question
	for _, t := range db.Tables {
		for _, c := range t.Columns {
			qs = append(qs, p.questions(t, c)...)
		}
	}
	return qs
}

func (p *planner) questions(t *schema.Table, c *schema.Column) (qs []schema.Question) {
	ask := func(a schema.Ask, decides bool) {
		// The target computes a generated column itself, so only its type is in question.
		if decides || c.Generated == nil {
			qs = append(qs, schema.Question{Table: t.Name, Column: c.Name, Ask: a, Decides: decides})
		}
	}
	a, named := p.asked[ref{t.Name, c.Name}]
	switch src := c.Type.(type) {
	case schema.Int:
		if _, boolean := a.typ.(schema.Bool); boolean {
			ask(schema.AskNotBoolean, true)
		} else if src.Bits == 64 && src.Unsigned && !named {
			ask(schema.AskMax, true)
		}
	case schema.Time:
		if _, interval := a.typ.(schema.Interval); !interval {
			ask(schema.AskOutOfDay, true)
		}
	case schema.Date, schema.DateTime:
		ask(schema.AskZeroDate, false)
		ask(schema.AskPartialDate, false)
	case schema.Timestamp:
		ask(schema.AskZeroDate, false)
	case schema.Enum:
		_, native := a.typ.(schema.Enum)
		ask(schema.AskEmptyEnum, native)
	case schema.JSON:
		if src.Parsed && !named {
			ask(schema.AskJSONNul, true)
		}
	case schema.Text:
		ask(schema.AskNulByte, false)
		ask(schema.AskDoubleEncoded, false)
		if asksLength(t, c) {
			ask(schema.AskMaxBytes, false)
		}
	case schema.Binary:
		if asksLength(t, c) {
			ask(schema.AskMaxBytes, false)
		}
	}
	return qs
}

// asksLength reports whether an index holds the whole column and its values
// might be too long for an entry.
func asksLength(t *schema.Table, c *schema.Column) bool {
	if maxBytes(c.Type) <= btreeEntry/4 {
		return false
	}
	for _, i := range append([]*schema.Index{t.PrimaryKey}, t.Indexes...) {
		if i == nil || i.Method == schema.FullText || i.Method == schema.Spatial {
			continue
		}
		for _, p := range i.Parts {
			if p.Column == c.Name && p.Prefix == 0 {
				return true
			}
		}
	}
	return false
}
