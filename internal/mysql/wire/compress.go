package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Compression names an algorithm of the compressed protocol.
type Compression uint8

// The algorithms. CompressionNone is the zero value.
const (
	CompressionNone Compression = iota
	// CompressionZlib is offered by nearly every server.
	CompressionZlib
	// CompressionZstd is offered by MySQL 8.0.18 and later, not by MariaDB.
	CompressionZstd
)

// String gives the name that MySQL's protocol_compression_algorithms uses.
func (c Compression) String() string {
	switch c {
	case CompressionZlib:
		return "zlib"
	case CompressionZstd:
		return "zstd"
	default:
		return "uncompressed"
	}
}

const (
	frameHeader = 7
	// frameMin is the payload below which a frame is sent as it is; the servers use the same figure (MIN_COMPRESS_LENGTH).
	frameMin = 50
	// frameMax bounds the payload of a frame that this side sends, and so the buffers it needs.
	frameMax = 1 << 20
)

// A codec compresses and expands single frames. Both append to dst.
type codec interface {
	compress(dst, plain []byte) ([]byte, error)
	// expand appends exactly size bytes to dst, which has room for them, or fails.
	expand(dst, packed []byte, size int) ([]byte, error)
}

// Frames carry the packet stream in compressed frames: three bytes of length on the wire, one of sequence number, three of
// expanded length (0: not compressed), payload. Packets and frames have no common borders. Not safe for concurrent use.
type frames struct {
	in    *bufio.Reader
	out   io.Writer
	codec codec
	seq   uint8

	packed []byte
	plain  []byte // expanded and not consumed
	keep   []byte // the buffer behind plain
	left   int    // bytes of an uncompressed frame that are still to be read
	wbuf   []byte
}

func newFrames(rw io.ReadWriter, c codec) *frames {
	return &frames{in: bufio.NewReaderSize(rw, readChunk), out: rw, codec: c}
}

// restart begins a new request: frame numbers start again.
func (f *frames) restart() { f.seq = 0 }

