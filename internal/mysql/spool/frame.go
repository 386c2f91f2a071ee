package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A Place is a point of a server's log between two transactions.
type Place struct {
	// Position is what a feed would begin with; the spool only compares it for equality.
	Position string `json:"position"`
	// File and Off say where that is in the server's own files.
	File string `json:"file"`
	Off  uint64 `json:"offset"`
	// Time is when the transaction before it was committed, by the server's clock; zero when that is not known.
	Time time.Time `json:"time,omitzero"`
}

// same reports whether two places are one, whatever their time.
func (p Place) same(q Place) bool {
	return p.Position == q.Position && p.File == q.File && p.Off == q.Off
}

const (
	segmentMagic = "bascule spool 1\n"
	frameMagic   = "BSF1"
	// fixedHead is the length of a frame's header without its two texts and its checksum: magic 4, header's length 4, stored
	// length 4, raw length 4, flags 1, index 4, segment 8, synced 8, key 8, nonce 12, offset 8, time 8, lengths of the texts 4 and 4.
	fixedHead = 81
	checkSize = 4
	// maxHead bounds a header: sets of GTIDs take kilobytes at worst.
	maxHead = 16 << 20
	// maxRaw bounds what a frame may expand to.
	maxRaw = 64 << 20
)

// The flags of a frame.
const (
	flagEnd       = 1 << iota // a transaction ends with it, at its place
	flagEncrypted             // the payload is encrypted
	flagContext               // the first frame of a segment: its payload is the FORMAT_DESCRIPTION
)

// A head is a frame's header.
type head struct {
	flags   byte
	index   uint32 // of the frame in its segment, from 0
	segment uint64
	synced  uint64 // how far the segment was durable when the frame was written
	keyID   [8]byte
	nonce   [12]byte
	stored  uint32 // bytes of the payload in the file, without its checksum
	raw     uint32 // bytes of events
	place   Place  // of the last end frame, up to and including this one
}

func (h *head) end() bool { return h.flags&flagEnd != 0 }

var (
	// errShort says that the bytes end before what is due.
	errShort = errors.New("it ends within a frame")
	// errBad says that bytes are not what was written.
	errBad = errors.New("its checksum does not match")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendHead appends the header with its checksum.
func appendHead(dst []byte, h *head) []byte {
	from := len(dst)
	le := binary.LittleEndian
	dst = append(dst, frameMagic...)
	dst = le.AppendUint32(dst, uint32(fixedHead+len(h.place.File)+len(h.place.Position)+checkSize))
	dst = le.AppendUint32(dst, h.stored)
	dst = le.AppendUint32(dst, h.raw)
	dst = append(dst, h.flags)
	dst = le.AppendUint32(dst, h.index)
	dst = le.AppendUint64(dst, h.segment)
	dst = le.AppendUint64(dst, h.synced)
	dst = append(dst, h.keyID[:]...)
	dst = append(dst, h.nonce[:]...)
	dst = le.AppendUint64(dst, h.place.Off)
	micro := int64(0)
	if !h.place.Time.IsZero() {
		micro = h.place.Time.UnixMicro()
	}
	dst = le.AppendUint64(dst, uint64(micro))
	dst = le.AppendUint32(dst, uint32(len(h.place.File)))
	dst = le.AppendUint32(dst, uint32(len(h.place.Position)))
	dst = append(append(dst, h.place.File...), h.place.Position...)
	return le.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
}

// parseHead reads a header from the beginning of b and returns its length. errShort says that more bytes are needed.
func parseHead(b []byte) (h head, n int, err error) {
	le := binary.LittleEndian
	if len(b) < 8 {
		return h, 0, errShort
	}
	n = int(le.Uint32(b[4:]))
	if string(b[:4]) != frameMagic || n < fixedHead+checkSize || n > maxHead {
		return h, 0, errBad
	}
	if len(b) < n {
		return h, n, errShort
	}
	b = b[:n]
	if crc32.Checksum(b[:n-checkSize], castagnoli) != le.Uint32(b[n-checkSize:]) {
		return h, 0, errBad
	}
	h.stored, h.raw, h.flags = le.Uint32(b[8:]), le.Uint32(b[12:]), b[16]
	h.index, h.segment, h.synced = le.Uint32(b[17:]), le.Uint64(b[21:]), le.Uint64(b[29:])
	copy(h.keyID[:], b[37:45])
	copy(h.nonce[:], b[45:57])
	h.place.Off = le.Uint64(b[57:])
	if micro := int64(le.Uint64(b[65:])); micro != 0 {
		h.place.Time = time.UnixMicro(micro).UTC()
	}
	file, position := uint64(le.Uint32(b[73:])), uint64(le.Uint32(b[77:]))
	if file+position != uint64(n-fixedHead-checkSize) || h.raw > maxRaw {
		return h, 0, errBad
	}
	text := b[fixedHead : n-checkSize]
	h.place.File, h.place.Position = string(text[:file]), string(text[file:])
	return h, n, nil
}

// A sealer turns events into frames. It is not safe for concurrent use.
type sealer struct {
	key *Key
	enc *zstd.Encoder
	raw []byte
	out []byte
}

func newSealer(key *Key) (*sealer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	return &sealer{key: key, enc: enc}, err
}

// seal returns a whole frame, valid until the next call. It fills in what the header says of the payload.
func (s *sealer) seal(h *head, events []byte) ([]byte, error) {
	h.raw = uint32(len(events))
	s.raw = s.enc.EncodeAll(events, s.raw[:0])
	payload := s.raw
	h.stored = uint32(len(payload))
	if s.key != nil {
		h.flags |= flagEncrypted
		h.keyID = s.key.id
		if err := s.key.newNonce(h.nonce[:]); err != nil {
			return nil, err
		}
		h.stored += uint32(s.key.aead.Overhead())
	}
	s.out = appendHead(s.out[:0], h)
	n := len(s.out)
	if s.key != nil {
		s.out = s.key.aead.Seal(s.out, h.nonce[:], payload, s.out[:n:n])
	} else {
		s.out = append(s.out, payload...)
	}
	s.out = binary.LittleEndian.AppendUint32(s.out, crc32.Checksum(s.out[n:], castagnoli))
	return s.out, nil
}

// An opener turns frames back. It is not safe for concurrent use.
type opener struct {
	key   *Key
	dec   *zstd.Decoder
	plain []byte
	text  []byte
}

func newOpener(key *Key) (*opener, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxRaw))
	return &opener{key: key, dec: dec}, err
}

