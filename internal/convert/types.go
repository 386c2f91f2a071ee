package convert

import (
	"fmt"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// decision is the target type of one column.
type decision struct {
	typ schema.Type
	// why is one plain sentence with the number that decided it.
	why string
	// check is a PostgreSQL expression that keeps the source's domain, or empty.
	check string
}

// decide chooses the target type of a column; col is its quoted target name.
func (t *tablePlan) decide(c *schema.Column, col string) decision {
	r := ref{t.source.Name, c.Name}
	a, named := t.asked[r]
	var d decision
	switch src := c.Type.(type) {
	case schema.Int:
		d = t.decideInt(r, src, col, a)
	case schema.Bit:
		d = decision{typ: src, why: fmt.Sprintf("BIT(%d) becomes bit(%d), bit for bit.", src.N, src.N)}
	case schema.Decimal:
		d = decideDecimal(src, col)
	case schema.Float:
		d = t.decideFloat(r, src, col)
	case schema.Text:
		d = decideText(src, col)
	case schema.Binary:
		d = decision{typ: schema.Binary{}, why: spellSource(src) + " becomes bytea, byte for byte."}
	case schema.Enum:
		d = t.readable(r, src.Members, t.decideEnum(r, src, col, a))
	case schema.Set:
		d = t.readable(r, src.Members, decideSet(src, col, a))
	case schema.JSON:
		d = t.decideJSON(r, src)
	case schema.Time:
		d = t.decideTime(r, src)
	case schema.Date, schema.DateTime, schema.Timestamp:
		d = decideDate(src)
	case schema.Year:
		d = decision{
			typ: schema.Int{Bits: 16}, why: "YEAR becomes smallint: 0 is a year of its own and no NULL.",
			check: fmt.Sprintf("%s = 0 OR %s BETWEEN 1901 AND 2155", col, col),
		}
	default:
		d = t.decideOther(r, src, named)
	}
	if !named || t.refused(r, c.Type, a) {
		return d
	}
	return t.decideNamed(c.Type, d, a, col)
}

// decideNamed replaces a decision by the type that the operator named. Checks
// stay where they still mean something.
func (t *tablePlan) decideNamed(src schema.Type, d decision, a asked, col string) decision {
	same := spell(d.typ) == spell(a.typ)
	if _, isEnum := src.(schema.Enum); isEnum && same {
		return d // the decision knows whether '' is a member
	}
	d.typ = a.typ
	if !same {
		d.why = fmt.Sprintf("The operator named %s for %s.", spell(a.typ), a.from)
		d.check = namedCheck(src, a.typ, col)
	}
	return d
}

// namedCheck is the check that goes with a named type.
func namedCheck(src, dst schema.Type, col string) string {
	if _, boolean := dst.(schema.Bool); boolean {
		return ""
	}
	switch s := src.(type) {
	case schema.Int:
		if _, numeric := dst.(schema.Decimal); numeric && s.Unsigned && s.Bits == 64 {
			return fmt.Sprintf("%s BETWEEN 0 AND 18446744073709551615", col)
		}
		if s.Unsigned {
			return col + " >= 0"
		}
	case schema.Decimal:
		if s.Unsigned {
			return col + " >= 0"
		}
	case schema.Float:
		if s.Unsigned {
			return col + " >= 0"
		}
	case schema.Year:
		return fmt.Sprintf("%s = 0 OR %s BETWEEN 1901 AND 2155", col, col)
	}
	return ""
}

// refused reports whether the data contradicts the type that was named, and
// tells so. A plan that goes on with another type would surprise whoever
// wrote the application's new queries, so this stops the copy.
func (t *tablePlan) refused(r ref, src schema.Type, a asked) bool {
	group := t.tied.of(r)
	var what, evidence string
	switch dst := a.typ.(type) {
	case schema.Bool:
		if _, isInt := src.(schema.Int); isInt && !t.evidence.absent(group, schema.AskNotBoolean) {
			what = "boolean holds only 0 and 1, and nothing proves that the column does"
			evidence = t.counted(group, schema.AskNotBoolean, "rows hold another value")
		}
	case schema.Time:
		if n := t.total(group, schema.AskOutOfDay); n > 0 {
			what, evidence = "time holds 00:00:00 to 23:59:59", t.counted(group, schema.AskOutOfDay, "rows are outside")
		}
	case schema.Int:
		largest, _, err := t.evidence.maximum(group)
		if s, isInt := src.(schema.Int); err == nil && isInt && s.Unsigned && s.Bits == 64 && largest > 1<<(dst.Bits-1)-1 {
			what, evidence = spell(dst)+" cannot hold the column", fmt.Sprintf("the largest value is %d", largest)
		}
	}
	if what == "" {
		return false
	}
	t.find(finding.Finding{
		Code: CodeTypeRefused, Kind: finding.Problem, Severity: finding.Blocker, Object: r.String(),
		What: fmt.Sprintf("The type %s was named for it, but %s.", spell(a.typ), what),
		Do:   "Mend the rows on the source, or take the type back.", Evidence: []string{evidence}, Owner: "operator",
	})
	return true
}

// total counts the known rows of a group of columns.
func (p *planner) total(rs []ref, ask schema.Ask) (n int64) {
	for _, r := range rs {
		n += p.evidence.found(r, ask)
	}
	return n
}

// counted says how many rows are known to be concerned, or that nobody knows.
func (p *planner) counted(rs []ref, ask schema.Ask, what string) string {
	if n := p.total(rs, ask); n > 0 {
		return fmt.Sprintf("%d %s", n, what)
	}
	return "the data was not read in full"
}
