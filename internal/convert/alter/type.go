package alter

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	parsed "github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/types"

	"github.com/bascule/bascule/internal/schema"
)

// lobBytes are the most bytes of the TEXT and BLOB types, smallest first.
var lobBytes = []int64{1<<8 - 1, 1<<16 - 1, 1<<24 - 1, 1<<32 - 1}

// columnType reads a declared type as the catalog shows it. collate is the column's COLLATE, by what the table gives.
func (s *server) columnType(d *ast.ColumnDef, collate string, by words) (schema.Type, error) {
	ft := d.Tp
	unsigned := parsed.HasUnsignedFlag(ft.GetFlag()) || parsed.HasZerofillFlag(ft.GetFlag())
	switch ft.GetType() {
	case parsed.TypeTiny, parsed.TypeShort, parsed.TypeInt24, parsed.TypeLong, parsed.TypeLonglong:
		return s.integer(ft, unsigned), nil
	case parsed.TypeBit:
		return schema.Bit{N: max(1, ft.GetFlen())}, nil
	case parsed.TypeNewDecimal:
		t := schema.Decimal{Precision: ft.GetFlen(), Scale: max(0, ft.GetDecimal()), Unsigned: unsigned}
		if t.Precision <= 0 {
			t.Precision = 10
		}
		return t, nil
	case parsed.TypeFloat, parsed.TypeDouble:
		t := schema.Float{Bits: 64, Unsigned: unsigned, Digits: -1, Scale: -1}
		if ft.GetType() == parsed.TypeFloat {
			t.Bits = 32
		}
		if ft.GetDecimal() >= 0 {
			t.Digits, t.Scale = ft.GetFlen(), ft.GetDecimal()
		}
		return t, nil
	case parsed.TypeDate, parsed.TypeNewDate:
		return schema.Date{}, nil
	case parsed.TypeDuration:
		return schema.Time{Precision: max(0, ft.GetDecimal())}, nil
	case parsed.TypeDatetime:
		return schema.DateTime{Precision: max(0, ft.GetDecimal())}, nil
	case parsed.TypeTimestamp:
		return schema.Timestamp{Precision: max(0, ft.GetDecimal())}, nil
	case parsed.TypeYear:
		return schema.Year{}, nil
	case parsed.TypeJSON:
		return schema.JSON{Parsed: !s.mariaDB}, nil
	case parsed.TypeString, parsed.TypeVarchar, parsed.TypeVarString, parsed.TypeTinyBlob, parsed.TypeBlob, parsed.TypeMediumBlob, parsed.TypeLongBlob,
		parsed.TypeEnum, parsed.TypeSet:
		return s.stringType(d, collate, by)
	}
	return nil, unsupported(d.Name.Name.O+" "+ft.String(), "the type is not known")
}

func (s *server) integer(ft *types.FieldType, unsigned bool) schema.Type {
	bits := map[byte]int{parsed.TypeTiny: 8, parsed.TypeShort: 16, parsed.TypeInt24: 24, parsed.TypeLong: 32, parsed.TypeLonglong: 64}
	t := schema.Int{Bits: bits[ft.GetType()], Unsigned: unsigned}
	// MySQL forgets the width of all but a signed tinyint(1); MariaDB keeps it.
	shown := !unsigned || s.mariaDB || parsed.HasZerofillFlag(ft.GetFlag()) || s.major < 8
	if t.Bits == 8 && ft.GetFlen() == 1 && shown {
		t.Width = 1
	}
	return t
}

func (s *server) stringType(d *ast.ColumnDef, collate string, by words) (schema.Type, error) {
	ft := d.Tp
	clause := d.Name.Name.O + " " + ft.String()
	kind := ft.GetType()
	text := kind == parsed.TypeString || kind == parsed.TypeVarchar || kind == parsed.TypeVarString
	lob := !text && kind != parsed.TypeEnum && kind != parsed.TypeSet
	if parsed.HasBinaryFlag(ft.GetFlag()) && ft.GetCharset() != "binary" {
		return nil, unsupported(clause, "the attribute BINARY means a collation that differs between servers; name it by COLLATE")
	}
	w, err := s.resolve(ft.GetCharset(), collate, by)
	if err != nil {
		return nil, err
	}
	length := ft.GetFlen()
	if text && length < 0 {
		length = 1 // CHAR
	}
	switch {
	case lob:
		size, err := lobSize(kind, length, w.charset, clause)
		if w.charset == "binary" {
			return schema.Binary{MaxBytes: size}, err
		}
		return schema.Text{MaxBytes: size, Charset: w.charset, Collation: w.collation}, err
	case text && w.charset == "binary":
		return schema.Binary{Length: length, Fixed: kind == parsed.TypeString}, nil
	case text:
		return schema.Text{Length: length, Fixed: kind == parsed.TypeString, Charset: w.charset, Collation: w.collation}, nil
	}
	var members []string
	for _, m := range ft.GetElems() {
		if w.charset != "binary" {
			m = strings.TrimRight(m, " ")
		}
		members = append(members, m)
	}
	if kind == parsed.TypeEnum {
		return schema.Enum{Members: members, Charset: w.charset, Collation: w.collation}, nil
	}
	return schema.Set{Members: members, Charset: w.charset, Collation: w.collation}, nil
}

// lobSize is the size of a TEXT or BLOB, which TEXT(n) chooses by the bytes of n characters.
func lobSize(kind byte, length int, charset, clause string) (int64, error) {
	switch kind {
	case parsed.TypeTinyBlob:
		return lobBytes[0], nil
	case parsed.TypeMediumBlob:
		return lobBytes[2], nil
	case parsed.TypeLongBlob:
		return lobBytes[3], nil
	}
	if length <= 0 {
		return lobBytes[1], nil
	}
	for _, size := range lobBytes {
		if int64(length)*width(charset) <= size {
			return size, nil
		}
	}
	return 0, unsupported(clause, "no type is that long")
}

// converted is a type after CONVERT TO CHARACTER SET: text takes the new one, and a TEXT grows when its characters may.
func converted(t schema.Type, to words) (schema.Type, error) {
	switch t := t.(type) {
	case schema.Text:
		if to.charset == "binary" {
			return nil, unsupported("CONVERT TO CHARACTER SET binary", "the columns become bytes")
		}
		if t.MaxBytes > 0 && width(t.Charset) < width(to.charset) {
			characters := t.MaxBytes / smallest(t.Charset)
			for _, size := range lobBytes {
				if size >= min(characters*width(to.charset), lobBytes[3]) {
					t.MaxBytes = size
					break
				}
			}
		}
		t.Charset, t.Collation = to.charset, to.collation
		return t, nil
	case schema.Enum:
		t.Charset, t.Collation = to.charset, to.collation
		return t, nil
	case schema.Set:
		t.Charset, t.Collation = to.charset, to.collation
		return t, nil
	}
	return t, nil
}

// smallest is the least bytes of a character.
func smallest(charset string) int64 {
	switch charset {
	case "ucs2", "utf16", "utf16le":
		return 2
	case "utf32":
		return 4
	}
	return 1
}
