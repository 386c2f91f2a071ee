package postgres

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// part is a value of which a batch brought the beginning only. One that travels verbatim is sent as it comes; what a codec
// rewrites is gathered.
type part struct {
	rest     int // bytes that are still to come
	verbatim bool
	whole    []byte // what was gathered
	cut      []byte // the beginning of a character whose end the next part brings
}

// beginPart begins the last value of the batch.
func (n *encoder) beginPart(buf []byte) ([]byte, error) {
	buf = n.beginRow(buf)
	src := n.batch.Bytes(n.batch.Spans[n.span])
	n.span++
	total := len(src) + n.batch.Open
	n.part.rest, n.part.verbatim = n.batch.Open, n.into.Codecs[n.col].Verbatim
	if n.part.verbatim {
		buf = binary.BigEndian.AppendUint32(buf, uint32(total))
	} else {
		n.part.whole = make([]byte, 0, total)
	}
	return buf, n.takePart(src)
}

// goOn takes what a new batch brings of the value that was begun, and ends it with its last byte.
func (n *encoder) goOn(buf []byte) ([]byte, error) {
	b, t := n.batch, &n.part
	if b.Lead > t.rest || (b.Lead == 0) != (t.rest == 0) {
		return nil, fmt.Errorf("load %s: a batch brings %d bytes of a value that lacks %d", n.into.Table, b.Lead, t.rest)
	}
	if b.Lead == 0 {
		return buf, nil
	}
	t.rest -= b.Lead
	if err := n.takePart(b.Data[:b.Lead]); err != nil || t.rest > 0 {
		return buf, err
	}
	if !t.verbatim {
		var err error
		if buf, err = n.into.Codecs[n.col].Append(buf, t.whole); err != nil {
			return nil, n.locate(err)
		}
		t.whole = nil
	}
	n.endValue()
	return buf, nil
}

// takePart sends a part, or gathers it.
func (n *encoder) takePart(src []byte) error {
	if !n.part.verbatim {
		n.part.whole = append(n.part.whole, src...)
		return nil
	}
	if len(src) > 0 {
		n.long = src
	}
	if check := n.into.Codecs[n.col].Check; check != nil {
		if err := n.part.check(check, src); err != nil {
			return n.locate(err)
		}
	}
	return nil
}

// check checks a part without the character that it ends within, and before it the one that it begins within.
func (t *part) check(check func([]byte) error, src []byte) error {
	if had := len(t.cut); had > 0 {
		t.cut = append(t.cut, src[:min(len(src), utf8.UTFMax)]...)
		if !utf8.FullRune(t.cut) && t.rest > 0 {
			return nil
		}
		_, size := utf8.DecodeRune(t.cut)
		size = max(size, had) // what is no character stays together, for check to refuse
		err := check(t.cut[:size])
		t.cut = t.cut[:0]
		if err != nil {
			return err
		}
		src = src[size-had:]
	}
	if t.rest > 0 {
		whole := len(src) - cutRune(src)
		t.cut = append(t.cut, src[whole:]...)
		src = src[:whole]
	}
	return check(src)
}

// cutRune returns how many bytes at the end of p begin a character without ending it.
func cutRune(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if tail := p[len(p)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
