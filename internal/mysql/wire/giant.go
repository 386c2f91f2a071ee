package wire

import "github.com/bascule/bascule/internal/change"

// giantSlack is what a giant row's buffer gets beyond the value that is known to be coming, for the values after it.
const giantSlack = 64 << 10

// completeRow reads the rest of the row whose first packet begins at dst.Data[pos], joins the row's packets in place, grows the
// buffer as far as the row needs, and ends the batch with it. Everything up to end is read and belongs to that packet: it is
// either longer than one read, or reaches beyond the buffer.
func (r *Rows) completeRow(pos, end int, dst *change.Batch) error {
	s := r.c.s
	data := dst.Data
	var head [headerSize]byte
	copy(head[:], data[pos:end])
	lo, hi := pos+headerSize, end // data[lo:hi] is the payload so far
	for start := lo; ; start = hi {
		if want := s.seq; !s.checkSeq(head[3]) {
			return protocolErrorf("packet number %d where %d was due", head[3], want)
		}
		size := getUint24(head[:])
		rest := size - (hi - start)
		var err error
		if data, err = r.growFor(data, lo, hi, rest, size == maxPacket); err != nil {
			return err
		}
		if err := s.readFull(data[hi : hi+rest]); err != nil {
			return err
		}
		hi += rest
		if size < maxPacket {
			break
		}
		if err := s.readFull(head[:]); err != nil {
			return err
		}
	}
	dst.Data = data[:hi]
	return r.take(data, lo, hi, dst)
}

// growFor makes room for rest more bytes after hi and, if more packets will follow, for what the row is known to need.
func (r *Rows) growFor(data []byte, lo, hi, rest int, more bool) ([]byte, error) {
	need := hi + rest
	if need-lo > r.c.s.maxPayload {
		return nil, protocolErrorf("row of more than %d bytes, the agreed limit", r.c.s.maxPayload)
	}
	if need <= cap(data) {
		return data[:cap(data)], nil
	}
	if more {
		hint := sizeHint(r.kinds, len(r.columns), data[lo:hi])
		if hint > r.c.s.maxPayload {
			return nil, protocolErrorf("row of at least %d bytes, the agreed limit is %d", hint, r.c.s.maxPayload)
		}
		need = max(need, lo+hint+giantSlack)
	}
	grown := make([]byte, need)
	copy(grown, data[:hi])
	return grown, nil
}
