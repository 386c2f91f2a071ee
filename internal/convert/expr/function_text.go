package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	driver "github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/bascule/bascule/internal/schema"
)

var textFunctions = map[string]function{
	"concat":           {1, -1, (*translator).concat},
	"concat_ws":        {2, -1, (*translator).concatWS},
	"lower":            {1, 1, letterCase("lower")},
	"lcase":            {1, 1, letterCase("lower")},
	"upper":            {1, 1, letterCase("upper")},
	"ucase":            {1, 1, letterCase("upper")},
	"length":           {1, 1, (*translator).byteLength},
	"octet_length":     {1, 1, (*translator).byteLength},
	"bit_length":       {1, 1, (*translator).bitLength},
	"char_length":      {1, 1, (*translator).charLength},
	"character_length": {1, 1, (*translator).charLength},
	"left":             {2, 2, edge("left")},
	"right":            {2, 2, edge("right")},
	"substr":           {2, 3, (*translator).substr},
	"substring":        {2, 3, (*translator).substr},
	"mid":              {2, 3, (*translator).substr},
	"ltrim":            {1, 1, onText("ltrim")},
	"rtrim":            {1, 1, onText("rtrim")},
	"reverse":          {1, 1, onText("reverse")},
	"replace":          {3, 3, (*translator).replace},
	"lpad":             {3, 3, pad("lpad")},
	"rpad":             {3, 3, pad("rpad")},
	"repeat":           {2, 2, (*translator).repeat},
	"locate":           {2, 2, (*translator).locate},
	"position":         {2, 2, (*translator).locate},
	"instr":            {2, 2, func(t *translator, a []value) (value, error) { return t.locate([]value{a[1], a[0]}) }},
	"substring_index":  {3, 3, (*translator).substringIndex},
	"find_in_set":      {2, 2, (*translator).findInSet},
	"field":            {2, -1, (*translator).field},
	"elt":              {2, -1, (*translator).elt},
	"strcmp":           {2, 2, (*translator).strcmp},
	"hex":              {1, 1, (*translator).hex},
	"md5":              {1, 1, (*translator).md5},
}

// texts renders all arguments as text.
func (t *translator) texts(a []value) ([]value, error) {
	out := make([]value, len(a))
	for i, v := range a {
		w, err := t.toText(v)
		if err != nil {
			return nil, err
		}
		out[i] = w
	}
	return out, nil
}

// textOf carries what is known of a text argument over to a function's result.
func textOf(v value, from ...value) value {
	v.kind = text
	for _, f := range from {
		switch {
		case f.kind != text || (f.lit != nil && ascii(*f.lit)):
		case v.charset == "":
			v.charset, v.collation, v.ownCollation = charsetOf(f), f.collation, f.ownCollation
		case v.charset != charsetOf(f):
			v.charset = mixed
		}
	}
	return v
}

// charsetOf is the character set of a text; what is not a column is in the
// set of the connection, which is utf8mb4 wherever it matters here.
func charsetOf(v value) string {
	if v.charset == "" {
		return "utf8mb4"
	}
	return v.charset
}

// onText is a function of text that both servers compute alike.
func onText(name string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		a, err := t.texts(a)
		if err != nil {
			return value{}, err
		}
		return textOf(call(text, name, a...), a...), nil
	}
}

// replace renders REPLACE. What MariaDB makes of a NULL replacement depends on
// whether there is something to replace, and on how it computes the text.
func (t *translator) replace(a []value) (value, error) {
	if a[0].lit != nil {
		return value{}, refuse("the collation of its result is the session's")
	}
	if t.Dialect == schema.MariaDB && !a[2].notNull {
		return value{}, refuse("MariaDB's result for a replacement that is NULL depends on the text")
	}
	return onText("replace")(t, a)
}

// concat renders CONCAT as ||, because both give NULL for NULL; PostgreSQL's
// concat skips NULL and is not immutable.
func (t *translator) concat(a []value) (value, error) {
	a, err := t.texts(a)
	if err != nil {
		return value{}, err
	}
	v := a[0]
	if len(a) == 1 && v.kind == text && v.lit == nil {
		return v, nil
	}
	if v.kind == null || v.lit != nil {
		v = v.as("text", text) // two untyped operands would leave || undecided
	}
	for _, w := range a[1:] {
		v = binary(text, v, "||", w, pOther)
	}
	return textOf(v, a...), nil
}

