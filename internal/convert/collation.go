package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// The ICU collations that a plan with Options.Collation "icu" puts into
// schema.Text.Collation: ICU locales, which whoever renders the plan creates as
// nondeterministic collations of the same name in the target schema.
const (
	// CollationCIAI ignores case and accents.
	CollationCIAI = "und-u-ks-level1"
	// CollationCI ignores case and keeps accents.
	CollationCI = "und-u-ks-level2"
)

// looseness is what a source collation ignores.
type looseness struct {
	foldsCase, accents, padding bool
}

func (l looseness) any() bool { return l.foldsCase || l.accents || l.padding }

// String lists what is ignored.
func (l looseness) String() string {
	var s []string
	if l.foldsCase {
		s = append(s, "case")
	}
	if l.accents {
		s = append(s, "accents")
	}
	if l.padding {
		s = append(s, "trailing spaces")
	}
	return strings.Join(s, ", ")
}

// looseOf reads a MySQL or MariaDB collation's name. Every collation before
// UCA 9.0.0 pads, the old _bin ones included, unless its name says nopad.
func looseOf(collation string) looseness {
	c := strings.ToLower(collation)
	if c == "" || c == "binary" {
		return looseness{}
	}
	var l looseness
	l.padding = !strings.Contains(c, "_0900_") && !strings.Contains(c, "_nopad_")
	if strings.HasSuffix(c, "_bin") {
		return l
	}
	l.foldsCase = !strings.HasSuffix(c, "_cs") && !strings.Contains(c, "_cs_")
	l.accents = !strings.Contains(c, "_as_") && !strings.HasSuffix(c, "_as") && (l.foldsCase || strings.Contains(c, "_ai_"))
	return l
}

// collationOf returns the collation of a type that has one.
func collationOf(t schema.Type) string {
	switch t := t.(type) {
	case schema.Text:
		return t.Collation
	case schema.Enum:
		return t.Collation
	case schema.Set:
		return t.Collation
	}
	return ""
}

// collate gives a type the collation that compares most like the source's. A
// SET keeps the default one: its check takes the text apart, which a
// nondeterministic collation refuses.
func (p *planner) collate(src, dst schema.Type) schema.Type {
	text, ok := dst.(schema.Text)
	_, set := src.(schema.Set)
	loose := looseOf(collationOf(src))
	if !ok || set || !loose.foldsCase || p.opt.Collation != CollationICU || !p.able.ICU {
		return dst
	}
	text.Collation = CollationCI
	if loose.accents {
		text.Collation = CollationCIAI
	}
	return text
}

// collations tells in one finding which columns compare more loosely on the
// source.
func (t *tablePlan) collations() {
	var columns, keys []string
	for i := range t.plan.Columns {
		c := &t.plan.Columns[i]
		text, ok := c.Target.Type.(schema.Text)
		loose := looseOf(collationOf(c.Source.Type))
		if !ok || !loose.any() {
			continue
		}
		said := fmt.Sprintf("%s (%s): ignores %s", c.Source.Name, collationOf(c.Source.Type), loose)
		if text.Collation != "" {
			said += "; takes " + text.Collation
		}
		columns = append(columns, said)
		if t.uniquelyIndexed(c.Source.Name) {
			keys = append(keys, string(c.Source.Name))
		}
	}
	if len(columns) > 0 {
		t.tellCollation(columns, keys)
	}
}

func (t *tablePlan) tellCollation(columns, keys []string) {
	f := finding.Finding{
		Code: CodeCollation, Kind: finding.Problem, Severity: finding.Info, Object: string(t.source.Name),
		What:     "Text columns compare more loosely on the source than the target's default collation does.",
		Do:       "Compare with lower() where the application relies on it, or plan with the ICU collations.",
		Evidence: columns, Count: int64(len(columns)), Owner: "application",
	}
	icu := t.opt.Collation == CollationICU && t.able.ICU
	if icu {
		f.What = "Text columns take nondeterministic ICU collations; trailing spaces count on the target, and old collations such as general_ci have no exact twin."
		f.Do = "Look for duplicates under the new rule before the move, and for lookups with trailing spaces."
	}
	if len(keys) > 0 && !icu {
		f.Severity = finding.Warning
		f.What += fmt.Sprintf(" Unique keys use %s: PostgreSQL will accept values that MySQL refuses as duplicates.", strings.Join(keys, ", "))
		f.Do = "CREATE UNIQUE INDEX ON (lower(column)) after the move, or plan with the ICU collations."
	}
	t.find(f)
	if icu && t.able.Version < 180000 {
		t.find(finding.Finding{
			Code: CodeCollationLike, Kind: finding.Problem, Severity: finding.Warning, Object: string(t.source.Name),
			What: "LIKE fails on columns with a nondeterministic collation before PostgreSQL 18.",
			Do:   `Write column COLLATE "C" LIKE ..., or use PostgreSQL 18.`, Evidence: columns, Owner: "application",
		})
	}
	if t.opt.Collation == CollationICU && !t.able.ICU {
		t.find(finding.Finding{
			Code: CodeCollationICU, Kind: finding.Problem, Severity: finding.Blocker, Object: string(t.source.Name),
			What: "ICU collations were asked for, and the target was built without ICU.",
			Do:   "Use a target with ICU, or plan with plain collations.", Owner: "operator",
		})
	}
}

// uniquelyIndexed reports whether the primary key or a unique index holds the column.
func (t *tablePlan) uniquelyIndexed(c schema.Name) bool {
	return t.inPrimaryKey(c) || slices.ContainsFunc(t.source.Indexes, func(i *schema.Index) bool {
		return i.Unique && slices.ContainsFunc(i.Parts, func(p schema.IndexPart) bool { return p.Column == c })
	})
}
