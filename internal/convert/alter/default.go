package alter

import (
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
	"github.com/pingcap/tidb/pkg/parser/opcode"
	driver "github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/bascule/bascule/internal/schema"
)

// defaultOf reads a DEFAULT clause as the catalog shows it.
func (s *server) defaultOf(e ast.ExprNode, t schema.Type, where string) (*schema.Default, error) {
	clause := where + " DEFAULT"
	text, kind, ok := constant(e)
	switch {
	case ok && kind == constantNull:
		return nil, nil
	case ok:
		return literal(text, kind, t, clause)
	}
	if call, isCall := e.(*ast.FuncCallExpr); isCall && nowName(call.FnName.L) {
		switch t.(type) {
		case schema.DateTime, schema.Timestamp:
			return &schema.Default{Expr: s.now(t)}, nil
		}
	}
	if p, paren := e.(*ast.ParenthesesExpr); paren {
		e = p.Expr
	}
	sql, err := expression(e, clause)
	if err != nil {
		return nil, err
	}
	return &schema.Default{Expr: sql}, nil
}

func nowName(name string) bool {
	return slices.Contains([]string{"current_timestamp", "now", "localtime", "localtimestamp"}, name)
}

// now is the current time as a default's expression, in the words of the server.
func (s *server) now(t schema.Type) string {
	precision := 0
	switch t := t.(type) {
	case schema.DateTime:
		precision = t.Precision
	case schema.Timestamp:
		precision = t.Precision
	}
	digits := ""
	if precision > 0 {
		digits = strconv.Itoa(precision)
	}
	switch {
	case s.mariaDB:
		return "current_timestamp(" + digits + ")"
	case digits == "":
		return "CURRENT_TIMESTAMP"
	}
	return "CURRENT_TIMESTAMP(" + digits + ")"
}

// expression writes an expression as SQL that every server reads.
func expression(e ast.ExprNode, clause string) (string, error) {
	var b strings.Builder
	err := e.Restore(format.NewRestoreCtx(format.RestoreStringSingleQuotes|format.RestoreKeyWordLowercase|format.RestoreNameBackQuotes|
		format.RestoreStringWithoutDefaultCharset|format.RestoreStringEscapeBackslash, &b))
	if err != nil {
		return "", unsupported(clause, "the expression cannot be written: %v", err)
	}
	return b.String(), nil
}

// constantKind tells what a literal is.
type constantKind uint8

const (
	constantNumber constantKind = iota + 1
	constantText
	constantBits // b'101', x'6162'
	constantNull
)

// constant returns the text of a literal.
func constant(e ast.ExprNode) (text string, kind constantKind, ok bool) {
	switch e := e.(type) {
	case *ast.UnaryOperationExpr:
		text, kind, ok = constant(e.V)
		if e.Op == opcode.Minus {
			text = "-" + text
		}
		return text, kind, ok && kind == constantNumber && (e.Op == opcode.Minus || e.Op == opcode.Plus)
	case *driver.ValueExpr:
		switch e.Kind() {
		case driver.KindNull:
			return "", constantNull, true
		case driver.KindInt64:
			return strconv.FormatInt(e.GetInt64(), 10), constantNumber, true
		case driver.KindUint64:
			return strconv.FormatUint(e.GetUint64(), 10), constantNumber, true
		case driver.KindFloat64:
			return strconv.FormatFloat(e.GetFloat64(), 'g', -1, 64), constantNumber, true
		case driver.KindMysqlDecimal:
			return e.GetMysqlDecimal().String(), constantNumber, true
		case driver.KindString:
			return e.GetString(), constantText, true
		case driver.KindBinaryLiteral:
			return string(e.GetBinaryLiteral()), constantBits, true
		}
	}
	return "", 0, false
}

