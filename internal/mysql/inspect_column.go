package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

func (in *inspection) columns(ctx context.Context) error {
	q := "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_DEFAULT, IS_NULLABLE, DATA_TYPE, COLUMN_TYPE, CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH," +
		" NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_SET_NAME, COLLATION_NAME, EXTRA, COLUMN_COMMENT, GENERATION_EXPRESSION, " +
		in.optional("COLUMNS", "SRS_ID") + " FROM information_schema.COLUMNS WHERE " + in.here("TABLE_SCHEMA") + " ORDER BY TABLE_NAME, ORDINAL_POSITION"
	return in.each(ctx, "columns", q, func(r row) error {
		t := in.tables[r.text("TABLE_NAME")]
		if t == nil {
			return nil
		}
		c, err := in.column(t, r)
		if err != nil {
			return fmt.Errorf("column %s.%s: %w", t.Name, r.text("COLUMN_NAME"), err)
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
}

func (in *inspection) column(t *schema.Table, r row) (*schema.Column, error) {
	typ, err := columnType(r)
	if err != nil {
		return nil, err
	}
	name := r.text("COLUMN_NAME")
	if text, ok := typ.(schema.Text); ok && in.jsonChecks[string(t.Name)+"."+name] && text.MaxBytes > 1<<24 {
		typ = schema.JSON{} // MariaDB's JSON is LONGTEXT with a check
	}
	extra := strings.ToLower(r.text("EXTRA"))
	c := &schema.Column{
		Name: schema.Name(name), Type: typ, Nullable: r.text("IS_NULLABLE") == "YES", Comment: r.text("COLUMN_COMMENT"),
		Identity: strings.Contains(extra, "auto_increment"), Invisible: strings.Contains(extra, "invisible"),
		OnUpdateNow: strings.Contains(extra, "on update current_timestamp"),
	}
	if g := r.text("GENERATION_EXPRESSION"); g != "" {
		c.Generated = &schema.Generated{Expr: in.expression(g), Stored: strings.Contains(extra, "stored") || strings.Contains(extra, "persistent")}
		return c, nil
	}
	c.Default, err = in.columnDefault(r, typ, extra)
	return c, err
}

// expression returns an expression as SQL. MySQL's catalog prints expressions escaped like the inside of a string literal:
// _utf8mb4\'a\'. MariaDB's does not.
func (in *inspection) expression(s string) string {
	if in.e.server.dialect == schema.MariaDB {
		return s
	}
	return unescape(s)
}

// columnType reads a column's type. COLUMN_TYPE holds what DATA_TYPE leaves out: signs, widths, members.
func columnType(r row) (schema.Type, error) {
	full := r.text("COLUMN_TYPE")
	// MariaDB appends /*M!100301 COMPRESSED*/ and the like.
	full, _, _ = strings.Cut(full, " /*")
	unsigned := strings.Contains(full, " unsigned")
	length, octets := int(r.whole("CHARACTER_MAXIMUM_LENGTH")), r.whole("CHARACTER_OCTET_LENGTH")
	charset, collation := r.text("CHARACTER_SET_NAME"), r.text("COLLATION_NAME")
	fraction := int(r.whole("DATETIME_PRECISION"))
	switch kind := strings.ToLower(r.text("DATA_TYPE")); kind {
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint":
		i := schema.Int{Bits: integerBits[kind], Unsigned: unsigned}
		if strings.HasPrefix(full, "tinyint(1)") {
			i.Width = 1
		}
		return i, nil
	case "bit":
		return schema.Bit{N: int(r.whole("NUMERIC_PRECISION"))}, nil
	case "decimal", "numeric":
		return schema.Decimal{Precision: int(r.whole("NUMERIC_PRECISION")), Scale: int(r.whole("NUMERIC_SCALE")), Unsigned: unsigned}, nil
	case "float", "double", "real":
		f := schema.Float{Bits: 64, Unsigned: unsigned, Digits: -1, Scale: -1}
		if kind == "float" {
			f.Bits = 32
		}
		if args := arguments(full); len(args) == 2 {
			if _, err := fmt.Sscan(args[0]+" "+args[1], &f.Digits, &f.Scale); err != nil {
				return nil, fmt.Errorf("read the digits of %s: %w", full, err)
			}
		}
		return f, nil
	case "char", "varchar":
		return schema.Text{Length: length, Fixed: kind == "char", Charset: charset, Collation: collation}, nil
	case "tinytext", "text", "mediumtext", "longtext":
		return schema.Text{MaxBytes: lobBytes[kind[:len(kind)-len("text")]], Charset: charset, Collation: collation}, nil
	case "binary", "varbinary":
		return schema.Binary{Length: int(octets), Fixed: kind == "binary"}, nil
	case "tinyblob", "blob", "mediumblob", "longblob":
		return schema.Binary{MaxBytes: lobBytes[kind[:len(kind)-len("blob")]]}, nil
	case "enum":
		members, err := labels(full)
		return schema.Enum{Members: members, Charset: charset, Collation: collation}, err
	case "set":
		members, err := labels(full)
		return schema.Set{Members: members, Charset: charset, Collation: collation}, err
	case "json":
		return schema.JSON{Parsed: true}, nil
	case "date":
		return schema.Date{}, nil
	case "time":
		return schema.Time{Precision: fraction}, nil
	case "datetime":
		return schema.DateTime{Precision: fraction}, nil
	case "timestamp":
		return schema.Timestamp{Precision: fraction}, nil
	case "year":
		return schema.Year{}, nil
	case "uuid":
		return schema.UUID{}, nil
	case "inet4":
		return schema.Inet{Version: 4}, nil
	case "inet6":
		return schema.Inet{Version: 6}, nil
	case "vector":
		v := schema.Vector{}
		if args := arguments(full); len(args) == 1 {
			if _, err := fmt.Sscan(args[0], &v.N); err != nil {
				return nil, fmt.Errorf("read the dimensions of %s: %w", full, err)
			}
		}
		return v, nil
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		g := schema.Geometry{Shape: strings.ToUpper(kind), SRID: -1}
		if kind == "geomcollection" {
			g.Shape = "GEOMETRYCOLLECTION"
		}
		if id := r["SRS_ID"]; id.Valid {
			if _, err := fmt.Sscan(id.String, &g.SRID); err != nil {
				return nil, fmt.Errorf("read the SRID %q: %w", id.String, err)
			}
		}
		return g, nil
	}
	return schema.Other{SQL: r.text("COLUMN_TYPE")}, nil
}

var (
	integerBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "integer": 32, "bigint": 64}
	lobBytes    = map[string]int64{"tiny": 1<<8 - 1, "": 1<<16 - 1, "medium": 1<<24 - 1, "long": 1<<32 - 1}
)

// arguments returns what stands between a type's parentheses, split at commas.
func arguments(full string) []string {
	_, rest, ok := strings.Cut(full, "(")
	if !ok {
		return nil
	}
	inside, _, _ := strings.Cut(rest, ")")
	return strings.Split(inside, ",")
}

// labels reads the members of an ENUM or a SET: each is a string literal of the server's own writing.
func labels(full string) ([]string, error) {
	_, rest, more := strings.Cut(full, "(")
	var members []string
	for more {
		text, after, closed := literal(rest)
		if !closed {
			break
		}
		members = append(members, text)
		if after == ")" || strings.HasPrefix(after, ") ") {
			return members, nil
		}
		rest, more = strings.CutPrefix(after, ",")
	}
	return nil, fmt.Errorf("cannot read the members of %s", shorten(full))
}

// literal reads a string literal at the beginning of s and returns its text and what follows it.
func literal(s string) (text, after string, ok bool) {
	if len(s) < 2 || s[0] != '\'' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			if i+1 < len(s) && s[i+1] == '\'' {
				i++
				continue
			}
			return unescape(strings.ReplaceAll(s[1:i], "''", "'")), s[i+1:], true
		}
	}
	return "", s, false
}

// unescape undoes the backslashes of MySQL's string literals.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case '0':
			b.WriteByte(0)
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'b':
			b.WriteByte('\b')
		case 'Z':
			b.WriteByte(26)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
