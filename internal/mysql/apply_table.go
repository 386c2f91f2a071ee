package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// applyTable is a replica as this end applies to it.
type applyTable struct {
	replica *change.Replica
	name    string // quoted
	columns []applyColumn
	key     []int
	// whole says how a row is found without a key: the conditions joined by AND, and the column of each placeholder.
	whole      string
	wholeSlots []int
}

// applyColumn is a column and how its values are sent.
type applyColumn struct {
	*schema.Column
	codec    *change.Codec
	typ      wire.FieldType
	unsigned bool
	bits     bool
}

// plan looks the replicas' columns up in this end's own catalog.
func (s *applySession) plan(ctx context.Context, tables []*change.Replica) error {
	s.tables = map[*change.Replica]*applyTable{}
	var f change.Filter
	for _, t := range tables {
		f.Include = append(f.Include, escapePattern(t.Into.Table))
	}
	if len(f.Include) == 0 {
		return nil
	}
	db, err := s.e.Inspect(ctx, f)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if s.tables[t], err = s.e.planTable(db, t); err != nil {
			return fmt.Errorf("plan the way back of %s: %w", t.Into.Table, err)
		}
	}
	return nil
}

// escapePattern writes a name that path.Match takes literally.
func escapePattern(n schema.Name) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(string(n))
}

func (e *End) planTable(db *schema.Database, r *change.Replica) (*applyTable, error) {
	src := db.Table(r.Into.Table)
	if src == nil {
		return nil, fault.New(fault.Refused, "look the table up", fmt.Errorf("there is no table %q", r.Into.Table), "it is gone since it was copied")
	}
	if len(r.Into.Codecs) != len(r.Into.Columns) {
		return nil, fmt.Errorf("%d codecs for %d columns", len(r.Into.Codecs), len(r.Into.Columns))
	}
	t := &applyTable{replica: r, name: quote(src.Name), key: r.Key}
	for i, n := range r.Into.Columns {
		c := src.Column(n)
		if c == nil {
			return nil, fault.New(fault.Refused, "look the columns up", fmt.Errorf("there is no column %q", n), "it is gone since it was copied")
		}
		ac := applyColumn{Column: c, codec: &r.Into.Codecs[i]}
		if err := ac.plan(); err != nil {
			return nil, err
		}
		t.columns = append(t.columns, ac)
	}
	if len(t.key) == 0 {
		t.planWhole(e)
		return t, nil
	}
	if keyIndex(src, t.keyColumns()) == nil {
		return nil, fault.New(fault.Refused, "look the key up", errors.New("no unique index has exactly its columns"), "it is gone since the table was copied")
	}
	return t, nil
}

// plan chooses the protocol's type for a column's values.
func (c *applyColumn) plan() error {
	switch t := c.Type.(type) {
	case schema.Int:
		c.unsigned = t.Unsigned
		switch t.Bits {
		case 8:
			c.typ = wire.TypeTiny
		case 16:
			c.typ = wire.TypeShort
		case 24, 32:
			c.typ = wire.TypeLong
		default:
			c.typ = wire.TypeLongLong
		}
	case schema.Year:
		c.typ, c.unsigned = wire.TypeShort, true
	case schema.Bit: // as a number: a string of bytes would be compared as text
		c.typ, c.unsigned, c.bits = wire.TypeLongLong, true, true
	case schema.Float:
		c.typ = wire.TypeDouble
		if t.Bits == 32 {
			c.typ = wire.TypeFloat
		}
	case schema.Decimal:
		c.typ = wire.TypeNewDecimal
	case schema.Date:
		c.typ = wire.TypeDate
	case schema.DateTime, schema.Timestamp:
		c.typ = wire.TypeDatetime
	case schema.Time:
		c.typ = wire.TypeTime
	case schema.Text, schema.Enum, schema.Set, schema.JSON, schema.UUID, schema.Inet:
		c.typ = wire.TypeVarString
	case schema.Binary, schema.Geometry, schema.Vector:
		c.typ = wire.TypeBlob
	default:
		return fault.New(fault.Unsupported, "plan a column", fmt.Errorf("nothing is known of writing %q of type %s", c.Name, t.Kind()), "")
	}
	return nil
}

func (t *applyTable) keyColumns() []schema.Name {
	var names []schema.Name
	for _, i := range t.key {
		names = append(names, t.columns[i].Name)
	}
	return names
}

// keyIndex finds the primary key or a unique index that has exactly these columns, in any order.
func keyIndex(t *schema.Table, columns []schema.Name) *schema.Index {
	for _, ix := range append([]*schema.Index{t.PrimaryKey}, t.Indexes...) {
		if ix == nil || ix != t.PrimaryKey && !ix.Unique || len(ix.Parts) != len(columns) {
			continue
		}
		if !slices.ContainsFunc(ix.Parts, func(p schema.IndexPart) bool { return !slices.Contains(columns, p.Column) }) {
			return ix
		}
	}
	return nil
}

