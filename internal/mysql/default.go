package mysql

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// columnDefault reads a column's default. The dialects print them in different ways: MySQL prints a literal's bare text and marks
// expressions in EXTRA, MariaDB prints SQL. A nullable column without a default and one with DEFAULT NULL are the same to
// both, so both are nil.
func (in *inspection) columnDefault(r row, t schema.Type, extra string) (*schema.Default, error) {
	d := r["COLUMN_DEFAULT"]
	if !d.Valid {
		return nil, nil
	}
	if in.e.server.dialect == schema.MariaDB {
		return mariadbDefault(d.String)
	}
	return mysqlDefault(d.String, t, strings.Contains(extra, "default_generated"))
}

// mysqlDefault reads MySQL's form: an empty string is printed as nothing, 'null' as null, b'101' for BIT, 0x... for binary types, and since
// 8.0.13 expressions with DEFAULT_GENERATED, escaped. Before that, only CURRENT_TIMESTAMP is one.
func mysqlDefault(s string, t schema.Type, generated bool) (*schema.Default, error) {
	if generated {
		return &schema.Default{Expr: unescape(s)}, nil
	}
	switch t := t.(type) {
	case schema.DateTime, schema.Timestamp:
		if strings.HasPrefix(strings.ToUpper(s), "CURRENT_TIMESTAMP") {
			return &schema.Default{Expr: s}, nil
		}
	case schema.Bit:
		raw, ok, err := bitOrHex(s)
		if err != nil || !ok {
			return nil, fmt.Errorf("cannot read the default %q of a BIT column: %w", s, err)
		}
		return &schema.Default{Literal: raw}, nil
	case schema.Binary:
		raw, ok, err := bitOrHex(s)
		if err != nil {
			return nil, err
		}
		if !ok {
			raw = s
		}
		if missing := t.Length - len(raw); t.Fixed && missing > 0 {
			raw += strings.Repeat("\x00", missing) // as it is stored; the catalog drops the padding
		}
		return &schema.Default{Literal: raw}, nil
	}
	return &schema.Default{Literal: s}, nil
}

// mariadbDefault reads MariaDB's form, which is SQL: 'text', 12.5, NULL, b'101', current_timestamp(), (uuid()).
func mariadbDefault(s string) (*schema.Default, error) {
	if strings.EqualFold(s, "NULL") {
		return nil, nil
	}
	if text, after, ok := literal(s); ok && after == "" {
		return &schema.Default{Literal: text}, nil
	}
	if isNumber(s) {
		return &schema.Default{Literal: s}, nil
	}
	raw, ok, err := bitOrHex(s)
	if err != nil {
		return nil, err
	}
	if ok {
		return &schema.Default{Literal: raw}, nil
	}
	return &schema.Default{Expr: s}, nil
}

// lostDefaults reads again the defaults that the catalogs may have cut. Both speak utf8mb3 and print a question mark for each character
// beyond the basic plane; of bytes, MySQL prints those before the first 0x00, and MariaDB a question mark for each that is no
// text. The server itself knows the value.
func (in *inspection) lostDefaults(ctx context.Context) error {
	for _, t := range in.db.Tables {
		for _, c := range t.Columns {
			if !in.mayBeCut(c) {
				continue
			}
			text, ok, err := in.storedDefault(ctx, t, c)
			if err != nil {
				return fmt.Errorf("read the default of %s.%s: %w", t.Name, c.Name, err)
			}
			if ok {
				c.Default.Literal = text
				continue
			}
			// What cannot be read is no expression that anything could translate, so the plan drops it and says so: no default
			// is better than a wrong one.
			*c.Default = schema.Default{Expr: fmt.Sprintf("%q (cut by the catalog; it can be read once the table has a row)", c.Default.Literal)}
		}
	}
	return nil
}

// mayBeCut reports whether a column's literal default may be another one than the catalog prints.
func (in *inspection) mayBeCut(c *schema.Column) bool {
	if c.Default == nil || c.Default.Expr != "" {
		return false
	}
	mark := strings.Contains(c.Default.Literal, "?")
	switch t := c.Type.(type) {
	case schema.Text, schema.Enum, schema.Set:
		return mark
	case schema.Binary:
		return mark || in.e.server.dialect == schema.MySQL && (t.Fixed || len(c.Default.Literal) < t.Length)
	default:
		return false
	}
}

// storedDefault asks the server for a column's default, ok when it tells. The default of a NOT NULL column shows in a real row
// only; on MySQL, in the sums over an empty table too.
func (in *inspection) storedDefault(ctx context.Context, t *schema.Table, c *schema.Column) (text string, ok bool, err error) {
	value := "DEFAULT(t." + quote(c.Name) + ")"
	if _, bytes := c.Type.(schema.Binary); !bytes {
		value = "CONVERT(" + value + " USING utf8mb4)"
	}
	value = "HEX(" + value + ")"
	queries := []string{"SELECT " + value + " FROM (SELECT 1 AS one) AS none LEFT JOIN " + quote(t.Name) + " AS t ON FALSE"}
	if !c.Nullable {
		queries = []string{
			"SELECT " + value + " FROM " + quote(t.Name) + " AS t LIMIT 1",
			"SELECT " + value + " FROM " + quote(t.Name) + " AS t HAVING COUNT(*) = 0",
		}
	}
	for _, q := range queries {
		var digits sql.NullString
		switch err := in.e.db.QueryRowContext(ctx, q).Scan(&digits); {
		case errors.Is(err, sql.ErrNoRows):
			continue
		case err != nil:
			return "", false, err
		case !digits.Valid:
			continue
		}
		raw, err := hex.DecodeString(digits.String)
		return string(raw), err == nil, err
	}
	return "", false, nil
}

func isNumber(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return s != "" && strings.Trim(s, "0123456789.eE+-") == "" && strings.ContainsAny(s[:1], "0123456789.")
}

// bitOrHex reads b'101', 0x6162 or X'6162' into bytes, big-endian and as short as the text allows.
func bitOrHex(s string) (raw string, ok bool, err error) {
	low := strings.ToLower(s)
	switch {
	case strings.HasPrefix(low, "b'") && strings.HasSuffix(low, "'"):
		n, ok := new(big.Int).SetString("0"+low[2:len(low)-1], 2)
		if !ok {
			return "", false, fmt.Errorf("cannot read the bits %q", s)
		}
		if n.Sign() == 0 {
			return "\x00", true, nil
		}
		return string(n.Bytes()), true, nil
	case strings.HasPrefix(low, "x'") && strings.HasSuffix(low, "'"):
		low = low[2 : len(low)-1]
	case strings.HasPrefix(low, "0x"):
		low = low[2:]
	default:
		return "", false, nil
	}
	b, err := hex.DecodeString(low)
	if err != nil {
		return "", false, fmt.Errorf("cannot read the hex default %q: %w", s, err)
	}
	return string(b), true, nil
}
