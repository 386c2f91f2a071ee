package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// btreeEntry is the most bytes of one B-tree entry: a third of a page of 8 KiB
// less its headers (BTMaxItemSize), measured as 2704.
const btreeEntry = 2704

// Target indexes are written so: Method FullText is a GIN index whose single
// part is an expression of type tsvector, Spatial is a GiST index on a
// geometry column, everything else is a B-tree. IndexPart.Expr is PostgreSQL's
// SQL without outer parentheses; IndexPart.Prefix is never set.

// primaryKeys gives every table its primary key. Keys come before other
// indexes, so that their names do not depend on those.
func (p *planner) primaryKeys() {
	for _, t := range p.indexPlans() {
		src := t.source.PrimaryKey
		if src == nil {
			continue
		}
		ix, why := t.index(src)
		switch {
		case why != "":
			t.indexDropped(src, finding.Warning, why)
		case slices.ContainsFunc(ix.Parts, func(p schema.IndexPart) bool { return p.Expr != "" }):
			ix.Unique, ix.Name = true, t.planner.names.take(t.target.Name+"_key", string(t.target.Name))
			t.target.Indexes = append(t.target.Indexes, ix)
			t.find(finding.Finding{
				Code: CodeKeyPrefix, Kind: finding.Problem, Severity: finding.Warning, Object: string(t.source.Name),
				What: "Its primary key covers only prefixes of columns, which PostgreSQL allows in a unique index but not in a primary key.",
				Do:   "Give the table another primary key after the move; logical replication needs one.", Owner: "dba",
			})
		default:
			// Unique indexes and keys are constraints too: their names are taken in both spaces.
			ix.Unique, ix.Name = true, t.planner.names.take(t.target.Name+"_pkey", string(t.target.Name))
			t.names[ix.Name] = true
			for i := range ix.Parts {
				ix.Parts[i].Desc = false // a primary key is always ascending
			}
			t.target.PrimaryKey = ix
		}
	}
}

// indexes gives every table its other indexes. A name that several tables use is
// prefixed by its table in all of them, and so is one that a table has, since
// PostgreSQL has one space of names per schema.
func (p *planner) indexes() {
	uses := map[schema.Name]int{}
	for _, t := range p.source.Tables {
		for _, i := range t.Indexes {
			uses[p.opt.fold(i.Name)]++
		}
	}
	for _, t := range p.indexPlans() {
		var renamed []string
		for _, src := range t.source.Indexes {
			ix, why := t.index(src)
			if why != "" {
				t.indexDropped(src, finding.Warning, why)
				continue
			}
			want := p.opt.fold(src.Name)
			if uses[want] > 1 || p.names[want] {
				want = t.target.Name + "_" + want
			}
			ix.Name = p.names.take(want, string(t.source.Name)+"."+string(src.Name))
			if ix.Name != p.opt.fold(src.Name) {
				renamed = append(renamed, fmt.Sprintf("%s is %s", src.Name, ix.Name))
			}
			t.target.Indexes = append(t.target.Indexes, ix)
			t.indexFindings(src, ix)
		}
		if len(renamed) > 0 {
			t.find(finding.Finding{
				Code: CodeIndexRenamed, Kind: finding.Problem, Severity: finding.Info, Object: string(t.source.Name),
				What: "Indexes take other names: PostgreSQL's are unique in a schema, MySQL's in a table.",
				Do:   "Nothing, unless the application names indexes.", Evidence: renamed, Count: int64(len(renamed)), Owner: "dba",
			})
		}
	}
}

// indexPlans pairs tables with what is planned of them so far.
func (p *planner) indexPlans() []*tablePlan {
	var ts []*tablePlan
	for _, t := range p.planned {
		names := namespace{}
		for _, c := range t.Target.Checks {
			names[c.Name] = true
		}
		ts = append(ts, &tablePlan{planner: p, source: t.Select.Table, target: t.Target, plan: t, names: names})
	}
	return ts
}

// index translates an index but its name, or says why it has no form.
func (t *tablePlan) index(src *schema.Index) (ix *schema.Index, why string) {
	ix = &schema.Index{Unique: src.Unique, Method: schema.BTree, Comment: src.Comment}
	switch src.Method {
	case schema.BTree, schema.Hash: // a hash index answers nothing that a B-tree does not
	case schema.FullText:
		return t.fullText(ix, src)
	case schema.Spatial:
		ix.Method = schema.Spatial
	}
	for _, p := range src.Parts {
		part, why := t.indexPart(src, p)
		if why != "" {
			return nil, why
		}
		if ix.Method == schema.Spatial {
			part.Desc = false // GiST keeps no order
			if _, ok := t.plan.columnOf(p.Column).Target.Type.(schema.Geometry); !ok {
				return nil, "the target has no PostGIS, so the column is bytea"
			}
		}
		ix.Parts = append(ix.Parts, part)
	}
	return ix, ""
}