// planWhole writes the condition that finds a row by all of its values. A text is compared twice: under the column's own collation,
// which an index can serve, and byte by byte, so that of 'a' and 'A' the right one goes.
func (t *applyTable) planWhole(e *End) {
	var conds []string
	add := func(i int, cond string) {
		conds = append(conds, cond)
		t.wholeSlots = append(t.wholeSlots, i)
	}
	for i := range t.columns {
		c := &t.columns[i]
		name := quote(c.Name)
		switch ct := c.Type.(type) {
		case schema.Text:
			add(i, name+" <=> "+placeholder(ct))
			value := "?"
			if ct.Charset != "" {
				value = "CONVERT(? USING " + ct.Charset + ")"
			}
			add(i, "CAST("+name+" AS BINARY) <=> CAST("+value+" AS BINARY)")
		case schema.JSON:
			if e.server.dialect == schema.MySQL {
				add(i, name+" <=> CAST(? AS JSON)")
			} else {
				add(i, "CAST("+name+" AS BINARY) <=> CAST(? AS BINARY)")
			}
		default:
			add(i, name+" <=> ?")
		}
	}
	t.whole = strings.Join(conds, " AND ")
}

// deleteSQL names rows by key, or one row by all of its values. Both servers make a list of index lookups of a list of values and of
// ORs of equalities, but not always of (a, b) IN ((1, 2), ...).
func (t *applyTable) deleteSQL(rows int) string {
	if len(t.key) == 0 {
		return "DELETE FROM " + t.name + " WHERE " + t.whole + " LIMIT 1"
	}
	var b strings.Builder
	b.WriteString("DELETE FROM " + t.name + " WHERE ")
	if len(t.key) == 1 {
		c := &t.columns[t.key[0]]
		b.WriteString(quote(c.Name) + " IN (")
		repeat(&b, placeholder(c.keyType()), ",", rows)
		b.WriteString(")")
		return b.String()
	}
	var row strings.Builder
	for i, k := range t.key {
		c := &t.columns[k]
		if i > 0 {
			row.WriteString(" AND ")
		}
		row.WriteString(quote(c.Name) + "=" + placeholder(c.keyType()))
	}
	repeat(&b, "("+row.String()+")", " OR ", rows)
	return b.String()
}

// keyType is the column's type where a placeholder needs its character set; other parameters have the column's type already.
func (c *applyColumn) keyType() schema.Type {
	if t, ok := c.Type.(schema.Text); ok {
		return t
	}
	return schema.Int{}
}

func (t *applyTable) insertSQL(rows int) string {
	var b, row strings.Builder
	b.WriteString("INSERT INTO " + t.name + " (")
	for i := range t.columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(t.columns[i].Name))
	}
	b.WriteString(") VALUES ")
	row.WriteByte('(')
	repeat(&row, "?", ",", len(t.columns))
	row.WriteByte(')')
	repeat(&b, row.String(), ",", rows)
	return b.String()
}

func repeat(b *strings.Builder, s, sep string, n int) {
	for i := range n {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(s)
	}
}

// value returns what the binary protocol sends for a value of a batch, and the buffer that it may stand in; null is true for NULL.
func (c *applyColumn) value(b *change.Batch, s change.Span, scratch []byte) (v []byte, null bool, _ []byte, err error) {
	if s.Null() && c.codec.Null != nil {
		return c.codec.Null[4:], false, scratch, nil
	}
	if s.Null() {
		return nil, true, scratch, nil
	}
	src := b.Bytes(s)
	if c.codec.Verbatim {
		if c.codec.Check != nil {
			err = c.codec.Check(src)
		}
		return src, false, scratch, err
	}
	if scratch, err = c.codec.Append(scratch[:0], src); err != nil {
		return nil, false, scratch, err
	}
	if len(scratch) < 4 {
		return nil, false, scratch, fmt.Errorf("the codec of %q gave %d bytes", c.Name, len(scratch))
	}
	n := int32(binary.BigEndian.Uint32(scratch))
	if n < 0 {
		return nil, true, scratch, nil
	}
	if int(n) != len(scratch)-4 {
		return nil, false, scratch, fmt.Errorf("the codec of %q announced %d bytes and gave %d", c.Name, n, len(scratch)-4)
	}
	return scratch[4:], false, scratch, nil
}

// add appends a value to the arguments of a statement.
func (c *applyColumn) add(args *wire.Args, b *change.Batch, s change.Span, scratch []byte) ([]byte, error) {
	v, null, scratch, err := c.value(b, s, scratch)
	switch {
	case err != nil:
		return scratch, err
	case null && !c.Nullable:
		// The server would put the next number or the present time for some of these.
		return scratch, fmt.Errorf("column %q may not be NULL", c.Name)
	case null:
		args.Null(c.typ, c.unsigned)
		return scratch, nil
	case c.bits:
		if len(v) > 8 {
			return scratch, fmt.Errorf("column %q: %d bytes of bits", c.Name, len(v))
		}
		var wide [8]byte
		for i, x := range v {
			wide[len(v)-1-i] = x
		}
		v = wide[:]
	}
	if err := args.Add(c.typ, c.unsigned, v); err != nil {
		return scratch, fmt.Errorf("column %q: %w", c.Name, err)
	}
	return scratch, nil
}
