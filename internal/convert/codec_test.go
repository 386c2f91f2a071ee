package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// oneColumn is a planned table with one column of the given types.
func oneColumn(src, dst schema.Type, accepted ...finding.Code) *Table {
	c := Column{
		Source: &schema.Column{Name: "c", Type: src}, Target: &schema.Column{Name: "c", Type: dst},
		Travels: true, table: "t", accepted: map[finding.Code]bool{},
	}
	for _, a := range accepted {
		c.accepted[a] = true
	}
	return &Table{Target: &schema.Table{Name: "t"}, Columns: []Column{c}}
}

func codecOf(t testing.TB, src, dst schema.Type, accepted ...finding.Code) (change.Codec, change.Losses) {
	t.Helper()
	losses := change.Losses{}
	into, err := oneColumn(src, dst, accepted...).Into(losses)
	if err != nil {
		t.Fatal(err)
	}
	return into.Codecs[0], losses
}

// TestCodecsAreShared converts with one codec in two goroutines, as lanes do.
func TestCodecsAreShared(t *testing.T) {
	t.Parallel()
	for n, p := range pairs() {
		table := oneColumn(p.src, p.dst, losses...)
		into, err := table.Into(nil)
		if err != nil {
			t.Fatal(err)
		}
		codec := into.Codecs[0]
		var lanes sync.WaitGroup
		for lane := range 2 {
			src := p.draw.Example(10*n + lane)
			want, wantErr := codec.Append(nil, src)
			lanes.Go(func() {
				var dst []byte
				for range 20_000 {
					var err error
					if dst, err = codec.Append(dst[:0], src); (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(dst, want) {
						t.Errorf("%s: 0x%x became 0x%x beside another lane, 0x%x alone (%v, %v)", p, src, dst, want, err, wantErr)
						return
					}
				}
			})
		}
		lanes.Wait()
	}
}

func backOf(t testing.TB, src, dst schema.Type) BackCodec {
	t.Helper()
	back, err := oneColumn(src, dst).Back()
	if err != nil {
		t.Fatal(err)
	}
	return back[0]
}

// pair is a conversion and how to draw values for it, in the bytes that the
// server sends.
type pair struct {
	src, dst schema.Type
	draw     *rapid.Generator[[]byte]
}

func (p pair) String() string { return spellSource(p.src) + " to " + spell(p.dst) }

func little(width int, v uint64) []byte {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return b[:width]
}

func drawInt(bits int, low, high int64) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		return little(intWidth(bits), uint64(rapid.Int64Range(low, high).Draw(t, "int")))
	})
}

func drawUint(bits int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		return little(intWidth(bits), rapid.Uint64Range(0, math.MaxUint64>>(64-bits)).Draw(t, "uint"))
	})
}

func drawBit(n int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		v := binary.BigEndian.AppendUint64(nil, rapid.Uint64Range(0, math.MaxUint64>>(64-n)).Draw(t, "bits"))
		return v[8-(n+7)/8:]
	})
}

// drawDecimal draws text as the server prints DECIMAL(p,s): no leading zeros but
// the one before the point, no negative zero.
func drawDecimal(precision, scale int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		whole := rapid.StringMatching(fmt.Sprintf(`0|[1-9][0-9]{0,%d}`, max(precision-scale-1, 0))).Draw(t, "whole")
		if precision == scale {
			whole = "0"
		}
		text := whole
		if scale > 0 {
			text += "." + rapid.OneOf(rapid.StringMatching(fmt.Sprintf(`[0-9]{%d}`, scale)), rapid.Just(strings.Repeat("0", scale))).Draw(t, "fraction")
		}
		if strings.Trim(text, "0.") != "" && rapid.Bool().Draw(t, "negative") {
			text = "-" + text
		}
		return []byte(text)
	})
}

func drawFloat32() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte { return little(4, uint64(math.Float32bits(rapid.Float32().Draw(t, "float")))) })
}

func drawFloat64() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte { return little(8, math.Float64bits(rapid.Float64().Draw(t, "double"))) })
}

