package convert

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// Reverse returns the plan's tables for the way back, in the order of Tables: where changes come from on the target, and how they are
// applied to the source. The codecs take what Back's take and frame what they give, as the source's applier expects. No foreign key
// is reproduced: the target logs the rows that its own change.
func (p *Plan) Reverse() ([]*change.Select, []*change.Replica, error) {
	selects, replicas := make([]*change.Select, len(p.Tables)), make([]*change.Replica, len(p.Tables))
	for i, t := range p.Tables {
		back, err := t.Back()
		if err != nil {
			return nil, nil, err
		}
		s, into := &change.Select{Table: t.Target}, &change.Into{Table: t.Select.Table.Name}
		for j := range t.Columns {
			c := &t.Columns[j]
			if !c.Travels {
				continue
			}
			into.Codecs = append(into.Codecs, change.Codec{Append: framed(back[len(into.Codecs)]), Null: c.insteadOfNull()})
			into.Columns = append(into.Columns, c.Source.Name)
			s.Columns = append(s.Columns, c.Target)
		}
		key := t.applyKey()
		for _, k := range key {
			s.Key = append(s.Key, s.Columns[k])
		}
		selects[i], replicas[i] = s, &change.Replica{Into: into, Key: key}
	}
	return selects, replicas, nil
}

// framed puts the length before what a codec appends: a big-endian int32.
func framed(codec BackCodec) func(dst, src []byte) ([]byte, error) {
	return func(dst, src []byte) ([]byte, error) {
		at := len(dst)
		dst, err := codec(append(dst, 0, 0, 0, 0), src)
		if err == nil {
			binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		}
		return dst, err
	}
}

// insteadOfNull is what a NULL of the target becomes where the source's column takes none: it got there as a date without a form, and
// nothing but a zero date can have become it.
func (c *Column) insteadOfNull() []byte {
	if c.Source.Nullable || !c.Target.Nullable {
		return nil
	}
	return []byte{0, 0, 0, 0} // a value of no bytes: 0000-00-00
}

// WayBack tells what may be lost on the way back, and what would stop it: what Guards cannot keep. Losses that accept names, as
// CODE:table.column, are accepted.
func (p *Plan) WayBack(accept []string) ([]finding.Finding, error) {
	o := Options{Accept: accept}
	if err := o.validate(p.Source); err != nil {
		return nil, err
	}
	var out []finding.Finding
	for _, t := range p.Tables {
		tell := func(code finding.Code, column schema.Name, what, do string) {
			r := ref{t.Select.Table.Name, column}
			f := finding.Finding{Code: code, Kind: finding.Loss, Severity: finding.Warning, Object: r.String(), What: what, Do: do, Owner: "application"}
			if f.Accepted, _ = o.accepts(code, r); f.Accepted {
				f.Severity = finding.Info
			}
			out = append(out, f)
		}
		for i := range t.Columns {
			c := &t.Columns[i]
			switch {
			case len(c.accepted) > 0 && c.insteadOfNull() != nil:
				tell(CodeBackDate, c.Source.Name, "A row that is changed on the target goes back with 0000-00-00 where it had a date without a form.", "Mend such dates on the source before the cutover, or leave it so.")
			case c.accepted[finding.LossZeroDate], c.accepted[finding.LossPartialDate]:
				tell(CodeBackDate, c.Source.Name, "A row that is changed on the target goes back with NULL where it had a date without a form.", "Mend such dates on the source before the cutover, or leave it so.")
			case c.accepted[finding.LossNulByte]:
				tell(CodeBackText, c.Source.Name, "A row that is changed on the target goes back without the bytes 0x00 that its text had.", "Name bytea for the column, or leave it so.")
			}
			if j, ok := c.Target.Type.(schema.JSON); ok && c.Travels {
				if s, isJSON := c.Source.Type.(schema.JSON); isJSON && s.Parsed {
					out = append(out, finding.Finding{
						Code: CodeBackJSON, Kind: finding.Problem, Severity: finding.Info, Object: ref{t.Select.Table.Name, c.Source.Name}.String(), Owner: "application",
						What: "A number that needs more than a double is kept whole by " + spell(j) + " and rounded by the source.", Do: "Keep such numbers in a DECIMAL, or in a string.",
					})
				}
			}
		}
		for _, x := range append(slices.Clone(t.Select.Table.Indexes), t.Select.Table.PrimaryKey) {
			if x == nil || !x.Unique && x != t.Select.Table.PrimaryKey {
				continue
			}
			for _, part := range x.Parts {
				if l := t.looserOnSource(part.Column); l.any() {
					tell(CodeBackUnique, part.Column,
						fmt.Sprintf("The source's unique index %s ignores %s, the target's does not: two rows that only the target takes would stop the way back.", x.Name, l),
						"Write such texts in one form on the target, or move with --collation icu.")
				}
			}
		}
	}
	return out, nil
}

// looserOnSource returns what the source ignores in a column's text and the target does not.
func (t *Table) looserOnSource(name schema.Name) looseness {
	c := t.columnOf(name)
	if c == nil {
		return looseness{}
	}
	l := looseOf(collationOf(c.Source.Type))
	l.padding = false // every text that would differ in it alone is rare, and told by the collation finding
	if text, ok := c.Target.Type.(schema.Text); ok {
		switch text.Collation {
		case CollationCIAI:
			return looseness{}
		case CollationCI:
			l.foldsCase = false
		}
	}
	return l
}
