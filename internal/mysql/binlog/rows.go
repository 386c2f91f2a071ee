package binlog

import (
	"fmt"
	"math"
	"slices"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// batchBytes is what the rows of one Event have together, unless one row has more.
const batchBytes = 1 << 20

// rowReader reads the rows of one event.
type rowReader struct {
	h       header
	t       *table // nil: not open
	op      change.Op
	old     image
	new     image
	rest    []byte
	limit   int // bytes of values after which an Event ends
	noKeys  bool
	cascade bool
}

// image says which columns an image has: nil bits are all.
type image struct {
	bits  []byte
	count int
}

func (r *rowReader) open() bool { return r.t != nil }

func (r *rowReader) close() { r.t, r.rest = nil, nil }

// rowsEvent opens a row event: the table's number 6, flags 2, in version 2 a field of its own length 2, then how many columns, which ones
// are in the images, one bit each (two such fields for an update), and the rows, which MariaDB may have compressed.
func (d *Decoder) rowsEvent(h header, body []byte, op change.Op, packed bool) error {
	const (
		dummy          = 1<<24 - 1 // the number of no table: the end of a statement, without rows
		noForeignKeys  = 1 << 1
		sqlForeignKeys = 1 << 4
	)
	c := cursor{b: body}
	id, flags := c.little(d.idSize(h.typ)), c.u16()
	if h.typ == typeWriteRows || h.typ == typeUpdateRows || h.typ == typeDeleteRows || h.typ >= typeMariaWriteRows {
		c.take(int(c.u16()) - 2)
	}
	n := c.length()
	old := image{bits: c.take((n + 7) / 8)}
	after := old
	if op == change.Update {
		after = image{bits: c.take((n + 7) / 8)}
	}
	if c.bad {
		return damaged(h, errShort)
	}
	if id == dummy && len(c.b) == 0 {
		return nil
	}
	t := d.tables[id]
	if t == nil || t.generation != d.generation {
		return damaged(h, fmt.Errorf("no TABLE_MAP in its transaction gives table number %d a name", id))
	}
	if t.layout == nil {
		return nil
	}
	if t.layout.Bare {
		d.rows.h, d.rows.t, d.rows.op, d.rows.rest = h, t, op, nil
		d.begin(KindRows, h)
		return nil
	}
	if n != len(t.columns) {
		return damaged(h, fmt.Errorf("it has %d columns, its TABLE_MAP %d", n, len(t.columns)))
	}
	for _, i := range []*image{&old, &after} {
		if err := i.check(t); err != nil {
			return fault.New(fault.Unsupported, h.op(), err, "SET GLOBAL binlog_row_image = FULL, end the sessions that have another one, and copy again")
		}
	}
	rest := c.b
	if packed {
		var err error
		if rest, err = d.inflate.record(rest); err != nil {
			return damaged(h, err)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	d.rows.h, d.rows.t, d.rows.op, d.rows.old, d.rows.new, d.rows.rest = h, t, op, old, after, rest
	d.rows.noKeys, d.rows.cascade = flags&noForeignKeys != 0, !d.o.MariaDB && flags&sqlForeignKeys != 0
	d.begin(KindRows, h)
	return nil
}

// check refuses an image without a column that travels.
func (i *image) check(t *table) error {
	for k := range t.columns {
		if i.bits[k>>3]>>(k&7)&1 != 0 {
			i.count++
		} else if t.columns[k].to >= 0 {
			return fmt.Errorf("its images lack column %s of %s", t.columns[k].name, t.name())
		}
	}
	if i.count == len(t.columns) {
		i.bits = nil
	}
	return nil
}

// read fills e with the next rows.
func (r *rowReader) read(e *RowsEvent) error {
	t := r.t
	e.Layout, e.Op, e.NoForeignKeyChecks, e.CascadesLogged = t.layout, r.op, r.noKeys, r.cascade
	e.Old.Reset(0)
	e.New.Reset(0)
	if r.op != change.Insert {
		e.Old.Reset(t.width)
	}
	if r.op != change.Delete {
		e.New.Reset(t.width)
	}
	const spanBytes = 8
	for len(r.rest) > 0 && len(e.Old.Data)+len(e.New.Data)+spanBytes*(len(e.Old.Spans)+len(e.New.Spans)) < r.limit {
		var err error
		if r.op != change.Insert {
			if r.rest, err = t.row(&e.Old, r.rest, r.old); err != nil {
				return err
			}
		}
		if r.op != change.Delete {
			if r.rest, err = t.row(&e.New, r.rest, r.new); err != nil {
				return err
			}
		}
	}
	if len(r.rest) == 0 {
		r.close()
	}
	return nil
}

// row appends one row of src to b and returns what follows it: one bit for each column of the image that says whether it is
// NULL, then the values of those that are not.
func (t *table) row(b *change.Batch, src []byte, im image) ([]byte, error) {
	n := (im.count + 7) / 8
	if n == 0 || len(src) < n {
		return nil, errShort
	}
	nulls, src := src[:n], src[n:]
	base := len(b.Spans)
	b.Spans = slices.Grow(b.Spans, t.width)[:base+t.width]
	spans, data, bit := b.Spans[base:], b.Data, uint(0)
	for i := range t.columns {
		c := &t.columns[i]
		if im.bits != nil && im.bits[i>>3]>>(i&7)&1 == 0 {
			continue
		}
		null := nulls[bit>>3]>>(bit&7)&1 != 0
		bit++
		if null {
			if c.to >= 0 {
				spans[c.to] = change.Span{Len: change.NullLen}
			}
			continue
		}
		size := c.size
		if c.prefix > 0 {
			if len(src) < c.prefix {
				return nil, errShort
			}
			size = int(src[0])
			for k := 1; k < c.prefix; k++ {
				size |= int(src[k]) << (8 * k)
			}
			src = src[c.prefix:]
		}
		if size > len(src) {
			return nil, errShort
		}
		value := src[:size]
		src = src[size:]
		if c.to < 0 {
			continue
		}
		off := len(data)
		if c.value == nil {
			data = append(data, value...)
		} else {
			var err error
			if data, err = c.value(data, value); err != nil {
				return nil, fmt.Errorf("column %s of %s: %w", c.name, t.name(), err)
			}
		}
		if len(data) >= math.MaxUint32 {
			return nil, fmt.Errorf("the values of a row of %s have more than 4 GiB", t.name())
		}
		spans[c.to] = change.Span{Off: uint32(off), Len: uint32(len(data) - off)}
	}
	b.Data = data
	b.Rows++
	return src, nil
}