// mysqlDateTime is what the server sends for an instant.
func mysqlDateTime(at time.Time) []byte {
	b := append(little(2, uint64(at.Year())), byte(at.Month()), byte(at.Day()))
	if us := at.Nanosecond() / 1000; us != 0 {
		return append(append(b, byte(at.Hour()), byte(at.Minute()), byte(at.Second())), little(4, uint64(us))...)
	}
	if at.Hour()+at.Minute()+at.Second() != 0 {
		b = append(b, byte(at.Hour()), byte(at.Minute()), byte(at.Second()))
	}
	return b
}

func drawInstant(unit time.Duration) *rapid.Generator[time.Time] {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	return rapid.Custom(func(t *rapid.T) time.Time {
		s := rapid.Int64Range(first.Unix(), last.Unix()).Draw(t, "seconds")
		us := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 999_999)).Draw(t, "micros")
		return time.UnixMicro(s*1_000_000 + us).UTC().Truncate(unit)
	})
}

func drawDateTime(unit time.Duration) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte { return mysqlDateTime(drawInstant(unit).Draw(t, "instant")) })
}

// mysqlTime is what the server sends for a TIME.
func mysqlTime(d time.Duration) []byte {
	if d == 0 {
		return nil
	}
	sign := byte(0)
	if d < 0 {
		sign, d = 1, -d
	}
	hours := int(d.Hours())
	b := append([]byte{sign}, little(4, uint64(hours/24))...)
	b = append(b, byte(hours%24), byte(int(d.Minutes())%60), byte(int(d.Seconds())%60))
	if us := d.Microseconds() % 1_000_000; us != 0 {
		b = append(b, little(4, uint64(us))...)
	}
	return b
}

func drawTime(low, high time.Duration) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		return mysqlTime(time.Duration(rapid.Int64Range(low.Microseconds(), high.Microseconds()).Draw(t, "time")) * time.Microsecond)
	})
}

func drawText() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		return []byte(strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", ""))
	})
}

func drawBytes() *rapid.Generator[[]byte] { return rapid.SliceOf(rapid.Byte()) }

func drawJSON() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		return fmt.Appendf(nil, `{"a": %d, "b": "%s"}`, rapid.Int().Draw(t, "n"), rapid.StringMatching(`[a-zé]*`).Draw(t, "s"))
	})
}

func drawUUID() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		h := hex.EncodeToString(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		return []byte(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
	})
}

func drawInet(n int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		b := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "address")
		if n == 16 && bytes.Equal(b[:12], make([]byte, 12)) && b[12]|b[13] != 0 {
			return fmt.Appendf(nil, "::%d.%d.%d.%d", b[12], b[13], b[14], b[15]) // as MariaDB prints it
		}
		a, _ := netip.AddrFromSlice(b)
		return []byte(a.String())
	})
}

func drawPoint() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		b := little(4, uint64(rapid.SampledFrom([]uint32{0, 4326, 3857}).Draw(t, "srid")))
		b = append(append(b, 1), little(4, 1)...)
		return append(append(b, little(8, math.Float64bits(rapid.Float64().Draw(t, "x")))...), little(8, math.Float64bits(rapid.Float64().Draw(t, "y")))...)
	})
}

var (
	tinyMembers = []string{"red", "it's", "two words", `back\slash`}
	members     = rapid.Custom(func(t *rapid.T) []byte {
		var picked []string
		for _, m := range tinyMembers {
			if rapid.Bool().Draw(t, m) {
				picked = append(picked, m)
			}
		}
		return []byte(strings.Join(picked, ","))
	})
)