func (t *tablePlan) indexPart(src *schema.Index, p schema.IndexPart) (part schema.IndexPart, why string) {
	if p.Expr != "" {
		sql, why := t.express(string(t.source.Name)+"."+string(src.Name), p.Expr, t.context(expr.Index, nil))
		return schema.IndexPart{Expr: sql, Desc: p.Desc}, why
	}
	c := t.plan.columnOf(p.Column)
	if c == nil {
		return part, fmt.Sprintf("its column %q is not known", p.Column)
	}
	switch dst := c.Target.Type.(type) {
	case schema.JSON:
		if !dst.Parsed {
			return part, fmt.Sprintf("column %q is json, which no B-tree orders", p.Column)
		}
		if p.Prefix > 0 {
			return part, fmt.Sprintf("column %q is jsonb, which has no prefix", p.Column)
		}
	case schema.Geometry:
		if src.Method != schema.Spatial {
			return part, fmt.Sprintf("column %q is a geometry, which a B-tree orders by no meaning", p.Column)
		}
	case schema.Text, schema.Binary:
		if p.Prefix > 0 && !wholeInstead(src, c.Source.Type, p.Prefix) {
			return schema.IndexPart{Expr: prefixOf(dst, c.Target.Name, p.Prefix), Desc: p.Desc}, ""
		}
	}
	return schema.IndexPart{Column: c.Target.Name, Desc: p.Desc}, ""
}

// wholeInstead reports whether the whole column can be indexed instead of a
// prefix: always when the prefix covers it, and when the index is not unique and
// every possible value fits an entry. Queries then need no rewriting.
func wholeInstead(ix *schema.Index, src schema.Type, prefix int) bool {
	switch s := src.(type) {
	case schema.Text:
		return s.Length > 0 && prefix >= s.Length || !ix.Unique && fitsEntry(s, ix)
	case schema.Binary:
		return s.Length > 0 && prefix >= s.Length || !ix.Unique && fitsEntry(s, ix)
	}
	return false
}

// maxBytes is the most bytes that a value of a source type can have on the target.
func maxBytes(t schema.Type) int64 {
	switch t := t.(type) {
	case schema.Text:
		if t.Length > 0 {
			return 4 * int64(t.Length)
		}
		// A TEXT of a one-byte character set may grow to three bytes a character in UTF-8;
		// columns of that kind exceed an entry anyway, TINYTEXT aside.
		return 3 * t.MaxBytes
	case schema.Binary:
		return max(int64(t.Length), t.MaxBytes)
	}
	return 0
}

// prefixOf is the expression for the first n characters or bytes of a column.
func prefixOf(t schema.Type, c schema.Name, n int) string {
	if _, ok := t.(schema.Binary); ok {
		return fmt.Sprintf("substring(%s from 1 for %d)", quoteName(c), n)
	}
	return fmt.Sprintf("left(%s, %d)", quoteName(c), n)
}

// fullText makes a GIN index over the words of all columns.
func (t *tablePlan) fullText(ix, src *schema.Index) (*schema.Index, string) {
	var words []string
	for _, p := range src.Parts {
		c := t.plan.columnOf(p.Column)
		if c == nil {
			return nil, fmt.Sprintf("its column %q is not known", p.Column)
		}
		if _, ok := c.Target.Type.(schema.Text); !ok {
			return nil, fmt.Sprintf("column %q is %s", p.Column, spell(c.Target.Type))
		}
		words = append(words, fmt.Sprintf("coalesce(%s, '')", quoteName(c.Target.Name)))
	}
	ix.Method, ix.Unique = schema.FullText, false
	ix.Parts = []schema.IndexPart{{Expr: fmt.Sprintf("to_tsvector('simple'::regconfig, %s)", strings.Join(words, " || ' ' || "))}}
	return ix, ""
}

// fitsEntry reports whether a value of that type fits its share of an entry.
func fitsEntry(t schema.Type, ix *schema.Index) bool {
	return maxBytes(t) <= btreeEntry/int64(max(1, len(ix.Parts)))
}
