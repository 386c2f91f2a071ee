package convert

import (
	"encoding/binary"
	"fmt"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// Into returns where the table's rows are loaded, with codecs of their own: they turn MySQL's binary protocol values (change.Batch) into
// fields of PostgreSQL's COPY BINARY, as its *_recv functions read them. Accepted losses are counted in losses, and then the codecs belong to
// one lane; nil counts none, and any number of lanes may share them.
func (t *Table) Into(losses change.Losses) (*change.Into, error) {
	into := &change.Into{Table: t.Target.Name}
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Travels {
			continue
		}
		codec, err := c.codec(losses)
		if err != nil {
			return nil, fmt.Errorf("plan the codec of %s.%s: %w", c.table, c.Source.Name, err)
		}
		into.Columns = append(into.Columns, c.Target.Name)
		into.Codecs = append(into.Codecs, codec)
	}
	return into, nil
}

// field is what a codec knows of its column. Nothing in it changes but losses.
type field struct {
	column *Column
	losses change.Losses
}

// appendFunc appends one field, framing included.
type appendFunc = func(dst, src []byte) ([]byte, error)

func (c *Column) codec(losses change.Losses) (change.Codec, error) {
	f := &field{column: c, losses: losses}
	var fn appendFunc
	switch src := c.Source.Type.(type) {
	case schema.Int:
		fn = f.fromInt(src.Bits, src.Unsigned, c.Target.Type)
	case schema.Year:
		fn = f.fromInt(16, true, c.Target.Type)
	case schema.Bit:
		fn = f.fromBit(src.N, c.Target.Type)
	case schema.Decimal:
		fn = f.decimal
	case schema.Float:
		fn = f.fromFloat(src.Bits, c.Target.Type)
	case schema.Date:
		fn = f.date
	case schema.DateTime, schema.Timestamp:
		fn = f.dateTime
	case schema.Time:
		fn = f.time
		if _, ok := c.Target.Type.(schema.Interval); ok {
			fn = f.interval
		}
	default:
		return f.fromString()
	}
	if fn == nil {
		return change.Codec{}, f.noCodec()
	}
	return change.Codec{Append: fn}, nil
}

// fromString plans the codec for what the source sends as bytes or text.
func (f *field) fromString() (change.Codec, error) {
	_, fromText := f.column.Source.Type.(schema.Text)
	switch dst := f.column.Target.Type.(type) {
	case schema.Text:
		return f.text(), nil
	case schema.Enum:
		return change.Codec{Append: f.label}, nil
	case schema.JSON:
		return f.json(dst.Parsed), nil
	case schema.Binary:
		return change.Codec{Append: raw, Verbatim: true}, nil
	case schema.TextArray:
		return change.Codec{Append: f.array}, nil
	case schema.UUID:
		if _, ok := f.column.Source.Type.(schema.Binary); ok {
			return change.Codec{Append: f.uuidRaw}, nil
		}
		return change.Codec{Append: f.uuid}, nil
	case schema.Inet:
		if !fromText {
			return change.Codec{Append: f.inet}, nil
		}
	case schema.Geometry:
		return change.Codec{Append: f.geometry}, nil
	}
	return change.Codec{}, f.noCodec()
}

func (f *field) noCodec() error {
	return fmt.Errorf("no codec leads from %s to %s", spellSource(f.column.Source.Type), spell(f.column.Target.Type))
}

// refuse is the error for a value that contradicts the plan.
func (f *field) refuse(value, why string) error {
	return fault.New(fault.Data, fmt.Sprintf("convert %s.%s", f.column.table, f.column.Source.Name),
		fmt.Errorf("the value %s %s", shorten(value), why),
		"mend the value on the source, or name another type for the column and plan again")
}

// malformed is the error for bytes that the protocol does not allow.
func (f *field) malformed(src []byte) error {
	return f.refuse(fmt.Sprintf("0x%x", shortened(src)), "is not a "+spellSource(f.column.Source.Type)+" in the binary protocol")
}

// lose counts a loss that was accepted; otherwise it returns the error that stops the copy.
func (f *field) lose(code finding.Code, value string) error {
	c := f.column
	table, column := string(c.table), string(c.Source.Name)
	if !c.accepted[code] {
		return &change.LossError{Code: code, Table: table, Column: column, Value: shorten(value)}
	}
	if f.losses != nil {
		f.losses[change.LossKey{Code: code, Table: table, Column: column}]++
	}
	return nil
}

// maxShown is how many bytes of a value an error or a finding shows.
const maxShown = 64

func shortened(b []byte) []byte { return b[:min(len(b), maxShown)] }

func shorten(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "..."
	}
	return s
}

// put32 appends a length, a count or an OID.
func put32(dst []byte, n int) []byte { return binary.BigEndian.AppendUint32(dst, uint32(n)) }

// putNull appends a NULL field.
func putNull(dst []byte) []byte { return append(dst, 0xff, 0xff, 0xff, 0xff) }

// raw appends src as it is.
func raw(dst, src []byte) ([]byte, error) {
	return append(put32(dst, len(src)), src...), nil
}
