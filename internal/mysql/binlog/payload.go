package binlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxEvent bounds the events of a compressed transaction: no server writes a larger one (its max_allowed_packet ends there).
	maxEvent = 1<<30 + 1<<20
	// maxWindow is what zstd's highest level looks back, and so may need in memory (binlog_transaction_compression_level_zstd = 22).
	maxWindow = 128 << 20
	// pieceBytes is what is believed of a length before the bytes are there.
	pieceBytes = 1 << 20
)

// payload reads the events in a TRANSACTION_PAYLOAD one by one.
type payload struct {
	in     io.Reader // nil: not open
	packed bytes.Reader
	zstd   *zstd.Decoder
	size   uint64 // what the events have together, as the payload says
	read   uint64
	buf    []byte
	head   [headerSize]byte
}

func (p *payload) open() bool { return p.in != nil }

func (p *payload) close() {
	if p.in == nil {
		return
	}
	p.in = nil
	p.packed.Reset(nil)
	if cap(p.buf) > 4*pieceBytes {
		p.buf = nil // one giant row must not be remembered for ever
	}
}

// openPayload reads fields of type, length, value, each number length-encoded (Transaction_payload_event): 1 is the size of what
// follows, 2 the algorithm (0 zstd, 255 none), 3 the expanded size, 0 the end. Then come the events, without checksums.
func (d *Decoder) openPayload(h header, body []byte) error {
	const algorithmZstd, algorithmNone = 0, 255
	c := cursor{b: body}
	size, algorithm := uint64(math.MaxUint64), uint64(math.MaxUint64)
	p := &d.payload
	p.size, p.read = math.MaxUint64, 0
	for {
		field := c.lenenc()
		if c.bad {
			return damaged(h, errShort)
		}
		if field == 0 {
			break
		}
		value := cursor{b: c.take(c.length())}
		switch field {
		case 1:
			size = value.lenenc()
		case 2:
			algorithm = value.lenenc()
		case 3:
			p.size = value.lenenc()
		}
		if value.bad {
			return damaged(h, errShort)
		}
	}
	if size != uint64(len(c.b)) {
		return damaged(h, fmt.Errorf("its payload has %d bytes instead of %d", len(c.b), size))
	}
	p.packed.Reset(c.b)
	switch algorithm {
	case algorithmNone:
		p.in = &p.packed
	case algorithmZstd:
		if p.zstd == nil {
			var err error
			// One at a time and without goroutines of its own.
			p.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(math.MaxInt64))
			if err != nil {
				return fmt.Errorf("set up zstd: %w", err)
			}
		}
		if err := p.zstd.Reset(&p.packed); err != nil {
			return damaged(h, err)
		}
		p.in = p.zstd
	default:
		return unsupported(h, fmt.Sprintf("compression algorithm %d is not known", algorithm),
			"SET GLOBAL binlog_transaction_compression = OFF, end the sessions that have it ON, and copy again")
	}
	return nil
}

// next returns the next event, which is valid until the call after, or io.EOF behind the last.
func (p *payload) next() (header, []byte, error) {
	if n, err := io.ReadFull(p.in, p.head[:]); err != nil {
		if !errors.Is(err, io.EOF) || n != 0 {
			return header{}, nil, fmt.Errorf("expand its payload: %w", unexpected(err))
		}
		if p.size != math.MaxUint64 && p.read != p.size {
			return header{}, nil, fmt.Errorf("its payload expands to %d bytes instead of %d", p.read, p.size)
		}
		return header{}, nil, io.EOF
	}
	h := parseHeader(p.head[:])
	h.inner = true
	if h.size < headerSize || h.size > maxEvent {
		return h, nil, fmt.Errorf("it contains an event of %d bytes", h.size)
	}
	var err error
	if p.buf, err = readSized(p.buf[:0], p.in, int(h.size)-headerSize); err != nil {
		return h, nil, fmt.Errorf("expand its payload: %w", err)
	}
	p.read += uint64(h.size)
	return h, p.buf, nil
}

// readSized appends exactly n bytes to dst. Memory grows with what has come, not with what was promised.
func readSized(dst []byte, r io.Reader, n int) ([]byte, error) {
	for n > 0 {
		piece := min(n, max(pieceBytes, len(dst)))
		at := len(dst)
		if cap(dst)-at < piece {
			dst = append(dst, make([]byte, piece)...)
		} else {
			dst = dst[:at+piece]
		}
		if _, err := io.ReadFull(r, dst[at:]); err != nil {
			return dst[:at], unexpected(err)
		}
		n -= piece
	}
	return dst, nil
}

// unexpected makes an end that came too early an error of its own: io.EOF means something else to the callers.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