// open appends the events of a frame, whose header's bytes are head and whose payload has passed its checksum.
func (o *opener) open(dst []byte, h *head, headBytes, payload []byte) ([]byte, error) {
	if err := o.key.fits(h); err != nil {
		return dst, err
	}
	if h.flags&flagEncrypted != 0 {
		var err error
		if o.plain, err = o.key.aead.Open(o.plain[:0], h.nonce[:], payload, headBytes); err != nil {
			return dst, errors.New("it was altered: its authentication fails")
		}
		payload = o.plain
	}
	// Not behind what dst holds already: the decoder would count that towards its limit.
	var err error
	if o.text, err = o.dec.DecodeAll(payload, o.text[:0]); err != nil {
		return dst, err
	}
	if uint32(len(o.text)) != h.raw {
		return dst, fmt.Errorf("it expands to %d bytes where %d are due", len(o.text), h.raw)
	}
	return append(dst, o.text...), nil
}

// A frame is where a frame stands in its file.
type frame struct {
	head
	at   int64
	size int64 // header, payload and checksum
}

// readFrame reads the header at an offset of a file of that size. With verify it reads the payload too and compares its checksum.
// Frame and payload are valid until buf is used again.
func readFrame(r io.ReaderAt, size, at int64, buf *[]byte, verify bool) (f frame, headBytes, payload []byte, err error) {
	read := func(n int64) ([]byte, error) {
		if at+n > size {
			return nil, errShort
		}
		if int64(cap(*buf)) < n {
			*buf = make([]byte, n)
		}
		b := (*buf)[:n]
		if _, err := r.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		} else if err != nil {
			return nil, errShort // it was cut after its size was asked
		}
		return b, nil
	}
	b, err := read(8)
	if err != nil {
		return f, nil, nil, err
	}
	if _, n, err := parseHead(b); !errors.Is(err, errShort) {
		return f, nil, nil, errBad
	} else if b, err = read(int64(n)); err != nil {
		return f, nil, nil, err
	}
	h, n, err := parseHead(b)
	if err != nil {
		return f, nil, nil, err
	}
	f = frame{head: h, at: at, size: int64(n) + int64(h.stored) + checkSize}
	if at+f.size > size {
		return f, nil, nil, errShort
	}
	if !verify {
		return f, nil, nil, nil
	}
	if b, err = read(f.size); err != nil {
		return f, nil, nil, err
	}
	payload = b[n : n+int(h.stored)]
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(b[n+int(h.stored):]) {
		return f, nil, nil, errBad
	}
	return f, b[:n], payload, nil
}

// laterSynced looks for headers behind an offset, and returns how far the last of them says that the file was durable: what is broken
// before that was damaged, what is broken after it was never finished.
func laterSynced(r io.ReaderAt, size, from int64) (uint64, error) {
	const window = 1 << 20
	var synced uint64
	var again []byte
	buf := make([]byte, window+len(frameMagic)-1)
	for at := from; at < size; at += window {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		b := buf[:n]
		for off := 0; ; off++ {
			i := bytes.Index(b[off:], []byte(frameMagic))
			if i < 0 {
				break
			}
			off += i
			if f, _, _, err := readFrame(r, size, at+int64(off), &again, false); err == nil || errors.Is(err, errShort) && f.size > 0 {
				synced = max(synced, f.synced)
			}
		}
	}
	return synced, nil
}
