package wire

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/bascule/bascule/internal/change"
)

// Rows are the rows of one statement, streamed. Not safe for concurrent use.
type Rows struct {
	c       *Conn
	columns []Column
	binary  bool
	kinds   []kind // for binary rows
	done    bool
	result  Result
	// part is the row of which a part was delivered, or nil.
	part *part
	// giant says that the last batch ended with a row beyond the limit. The next one may keep its buffer, since such rows come
	// together and buffers of that size should not be made for each.
	giant bool
}

const (
	// minBatch is the smallest buffer of a batch: a header and a few values must fit.
	minBatch = 4 << 10
	// maxBatch keeps a batch and one row within the offsets of a span.
	maxBatch = 1 << 30
)

// Columns describes the values of a row; empty for a statement without rows.
func (r *Rows) Columns() []Column { return r.columns }

// Binary reports whether values are in binary form, from a prepared statement, or text.
func (r *Rows) Binary() bool { return r.binary }

// Result is what the server reports at the end of the rows. It is zero before.
func (r *Rows) Result() Result { return r.result }

// ReadBatch replaces the contents of dst by the next rows, at least one and as many as fit limit bytes together with their
// framing; a first row that is larger comes alone. It returns io.EOF, and an empty batch, when there are no more.
//
// The socket is read straight into dst.Data, which is allocated only when it is too small. It grows beyond the limit for one
// giant row, to what that row needs, and shrinks again in the batch after the next one that has none. The batch stays valid until it is passed to
// ReadBatch again; different batches may be used in turn.
//
// On any error dst is empty, and rows that were read in this call are not delivered. After a [*ServerError] the connection is
// usable, after any other it is closed.
func (r *Rows) ReadBatch(ctx context.Context, limit int, dst *change.Batch) error {
	return r.read(ctx, limit, dst, false)
}

func (r *Rows) read(ctx context.Context, limit int, dst *change.Batch, parts bool) error {
	dst.Reset(len(r.columns))
	if r.done {
		return io.EOF
	}
	c := r.c
	if c.closed || c.rows != r {
		return &ConnError{Op: "read rows on " + c.name, Err: ErrClosed, sent: true}
	}
	err := c.run(ctx, "read rows on "+c.name, func() error {
		return r.fill(min(max(limit, minBatch), maxBatch), dst, parts)
	})
	if r.done {
		c.rows = nil
	}
	if err != nil {
		dst.Reset(len(r.columns))
		return err
	}
	if r.done && dst.Rows == 0 {
		return io.EOF
	}
	return nil
}

// Close reads the rest of the rows and drops them. To stop early in a long result, close the connection instead.
func (r *Rows) Close(ctx context.Context) error {
	if r.done || r.c.closed {
		return nil
	}
	var b change.Batch
	for {
		if err := r.ReadParts(ctx, readChunk, &b); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// fill reads packets until the batch is full or the rows end. With parts a row that does not fit is begun, otherwise completed.
func (r *Rows) fill(limit int, dst *change.Batch, parts bool) error {
	data := dst.Data
	if cap(data) < limit || cap(data) > 2*limit && !r.giant {
		data = make([]byte, limit)
	}
	data, r.giant = data[:limit], false
	if r.part != nil {
		return r.fillPart(data, dst)
	}
	pos, end := 0, 0 // data[pos:end] is read and not yet split
	for {
		next, giant, err := r.split(data, pos, end, dst)
		if err != nil {
			return err
		}
		pos = next
		switch {
		case r.done:
			// What follows the end of a result was not asked for; the next request finds it.
			r.c.s.unread(data[pos:end])
			dst.Data = data[:pos]
			return nil
		case giant || end == len(data) && (dst.Rows == 0 || end-pos > readChunk):
			if parts && (end-pos == headerSize || data[pos+headerSize] == headOK) {
				return r.beginPart(data, pos, end, dst)
			}
			dst.Data = data
			err := r.completeRow(pos, end, dst)
			r.giant = len(dst.Data) > 2*limit
			return err
		case end == len(data):
			r.c.s.unread(data[pos:end])
			dst.Data = data[:pos]
			return nil
		}
		n, err := r.c.s.readSome(data[end:min(end+readChunk, len(data))])
		if err != nil {
			return err
		}
		end += n
	}
}

// split takes the complete packets of data[pos:end] and returns where the first incomplete one begins, and whether that is a
// payload of several packets.
func (r *Rows) split(data []byte, pos, end int, dst *change.Batch) (next int, giant bool, err error) {
	s := r.c.s
	for end-pos >= headerSize {
		n := getUint24(data[pos:])
		if n == maxPacket {
			return pos, true, nil
		}
		lo, hi := pos+headerSize, pos+headerSize+n
		if hi > end {
			return pos, false, nil
		}
		if want := s.seq; !s.checkSeq(data[pos+3]) {
			return 0, false, protocolErrorf("packet number %d where %d was due", data[pos+3], want)
		}
		pos = hi
		if err := r.take(data, lo, hi, dst); err != nil || r.done {
			return pos, false, err
		}
	}
	return pos, false, nil
}

// take splits the row in data[lo:hi], or ends the rows.
func (r *Rows) take(data []byte, lo, hi int, dst *change.Batch) error {
	if lo == hi {
		return protocolErrorf("empty packet where a row was due")
	}
	head := data[lo]
	if head == headERR {
		r.done = true
		return parseERR(data[lo:hi])
	}
	// A text row can begin with 0xfe too, if its first value has 16 MiB or more.
	if head == headEOF && hi-lo < maxPacket {
		return r.finish(data[lo:hi])
	}
	if r.binary && head != headOK {
		return protocolErrorf("packet of kind %#x where a row was due", head)
	}
	at := len(dst.Spans)
	dst.Spans = slices.Grow(dst.Spans, len(r.columns))[:at+len(r.columns)]
	var err error
	if r.binary {
		err = splitBinary(r.kinds, data, lo, hi, dst.Spans[at:])
	} else {
		err = splitText(data, lo, hi, dst.Spans[at:])
	}
	dst.Rows++
	return err
}

// finish decodes the packet after the last row.
func (r *Rows) finish(p []byte) error {
	res, err := parseEOF(p, r.c.caps)
	if err != nil {
		return err
	}
	if res.Status&StatusMoreResults != 0 {
		return protocolErrorf("the server announces a second result, which was not asked for")
	}
	r.done, r.result, r.c.status = true, res, res.Status
	return nil
}
