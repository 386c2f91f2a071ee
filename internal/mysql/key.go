package mysql

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// A keyPart is one column of a chunking key: how to compare it so that the server scans a range of the index, and how its
// values go between the binary protocol and the text of a change.Key.
type keyPart struct {
	column *schema.Column
	sql    string // the column, quoted
	desc   bool
	// value is the placeholder: cast to the column's own type where a bare parameter would be compared in another one
	// (a string with a DECIMAL as doubles) or under another collation.
	value string
}

// keyParts plans the key of a selection. The order of an index part comes from the index itself.
func keyParts(s *change.Select) []keyPart {
	ix := findIndex(s)
	parts := make([]keyPart, len(s.Key))
	for i, c := range s.Key {
		parts[i] = keyPart{column: c, sql: quote(c.Name), value: placeholder(c.Type)}
		if ix != nil && i < len(ix.Parts) {
			parts[i].desc = ix.Parts[i].Desc
		}
	}
	return parts
}

func findIndex(s *change.Select) *schema.Index {
	if pk := s.Table.PrimaryKey; pk != nil && pk.Name == s.Index {
		return pk
	}
	for _, ix := range s.Table.Indexes {
		if ix.Name == s.Index {
			return ix
		}
	}
	return nil
}

func placeholder(t schema.Type) string {
	switch t := t.(type) {
	case schema.Decimal:
		return fmt.Sprintf("CAST(? AS DECIMAL(%d,%d))", t.Precision, t.Scale)
	case schema.Date:
		return "CAST(? AS DATE)"
	case schema.DateTime, schema.Timestamp:
		return "CAST(? AS DATETIME(6))"
	case schema.Time:
		return "CAST(? AS TIME(6))"
	case schema.Text:
		if t.Charset != "" && t.Collation != "" {
			return "CONVERT(? USING " + t.Charset + ") COLLATE " + t.Collation
		}
	}
	return "?"
}

// condition accumulates SQL and its arguments.
type condition struct {
	sql  strings.Builder
	args []wire.Param
}

// bounds adds WHERE and the conditions of a range, or nothing for the whole table.
func (c *condition) bounds(parts []keyPart, r change.Range) error {
	if r.Only != nil {
		return c.only(parts, r.Only)
	}
	word := " WHERE "
	for _, b := range []struct {
		key   change.Key
		upper bool
	}{{r.After, false}, {r.UpTo, true}} {
		if b.key == nil {
			continue
		}
		if len(b.key) == 0 || len(b.key) > len(parts) {
			return fmt.Errorf("a key of %d values for %d columns", len(b.key), len(parts))
		}
		c.sql.WriteString(word)
		word = " AND "
		if err := c.bound(parts, b.key, b.upper); err != nil {
			return err
		}
	}
	return nil
}

// only adds the condition for some keys.
func (c *condition) only(parts []keyPart, keys *change.Batch) error {
	if keys.Rows == 0 || len(parts) == 0 || keys.Columns != len(parts) {
		return fmt.Errorf("%d keys of %d values for %d columns", keys.Rows, keys.Columns, len(parts))
	}
	columns, names, values, all := make([]*schema.Column, len(parts)), make([]string, len(parts)), make([]string, len(parts)), make([]int, len(parts))
	for i, p := range parts {
		columns[i], names[i], values[i], all[i] = p.column, p.sql, p.value, i
	}
	tuple := "(" + strings.Join(values, ", ") + ")"
	c.sql.WriteString(" WHERE (" + strings.Join(names, ", ") + ") IN (")
	for row := range keys.Rows {
		k, err := rowKey(columns, keys, row, all)
		if err != nil {
			return err
		}
		if row > 0 {
			c.sql.WriteString(", ")
		}
		c.sql.WriteString(tuple)
		for i, text := range k {
			arg, err := keyParam(columns[i], text)
			if err != nil {
				return err
			}
			c.args = append(c.args, arg)
		}
	}
	c.sql.WriteString(")")
	return nil
}

// bound adds one end of a range in expanded form, (a > ?) OR (a = ? AND b > ?): MySQL makes a range scan of that and not of
// (a, b) > (?, ?). An upper end is inclusive. A key shorter than the columns bounds their first ones.
func (c *condition) bound(parts []keyPart, k change.Key, upper bool) error {
	c.sql.WriteByte('(')
	for i := range k {
		if i > 0 {
			c.sql.WriteString(" OR ")
		}
		c.sql.WriteByte('(')
		for j := range i {
			if err := c.compare(&parts[j], "=", k[j]); err != nil {
				return err
			}
			c.sql.WriteString(" AND ")
		}
		op := ">"
		if upper != parts[i].desc {
			op = "<"
		}
		if upper && i == len(k)-1 {
			op += "="
		}
		if err := c.compare(&parts[i], op, k[i]); err != nil {
			return err
		}
		c.sql.WriteByte(')')
	}
	c.sql.WriteByte(')')
	return nil
}

// compare adds "column op value".
func (c *condition) compare(p *keyPart, op string, text []byte) error {
	if t, ok := p.column.Type.(schema.Enum); ok {
		return c.compareEnum(p, op, t.Members, text)
	}
	arg, err := keyParam(p.column, text)
	if err != nil {
		return err
	}
	c.sql.WriteString(p.sql + " " + op + " " + p.value)
	c.args = append(c.args, arg)
	return nil
}