// concatWS renders CONCAT_WS of any separator without PostgreSQL's concat_ws,
// which is not immutable: each part brings the separator that it needs.
func (t *translator) concatWS(a []value) (value, error) {
	a, err := t.texts(a)
	if err != nil {
		return value{}, err
	}
	sep, parts := a[0], a[1:]
	if sep.lit == nil {
		return value{}, refuse("concat_ws is translated only with a literal separator")
	}
	// Every part that is not NULL brings the separator before it; cutting the
	// first one off leaves it between them.
	var v value
	for i, p := range parts {
		one := binary(text, sep.as("text", text), "||", p, pOther)
		if !p.notNull {
			empty := textLiteral("")
			one = call(text, "coalesce", one, empty)
		}
		if i == 0 {
			v = one
		} else {
			v = binary(text, v, "||", one, pOther)
		}
	}
	if *sep.lit != "" {
		v = call(text, "substr", v, intLiteral(int64(len([]rune(*sep.lit))+1)))
	}
	v.notNull = true
	return textOf(v, a...), nil
}

func letterCase(name string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		if a[0].kind == bytes {
			return a[0], nil // MySQL's LOWER leaves binary strings as they are
		}
		v, err := onText(name)(t, a)
		if err == nil && a[0].kind == text {
			t.note("%s of letters beyond ASCII follows the target database's locale", name)
		}
		return v, err
	}
}

// byteLength renders LENGTH, which counts bytes in the source's character set;
// the target's is always UTF-8.
func (t *translator) byteLength(a []value) (value, error) {
	if a[0].kind == bytes {
		return lengthCall("octet_length", a[0]), nil
	}
	v, err := t.toText(a[0])
	if err != nil {
		return value{}, err
	}
	switch v.charset {
	case "", "utf8", "utf8mb3", "utf8mb4":
		return lengthCall("octet_length", v), nil
	case "ascii", "latin1", "latin2", "latin5", "latin7", "cp1250", "cp1251", "cp1252", "cp1256", "cp1257", "greek", "hebrew", "koi8r", "koi8u":
		return lengthCall("char_length", v), nil
	}
	return value{}, refuse("it counts bytes of the source's character set")
}

func (t *translator) bitLength(a []value) (value, error) {
	v, err := t.byteLength(a)
	if err != nil {
		return value{}, err
	}
	return binary(integer, v, "*", intLiteral(8), pMultiply), nil
}

func (t *translator) charLength(a []value) (value, error) {
	if a[0].kind == bytes {
		return lengthCall("octet_length", a[0]), nil
	}
	v, err := t.toText(a[0])
	if err != nil {
		return value{}, err
	}
	return lengthCall("char_length", v), nil
}

func lengthCall(name string, v value) value {
	if v.kind == null {
		return nullValue()
	}
	n := call(integer, name, v)
	n.width = 32
	return n
}

// edge renders LEFT and RIGHT. Of a negative count MySQL makes an empty
// string, PostgreSQL drops characters from the other end.
func edge(name string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		if a[0].kind == bytes && name == "left" {
			n, err := count(a[1])
			if err != nil {
				return value{}, err
			}
			return call(bytes, "substr", a[0], intLiteral(1), intLiteral(int64(n))), nil
		}
		if _, err := count(a[1]); err != nil {
			return value{}, err
		}
		v, err := t.toText(a[0])
		if err != nil {
			return value{}, err
		}
		return textOf(call(text, name, v, a[1]), v), nil
	}
}

// substr renders SUBSTR with literal positions; zero and negative ones mean
// nothing and the end on MySQL, which PostgreSQL counts as before the start.
func (t *translator) substr(a []value) (value, error) {
	for _, v := range a[1:] {
		if v.kind != integer || v.num == "" || v.width != 32 {
			return value{}, refuse("it is translated only with literal positions")
		}
	}
	if len(a) == 3 && a[2].num[0] == '-' {
		a = []value{a[0], a[1], intLiteral(0)}
	}
	if a[0].kind == bytes && a[1].num[0] != '-' && a[1].num != "0" {
		return call(bytes, "substr", a...), nil
	}
	v, err := t.toText(a[0])
	if err != nil {
		return value{}, err
	}
	var out value
	switch from := a[1].num; {
	case from == "0":
		out = call(text, "left", v, intLiteral(0))
	case from[0] != '-':
		out = call(text, "substr", append([]value{v}, a[1:]...)...)
	default:
		n := numberLiteral(from[1:])
		tail := call(text, "right", v, n)
		if len(a) == 3 {
			tail = call(text, "left", tail, a[2])
		}
		// Beyond its start MySQL gives an empty string.
		out = value{sql: "CASE WHEN char_length(" + v.sql + ") < " + n.sql + " THEN '' ELSE " + tail.sql + " END", prec: pAtom, notNull: v.notNull}
	}
	return textOf(out, v), nil
}

