package convert

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/bascule/bascule/internal/schema"
)

// maxName is how many bytes of a name PostgreSQL keeps (NAMEDATALEN - 1). It
// cuts longer ones with a mere NOTICE, so that two names may become one.
const maxName = 63

// hashLen is the hex digits of the suffix that tells names apart: 32 bits are
// plenty for the names of one schema, and a collision would be seen by take.
const hashLen = 8

// fold maps a name as PostgreSQL folds an unquoted one: ASCII letters only. So
// SQL that was written without quotes keeps finding it.
func (o Options) fold(n schema.Name) schema.Name {
	if o.KeepCase {
		return n
	}
	return schema.Name(strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, string(n)))
}

// namespace hands out names that differ from each other and fit.
type namespace map[schema.Name]bool

// take returns want when it is free and short enough; otherwise it is cut and
// gets a suffix, the hash of origin. The result depends on nothing but what was
// taken before, so callers take in a fixed order.
func (ns namespace) take(want schema.Name, origin string) schema.Name {
	if len(want) <= maxName && !ns[want] {
		ns[want] = true
		return want
	}
	for salt := origin; ; salt += "'" {
		n := suffixed(want, salt)
		if !ns[n] {
			ns[n] = true
			return n
		}
	}
}

// suffixed returns name, cut to leave room, with the hash of origin.
func suffixed(name schema.Name, origin string) schema.Name {
	sum := sha256.Sum256([]byte(origin))
	return cut(name, maxName-1-hashLen) + "_" + schema.Name(hex.EncodeToString(sum[:])[:hashLen])
}

// cut returns at most n bytes of name and splits no character.
func cut(name schema.Name, n int) schema.Name {
	if len(name) <= n {
		return name
	}
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}

// quoteName returns name as PostgreSQL reads it back unchanged.
func quoteName(name schema.Name) string {
	return `"` + strings.ReplaceAll(string(name), `"`, `""`) + `"`
}

// quoteText returns s as a PostgreSQL string literal, which never depends on
// standard_conforming_strings.
func quoteText(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

// tableNames gives every table its target name: names that folding leaves as
// they are come first, so that "Orders" yields to "orders".
func (p *planner) tableNames() {
	p.tableName = map[schema.Name]schema.Name{}
	for _, unchanged := range []bool{true, false} {
		for _, t := range p.source.Tables {
			want := p.opt.fold(t.Name)
			if (want == t.Name) != unchanged {
				continue
			}
			got := p.names.take(want, string(t.Name))
			p.tableName[t.Name] = got
			if got != want {
				p.renamed(CodeTableRenamed, string(t.Name), want, got)
			}
		}
	}
}

// columnNames gives every column of a table its target name.
func (p *planner) columnNames(t *schema.Table) map[schema.Name]schema.Name {
	taken := namespace{}
	names := map[schema.Name]schema.Name{}
	for _, unchanged := range []bool{true, false} {
		for _, c := range t.Columns {
			want := p.opt.fold(c.Name)
			if isSystemColumn(want) {
				want += "_"
			}
			if (want == c.Name) != unchanged {
				continue
			}
			got := taken.take(want, string(c.Name))
			names[c.Name] = got
			if folded := p.opt.fold(c.Name); got != folded {
				p.renamed(CodeColumnRenamed, ref{t.Name, c.Name}.String(), folded, got)
			}
		}
	}
	return names
}

// isSystemColumn reports whether every PostgreSQL table has a hidden column of
// that name already.
func isSystemColumn(n schema.Name) bool {
	switch n {
	case "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid":
		return true
	}
	return false
}
