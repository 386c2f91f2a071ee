package expr

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// like translates LIKE, whose wildcards and default escape are the same on
// both servers. MySQL's collation of the column decides about case.
func (t *translator) like(n *ast.PatternLikeOrIlikeExpr) (value, error) {
	vs, err := t.nodes(n.Expr, n.Pattern)
	if err != nil {
		return value{}, err
	}
	if !n.IsLike {
		return value{}, refuse("ILIKE is no MySQL operator")
	}
	if vs, err = t.texts(vs); err != nil {
		return value{}, err
	}
	t.noteSearch(vs)
	switch p := vs[1].lit; {
	case p != nil && n.Escape != 0 && endsInEscape(*p, n.Escape):
		return value{}, refuse("the pattern ends with its escape character, which PostgreSQL refuses")
	case p == nil && vs[1].kind != null && n.Escape != 0:
		t.note("a pattern that ends with its escape character stops the statement on PostgreSQL")
	}
	op := "LIKE"
	if n.Not {
		op = "NOT LIKE"
	}
	v := binary(boolean, vs[0], op, vs[1], pLike)
	if n.Escape != '\\' {
		escape := ""
		if n.Escape != 0 {
			escape = string(rune(n.Escape))
		}
		v.sql += " ESCAPE " + quote(escape)
	}
	return v, nil
}

func endsInEscape(pattern string, escape byte) bool {
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == escape {
			i++
			if i == len(pattern) {
				return true
			}
		}
	}
	return false
}

// regexpLike translates REGEXP_LIKE(text, pattern [, match type]).
func (t *translator) regexpLike(n *ast.FuncCallExpr) (value, error) {
	if len(n.Args) != 2 {
		return value{}, refuse("it is translated only without a match type")
	}
	return t.regexpNode(n.Args[0], n.Args[1], false)
}

// regexpNode translates REGEXP: MySQL 8 runs ICU, MariaDB PCRE, PostgreSQL its own
// engine. Only patterns of what the three have in common are taken.
func (t *translator) regexpNode(of, pattern ast.ExprNode, not bool) (value, error) {
	vs, err := t.nodes(of, pattern)
	if err != nil {
		return value{}, err
	}
	if vs, err = t.texts(vs); err != nil {
		return value{}, err
	}
	if vs[1].lit == nil {
		return value{}, refuse("it is translated only with a literal pattern")
	}
	p, err := commonRegexp(*vs[1].lit)
	if err != nil {
		return value{}, err
	}
	op := "~"
	if c, ok := collationOf(vs); (ok && caseless(c)) || (!ok && vs[0].collation == "") {
		op = "~*"
	}
	if not {
		op = "!" + op
	}
	t.note("regular expressions: a dot matches a line break on PostgreSQL only, and a $ before the last line break does on the source only")
	return binary(boolean, vs[0], op, textLiteral(p), pOther), nil
}

// commonRegexp returns the pattern for PostgreSQL if each of its parts means
// the same to ICU, PCRE and PostgreSQL.
func commonRegexp(p string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\':
			i++
			if i == len(p) {
				return "", refuse("the pattern ends with a backslash")
			}
			switch e := p[i]; {
			case e == 'b':
				b.WriteString(`\y`)
			case strings.IndexByte("dDwWsSnrt", e) >= 0, e < 0x80 && !alphanumeric(e):
				b.WriteByte('\\')
				b.WriteByte(e)
			default:
				return "", refuse(`\%c in a pattern means something else, or nothing, on PostgreSQL`, e)
			}
		case c == '[':
			end, err := bracket(p[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(p[i : i+end])
			i += end - 1
		case c == '(' && strings.HasPrefix(p[i:], "(?") && !strings.HasPrefix(p[i:], "(?:"):
			return "", refuse("look-around and options in a pattern are not the same on PostgreSQL")
		case c == '(' && strings.HasPrefix(p[i:], "(*"):
			return "", refuse("verbs in a pattern are PCRE's alone")
		case i > 0 && c == '+' && strings.IndexByte("*+?}", p[i-1]) >= 0:
			return "", refuse("PostgreSQL has no possessive repetition")
		case c == '?' && i > 0 && strings.IndexByte("*+?}", p[i-1]) >= 0:
			return "", refuse("PostgreSQL takes a lazy repetition for the whole pattern")
		default:
			b.WriteByte(c)
		}
	}
	if strings.HasPrefix(b.String(), "***") {
		return "", refuse("*** begins a pattern of another dialect on PostgreSQL")
	}
	return b.String(), nil
}

// bracket returns the length of the bracket expression that p begins with. Set
// operations, nested sets and escapes inside are ICU's or PCRE's alone.
func bracket(p string) (int, error) {
	i := 1
	if i < len(p) && p[i] == '^' {
		i++
	}
	for start := i; i < len(p); i++ {
		switch {
		case p[i] == ']' && i > start:
			return i + 1, nil
		case strings.HasPrefix(p[i:], "[:"):
			end := strings.Index(p[i:], ":]")
			if end < 0 {
				return 0, refuse("the pattern has an open character class")
			}
			i += end + 1
		case p[i] == '[', p[i] == '\\' && i+1 < len(p) && alphanumeric(p[i+1]), strings.HasPrefix(p[i:], "&&"), strings.HasPrefix(p[i:], "--"), p[i] == ']':
			return 0, refuse("this set of characters means something else on PostgreSQL")
		case p[i] == '\\':
			i++
		}
	}
	return 0, refuse("the pattern has an open bracket")
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