// pairs lists every conversion at least once.
func pairs() []pair {
	label := rapid.Custom(func(t *rapid.T) []byte { return []byte(rapid.SampledFrom(tinyMembers).Draw(t, "label")) })
	day, ever := 24*time.Hour-time.Microsecond, 838*time.Hour+59*time.Minute+59*time.Second
	text := schema.Text{MaxBytes: 1 << 16}
	return []pair{
		{schema.Int{Bits: 8}, schema.Int{Bits: 16}, drawInt(8, -128, 127)},
		{schema.Int{Bits: 8, Unsigned: true}, schema.Int{Bits: 16}, drawUint(8)},
		{schema.Int{Bits: 8, Width: 1}, schema.Bool{}, drawInt(8, 0, 1)},
		{schema.Int{Bits: 16}, schema.Int{Bits: 16}, drawInt(16, math.MinInt16, math.MaxInt16)},
		{schema.Int{Bits: 16, Unsigned: true}, schema.Int{Bits: 32}, drawUint(16)},
		{schema.Int{Bits: 24}, schema.Int{Bits: 32}, drawInt(24, -1<<23, 1<<23-1)},
		{schema.Int{Bits: 24, Unsigned: true}, schema.Int{Bits: 32}, drawUint(24)},
		{schema.Int{Bits: 32}, schema.Int{Bits: 32}, drawInt(32, math.MinInt32, math.MaxInt32)},
		{schema.Int{Bits: 32}, schema.Bool{}, drawInt(32, 0, 1)},
		{schema.Int{Bits: 32}, schema.Decimal{Precision: 20}, drawInt(32, math.MinInt32, math.MaxInt32)},
		{schema.Int{Bits: 32, Unsigned: true}, schema.Int{Bits: 64}, drawUint(32)},
		{schema.Int{Bits: 64}, schema.Int{Bits: 64}, drawInt(64, math.MinInt64, math.MaxInt64)},
		{schema.Int{Bits: 64}, schema.Decimal{Precision: 20}, drawInt(64, math.MinInt64, math.MaxInt64)},
		{schema.Int{Bits: 64, Unsigned: true}, schema.Int{Bits: 64}, drawInt(64, 0, math.MaxInt64)},
		{schema.Int{Bits: 64, Unsigned: true}, schema.Decimal{Precision: 20}, drawUint(64)},
		{schema.Year{}, schema.Int{Bits: 16}, drawInt(16, 0, 2155)},
		{schema.Bit{N: 1}, schema.Bit{N: 1}, drawBit(1)},
		{schema.Bit{N: 1}, schema.Bool{}, drawBit(1)},
		{schema.Bit{N: 7}, schema.Bit{N: 7}, drawBit(7)},
		{schema.Bit{N: 8}, schema.Bit{N: 8}, drawBit(8)},
		{schema.Bit{N: 13}, schema.Bit{N: 13}, drawBit(13)},
		{schema.Bit{N: 64}, schema.Bit{N: 64}, drawBit(64)},
		{schema.Decimal{Precision: 10, Scale: 2}, schema.Decimal{Precision: 10, Scale: 2}, drawDecimal(10, 2)},
		{schema.Decimal{Precision: 65, Scale: 30}, schema.Decimal{Precision: 65, Scale: 30}, drawDecimal(65, 30)},
		{schema.Decimal{Precision: 65}, schema.Decimal{Precision: 65}, drawDecimal(65, 0)},
		{schema.Decimal{Precision: 7, Scale: 7}, schema.Decimal{Precision: 7, Scale: 7}, drawDecimal(7, 7)},
		{schema.Float{Bits: 32}, schema.Float{Bits: 32}, drawFloat32()},
		{schema.Float{Bits: 32}, schema.Float{Bits: 64}, drawFloat32()},
		{schema.Float{Bits: 64}, schema.Float{Bits: 64}, drawFloat64()},
		{text, schema.Text{}, drawText()},
		{text, schema.Binary{}, drawBytes()},
		{schema.Text{Length: 36}, schema.UUID{}, drawUUID()},
		{text, schema.JSON{}, drawJSON()},
		{text, schema.JSON{Parsed: true}, drawJSON()},
		{schema.Binary{MaxBytes: 1 << 16}, schema.Binary{}, drawBytes()},
		{schema.Binary{Length: 16, Fixed: true}, schema.UUID{}, rapid.SliceOfN(rapid.Byte(), 16, 16)},
		{schema.Binary{MaxBytes: 1 << 16}, schema.Text{}, drawText()},
		{schema.Enum{Members: tinyMembers}, schema.Text{}, label},
		{schema.Enum{Members: tinyMembers}, schema.Enum{Members: tinyMembers}, label},
		{schema.Set{Members: tinyMembers}, schema.Text{}, members},
		{schema.Set{Members: tinyMembers}, schema.TextArray{}, members},
		{schema.JSON{Parsed: true}, schema.JSON{Parsed: true}, drawJSON()},
		{schema.JSON{}, schema.JSON{}, drawJSON()},
		{schema.JSON{}, schema.Text{}, drawJSON()},
		{schema.Date{}, schema.Date{}, drawDateTime(24 * time.Hour)},
		{schema.Time{Precision: 6}, schema.Time{Precision: 6}, drawTime(0, day)},
		{schema.Time{Precision: 6}, schema.Interval{Precision: 6}, drawTime(-ever, ever)},
		{schema.DateTime{Precision: 6}, schema.DateTime{Precision: 6}, drawDateTime(time.Microsecond)},
		{schema.DateTime{}, schema.Timestamp{}, drawDateTime(time.Second)},
		{schema.Timestamp{Precision: 6}, schema.Timestamp{Precision: 6}, drawDateTime(time.Microsecond)},
		{schema.Timestamp{Precision: 6}, schema.DateTime{Precision: 6}, drawDateTime(time.Microsecond)},
		{schema.UUID{}, schema.UUID{}, drawUUID()},
		{schema.UUID{}, schema.Text{}, drawUUID()},
		{schema.Inet{Version: 4}, schema.Inet{}, drawInet(4)},
		{schema.Inet{Version: 6}, schema.Inet{}, drawInet(16)},
		{schema.Inet{Version: 6}, schema.Text{}, drawInet(16)},
		{schema.Geometry{Shape: "POINT", SRID: -1}, schema.Geometry{Shape: "POINT", SRID: -1}, drawPoint()},
		{schema.Geometry{Shape: "POINT", SRID: -1}, schema.Binary{}, drawPoint()},
		{schema.Vector{N: 2}, schema.Binary{}, rapid.SliceOfN(rapid.Byte(), 8, 8)},
		{schema.Other{SQL: "xmltype"}, schema.Text{}, drawText()},
		{schema.Other{SQL: "thing"}, schema.Binary{}, drawBytes()},
	}
}

