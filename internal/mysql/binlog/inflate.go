package binlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
)

// inflater expands what MariaDB compresses: statements and rows (log_bin_compress), and COMPRESSED columns.
type inflater struct {
	src  bytes.Reader
	zlib io.ReadCloser
	raw  io.ReadCloser
	buf  []byte
}

var errExpanded = errors.New("what is compressed expands to another length than it says")

// record expands a statement or rows: one byte whose bit 7 is set, bits 4 to 6 are the algorithm (0: zlib) and the lowest three tell
// how long the length is, the length, big-endian, zlib. The result is valid until the next call.
func (f *inflater) record(p []byte) ([]byte, error) {
	c := cursor{b: p}
	head := c.u8()
	if head&0x80 == 0 || head&0x70 != 0 {
		return nil, fmt.Errorf("compression header %#x is not known", head)
	}
	n := head & 7
	size := big(c.take(int(n)))
	if c.bad || n == 0 || n > 4 {
		return nil, errShort
	}
	if cap(f.buf) > 4*pieceBytes {
		f.buf = nil
	}
	var err error
	f.buf, err = f.expand(f.buf[:0], c.b, int(size), false)
	return f.buf, err
}

// column appends the value of a COMPRESSED column: nothing for an empty one, else one byte whose upper half is the algorithm (0: none, 8:
// deflate), bit 3 says that deflate comes without zlib's frame, and the lowest three tell how long the length is, the length, big-endian, data.
func (f *inflater) column(dst, p []byte) ([]byte, error) {
	if len(p) == 0 {
		return dst, nil
	}
	c := cursor{b: p}
	head := c.u8()
	switch head >> 4 {
	case 0:
		return append(dst, c.b...), nil
	case 8:
		n := head & 7
		size := big(c.take(int(n)))
		if c.bad || n == 0 || n > 4 {
			return dst, errShort
		}
		return f.expand(dst, c.b, int(size), head&8 != 0)
	}
	return dst, fmt.Errorf("column compression %#x is not known", head)
}

// expand appends the size bytes that packed expands to.
func (f *inflater) expand(dst, packed []byte, size int, raw bool) ([]byte, error) {
	f.src.Reset(packed)
	r, err := f.reader(raw)
	if err != nil {
		return dst, err
	}
	dst, err = readSized(dst, r, size)
	if err != nil {
		return dst, fmt.Errorf("expand: %w", err)
	}
	var one [1]byte
	if n, err := io.ReadFull(r, one[:]); n != 0 || !errors.Is(err, io.EOF) {
		return dst, errExpanded
	}
	return dst, nil
}

// reader returns the reader of f.src, made once per format.
func (f *inflater) reader(raw bool) (io.Reader, error) {
	if raw {
		if f.raw == nil {
			f.raw = flate.NewReader(&f.src)
			return f.raw, nil
		}
		return f.raw, f.raw.(flate.Resetter).Reset(&f.src, nil)
	}
	if f.zlib == nil {
		z, err := zlib.NewReader(&f.src)
		if err != nil {
			return nil, err
		}
		f.zlib = z
		return z, nil
	}
	return f.zlib, f.zlib.(zlib.Resetter).Reset(&f.src, nil)
}