// trim renders TRIM. MySQL removes a string, PostgreSQL a set of characters:
// the same for one character.
func (t *translator) trim(n *ast.FuncCallExpr) (value, error) {
	vs, err := t.nodes(n.Args[:min(2, len(n.Args))]...)
	if err != nil {
		return value{}, err
	}
	if vs, err = t.texts(vs); err != nil {
		return value{}, err
	}
	name := "btrim"
	if len(n.Args) == 3 {
		d, ok := n.Args[2].(*ast.TrimDirectionExpr)
		if !ok {
			return value{}, refuse("this form of TRIM has no translation")
		}
		name = map[ast.TrimDirectionType]string{ast.TrimLeading: "ltrim", ast.TrimTrailing: "rtrim"}[d.Direction]
		if name == "" {
			name = "btrim"
		}
	}
	if len(vs) == 2 && (vs[1].lit == nil || len([]rune(*vs[1].lit)) != 1) {
		return value{}, refuse("MySQL trims a string, PostgreSQL a set of characters; they agree on one literal character only")
	}
	return textOf(call(text, name, vs...), vs[0]), nil
}

func pad(name string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		if _, err := count(a[1]); err != nil {
			return value{}, err
		}
		vs, err := t.texts([]value{a[0], a[2]})
		if err != nil {
			return value{}, err
		}
		if vs[1].lit == nil || *vs[1].lit == "" {
			return value{}, refuse("it is translated only with a literal padding that is not empty")
		}
		return textOf(call(text, name, vs[0], a[1], vs[1]), vs...), nil
	}
}

func (t *translator) repeat(a []value) (value, error) {
	if _, err := count(a[1]); err != nil {
		return value{}, err
	}
	v, err := t.toText(a[0])
	if err != nil {
		return value{}, err
	}
	return textOf(call(text, "repeat", v, a[1]), v), nil
}

// locate renders LOCATE(part, of), INSTR and POSITION.
func (t *translator) locate(a []value) (value, error) {
	vs, err := t.texts(a)
	if err != nil {
		return value{}, err
	}
	t.noteSearch(vs)
	v := call(integer, "strpos", vs[1], vs[0])
	v.width = 32
	return v, nil
}

func (t *translator) substringIndex(a []value) (value, error) {
	vs, err := t.texts(a[:2])
	if err != nil {
		return value{}, err
	}
	d := vs[1].lit
	if d == nil || *d == "" || (a[2].num != "1" && (a[2].num != "-1" || len([]rune(*d)) != 1)) {
		return value{}, refuse("only the first part, or the last one after a single character, has a translation")
	}
	return textOf(call(text, "split_part", vs[0], vs[1], a[2]), vs[0]), nil
}

// findInSet renders FIND_IN_SET as a position, 0 when absent.
func (t *translator) findInSet(a []value) (value, error) {
	if a[0].lit == nil || a[0].kind != text {
		return value{}, refuse("it is translated only with a literal member")
	}
	if strings.Contains(*a[0].lit, ",") || *a[0].lit == "" {
		return value{}, refuse("a member that is empty or holds a comma is never found, or found by other rules")
	}
	member, list := a[0], a[1]
	if list.source == fromSet {
		return setPosition(*member.lit, list), nil
	}
	if list.kind != text {
		return value{}, refuse("it looks in %s", list.kind)
	}
	if _, err := t.collated([]value{list}, false); err != nil {
		return value{}, err
	}
	at := "array_position(string_to_array(" + list.sql + ", ','), " + member.sql + ")"
	return value{sql: "CASE WHEN " + list.in(pIs+1) + " IS NOT NULL THEN coalesce(" + at + ", 0) END", prec: pAtom, kind: integer, width: 32, notNull: list.notNull}, nil
}

