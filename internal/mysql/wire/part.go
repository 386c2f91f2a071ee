package wire

import (
	"context"

	"github.com/bascule/bascule/internal/change"
)

// A part is a row that is being delivered over several batches: how far it was taken, and where its next byte comes from.
type part struct {
	bits  []byte // NULL bits, of which the first two stand for no column
	col   int    // the column whose value comes next, or is being delivered
	known bool   // rest holds the bytes of that value which are still to come
	begun bool   // its beginning was delivered
	rest  int

	left int    // bytes of the current packet that are still to come
	more bool   // another packet of the row follows it
	held []byte // bytes that were read already and come before the socket's; they stand in the batch that is being filled
	put  int    // where the next value goes in that batch, never behind held
}

// directRead is from where a value is read past the connection's buffer, in which short values and lengths gather.
const directRead = 16 << 10

// ReadParts is ReadBatch without batches beyond the limit: a row that does not fit comes over several batches, as
// [change.Batch] says. Values in text form come in whole rows all the same.
func (r *Rows) ReadParts(ctx context.Context, limit int, dst *change.Batch) error {
	return r.read(ctx, limit, dst, r.binary)
}

// beginPart starts to deliver the row whose first packet begins at data[pos]. Everything up to end was read and belongs to that
// packet, as in completeRow.
func (r *Rows) beginPart(data []byte, pos, end int, dst *change.Batch) error {
	s := r.c.s
	r.part = &part{more: true, held: data[pos:end], put: pos, bits: make([]byte, (len(r.kinds)+9)/8)}
	if err := r.part.nextPacket(s); err != nil {
		return err
	}
	var head [1]byte
	if err := r.part.read(s, head[:]); err != nil {
		return err
	}
	if head[0] != headOK {
		return protocolErrorf("packet of kind %#x where a row was due", head[0])
	}
	if err := r.part.read(s, r.part.bits); err != nil {
		return err
	}
	return r.fillPart(data, dst)
}

// fillPart delivers what comes next of the row, up to its end or the end of data. Only a value that is longer than one read,
// or than data, is cut.
func (r *Rows) fillPart(data []byte, dst *change.Batch) error {
	t, s := r.part, r.c.s
	for t.col < len(r.kinds) {
		if !t.known {
			null, err := t.nextValue(s, r.kinds[t.col])
			if err != nil {
				return err
			}
			if null {
				dst.Spans = append(dst.Spans, change.Span{Len: change.NullLen})
				t.col++
				continue
			}
		}
		n := min(t.rest, len(data)-t.put)
		if n < t.rest && (n == 0 || !t.begun && t.rest <= min(readChunk, len(data))) {
			r.endPart(data, dst) // the batch is full
			return nil
		}
		if err := t.read(s, data[t.put:t.put+n]); err != nil {
			return err
		}
		if t.begun {
			dst.Lead = n
		} else {
			dst.Spans = append(dst.Spans, change.Span{Off: uint32(t.put), Len: uint32(n)})
		}
		t.put, t.rest = t.put+n, t.rest-n
		if t.rest > 0 {
			t.begun, dst.Open = true, t.rest
			r.endPart(data, dst)
			return nil
		}
		t.known, t.begun = false, false
		t.col++
	}
	// A payload that fills its last packet is followed by an empty one.
	for t.left == 0 && t.more {
		if err := t.nextPacket(s); err != nil {
			return err
		}
	}
	if t.left > 0 {
		return protocolErrorf("%d bytes after the last value of a row", t.left)
	}
	dst.Rows++
	r.endPart(data, dst)
	r.part = nil
	return nil
}

// endPart ends the batch. What was read and not delivered goes back to the connection: less than the value that did not fit.
func (r *Rows) endPart(data []byte, dst *change.Batch) {
	t := r.part
	r.c.s.unread(t.held)
	dst.Data = data[:t.put]
	t.held, t.put = nil, 0
}

// nextValue finds out how long the next value is.
func (t *part) nextValue(s *stream, k kind) (null bool, err error) {
	if bit := t.col + 2; t.bits[bit/8]>>(bit%8)&1 != 0 {
		return true, nil
	}
	t.known, t.rest = true, int(k)
	if k <= kindFixed {
		return false, nil
	}
	var b [9]byte
	if err := t.read(s, b[:1]); err != nil {
		return false, err
	}
	t.rest = int(b[0])
	if k != kindString {
		if !timeLength(k, t.rest) {
			return false, protocolErrorf("%d bytes in a date or time", t.rest)
		}
		return false, nil
	}
	if b[0] < 0xfb {
		return false, nil
	}
	more := map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[b[0]]
	if err := t.read(s, b[1:1+more]); err != nil {
		return false, err
	}
	var ok bool
	if t.rest, _, ok = longLength(b[1:1+more], 0, b[0]); !ok {
		return false, errShortRow
	}
	if t.rest > s.maxPayload {
		return false, protocolErrorf("value of %d bytes, the agreed limit is %d", t.rest, s.maxPayload)
	}
	return false, nil
}

// read fills p with the next bytes of the row, across its packets.
func (t *part) read(s *stream, p []byte) error {
	for len(p) > 0 {
		if t.left == 0 {
			if err := t.nextPacket(s); err != nil {
				return err
			}
			continue
		}
		n, err := t.raw(s, p[:min(len(p), t.left)])
		if err != nil {
			return err
		}
		t.left -= n
		p = p[n:]
	}
	return nil
}

// nextPacket reads the header of the row's next packet.
func (t *part) nextPacket(s *stream) error {
	if !t.more {
		return errShortRow
	}
	var head [headerSize]byte
	for b := head[:]; len(b) > 0; {
		n, err := t.raw(s, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	if want := s.seq; !s.checkSeq(head[3]) {
		return protocolErrorf("packet number %d where %d was due", head[3], want)
	}
	t.left = getUint24(head[:])
	t.more = t.left == maxPacket
	return nil
}

// raw fills a part of p, at least one byte of it.
func (t *part) raw(s *stream, p []byte) (int, error) {
	if len(t.held) > 0 {
		n := copy(p, t.held) // p may reach into held, from below
		t.held = t.held[n:]
		return n, nil
	}
	if len(p) < directRead {
		if err := s.fill(len(p)); err != nil {
			return 0, err
		}
	}
	return s.readSome(p)
}