// literal is a constant as a column of type t stores and shows it.
func literal(text string, kind constantKind, t schema.Type, clause string) (*schema.Default, error) {
	lit := func(s string) (*schema.Default, error) { return &schema.Default{Literal: s}, nil }
	cannot := unsupported(clause, "how the server shows %q in that type is not known", text)
	if kind == constantBits {
		switch t := t.(type) {
		case schema.Bit:
			return lit(shortBits(text))
		case schema.Binary:
			return lit(padded(text, t))
		}
		return nil, cannot
	}
	switch t := t.(type) {
	case schema.Int, schema.Year:
		if _, year := t.(schema.Year); year && (len(text) != 4 || text < "1901") {
			return nil, cannot
		}
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			return nil, cannot
		}
		return lit(n.String())
	case schema.Decimal:
		return decimal(text, t.Scale, cannot)
	case schema.Bit:
		n, ok := new(big.Int).SetString(text, 10)
		if !ok || kind != constantNumber || n.Sign() < 0 {
			return nil, cannot
		}
		return lit(shortBits(string(n.Bytes())))
	case schema.Float:
		return float(text, t, cannot)
	case schema.Binary:
		return lit(padded(text, t))
	case schema.Text:
		if kind != constantText {
			return nil, cannot
		}
		if t.Fixed {
			text = strings.TrimRight(text, " ")
		}
		return lit(text)
	case schema.Enum:
		return member(text, t.Members, cannot)
	case schema.Set:
		return set(text, t.Members, cannot)
	case schema.Date, schema.Time, schema.DateTime, schema.Timestamp:
		return moment(text, kind, t, cannot)
	}
	return nil, cannot
}

func decimal(text string, scale int, cannot error) (*schema.Default, error) {
	r, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsAny(text, "/eExX_") {
		return nil, cannot
	}
	shown := r.FloatString(scale)
	if back, _ := new(big.Rat).SetString(shown); back.Cmp(r) != 0 {
		return nil, cannot // it is rounded
	}
	return &schema.Default{Literal: shown}, nil
}

// float takes numbers of which all servers show the same digits.
func float(text string, t schema.Float, cannot error) (*schema.Default, error) {
	f, err := strconv.ParseFloat(text, t.Bits)
	const most = 1e6
	shown := strconv.FormatFloat(f, 'f', -1, t.Bits)
	if err != nil || t.Digits >= 0 || f > most || f < -most || len(strings.TrimLeft(shown, "-0.")) > 6 {
		return nil, cannot
	}
	return &schema.Default{Literal: shown}, nil
}

func member(text string, members []string, cannot error) (*schema.Default, error) {
	if slices.Contains(members, text) {
		return &schema.Default{Literal: text}, nil
	}
	for _, m := range members {
		if strings.EqualFold(m, text) {
			return &schema.Default{Literal: m}, nil
		}
	}
	return nil, cannot
}

func set(text string, members []string, cannot error) (*schema.Default, error) {
	var has []string
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		d, err := member(part, members, cannot)
		if err != nil {
			return nil, err
		}
		has = append(has, d.Literal)
	}
	var in []string
	for _, m := range members {
		if slices.Contains(has, m) {
			in = append(in, m)
		}
	}
	return &schema.Default{Literal: strings.Join(in, ",")}, nil
}

// moment takes dates and times that are written in full.
func moment(text string, kind constantKind, t schema.Type, cannot error) (*schema.Default, error) {
	pattern, precision := "dddd-dd-dd dd:dd:dd", 0
	switch t := t.(type) {
	case schema.Date:
		pattern = "dddd-dd-dd"
	case schema.Time:
		pattern, precision = "dd:dd:dd", t.Precision
	case schema.DateTime:
		precision = t.Precision
	case schema.Timestamp:
		precision = t.Precision
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(whole) == len("dddd-dd-dd") && strings.Contains(pattern, " ") {
		whole += " 00:00:00"
	}
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return 'd'
		}
		return r
	}, whole)
	fraction = strings.TrimRight(fraction, "0")
	if kind != constantText || digits != pattern || len(fraction) > precision || strings.Trim(fraction, "0123456789") != "" {
		return nil, cannot
	}
	if _, zoned := t.(schema.Timestamp); zoned {
		return nil, unsupported("DEFAULT "+text, "which instant it is depends on the time zone of the session that wrote the statement")
	}
	if precision > 0 {
		whole += "." + fraction + strings.Repeat("0", precision-len(fraction))
	}
	return &schema.Default{Literal: whole}, nil
}

// shortBits drops leading zero bytes, as the catalogs do.
func shortBits(raw string) string {
	raw = strings.TrimLeft(raw, "\x00")
	if raw == "" {
		return "\x00"
	}
	return raw
}

func padded(text string, t schema.Binary) string {
	if missing := t.Length - len(text); t.Fixed && missing > 0 {
		return text + strings.Repeat("\x00", missing)
	}
	return text
}