// Read gives expanded bytes.
func (f *frames) Read(p []byte) (int, error) {
	for {
		if len(f.plain) > 0 {
			n := copy(p, f.plain)
			f.plain = f.plain[n:]
			return n, nil
		}
		if f.left > 0 {
			n, err := f.in.Read(p[:min(len(p), f.left)])
			f.left -= n
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
		n, err := f.next(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next reads a frame's header and, if it is compressed, its payload: into p if it fits, else into plain.
func (f *frames) next(p []byte) (int, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		return 0, err
	}
	packed, size := getUint24(head[:]), getUint24(head[4:])
	if head[3] != f.seq {
		return 0, protocolErrorf("compressed frame number %d where %d was due", head[3], f.seq)
	}
	f.seq++
	if size == 0 {
		f.left = packed
		return 0, nil
	}
	if err := f.readPacked(packed); err != nil {
		return 0, err
	}
	if len(p) >= size {
		return f.expand(p[:0:size], size)
	}
	if cap(f.keep) < size || cap(f.keep) > keepBuffer {
		f.keep = make([]byte, 0, size)
	}
	if _, err := f.expand(f.keep[:0:size], size); err != nil {
		return 0, err
	}
	f.plain = f.keep[:size]
	return 0, nil
}

func (f *frames) expand(dst []byte, size int) (int, error) {
	out, err := f.codec.expand(dst, f.packed, size)
	if err != nil {
		return 0, protocolErrorf("expand a frame of %d to %d bytes: %v", len(f.packed), size, err)
	}
	if len(out) != size {
		return 0, protocolErrorf("compressed frame holds %d bytes and announced %d", len(out), size)
	}
	return size, nil
}

// readPacked reads n compressed bytes in steps, so that a length which is only claimed allocates little.
func (f *frames) readPacked(n int) error {
	if cap(f.packed) > keepBuffer {
		f.packed = nil
	}
	f.packed = f.packed[:0]
	for n > 0 {
		at := len(f.packed)
		step := min(n, max(readChunk, at))
		if cap(f.packed)-at < step {
			grown := make([]byte, at, at+step)
			copy(grown, f.packed)
			f.packed = grown
		}
		f.packed = f.packed[:at+step]
		if _, err := io.ReadFull(f.in, f.packed[at:]); err != nil {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		n -= step
	}
	return nil
}

// Write sends p in frames and returns the bytes of p in the frames that were begun.
func (f *frames) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		part := p[done:min(len(p), done+frameMax)]
		if err := f.build(part); err != nil {
			return done, err
		}
		n, err := f.out.Write(f.wbuf)
		if err != nil {
			return done + min(n, len(part)), err
		}
		done += len(part)
	}
	return done, nil
}

// build puts one frame with part into wbuf.
func (f *frames) build(part []byte) error {
	f.wbuf = append(f.wbuf[:0], make([]byte, frameHeader)...)
	size := 0
	if len(part) >= frameMin {
		out, err := f.codec.compress(f.wbuf, part)
		if err != nil {
			return fmt.Errorf("compress a frame of %d bytes: %w", len(part), err)
		}
		if len(out)-frameHeader < len(part) {
			f.wbuf, size = out, len(part)
		}
	}
	if size == 0 {
		f.wbuf = append(f.wbuf[:frameHeader], part...)
	}
	putUint24(f.wbuf, len(f.wbuf)-frameHeader)
	f.wbuf[3] = f.seq
	f.seq++
	putUint24(f.wbuf[4:], size)
	return nil
}

// zlibCodec keeps one reader and one writer for all frames of a connection.
type zlibCodec struct {
	src bytes.Reader
	r   io.ReadCloser
	w   *zlib.Writer
	dst bytes.Buffer
}

func (z *zlibCodec) compress(dst, plain []byte) ([]byte, error) {
	z.dst.Reset()
	if z.w == nil {
		w, err := zlib.NewWriterLevel(&z.dst, zlib.BestSpeed)
		if err != nil {
			return nil, err
		}
		z.w = w
	} else {
		z.w.Reset(&z.dst)
	}
	if _, err := z.w.Write(plain); err != nil {
		return nil, err
	}
	if err := z.w.Close(); err != nil {
		return nil, err
	}
	return append(dst, z.dst.Bytes()...), nil
}

func (z *zlibCodec) expand(dst, packed []byte, size int) ([]byte, error) {
	z.src.Reset(packed)
	if z.r == nil {
		r, err := zlib.NewReader(&z.src)
		if err != nil {
			return nil, err
		}
		z.r = r
	} else if err := z.r.(zlib.Resetter).Reset(&z.src, nil); err != nil {
		return nil, err
	}
	out := dst[:len(dst)+size]
	if _, err := io.ReadFull(z.r, out[len(dst):]); err != nil {
		return nil, err
	}
	// The end must follow, and reading it checks the checksum.
	var more [1]byte
	if n, err := z.r.Read(more[:]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("no end after %d bytes: %w", size, err)
	}
	return out, nil
}

// zstdCodec keeps one decoder and one encoder for all frames of a connection. Its window is bounded by the largest frame, so
// a hostile header cannot ask for more.
type zstdCodec struct {
	d *zstd.Decoder
	e *zstd.Encoder
}

func newZstdCodec() (*zstdCodec, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(1<<24), zstd.WithDecoderMaxMemory(1<<24), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	return &zstdCodec{d: d, e: e}, nil
}

func (z *zstdCodec) compress(dst, plain []byte) ([]byte, error) {
	return z.e.EncodeAll(plain, dst), nil
}

func (z *zstdCodec) expand(dst, packed []byte, size int) ([]byte, error) {
	return z.d.DecodeAll(packed, dst[:len(dst):len(dst)+size])
}
