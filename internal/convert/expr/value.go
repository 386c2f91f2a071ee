package expr

import (
	"strconv"
	"strings"
)

// kind is the type of a translated part on PostgreSQL, as far as translation
// needs to tell types apart.
type kind int

const (
	null     kind = iota
	boolean       // 0 or 1 on MySQL
	integer       // smallint, integer, bigint; numeric when big
	decimal       // numeric
	float         // real or double precision
	text          // text, varchar
	bytes         // bytea
	date          // date
	datetime      // timestamp
	instant       // timestamptz
	clock         // time
	span          // interval
	document      // json or jsonb
	bits          // bit(n)
	choice        // a native enum
	members       // text[] of a SET
	uuid          // uuid
	opaque        // anything else: may be compared with NULL only
)

var kindNames = [...]string{
	"NULL", "a boolean", "an integer", "a decimal", "a float", "text", "bytes", "a date", "a date and time",
	"an instant", "a time", "an interval", "a JSON document", "bits", "an enum", "a set", "a UUID", "a value of this type",
}

func (k kind) String() string { return kindNames[k] }

// The binding strengths of PostgreSQL's operators, weakest first.
const (
	pOr = iota + 1
	pAnd
	pNot
	pIs
	pCompare
	pLike // BETWEEN, IN, LIKE
	pOther
	pAdd
	pMultiply
	pCollate
	pMinus
	pCast
	pAtom
)

// value is a translated part: its SQL and what is known about it.
type value struct {
	sql     string
	prec    int
	kind    kind
	notNull bool

	width    int  // integers: 16, 32 or 64 bits; floats: 32 or 64; bits: n
	big      bool // an integer that PostgreSQL holds as numeric
	unsigned bool
	bits32   bool // a column of at most 32 bits on the source

	// scale is how many digits MySQL shows after the point. Decimals are computed
	// with more: fracLow and fracHigh bound the digits that the value carries.
	scale, fracLow, fracHigh int

	charset, collation string // of text
	ownCollation       bool   // the target column has a collation of its own
	column             string // the source's name when the value is a column as it is
	source             sourceKind
	members            []string

	lit *string // a string or bytes literal's value
	num string  // a number literal's digits, with its sign

	jsonb bool
	base  *value // of a document taken out of another one
	steps []step
}

// sourceKind marks columns whose source type has rules that the target's does not show.
type sourceKind int

const (
	plain sourceKind = iota
	fromYear
	fromEnum
	fromSet
	fromTime
)

// in returns the SQL, in parentheses when it binds weaker than prec.
func (v value) in(prec int) string {
	if v.prec < prec {
		return "(" + v.sql + ")"
	}
	return v.sql
}

func (v value) numeric() bool { return v.kind == integer || v.kind == decimal || v.kind == float }

func (v value) literal() bool { return v.kind == null || v.lit != nil || v.num != "" }

// as returns the value cast to a type; v keeps nothing of its literal form.
func (v value) as(typ string, k kind) value {
	return value{sql: v.in(pCast) + "::" + typ, prec: pCast, kind: k, notNull: v.notNull}
}

// call renders a function call of kind k. It is NOT NULL only when all of its arguments are.
func call(k kind, name string, args ...value) value {
	parts := make([]string, len(args))
	notNull := true
	for i, a := range args {
		parts[i] = a.sql
		notNull = notNull && a.notNull
	}
	return value{sql: name + "(" + strings.Join(parts, ", ") + ")", prec: pAtom, kind: k, notNull: notNull}
}

// binary renders an infix operator that leans to the left.
func binary(k kind, a value, op string, b value, prec int) value {
	left := prec
	if prec == pCompare || prec == pIs || prec == pLike {
		left++ // these do not chain
	}
	return value{
		sql: a.in(left) + " " + op + " " + b.in(prec+1), prec: prec, kind: k,
		notNull: a.notNull && b.notNull,
	}
}

func intLiteral(n int64) value { return numberLiteral(strconv.FormatInt(n, 10)) }

// numberLiteral makes an exact number of its digits.
func numberLiteral(digits string) value {
	v := value{sql: digits, prec: pAtom, kind: integer, num: digits, notNull: true, width: 64}
	if digits[0] == '-' {
		v.prec = pMinus
	}
	if _, after, ok := strings.Cut(digits, "."); ok {
		v.kind, v.scale, v.fracLow, v.fracHigh = decimal, len(after), len(after), len(after)
		return v
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		v.big = true
	case n == int64(int32(n)):
		v.width = 32
	}
	return v
}

// textLiteral makes a text literal.
func textLiteral(s string) value {
	return value{sql: quote(s), prec: pAtom, kind: text, lit: &s, notNull: true}
}

// quote renders a string for standard_conforming_strings, PostgreSQL's default since 9.1.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName renders an identifier, always in quotes: it may be a reserved word.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func raw(k kind, sql string) value { return value{sql: sql, prec: pAtom, kind: k} }

func nullValue() value { return value{sql: "NULL", prec: pAtom, kind: null} }
