package convert

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// Guards returns the conditions that the target's columns have to keep while there is a way back: what the target's types hold and
// the source's do not, where a condition can tell it. The plan's own checks are not repeated. Ways tells about what no condition can tell.
func (p *Plan) Guards() []change.Guard {
	var out []change.Guard
	for _, t := range p.Tables {
		taken := namespace{}
		for _, c := range t.Target.Checks {
			taken[c.Name] = true
		}
		for i := range t.Columns {
			c := &t.Columns[i]
			if !c.Travels {
				continue
			}
			col := quoteName(c.Target.Name)
			var all []string
			for _, cond := range (&guard{column: c, col: col, dialect: p.Source.Dialect, version: p.Source.Version}).conditions() {
				all = append(all, "("+cond+")")
			}
			if len(all) == 0 {
				continue
			}
			name := taken.take("bascule_back_"+c.Target.Name, string(t.Target.Name+"."+c.Target.Name))
			out = append(out, change.Guard{Table: t.Target.Name, Column: c.Target.Name, Name: name, SQL: strings.Join(all, " AND ")})
		}
	}
	return out
}

// guard is what the conditions of one column depend on.
type guard struct {
	column  *Column
	col     string // quoted
	dialect schema.Dialect
	version string
}

// conditions lists what a value must keep to have a form on the source. NULL keeps every condition.
func (g *guard) conditions() []string {
	dst := g.column.Target.Type
	switch src := g.column.Source.Type.(type) {
	case schema.Int:
		return g.integer(src, dst)
	case schema.Decimal:
		return []string{g.col + " <> 'NaN'"}
	case schema.Float:
		return g.float(src, dst)
	case schema.Date:
		return []string{g.col + " BETWEEN '0001-01-01' AND '9999-12-31'"}
	case schema.DateTime:
		return []string{g.col + " >= '0001-01-01 00:00:00+00' AND " + g.col + " < '10000-01-01 00:00:00+00'"}
	case schema.Timestamp:
		return []string{g.col + " >= '1970-01-01 00:00:01+00' AND " + g.col + " < '" + g.timestampEnd() + "'"}
	case schema.Time:
		if _, ok := dst.(schema.Interval); ok {
			return []string{g.col + " BETWEEN '-838:59:59' AND '838:59:59' AND date_part('year', " + g.col + ") = 0 AND date_part('month', " + g.col + ") = 0"}
		}
		return nil
	case schema.Text:
		return g.text(src, dst)
	case schema.Binary:
		return g.binary(src, dst)
	case schema.Set:
		return g.set(src, dst)
	case schema.Inet:
		return g.inet(src, dst)
	}
	return nil
}

// integer keeps a number within the source's range, unless the target's type does. The range of BIGINT UNSIGNED is a check of the plan.
func (g *guard) integer(src schema.Int, dst schema.Type) []string {
	low, high := intRange(src.Bits, src.Unsigned)
	switch d := dst.(type) {
	case schema.Int:
		least, most := intRange(d.Bits, false)
		if least >= low && most <= high {
			return nil
		}
		if most <= high { // the plan's check keeps it from being negative
			return nil
		}
	case schema.Decimal:
		if src.Unsigned && src.Bits == 64 {
			return nil
		}
	default:
		return nil
	}
	return []string{fmt.Sprintf("%s BETWEEN %d AND %d", g.col, low, high)}
}

func (g *guard) float(src schema.Float, dst schema.Type) []string {
	d, ok := dst.(schema.Float)
	if !ok {
		return nil
	}
	// NaN is larger than everything here.
	all := []string{g.col + " > '-Infinity' AND " + g.col + " < 'Infinity'"}
	if src.Bits == 32 && d.Bits == 64 {
		all = append(all, g.col+" = "+g.col+"::real::double precision")
	}
	return all
}

// timestampEnd is the first instant that the source's TIMESTAMP does not hold: MariaDB on 64 bits went on from 11.5.
func (g *guard) timestampEnd() string {
	var major, minor int
	if _, err := fmt.Sscanf(g.version, "%d.%d", &major, &minor); err == nil && g.dialect == schema.MariaDB && (major > 11 || major == 11 && minor >= 5) {
		return "2106-02-07 06:28:16+00"
	}
	return "2038-01-19 03:14:08+00"
}