// compareEnum compares by ordinal, which is the order of the index. Only equality with ordinals makes a range scan, so an inequality
// becomes a list.
func (c *condition) compareEnum(p *keyPart, op string, members []string, text []byte) error {
	at, err := ordinal(p.column, members, text)
	if err != nil {
		return err
	}
	lo, hi := at, at
	switch op {
	case ">":
		lo, hi = at+1, len(members)
	case ">=":
		hi = len(members)
	case "<":
		lo, hi = 0, at-1
	case "<=":
		lo = 0
	}
	if lo > hi {
		c.sql.WriteString("FALSE")
		return nil
	}
	c.sql.WriteString(p.sql + " IN (")
	for i := lo; i <= hi; i++ {
		if i > lo {
			c.sql.WriteByte(',')
		}
		c.sql.WriteString(strconv.Itoa(i))
	}
	if lo == hi {
		// A list of one is an equality, for which both servers drop the column from ORDER BY and then sort; with an ordinal that
		// no member has it is none.
		c.sql.WriteString("," + strconv.Itoa(len(members)+1))
	}
	c.sql.WriteByte(')')
	return nil
}

// ordinal returns the index of a label; the empty text is 0, the invalid value, unless a member is called so.
func ordinal(c *schema.Column, members []string, text []byte) (int, error) {
	for i, m := range members {
		if m == string(text) {
			return i + 1, nil
		}
	}
	if len(text) == 0 {
		return 0, nil
	}
	return 0, fmt.Errorf("column %q: %q is no member", c.Name, text)
}

// keyParam turns a key's text into a parameter.
func keyParam(c *schema.Column, text []byte) (wire.Param, error) {
	var err error
	switch t := c.Type.(type) {
	case schema.Int:
		if t.Unsigned {
			var v uint64
			v, err = strconv.ParseUint(string(text), 10, 64)
			return wire.Uint64(v), err
		}
		var v int64
		v, err = strconv.ParseInt(string(text), 10, 64)
		return wire.Int64(v), err
	case schema.Year, schema.Bit:
		var v uint64
		v, err = strconv.ParseUint(string(text), 10, 64)
		return wire.Uint64(v), err
	case schema.Float:
		var v float64
		v, err = strconv.ParseFloat(string(text), 64)
		return wire.Float64(v), err
	case schema.Set:
		var mask uint64
		for label := range strings.SplitSeq(string(text), ",") {
			i, err := ordinal(c, t.Members, []byte(label))
			if err != nil {
				return wire.Null(), err
			}
			if i > 0 {
				mask |= 1 << (i - 1)
			}
		}
		return wire.Uint64(mask), nil
	case schema.Binary:
		return wire.Bytes(text), nil
	}
	return wire.String(string(text)), nil
}

// keyText appends the text of a value that came over the binary protocol.
func keyText(dst []byte, c *schema.Column, v []byte) ([]byte, error) {
	switch t := c.Type.(type) {
	case schema.Int, schema.Year:
		u, bits, err := littleEndian(v)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		if it, ok := t.(schema.Int); ok && !it.Unsigned {
			return strconv.AppendInt(dst, int64(u<<(64-bits))>>(64-bits), 10), nil
		}
		return strconv.AppendUint(dst, u, 10), nil
	case schema.Bit:
		var u uint64
		for _, b := range v {
			u = u<<8 | uint64(b)
		}
		return strconv.AppendUint(dst, u, 10), nil
	case schema.Float:
		switch len(v) {
		case 4:
			f := math.Float32frombits(binary.LittleEndian.Uint32(v))
			return strconv.AppendFloat(dst, float64(f), 'g', -1, 64), nil
		case 8:
			return strconv.AppendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(v)), 'g', -1, 64), nil
		}
		return nil, fmt.Errorf("column %q: a float of %d bytes", c.Name, len(v))
	case schema.Date:
		return appendDate(dst, v)
	case schema.DateTime, schema.Timestamp:
		return appendDateTime(dst, v)
	case schema.Time:
		return appendTime(dst, v)
	}
	return append(dst, v...), nil
}

func littleEndian(v []byte) (u uint64, bits uint, err error) {
	switch len(v) {
	case 1:
		return uint64(v[0]), 8, nil
	case 2:
		return uint64(binary.LittleEndian.Uint16(v)), 16, nil
	case 4:
		return uint64(binary.LittleEndian.Uint32(v)), 32, nil
	case 8:
		return binary.LittleEndian.Uint64(v), 64, nil
	}
	return 0, 0, fmt.Errorf("an integer of %d bytes", len(v))
}

func appendDate(dst, v []byte) ([]byte, error) {
	switch len(v) {
	case 0:
		return append(dst, "0000-00-00"...), nil
	case 4, 7, 11:
		return fmt.Appendf(dst, "%04d-%02d-%02d", binary.LittleEndian.Uint16(v), v[2], v[3]), nil
	}
	return nil, fmt.Errorf("a date of %d bytes", len(v))
}

func appendDateTime(dst, v []byte) ([]byte, error) {
	dst, err := appendDate(dst, v)
	switch {
	case err != nil:
		return nil, err
	case len(v) < 7:
		return append(dst, " 00:00:00.000000"...), nil
	}
	var micros uint32
	if len(v) == 11 {
		micros = binary.LittleEndian.Uint32(v[7:])
	}
	return fmt.Appendf(dst, " %02d:%02d:%02d.%06d", v[4], v[5], v[6], micros), nil
}

func appendTime(dst, v []byte) ([]byte, error) {
	if len(v) == 0 {
		return append(dst, "00:00:00.000000"...), nil
	}
	if len(v) != 8 && len(v) != 12 {
		return nil, fmt.Errorf("a time of %d bytes", len(v))
	}
	if v[0] != 0 {
		dst = append(dst, '-')
	}
	var micros uint32
	if len(v) == 12 {
		micros = binary.LittleEndian.Uint32(v[8:])
	}
	hours := binary.LittleEndian.Uint32(v[1:])*24 + uint32(v[5])
	return fmt.Appendf(dst, "%02d:%02d:%02d.%06d", hours, v[6], v[7], micros), nil
}
