package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
	// The parser builds its literals through this driver.
	_ "github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/bascule/bascule/internal/schema"
)

// parse returns the tree of one scalar expression. A parser is made for each
// call because one is not safe for concurrent use, and expressions are few.
func parse(sql string, d schema.Dialect) (ast.ExprNode, error) {
	if len(sql) > maxLength {
		return nil, refuse("it is longer than %d bytes", maxLength)
	}
	if deep(sql) {
		return nil, refuse("it is nested more than %d levels deep", maxDepth)
	}
	stmts, _, err := parser.New().ParseSQL("SELECT (" + plainSQL(sql, d) + "\n)")
	if err != nil {
		return nil, refuse("it cannot be parsed: %s", firstLine(err.Error()))
	}
	if len(stmts) != 1 {
		return nil, refuse("it is not one expression")
	}
	s, ok := stmts[0].(*ast.SelectStmt)
	if !ok || s.From != nil || s.Where != nil || s.Having != nil || s.GroupBy != nil || s.OrderBy != nil ||
		s.Limit != nil || len(s.Fields.Fields) != 1 {
		return nil, refuse("it is not one expression")
	}
	f := s.Fields.Fields[0]
	if f.Expr == nil || f.AsName.O != "" {
		return nil, refuse("it is not one expression")
	}
	return f.Expr, nil
}

// plainSQL returns sql as a person would have typed it, so that the parser
// understands it: without the dictionary's escapes and with its characters.
func plainSQL(sql string, d schema.Dialect) string {
	sql = unescape(sql)
	if d == schema.MySQL {
		sql = decodeTwice(sql)
	}
	return simplify(sql)
}

// decodeTwice undoes a fault of MySQL's information_schema (seen on 9.7), which
// prints the UTF-8 of an expression's literals as if it were latin1: é as Ã©.
// Text is changed only if all of it reads so.
func decodeTwice(sql string) string {
	once := make([]byte, 0, len(sql))
	for _, r := range sql {
		if r > 0xff {
			return sql
		}
		once = append(once, byte(r))
	}
	if !utf8.Valid(once) {
		return sql
	}
	return string(once)
}

// simplify rewrites two forms that MySQL prints and the parser does not take:
// it drops the introducers _utf8mb4 and _utf8mb3 before a quote, since the whole
// text is UTF-8 (ESCAPE _utf8mb4'|'), and puts a plus between INTERVAL and a
// parenthesis, which it would take for the function of that name.
func simplify(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		n := token(sql[i:])
		word, rest := sql[i:i+n], sql[i+n:]
		switch {
		case (strings.EqualFold(word, "_utf8mb4") || strings.EqualFold(word, "_utf8mb3")) && strings.HasPrefix(rest, "'"):
		case strings.EqualFold(word, "interval") && strings.HasPrefix(strings.TrimLeft(rest, " "), "("):
			b.WriteString(word + " +")
		default:
			b.WriteString(word)
		}
		i += n
	}
	return b.String()
}

// token returns the length of the quoted text, the word or the single byte that s begins with.
func token(s string) int {
	if quote := s[0]; quote == '\'' || quote == '"' || quote == '`' {
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\' && quote != '`':
				i++
			case s[i] == quote:
				return i + 1
			}
		}
		return len(s)
	}
	n := 0
	for n < len(s) && (s[n] == '_' || s[n] == '$' || alphanumeric(s[n]) || s[n] >= utf8.RuneSelf) {
		n++
	}
	return max(n, 1)
}

// unescape undoes the extra escaping of MySQL's dictionary, which prints the
// literal 'a' inside an expression as _utf8mb4\'a\' (seen on 8.0 to 9.7, in
// generation_expression, check_clause, column_default and expression alike).
// A backslash outside quotes is no SQL, so it proves the extra layer; text
// without one is returned as it is.
func unescape(sql string) string {
	if !escaped(sql) {
		return sql
	}
	var b strings.Builder
	for i := 0; i < len(sql); i++ {
		if sql[i] != '\\' || i+1 == len(sql) {
			b.WriteByte(sql[i])
			continue
		}
		i++
		switch sql[i] {
		case '0':
			b.WriteByte(0)
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'Z':
			b.WriteByte(0x1a)
		default:
			b.WriteByte(sql[i])
		}
	}
	return b.String()
}

// escaped reports whether a backslash stands outside quotes.
func escaped(sql string) bool {
	var quote byte
	for i := 0; i < len(sql); i++ {
		c := sql[i]
		switch {
		case quote == 0 && c == '\\':
			return true
		case quote == 0 && (c == '\'' || c == '"' || c == '`'):
			quote = c
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case c == quote:
			quote = 0 // a doubled quote closes and opens again
		}
	}
	return false
}

// maxDepth bounds recursion over the tree. Nobody writes a check that deep;
// chains of operators count too because they lean to one side.
const maxDepth = 500

func deep(sql string) bool {
	depth, deepest := 0, 0
	for i := range len(sql) {
		switch sql[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		deepest = max(deepest, depth)
	}
	return deepest > maxDepth
}

// source prints a node as MySQL's SQL, for messages.
func source(n ast.Node) (s string) {
	// The parser's printer panics on a few nodes that it cannot print.
	defer func() {
		if recover() != nil {
			s = "an expression"
		}
	}()
	var b strings.Builder
	flags := format.RestoreStringSingleQuotes | format.RestoreKeyWordLowercase | format.RestoreStringWithoutCharset | format.RestoreNameBackQuotes
	if err := n.Restore(format.NewRestoreCtx(flags, &b)); err != nil {
		return "an expression"
	}
	return b.String()
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSpace(s)
}