// text keeps length, characters and trailing spaces as the source's type has them.
func (g *guard) text(src schema.Text, dst schema.Type) []string {
	d, ok := dst.(schema.Text)
	if !ok {
		return nil
	}
	var all []string
	if src.Length > 0 && (d.Length == 0 || d.Length > src.Length) {
		all = append(all, fmt.Sprintf("char_length(%s) <= %d", g.col, src.Length))
	}
	if src.Length == 0 && src.MaxBytes > 0 && src.MaxBytes < largestText {
		all = append(all, fmt.Sprintf("octet_length(%s) <= %d", g.encoded(src.Charset), src.MaxBytes))
	}
	if src.Fixed {
		all = append(all, fmt.Sprintf("octet_length(rtrim(%s, ' ')) = octet_length(%s)", g.col, g.col))
	}
	return append(all, g.characters(src.Charset)...)
}

// largestText is the size of LONGTEXT and LONGBLOB in bytes, which is beyond what a value of PostgreSQL can have.
const largestText = 1<<32 - 1

// encodings are what PostgreSQL calls the character sets whose characters it can tell.
var encodings = map[string]string{
	"latin1": "WIN1252", "latin2": "LATIN2", "latin5": "LATIN5", "latin7": "LATIN7", "cp1250": "WIN1250", "cp1251": "WIN1251", "cp1256": "WIN1256", "cp1257": "WIN1257",
	"cp866": "WIN866", "koi8r": "KOI8R", "koi8u": "KOI8U", "greek": "ISO_8859_7", "hebrew": "ISO_8859_8", "sjis": "SJIS", "cp932": "SJIS", "ujis": "EUC_JP",
	"eucjpms": "EUC_JP", "euckr": "UHC", "big5": "BIG5", "gbk": "GBK", "gb2312": "EUC_CN", "gb18030": "GB18030",
}

// encoded is the column as the source stores it, where that changes its size in bytes.
func (g *guard) encoded(charset string) string {
	if e := encodings[charset]; e != "" {
		return "convert_to(" + g.col + ", '" + e + "')"
	}
	return g.col
}

// characters keeps those out that the source's character set does not have. convert_to fails on one, which refuses the row as well.
func (g *guard) characters(charset string) []string {
	switch charset {
	case "utf8mb3", "utf8", "ucs2":
		return []string{g.col + ` COLLATE "C" !~ '[\U00010000-\U0010FFFF]'`}
	case "ascii":
		return []string{g.col + ` COLLATE "C" !~ '[^\x01-\x7f]'`}
	}
	if e := encodings[charset]; e != "" {
		return []string{"octet_length(convert_to(" + g.col + ", '" + e + "')) >= 0"}
	}
	return nil
}

func (g *guard) binary(src schema.Binary, dst schema.Type) []string {
	if _, ok := dst.(schema.Binary); !ok {
		return nil
	}
	switch {
	case src.Fixed:
		return []string{fmt.Sprintf("octet_length(%s) = %d", g.col, src.Length)}
	case src.Length > 0:
		return []string{fmt.Sprintf("octet_length(%s) <= %d", g.col, src.Length)}
	case src.MaxBytes > 0 && src.MaxBytes < largestText:
		return []string{fmt.Sprintf("octet_length(%s) <= %d", g.col, src.MaxBytes)}
	}
	return nil
}

// set keeps the spelling that the source would make of it: the members in their order, each once.
func (g *guard) set(src schema.Set, dst schema.Type) []string {
	have := "string_to_array(" + g.col + ", ',')"
	if _, ok := dst.(schema.TextArray); ok {
		have = g.col
	}
	parts := make([]string, len(src.Members))
	for i, m := range src.Members {
		parts[i] = fmt.Sprintf("CASE WHEN %s = ANY (%s) THEN %s END", quoteText(m), have, quoteText(m))
	}
	if _, ok := dst.(schema.Text); ok {
		return []string{"concat_ws(',', " + strings.Join(parts, ", ") + ") = " + g.col}
	}
	return []string{"array_remove(ARRAY[" + strings.Join(parts, ", ") + "]::text[], NULL) = " + g.col}
}

func (g *guard) inet(src schema.Inet, dst schema.Type) []string {
	if _, ok := dst.(schema.Inet); !ok {
		return nil
	}
	if src.Version == 6 {
		return []string{fmt.Sprintf("family(%s) = 6 AND masklen(%s) = 128", g.col, g.col)}
	}
	return []string{fmt.Sprintf("family(%s) = 4 AND masklen(%s) = 32", g.col, g.col)}
}
