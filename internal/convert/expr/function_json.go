package expr

import (
	"encoding/json"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

var jsonFunctions = map[string]function{
	"json_extract": {2, 2, (*translator).jsonExtract},
	"json_unquote": {1, 1, (*translator).jsonUnquote},
	"json_value":   {2, 2, (*translator).jsonValue},
	"json_valid":   {1, 1, (*translator).jsonValid},
	"json_length":  {1, 2, (*translator).jsonLength},
	"json_object":  {0, -1, emptyDocument("{}")},
	"json_array":   {0, -1, emptyDocument("[]")},
}

// document takes a value that is JSON on the target.
func (t *translator) document(v value) (value, error) {
	switch {
	case v.kind == document:
		return v, nil
	case v.lit != nil && v.kind == text && json.Valid([]byte(*v.lit)):
		d := v.as("jsonb", document)
		d.jsonb = true
		return d, nil
	case v.kind == text:
		return value{}, refuse("it reads text as JSON, which fails on PostgreSQL where the text is none")
	}
	return value{}, refuse("it reads %s as JSON", v.kind)
}

func (t *translator) jsonExtract(a []value) (value, error) {
	v, err := t.document(a[0])
	if err != nil {
		return value{}, err
	}
	if a[1].lit == nil {
		return value{}, refuse("it is translated only with a literal path")
	}
	steps, err := parsePath(*a[1].lit)
	if err != nil {
		return value{}, err
	}
	base := v
	if v.base != nil {
		base, steps = *v.base, append(append([]step{}, v.steps...), steps...)
	}
	out := value{sql: base.sql, prec: base.prec, kind: document, jsonb: v.jsonb, base: &base, steps: steps}
	for i, s := range steps {
		if s.array && t.Dialect == schema.MySQL {
			t.note("on MySQL [%d] of a JSON value that is no array is that value; on PostgreSQL it is NULL", s.index)
		}
		if i == 0 {
			out.sql = base.in(pOther)
		}
		out.sql, out.prec = out.sql+" -> "+s.sql(), pOther
	}
	return out, nil
}

// jsonText renders ->> of a document: the text of a string, else the JSON as text, NULL for JSON's null.
func jsonText(v value) value {
	if len(v.steps) == 0 {
		return value{sql: v.in(pOther) + " #>> '{}'", prec: pOther, kind: text}
	}
	var b strings.Builder
	b.WriteString(v.base.in(pOther))
	for i, s := range v.steps {
		op := " -> "
		if i == len(v.steps)-1 {
			op = " ->> "
		}
		b.WriteString(op + s.sql())
	}
	return value{sql: b.String(), prec: pOther, kind: text}
}

// jsonUnquote renders JSON_UNQUOTE, which makes the text null of JSON's null
// where PostgreSQL's ->> makes NULL.
func (t *translator) jsonUnquote(a []value) (value, error) {
	if a[0].kind != document {
		return value{}, refuse("it is translated only of a JSON value")
	}
	t.noteJSONText()
	v := call(text, "coalesce", jsonText(a[0]), a[0].as("text", text))
	v.notNull, v.collation = false, jsonCollation
	return v, nil
}

// jsonCollation is the collation of the text that comes out of JSON; it pads.
const jsonCollation = "utf8mb4_bin"

func (t *translator) noteJSONText() {
	t.note("JSON as text: numbers with an exponent, and spaces within objects and arrays, can be written differently")
}

// jsonValue renders MariaDB's JSON_VALUE of a scalar, which writes booleans as 1
// and 0. MySQL prints its own with a RETURNING clause that the parser does not take.
func (t *translator) jsonValue(a []value) (value, error) {
	if t.Dialect != schema.MariaDB {
		return value{}, refuse("only MariaDB's JSON_VALUE has a translation")
	}
	v, err := t.jsonExtract(a)
	if err != nil {
		return value{}, err
	}
	typeOf := "json_typeof("
	if v.jsonb {
		typeOf = "jsonb_typeof("
	}
	t.noteJSONText()
	scalar := jsonText(v).sql
	sql := "CASE " + typeOf + v.sql + ") WHEN 'object' THEN NULL WHEN 'array' THEN NULL WHEN 'boolean' THEN CASE " +
		scalar + " WHEN 'true' THEN '1' ELSE '0' END ELSE " + scalar + " END"
	return value{sql: sql, prec: pAtom, kind: text, collation: jsonCollation}, nil
}

// jsonValid is true of every document; of text PostgreSQL knows it since 16.
func (t *translator) jsonValid(a []value) (value, error) {
	switch {
	case a[0].kind == document && a[0].notNull:
		return value{sql: "true", prec: pAtom, kind: boolean, notNull: true}, nil
	case a[0].kind == document:
		return value{sql: a[0].in(pIs+1) + " IS NOT NULL OR NULL", prec: pOr, kind: boolean}, nil
	case a[0].kind == text && t.Version >= 16:
		return value{sql: a[0].in(pIs+1) + " IS JSON", prec: pIs, kind: boolean, notNull: a[0].notNull}, nil
	case a[0].kind == text:
		return value{}, refuse("PostgreSQL before 16 cannot test whether text is JSON")
	}
	return value{}, refuse("it tests %s", a[0].kind)
}

// jsonLength counts elements of an array or keys of an object; anything else counts 1.
func (t *translator) jsonLength(a []value) (value, error) {
	v, err := t.document(a[0])
	if err == nil && len(a) == 2 {
		v, err = t.jsonExtract(a)
	}
	if err != nil {
		return value{}, err
	}
	if !v.jsonb {
		return value{}, refuse("PostgreSQL counts the keys of jsonb only, and this is json")
	}
	var b strings.Builder
	b.WriteString("CASE jsonb_typeof(" + v.sql + ") WHEN 'array' THEN jsonb_array_length(" + v.sql + ")")
	b.WriteString(" WHEN 'object' THEN jsonb_array_length(jsonb_path_query_array(" + v.sql + ", '$.keyvalue()'))")
	b.WriteString(" ELSE CASE WHEN " + v.in(pIs+1) + " IS NOT NULL THEN 1 END END")
	return value{sql: b.String(), prec: pAtom, kind: integer, width: 32}, nil
}

// emptyDocument renders JSON_OBJECT() and JSON_ARRAY(): with members PostgreSQL's
// builders are not immutable and give other types to some values.
func emptyDocument(sql string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		if len(a) > 0 {
			return value{}, refuse("only an empty document has an immutable form")
		}
		return value{sql: quote(sql) + "::jsonb", prec: pCast, kind: document, jsonb: true, notNull: true}, nil
	}
}

// jsonString spells s as a JSON string.
func jsonString(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // json.Marshal of a string cannot fail
	}
	return string(b)
}
