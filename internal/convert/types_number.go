package convert

import (
	"fmt"
	"math"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// headroom is the share of bigint that an AUTO_INCREMENT must leave for values
// to come: half of it, which no application uses up by counting.
const headroom = math.MaxInt64 / 2

func (t *tablePlan) decideInt(r ref, src schema.Int, col string, a asked) decision {
	if src.Unsigned && src.Bits == 64 {
		return t.decideBigUnsigned(r, col)
	}
	d := decision{typ: schema.Int{Bits: wider(src)}}
	switch {
	case src.Unsigned:
		d.why = fmt.Sprintf("%s becomes %s, the smallest type that holds its range.", spellSource(src), spell(d.typ))
		d.check = col + " >= 0"
	case src.Bits == 8 && src.Width == 1:
		d.why = "TINYINT(1) becomes smallint: it holds -128 to 127, and boolean only comes when it is named and the data proves it."
	default:
		d.why = fmt.Sprintf("%s becomes %s.", spellSource(src), spell(d.typ))
	}
	if _, boolean := a.typ.(schema.Bool); boolean {
		d.why = "It stays a number: nothing proves that boolean holds the column."
	}
	return d
}

// wider is the width in bits of the smallest PostgreSQL integer that holds src.
func wider(src schema.Int) int {
	switch {
	case src.Bits == 8:
		return 16
	case src.Bits == 16 && !src.Unsigned:
		return 16
	case src.Bits == 32 && src.Unsigned, src.Bits == 64:
		return 64
	}
	return 32
}

// decideBigUnsigned decides for the whole group that foreign keys tie together.
func (t *tablePlan) decideBigUnsigned(r ref, col string) decision {
	var group []ref
	var next uint64
	for _, m := range t.tied.of(r) {
		if i, ok := t.columnType(m).(schema.Int); ok && i.Bits == 64 && i.Unsigned {
			group = append(group, m)
			if table := t.planner.source.Table(m.table); table.Column(m.column).Identity {
				next = max(next, table.NextIdentity)
			}
		}
	}
	largest, proven, err := t.evidence.maximum(group)
	numeric := decision{
		typ:   schema.Decimal{Precision: 20},
		check: fmt.Sprintf("%s BETWEEN 0 AND 18446744073709551615", col),
	}
	switch {
	case err != nil:
		numeric.why = fmt.Sprintf("BIGINT UNSIGNED becomes numeric(20,0): %v.", err)
	case largest > math.MaxInt64:
		numeric.why = fmt.Sprintf("BIGINT UNSIGNED becomes numeric(20,0): the largest value%s is %d, beyond bigint.", ofGroup(group), largest)
	case !proven:
		numeric.why = "BIGINT UNSIGNED becomes numeric(20,0): the largest value" + ofGroup(group) + " is not known, and only a known one proves that bigint is enough."
	case next > headroom:
		numeric.why = fmt.Sprintf("BIGINT UNSIGNED becomes numeric(20,0): AUTO_INCREMENT stands at %d, beyond half of bigint.", next)
	default:
		why := fmt.Sprintf("BIGINT UNSIGNED becomes bigint: the largest value%s is %d", ofGroup(group), largest)
		if next > 0 {
			why += fmt.Sprintf(", and AUTO_INCREMENT stands at %d", next)
		}
		return decision{typ: schema.Int{Bits: 64}, why: why + ".", check: col + " >= 0"}
	}
	return numeric
}

// ofGroup says how many columns a number speaks for.
func ofGroup(group []ref) string {
	if len(group) < 2 {
		return ""
	}
	return fmt.Sprintf(" of the %d columns that foreign keys tie together", len(group))
}

func decideDecimal(src schema.Decimal, col string) decision {
	d := decision{typ: schema.Decimal{Precision: src.Precision, Scale: src.Scale}}
	d.why = fmt.Sprintf("%s becomes %s, digit for digit.", spellSource(src), spell(d.typ))
	if src.Unsigned {
		d.check = col + " >= 0"
	}
	return d
}

func (t *tablePlan) decideFloat(r ref, src schema.Float, col string) decision {
	d := decision{typ: schema.Float{Bits: src.Bits, Digits: -1, Scale: -1}}
	d.why = fmt.Sprintf("%s becomes %s, the same IEEE number.", spellSource(src), spell(d.typ))
	if src.Unsigned {
		d.check = col + " >= 0"
	}
	if src.Digits > 0 {
		t.find(finding.Finding{
			Code: CodeFloatDisplay, Kind: finding.Problem, Severity: finding.Warning, Object: r.String(),
			What: fmt.Sprintf("%s rounds what it shows to %d decimals; %s shows the stored number.", spellSource(src), src.Scale, spell(d.typ)),
			Do: fmt.Sprintf("Round where it is shown, or name the type numeric(%d,%d) after an ALTER TABLE to DECIMAL on the source.",
				src.Digits, src.Scale), Owner: "application",
		})
	}
	return d
}
