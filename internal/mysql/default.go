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

// lostDefaults reads again the defaults that may hold characters beyond the basic plane: both catalogs speak utf8mb3 and print a question
// mark for each. The server itself knows the value.
func (in *inspection) lostDefaults(ctx context.Context) error {
	for _, t := range in.db.Tables {
		for _, c := range t.Columns {
			_, isText := c.Type.(schema.Text)
			if !isText || c.Default == nil || !strings.Contains(c.Default.Literal, "?") {
				continue
			}
			// A NOT NULL column shows its default in a real row only; without rows the question mark stays, and so may a wrong default.
			from := "(SELECT 1 AS one) AS none LEFT JOIN " + quote(t.Name) + " AS t ON FALSE"
			if !c.Nullable {
				from = quote(t.Name) + " AS t LIMIT 1"
			}
			var text sql.NullString
			err := in.e.db.QueryRowContext(ctx, "SELECT DEFAULT(t."+quote(c.Name)+") FROM "+from).Scan(&text)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("read the default of %s.%s: %w", t.Name, c.Name, err)
			}
			if text.Valid {
				c.Default.Literal = text.String
			}
		}
	}
	return nil
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
