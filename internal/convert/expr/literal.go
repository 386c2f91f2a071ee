package expr

import (
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser/mysql"
	driver "github.com/pingcap/tidb/pkg/parser/test_driver"
)

func (t *translator) literal(n *driver.ValueExpr) (value, error) {
	switch n.Kind() {
	case driver.KindNull:
		return nullValue(), nil
	case driver.KindInt64:
		if n.Type.GetFlag()&mysql.IsBooleanFlag != 0 {
			return value{sql: strconv.FormatBool(n.GetInt64() != 0), prec: pAtom, kind: boolean, notNull: true}, nil
		}
		return intLiteral(n.GetInt64()), nil
	case driver.KindUint64:
		return numberLiteral(strconv.FormatUint(n.GetUint64(), 10)), nil
	case driver.KindMysqlDecimal:
		return numberLiteral(n.GetMysqlDecimal().String()), nil
	case driver.KindFloat32, driver.KindFloat64:
		digits := strconv.FormatFloat(n.GetFloat64(), 'g', -1, 64)
		return value{sql: quote(digits) + "::float8", prec: pCast, kind: float, num: digits, width: 64, notNull: true}, nil
	case driver.KindString:
		return stringLiteral(n.GetString(), n.Type.GetCharset())
	case driver.KindBinaryLiteral:
		cs := n.Type.GetCharset()
		if cs != "" && cs != "binary" {
			return stringLiteral(string(n.GetBytes()), cs)
		}
		return bytesLiteral(string(n.GetBytes())), nil
	}
	return value{}, refuse("this literal has no translation")
}

// stringLiteral takes the bytes of a literal in a character set. The
// dictionary prints all text as UTF-8, so other sets are safe only for ASCII.
func stringLiteral(s, charset string) (value, error) {
	if charset == "binary" {
		return bytesLiteral(s), nil
	}
	if strings.IndexByte(s, 0) >= 0 {
		return value{}, refuse("the literal holds a byte 0x00, which PostgreSQL's text cannot")
	}
	if !utf8.ValidString(s) {
		return value{}, refuse("the literal is not UTF-8")
	}
	if !ascii(s) && !strings.HasPrefix(charset, "utf8") {
		return value{}, refuse("the literal has characters beyond ASCII in %s", charset)
	}
	return textLiteral(s), nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// bytesLiteral is a binary string: x'4142', 0x4142, b'101' or _binary 'AB'.
// Where a number is wanted, number turns it into one.
func bytesLiteral(s string) value {
	return value{sql: `'\x` + hex.EncodeToString([]byte(s)) + "'::bytea", prec: pCast, kind: bytes, lit: &s, notNull: true}
}

// bytesNumber is the number that a hexadecimal or bit literal is in a numeric context.
func bytesNumber(v value) (value, error) {
	if len(*v.lit) > 8 {
		return value{}, refuse("the literal has more than 64 bits")
	}
	return numberLiteral(new(big.Int).SetBytes([]byte(*v.lit)).String()), nil
}

// textNumber is the number that a string literal spells, when it spells one exactly.
func textNumber(v value) (value, error) {
	s := *v.lit
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || (point && fraction == "") || strings.Trim(whole+fraction, "0123456789") != "" || len(digits) > 60 {
		return value{}, refuse("the string %q is compared as a number, and it spells none plainly", s)
	}
	if len(whole) > 1 && whole[0] == '0' {
		return value{}, refuse("the string %q is compared as a number, and it has leading zeros", s)
	}
	return numberLiteral(s), nil
}
