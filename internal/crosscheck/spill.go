package crosscheck

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
)

// rowsPerBucket bounds how many rows of one side are in memory at a time.
const rowsPerBucket = 50_000

// longest is the length from which a value is kept as its length and SHA-256
// with its beginning, so that tables of big values fit too.
const longest = 1024

// bucketSeed spreads keys over buckets, on both sides alike.
var bucketSeed = maphash.MakeSeed()

// record is one row: its key and its values, encoded.
type record struct{ key, values string }

// spill holds one side's rows on disk, in buckets by the hash of the key.
type spill struct {
	files   []*os.File
	writers []*bufio.Writer
	rows    int64
	buf     []byte
}

func newSpill(dir, side string, buckets int) (*spill, error) {
	s := &spill{}
	for i := range buckets {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d", side, i)))
		if err != nil {
			s.close()
			return nil, fmt.Errorf("make bucket: %w", err)
		}
		s.files = append(s.files, f)
		s.writers = append(s.writers, bufio.NewWriterSize(f, 32<<10))
	}
	return s, nil
}

func (s *spill) close() {
	for _, f := range s.files {
		_ = f.Close() // temporary: nothing is lost with it
	}
}

// add appends a row to its bucket.
func (s *spill) add(values [][]byte, key []int) error {
	s.rows++
	s.buf = s.buf[:0]
	for _, k := range key {
		s.buf = appendValue(s.buf, values[k])
	}
	keyLen := len(s.buf)
	for _, v := range values {
		s.buf = appendValue(s.buf, v)
	}
	w := s.writers[maphash.Bytes(bucketSeed, s.buf[:keyLen])%uint64(len(s.writers))]
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:], uint32(keyLen))
	binary.LittleEndian.PutUint32(head[4:], uint32(len(s.buf)-keyLen))
	if _, err := w.Write(head[:]); err != nil {
		return fmt.Errorf("write bucket: %w", err)
	}
	if _, err := w.Write(s.buf); err != nil {
		return fmt.Errorf("write bucket: %w", err)
	}
	return nil
}

// bucket reads the rows of one bucket back.
func (s *spill) bucket(i int, each func(record)) error {
	if err := s.writers[i].Flush(); err != nil {
		return fmt.Errorf("write bucket: %w", err)
	}
	if _, err := s.files[i].Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read bucket: %w", err)
	}
	r := bufio.NewReaderSize(s.files[i], 256<<10)
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read bucket: %w", err)
		}
		keyLen := binary.LittleEndian.Uint32(head[:])
		b := make([]byte, keyLen+binary.LittleEndian.Uint32(head[4:]))
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("read bucket: %w", err)
		}
		each(record{string(b[:keyLen]), string(b[keyLen:])})
	}
}

// appendValue writes a length plus one, 0 for NULL, and the value.
func appendValue(dst, v []byte) []byte {
	if v == nil {
		return binary.AppendUvarint(dst, 0)
	}
	if len(v) > longest {
		v = fmt.Appendf(nil, "%q... (%d bytes, sha256 %x)", v[:48], len(v), sha256.Sum256(v))
	}
	return append(binary.AppendUvarint(dst, uint64(len(v))+1), v...)
}

// decode undoes appendValue for all values of a row.
func decode(s string) []*string {
	var out []*string
	b := []byte(s)
	for len(b) > 0 {
		n, w := binary.Uvarint(b)
		b = b[w:]
		if n == 0 {
			out = append(out, nil)
			continue
		}
		v := string(b[:n-1])
		out, b = append(out, &v), b[n-1:]
	}
	return out
}
