package migration

import (
	"regexp"
	"slices"

	"github.com/bascule/bascule/internal/convert/alter"
	"github.com/bascule/bascule/internal/schema"
)

// A shadow is a table that gh-ost or pt-online-schema-change fills beside one that is followed, to put it in its place. It is known by its
// definition; its rows are not followed, because at the swap they are those of the table that it replaces.
type shadow struct {
	Table *schema.Table `json:"table"`
	// Of is the table that it stands beside, and Columns says for its columns which of that one they are.
	Of      schema.Name                 `json:"of"`
	Columns map[schema.Name]schema.Name `json:"columns"`
}

// beside are the names that the tools give: _t_gho, _t_ghc and _t_del, also with a time before the end; _t_new and _t_old, with more
// underscores in front when a name is taken.
var beside = []*regexp.Regexp{
	regexp.MustCompile(`^_(.+?)(?:_\d{14})?_(?:gho|ghc|del)$`),
	regexp.MustCompile(`^_+(.+)_(?:new|old)$`),
}

// besideOf returns the followed table that a name is derived from, or nothing.
func besideOf(name schema.Name, db *schema.Database) schema.Name {
	for _, p := range beside {
		if m := p.FindStringSubmatch(string(name)); m != nil && db.Table(schema.Name(m[1])) != nil {
			return schema.Name(m[1])
		}
	}
	return ""
}

// newShadow pairs the columns of a new table with those of the one that it stands beside.
func newShadow(t, of *schema.Table) *shadow {
	s := &shadow{Table: t, Of: of.Name, Columns: map[schema.Name]schema.Name{}}
	for _, c := range t.Columns {
		if of.Column(c.Name) != nil {
			s.Columns[c.Name] = c.Name
		}
	}
	return s
}

// altered follows a statement about the shadow.
func (s *shadow) altered(t *schema.Table, columns map[schema.Name]schema.Name) *shadow {
	out := &shadow{Table: t, Of: s.Of, Columns: map[schema.Name]schema.Name{}}
	for now, was := range columns {
		if of, ok := s.Columns[was]; ok {
			out.Columns[now] = of
		}
	}
	return out
}

func shadowOf(list []*shadow, name schema.Name) *shadow {
	i := slices.IndexFunc(list, func(s *shadow) bool { return s.Table.Name == name })
	if i < 0 {
		return nil
	}
	return list[i]
}

// swap finds the shadow that takes the place of a table which the same statement moves aside.
func swap(r *alter.Result, moved alter.Table, shadows []*shadow) *alter.Table {
	for i := range r.Tables {
		c := &r.Tables[i]
		if s := shadowOf(shadows, c.Before); s != nil && c.After == moved.Before && s.Of == moved.Before {
			return c
		}
	}
	return nil
}
