package wire

import (
	"errors"
	"fmt"
	"io"
)

const (
	// maxPacket is the largest payload of one packet. A payload of exactly this size is continued by the next packet, so a
	// payload whose length is a multiple of it ends with an empty packet.
	maxPacket = 1<<24 - 1
	// headerSize is three bytes of length and one of sequence number.
	headerSize = 4
	// readChunk bounds one read from the socket. It fits the second-level cache, holds several of the 16 KiB writes of a server,
	// and bounds how far a batch can read beyond a row that does not fit.
	readChunk = 128 << 10
	// keepBuffer is the largest buffer that is kept for the next request or payload; a larger one served a single giant.
	keepBuffer = 1 << 20
)

var errServerClosed = fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF)

// A stream is the packet layer of one connection. Not safe for concurrent use.
type stream struct {
	in  io.Reader
	out io.Writer

	// buf holds bytes that were read and not consumed, buf[r:w].
	buf  []byte
	r, w int
	// joined holds the last payload that did not fit buf.
	joined []byte
	// wbuf holds the request being built, its first header included.
	wbuf []byte

	seq uint8
	// looseSeq is set under compression, where servers count frames instead of packets.
	looseSeq bool
	// sent says that at least one byte of the current request was written.
	sent bool
	// maxPayload bounds what the server can make this side allocate.
	maxPayload int
	// restart begins a new exchange in the layer below, or is nil.
	restart func()
}

func newStream(rw io.ReadWriter, maxPayload int) *stream {
	return &stream{in: rw, out: rw, buf: make([]byte, readChunk), maxPayload: maxPayload}
}

// readSome fills a part of p, first from what is buffered.
func (s *stream) readSome(p []byte) (int, error) {
	if s.r < s.w {
		n := copy(p, s.buf[s.r:s.w])
		s.r += n
		return n, nil
	}
	n, err := s.in.Read(p)
	if n > 0 {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		return 0, errServerClosed
	}
	return 0, err
}

// readFull fills p.
func (s *stream) readFull(p []byte) error {
	for len(p) > 0 {
		n, err := s.readSome(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// unread gives back p, the last bytes that readSome returned, at most readChunk of them.
func (s *stream) unread(p []byte) {
	// As long as anything is buffered, p came from the buffer and still stands there.
	if s.r < s.w {
		s.r -= len(p)
		return
	}
	s.r, s.w = 0, copy(s.buf, p)
}

// fill makes at least n bytes available in buf[r:w], n being at most readChunk.
func (s *stream) fill(n int) error {
	if s.w-s.r >= n {
		return nil
	}
	s.w, s.r = copy(s.buf, s.buf[s.r:s.w]), 0
	for s.w < n {
		got, err := s.in.Read(s.buf[s.w:])
		s.w += got
		if s.w >= n {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return errServerClosed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSeq compares a packet's sequence number with the one that is due, and expects the next.
func (s *stream) checkSeq(seq uint8) bool {
	ok := s.looseSeq || seq == s.seq
	s.seq = seq + 1
	return ok
}

// readPacket returns the next payload, joined from its packets. It is valid until the next read.
func (s *stream) readPacket() ([]byte, error) {
	if err := s.fill(headerSize); err != nil {
		return nil, err
	}
	want := s.seq
	n, seq := getUint24(s.buf[s.r:]), s.buf[s.r+3]
	s.r += headerSize
	ordered := s.checkSeq(seq)
	var p []byte
	var err error
	if n <= len(s.buf) && n < maxPacket {
		if err = s.fill(n); err != nil {
			return nil, err
		}
		p = s.buf[s.r : s.r+n]
		s.r += n
	} else if p, err = s.readJoined(n); err != nil {
		return nil, err
	}
	// A server that gives up on an idle connection sends its ERR packet unasked, with number 0: the reason is worth more than
	// the order.
	if !ordered && (len(p) == 0 || p[0] != headERR) {
		return nil, protocolErrorf("packet number %d where %d was due", seq, want)
	}
	return p, nil
}

// readJoined reads a payload whose first packet has n bytes and does not fit the buffer.
func (s *stream) readJoined(n int) ([]byte, error) {
	if cap(s.joined) > keepBuffer {
		s.joined = nil
	}
	s.joined = s.joined[:0]
	for {
		if len(s.joined)+n > s.maxPayload {
			return nil, protocolErrorf("payload of more than %d bytes, the agreed limit", s.maxPayload)
		}
		if err := s.appendJoined(n); err != nil {
			return nil, err
		}
		if n < maxPacket {
			return s.joined, nil
		}
		var head [headerSize]byte
		if err := s.readFull(head[:]); err != nil {
			return nil, err
		}
		if want := s.seq; !s.checkSeq(head[3]) {
			return nil, protocolErrorf("continuation packet number %d where %d was due", head[3], want)
		}
		n = getUint24(head[:])
	}
}

// appendJoined reads n bytes in growing steps, so that a length which is only claimed allocates little.
func (s *stream) appendJoined(n int) error {
	for n > 0 {
		step := min(n, max(readChunk, len(s.joined)))
		at := len(s.joined)
		if cap(s.joined)-at < step {
			grown := make([]byte, at, at+step)
			copy(grown, s.joined)
			s.joined = grown
		}
		s.joined = s.joined[:at+step]
		if err := s.readFull(s.joined[at:]); err != nil {
			return err
		}
		n -= step
	}
	return nil
}

// begin starts a request: the sequence numbers start again and the buffer holds room for a header.
func (s *stream) begin(command ...byte) {
	s.seq, s.sent = 0, false
	if s.restart != nil {
		s.restart()
	}
	s.reply(command...)
}

// reply starts a payload within a running exchange.
func (s *stream) reply(head ...byte) {
	if cap(s.wbuf) > keepBuffer {
		s.wbuf = nil
	}
	s.wbuf = append(s.wbuf[:0], 0, 0, 0, 0)
	s.wbuf = append(s.wbuf, head...)
}

// flush sends wbuf as one payload, in as many packets as it takes. Each further header overwrites the four bytes before its
// packet, which were sent already.
func (s *stream) flush() error {
	b := s.wbuf
	for {
		n := min(len(b)-headerSize, maxPacket)
		putUint24(b, n)
		b[3] = s.seq
		s.seq++
		if err := s.write(b[:headerSize+n]); err != nil {
			return err
		}
		if n < maxPacket {
			return nil
		}
		b = b[n:]
	}
}

func (s *stream) write(p []byte) error {
	n, err := s.out.Write(p)
	if n > 0 {
		s.sent = true
	}
	return err
}

// pending reports whether bytes arrived that nothing asked for.
func (s *stream) pending() bool { return s.r < s.w }
