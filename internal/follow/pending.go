package follow

import (
	"fmt"

	"github.com/bascule/bascule/internal/change"
)

// none is the image of a slot whose row is gone.
const none = -1

// pending is what a step will do to one table. Every key that a change touched has a slot, which remembers the row's last image.
// Where a table has no key, a slot stands for a whole row and counts how many such rows are to be added.
type pending struct {
	table *Table
	used  bool
	// slots finds a key's slot in keys, whose row i is the key of slot i.
	slots *index
	keys  change.Batch
	// image is the row of images that slot i holds now, or none; without a key, how often the row is to be added.
	image  []int32
	images change.Batch
	// gone are the rows to delete from a table without a key.
	gone     change.Batch
	truncate bool

	spans []change.Span // scratch: the key of a row
	step  change.TableStep
}

func newPending(t *Table) *pending { return &pending{table: t, slots: newIndex()} }

func (p *pending) reset() {
	p.used, p.truncate = false, false
	p.slots.reset()
	p.image = p.image[:0]
	p.keys.Reset(len(p.table.key))
	width := len(p.table.Select.Columns)
	if len(p.table.key) == 0 {
		p.keys.Reset(width)
	}
	p.images.Reset(width)
	p.gone.Reset(width)
}

// add takes row i of the events' batches. It returns how many bytes the step grew by.
func (p *pending) add(op change.Op, before, after *change.Batch, i int) (int, error) {
	grew := p.size()
	switch op {
	case change.Insert:
		p.insert(after, i)
	case change.Delete:
		p.remove(before, i)
	case change.Update:
		p.remove(before, i)
		p.insert(after, i)
	case change.Truncate:
		p.reset()
		p.used, p.truncate = true, true
		return 0, nil
	default:
		return 0, fmt.Errorf("a change of kind %d of %s", op, p.table.Select.Table.Name)
	}
	return p.size() - grew, nil
}

func (p *pending) size() int { return len(p.images.Data) + len(p.keys.Data) + len(p.gone.Data) }

func (p *pending) insert(b *change.Batch, i int) {
	slot, spans := p.slot(b, i)
	if len(p.table.key) == 0 {
		p.image[slot]++
		return
	}
	p.image[slot] = int32(p.images.Rows)
	appendRow(&p.images, b.Data, spans)
}

func (p *pending) remove(b *change.Batch, i int) {
	if len(p.table.key) > 0 {
		slot, _ := p.slot(b, i)
		p.image[slot] = none
		return
	}
	// A row that this step adds need not be deleted again; the images are equal, so it does not matter which one goes.
	spans := b.Row(i)
	if slot := p.slots.find(&p.keys, b.Data, spans); slot >= 0 && p.image[slot] > 0 {
		p.image[slot]--
		return
	}
	appendRow(&p.gone, b.Data, spans)
}

// clearKey makes sure that the step leaves no row with a key, given by itself.
func (p *pending) clearKey(b *change.Batch, i int) {
	if key := b.Row(i); p.slots.find(&p.keys, b.Data, key) < 0 {
		appendRow(&p.keys, b.Data, key)
		p.slots.add(&p.keys)
		p.image = append(p.image, none)
	}
}

// slot returns the slot of row i of b, a new one when its key was not touched yet, and the spans of the whole row.
func (p *pending) slot(b *change.Batch, i int) (int, []change.Span) {
	row := b.Row(i)
	key := row
	if len(p.table.key) > 0 {
		p.spans = p.spans[:0]
		for _, k := range p.table.key {
			p.spans = append(p.spans, row[k])
		}
		key = p.spans
	}
	slot := p.slots.find(&p.keys, b.Data, key)
	if slot < 0 {
		slot = p.keys.Rows
		appendRow(&p.keys, b.Data, key)
		p.slots.add(&p.keys)
		first := int32(none)
		if len(p.table.key) == 0 {
			first = 0
		}
		p.image = append(p.image, first)
	}
	return slot, row
}

// finish turns what is pending into a step. It is valid until reset.
func (p *pending) finish() change.TableStep {
	s := &p.step
	s.Table, s.Truncate = p.table.Replica, p.truncate
	s.Insert.Reset(len(p.table.Select.Columns))
	if len(p.table.key) == 0 {
		s.Delete = p.gone
		s.Insert.Data = p.keys.Data
		for slot, n := range p.image {
			for range n {
				s.Insert.Spans = append(s.Insert.Spans, p.keys.Row(slot)...)
				s.Insert.Rows++
			}
		}
		return *s
	}
	s.Delete = p.keys
	s.Insert.Data = p.images.Data
	for _, row := range p.image {
		if row != none {
			s.Insert.Spans = append(s.Insert.Spans, p.images.Row(int(row))...)
			s.Insert.Rows++
		}
	}
	return *s
}

// appendRow copies values into a batch as its next row.
func appendRow(to *change.Batch, data []byte, spans []change.Span) {
	for _, s := range spans {
		if !s.Null() {
			off := uint32(len(to.Data))
			to.Data = append(to.Data, data[s.Off:s.Off+s.Len]...)
			s.Off = off
		} else {
			s.Off = 0
		}
		to.Spans = append(to.Spans, s)
	}
	to.Rows++
}
