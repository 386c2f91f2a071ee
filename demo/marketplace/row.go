package main

import (
	"encoding/hex"
	"strconv"
	"time"
)

// dice gives the pseudo-random numbers of one row. It is a splitmix64
// generator seeded with the data set's seed, the table and the row's number,
// so that a row's values do not depend on which connection loads it, or when.
type dice struct{ state uint64 }

func newDice(seed uint64, table string, row int) *dice {
	h := seed ^ 0x9e3779b97f4a7c15
	for i := range len(table) {
		h = (h ^ uint64(table[i])) * 0x100000001b3
	}
	d := &dice{state: h + uint64(row)*0xd1342543de82ef95}
	d.next()
	return d
}

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

// between returns a number from lo to hi, both included.
func (d *dice) between(lo, hi int) int { return lo + d.below(hi-lo+1) }

// percent is true p times in a hundred.
func (d *dice) percent(p int) bool { return d.below(100) < p }

func (d *dice) of(words []string) string { return words[d.below(len(words))] }

// bytes fills a new slice of n bytes.
func (d *dice) bytes(n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		v := d.next()
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return b[:n]
}

// row collects the fields of rows in the text format of LOAD DATA: fields end
// with a tab, rows with a newline, NULL is \N, and backslash escapes.
type row struct{ buf []byte }

func (r *row) int(v int) { r.buf = append(strconv.AppendInt(r.buf, int64(v), 10), '\t') }

func (r *row) null() { r.buf = append(r.buf, '\\', 'N', '\t') }

func (r *row) bool(v bool) {
	if v {
		r.int(1)
	} else {
		r.int(0)
	}
}

func (r *row) float(v float64, digits int) {
	r.buf = append(strconv.AppendFloat(r.buf, v, 'f', digits, 64), '\t')
}

// cents writes a DECIMAL with two digits after the point.
func (r *row) cents(v int) {
	r.buf = strconv.AppendInt(r.buf, int64(v/100), 10)
	r.buf = append(r.buf, '.', byte('0'+v/10%10), byte('0'+v%10), '\t')
}

func (r *row) str(parts ...string) {
	for _, s := range parts {
		for i := range len(s) {
			switch c := s[i]; c {
			case '\t':
				r.buf = append(r.buf, '\\', 't')
			case '\n':
				r.buf = append(r.buf, '\\', 'n')
			case '\\':
				r.buf = append(r.buf, '\\', '\\')
			default:
				r.buf = append(r.buf, c)
			}
		}
	}
	r.buf = append(r.buf, '\t')
}

// hex writes bytes for a column that the table's load converts with UNHEX.
func (r *row) hex(b []byte) { r.buf = append(hex.AppendEncode(r.buf, b), '\t') }

func (r *row) time(t time.Time, layout string) { r.buf = append(t.AppendFormat(r.buf, layout), '\t') }

func (r *row) end() { r.buf[len(r.buf)-1] = '\n' }

// Layouts of the date and time columns.
const (
	dayLayout    = "2006-01-02"
	secondLayout = "2006-01-02 15:04:05"
	milliLayout  = "2006-01-02 15:04:05.000"
	microLayout  = "2006-01-02 15:04:05.000000"
)

// opening is the marketplace's first day; closing bounds every generated time.
var opening = time.Date(2016, 3, 1, 8, 0, 0, 0, time.UTC)

// moment returns a time with milliseconds in the first ten years.
func (d *dice) moment() time.Time {
	return opening.Add(time.Duration(d.below(10*365*24*3600))*time.Second + time.Duration(d.below(1000))*time.Millisecond)
}