// payload checks the framing of one field and takes it off.
func payload(t rapid.TB, field []byte) []byte {
	t.Helper()
	if len(field) < 4 || int(binary.BigEndian.Uint32(field)) != len(field)-4 {
		t.Fatalf("the field %x does not begin with its length", field)
	}
	return field[4:]
}

func TestBackInvertsAppend(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.String(), func(t *testing.T) {
			if !convertible(p.src, p.dst) {
				t.Fatal("a codec is tested for a pair that no option may ask for")
			}
			codec, _ := codecOf(t, p.src, p.dst)
			back := backOf(t, p.src, p.dst)
			rapid.Check(t, func(t *rapid.T) {
				src := p.draw.Draw(t, "value")
				before := []byte("row so far")
				field, err := codec.Append(before, src)
				if err != nil {
					t.Fatalf("append %x: %v", src, err)
				}
				field, kept := bytes.CutPrefix(field, before)
				if !kept {
					t.Fatal("what stood before the field changed")
				}
				if codec.Verbatim && !bytes.Equal(payload(t, field), src) {
					t.Fatalf("a verbatim codec wrote %x for %x", field, src)
				}
				got, err := back(nil, payload(t, field))
				if err != nil {
					t.Fatalf("bring %x back: %v", field, err)
				}
				if !bytes.Equal(got, src) {
					t.Fatalf("%x became %x and came back as %x", src, field, got)
				}
			})
		})
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	for _, p := range pairs() {
		t.Run(p.String(), func(t *testing.T) {
			codec, _ := codecOf(t, p.src, p.dst)
			back := backOf(t, p.src, p.dst)
			src := p.draw.Example(7)
			dst, field := make([]byte, 0, 1<<16), make([]byte, 0, 1<<16)
			if n := testing.AllocsPerRun(100, func() {
				var err error
				if field, err = codec.Append(field[:0], src); err != nil {
					t.Fatal(err)
				}
				if codec.Check != nil {
					if err := codec.Check(src); err != nil {
						t.Fatal(err)
					}
				}
			}); n != 0 {
				t.Errorf("%v allocations a value", n)
			}
			if n := testing.AllocsPerRun(100, func() {
				var err error
				if dst, err = back(dst[:0], field[4:]); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations a value on the way back", n)
			}
		})
	}
}