// setPosition renders FIND_IN_SET of a SET column, which MySQL answers with the
// member's place in the definition and not in the value.
func setPosition(member string, set value) value {
	array := set.sql
	if set.kind == text {
		array = "string_to_array(" + set.sql + ", ',')"
	}
	sql := fmt.Sprintf("CASE WHEN %s = ANY (%s) THEN %d WHEN %s IS NOT NULL THEN 0 END",
		quote(member), array, slices.Index(set.members, member)+1, set.in(pIs+1))
	return value{sql: sql, prec: pAtom, kind: integer, width: 32, notNull: set.notNull}
}

// field renders FIELD, which is 0 for NULL and for what is not in the list.
func (t *translator) field(a []value) (value, error) {
	var b strings.Builder
	b.WriteString("CASE")
	for i, v := range a[1:] {
		c, err := t.compare("=", a[0], v)
		if err != nil {
			return value{}, err
		}
		b.WriteString(" WHEN " + c.sql + " THEN " + intLiteral(int64(i+1)).sql)
	}
	return value{sql: b.String() + " ELSE 0 END", prec: pAtom, kind: integer, width: 32, notNull: true}, nil
}

func (t *translator) elt(a []value) (value, error) {
	vs, err := t.texts(a[1:])
	if err != nil {
		return value{}, err
	}
	conditions := make([]value, len(vs))
	for i := range vs {
		if conditions[i], err = t.compare("=", a[0], intLiteral(int64(i+1))); err != nil {
			return value{}, err
		}
	}
	return t.choose(conditions, vs)
}

func (t *translator) strcmp(a []value) (value, error) {
	vs, err := t.texts(a)
	if err != nil {
		return value{}, err
	}
	less, err := t.compare("<", vs[0], vs[1])
	if err != nil {
		return value{}, err
	}
	equal, err := t.compare("=", vs[0], vs[1])
	if err != nil {
		return value{}, err
	}
	more, err := t.compare(">", vs[0], vs[1])
	if err != nil {
		return value{}, err
	}
	return t.choose([]value{less, equal, more}, []value{intLiteral(-1), intLiteral(0), intLiteral(1)})
}

func (t *translator) hex(a []value) (value, error) {
	switch a[0].kind {
	case bytes:
		return value{sql: "upper(encode(" + a[0].sql + ", 'hex'))", prec: pAtom, kind: text, notNull: a[0].notNull}, nil
	case integer:
		if !a[0].big {
			return value{sql: "upper(to_hex(" + wide(a[0]).sql + "))", prec: pAtom, kind: text, notNull: a[0].notNull}, nil
		}
	default: // refused below
	}
	return value{}, refuse("only bytes and integers have an immutable hexadecimal form")
}

func (t *translator) md5(a []value) (value, error) {
	if a[0].kind == bytes {
		return call(text, "md5", a[0]), nil
	}
	v, err := t.toText(a[0])
	if err != nil {
		return value{}, err
	}
	if cs := charsetOf(v); cs != "utf8mb4" && cs != "utf8mb3" && cs != "utf8" && cs != "ascii" {
		return value{}, refuse("it hashes the bytes of the source's character set")
	}
	return call(text, "md5", v), nil
}

// convertUsing renders CONVERT(x USING charset): the target knows one character set.
func (t *translator) convertUsing(n *ast.FuncCallExpr) (value, error) {
	v, err := t.node(n.Args[0])
	if err != nil {
		return value{}, err
	}
	cs, ok := n.Args[1].(*driver.ValueExpr)
	if !ok {
		return value{}, refuse("this form of CONVERT has no translation")
	}
	return t.intoCharset(v, strings.ToLower(cs.GetString()))
}

// intoCharset renders text in another character set. The target has UTF-8 only,
// so what the other set lacks stays as it is.
func (t *translator) intoCharset(v value, charset string) (value, error) {
	v, err := t.toText(v)
	if err != nil {
		return value{}, err
	}
	held := func() bool { // every character of v is in charset
		number := v.charset == "" && v.lit == nil && v.collation == ""
		return charset == "utf8mb4" || number || v.charset == charset || v.charset == "ascii" || (v.lit != nil && ascii(*v.lit)) ||
			(charset == "utf8mb3" || charset == "utf8") && v.charset != "utf8mb4" && v.lit == nil
	}
	if !held() {
		t.note("MySQL makes question marks of characters that %s has not; they stay as they are here", charset)
	}
	v.charset = charset
	return v, nil
}
