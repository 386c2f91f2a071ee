package convert

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// example is a value as the source sends it and as PostgreSQL must print it,
// worked out without the codec: from Go's own formatting, or by hand.
type example struct {
	value []byte
	want  string
}

// judged is one conversion whose result PostgreSQL itself prints.
type judged struct {
	src, dst schema.Type
	column   string // the column's type in SQL
	examples []example
}

func ints(width int, vs ...int64) (es []example) {
	for _, v := range vs {
		es = append(es, example{little(width, uint64(v)), strconv.FormatInt(v, 10)})
	}
	return es
}

func uints(width int, vs ...uint64) (es []example) {
	for _, v := range vs {
		es = append(es, example{little(width, v), strconv.FormatUint(v, 10)})
	}
	return es
}

// verbatim are texts that PostgreSQL prints as MySQL does.
func verbatim(ss ...string) (es []example) {
	for _, s := range ss {
		es = append(es, example{[]byte(s), s})
	}
	return es
}

func instants(layout string, unit time.Duration) (es []example) {
	r := rand.New(rand.NewPCG(1, 2))
	at := []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2000, 2, 29, 12, 0, 0, 1000, time.UTC), time.Date(1900, 3, 1, 0, 0, 1, 0, time.UTC), time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
	}
	for range 300 {
		at = append(at, time.UnixMicro(r.Int64N(253_402_300_800_000_000+62_135_596_800_000_000)-62_135_596_800_000_000).UTC())
	}
	for _, a := range at {
		a = a.Truncate(unit)
		es = append(es, example{mysqlDateTime(a), a.Format(layout)})
	}
	return es
}

// times prints durations as PostgreSQL prints time and interval.
func times(ds ...time.Duration) (es []example) {
	for _, d := range ds {
		us := d.Microseconds()
		text := ""
		if us < 0 {
			text, us = "-", -us
		}
		text += fmt.Sprintf("%02d:%02d:%02d", us/3_600_000_000, us/60_000_000%60, us/1_000_000%60)
		if f := us % 1_000_000; f != 0 {
			text += strings.TrimRight(fmt.Sprintf(".%06d", f), "0")
		}
		es = append(es, example{mysqlTime(d), text})
	}
	return es
}

func decimals(scale int) (es []example) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		text := strconv.FormatUint(r.Uint64()>>r.IntN(64), 10)
		if scale > 0 {
			frac := fmt.Sprintf("%0*d", scale, r.Uint64()>>r.IntN(64))
			text += "." + frac[:scale]
		}
		if strings.Trim(text, "0.") != "" && r.IntN(2) == 0 {
			text = "-" + text
		}
		es = append(es, verbatim(text)...)
	}
	return es
}

func floats() (es64, es32 []example) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, v := range []float64{0, math.Copysign(0, -1), 1, -1.5, 16777216, 0.1, 1e20, 123456.789, 5e-324, math.MaxFloat64, r.NormFloat64(), r.ExpFloat64()} {
		es64 = append(es64, example{little(8, math.Float64bits(v)), shortest(v, 64)})
	}
	for _, v := range []float32{0, 1, -1.5, 16777216, 3.1415927, 123456792, math.SmallestNonzeroFloat32, math.MaxFloat32, 1e-45} {
		es32 = append(es32, example{little(4, uint64(math.Float32bits(v))), shortest(float64(v), 32)})
	}
	return es64, es32
}

// shortest prints a number as PostgreSQL does since version 12: shortest digits
// that read back, an exponent of two digits from 1e15 (1e6 for real) and below 1e-4.
func shortest(v float64, bits int) string {
	text := strconv.FormatFloat(v, 'e', -1, bits)
	mantissa, exponent, _ := strings.Cut(text, "e")
	e, _ := strconv.Atoi(exponent)
	if limit := map[int]int{32: 6, 64: 15}[bits]; e < -4 || e >= limit {
		return fmt.Sprintf("%se%+03d", mantissa, e)
	}
	return strconv.FormatFloat(v, 'f', -1, bits)
}

func judgements() []judged {
	es64, es32 := floats()
	text := schema.Text{MaxBytes: 1 << 16}
	strange := []string{"", " ", "trailing ", `back\slash`, "it's", "tab\tnew\nline", "é", "𝄞", "日本語", `\N`, `"q"`, "{a,b}", "NULL", "\u0081"}
	all := tinyMembers
	return []judged{
		{schema.Int{Bits: 8}, schema.Int{Bits: 16}, "smallint", ints(1, -128, -1, 0, 1, 127)},
		{schema.Int{Bits: 8, Unsigned: true}, schema.Int{Bits: 16}, "smallint", uints(1, 0, 128, 255)},
		{schema.Int{Bits: 16, Unsigned: true}, schema.Int{Bits: 32}, "integer", uints(2, 0, 32768, 65535)},
		{schema.Int{Bits: 24}, schema.Int{Bits: 32}, "integer", ints(4, -8388608, -1, 8388607)},
		{schema.Int{Bits: 32}, schema.Int{Bits: 32}, "integer", ints(4, math.MinInt32, -1, 0, math.MaxInt32)},
		{schema.Int{Bits: 32, Unsigned: true}, schema.Int{Bits: 64}, "bigint", uints(4, 0, 1<<31, 1<<32-1)},
		{schema.Int{Bits: 64}, schema.Int{Bits: 64}, "bigint", ints(8, math.MinInt64, -1, 0, math.MaxInt64)},
		{schema.Int{Bits: 64, Unsigned: true}, schema.Decimal{Precision: 20}, "numeric(20,0)", uints(8, 0, 1, 9999, 10000, 100000000, 1<<63, math.MaxUint64, 10000000000000000000)},
		{schema.Int{Bits: 64}, schema.Decimal{Precision: 20}, "numeric(20,0)", ints(8, math.MinInt64, -10000, -1, 0, math.MaxInt64)},
		{schema.Int{Bits: 8, Width: 1}, schema.Bool{}, "boolean", []example{{[]byte{0}, "false"}, {[]byte{1}, "true"}}},
		{schema.Year{}, schema.Int{Bits: 16}, "smallint", ints(2, 0, 1901, 2155)},
		{schema.Bit{N: 1}, schema.Bit{N: 1}, "bit(1)", []example{{[]byte{0}, "0"}, {[]byte{1}, "1"}}},
		{schema.Bit{N: 5}, schema.Bit{N: 5}, "bit(5)", []example{{[]byte{0b10110}, "10110"}, {[]byte{1}, "00001"}}},
		{schema.Bit{N: 8}, schema.Bit{N: 8}, "bit(8)", []example{{[]byte{0b10010110}, "10010110"}}},
		{schema.Bit{N: 11}, schema.Bit{N: 11}, "bit(11)", []example{{[]byte{0b101, 0b10000001}, "10110000001"}}},
		{schema.Bit{N: 64}, schema.Bit{N: 64}, "bit(64)", []example{{bytes.Repeat([]byte{0xf1}, 8), strings.Repeat("11110001", 8)}}},
		{schema.Decimal{Precision: 65, Scale: 30}, schema.Decimal{Precision: 65, Scale: 30}, "numeric(65,30)", append(decimals(30),
			verbatim("0.000000000000000000000000000000", "-99999999999999999999999999999999999.999999999999999999999999999999", "0.000000000000000000000000000001", "10000.000100000000000000000000000000")...)},
		{schema.Decimal{Precision: 30, Scale: 2}, schema.Decimal{Precision: 30, Scale: 2}, "numeric(30,2)", append(decimals(2), verbatim("0.00", "0.05", "-0.50", "10000.00", "9999.99", "100000000.01")...)},
		{schema.Decimal{Precision: 20}, schema.Decimal{Precision: 20}, "numeric(20,0)", append(decimals(0), verbatim("0", "10000", "-1")...)},
		{schema.Float{Bits: 64}, schema.Float{Bits: 64}, "double precision", es64},
		{schema.Float{Bits: 32}, schema.Float{Bits: 32}, "real", es32},
		{text, schema.Text{}, "text", verbatim(strange...)},
		{schema.Text{Length: 5}, schema.Text{Length: 5}, "varchar(5)", verbatim("日本語𝄞é", "", "12345")},
		{schema.Binary{MaxBytes: 255}, schema.Binary{}, "bytea", []example{{[]byte{0, 1, 0xff, '\\'}, `\x0001ff5c`}, {nil, `\x`}}},
		{schema.Binary{Length: 4, Fixed: true}, schema.Binary{}, "bytea", []example{{[]byte("a\x00\x00\x00"), `\x61000000`}}},
		{schema.Enum{Members: all}, schema.Text{}, "text", verbatim(all...)},
		{schema.Enum{Members: all}, schema.Enum{Members: append(all, "")}, "label", verbatim(append(all, "")...)},
		{schema.Set{Members: all}, schema.Text{}, "text", verbatim("", "red,two words")},
		{schema.Set{Members: all}, schema.TextArray{}, "text[]", []example{
			{nil, "{}"}, {[]byte("red"), "{red}"}, {[]byte(`red,it's,two words,back\slash`), `{red,it's,"two words","back\\slash"}`},
		}},
		{schema.JSON{Parsed: true}, schema.JSON{Parsed: true}, "jsonb", verbatim(`{"a": [1, 2.50, null], "bb": "é\n"}`, `"x"`, `null`, `100.0`)},
		{schema.JSON{}, schema.JSON{}, "json", verbatim(`{"b":1,  "a":2, "b":3}`, `"\u0000"`)},
		{schema.Date{}, schema.Date{}, "date", instants("2006-01-02", 24*time.Hour)},
		{schema.DateTime{Precision: 6}, schema.DateTime{Precision: 6}, "timestamp(6)", instants("2006-01-02 15:04:05.999999", time.Microsecond)},
		{schema.DateTime{}, schema.DateTime{}, "timestamp(0)", instants("2006-01-02 15:04:05", time.Second)},
		{schema.Timestamp{Precision: 3}, schema.Timestamp{Precision: 3}, "timestamptz(3)", instants("2006-01-02 15:04:05.999-07", time.Millisecond)},
		{schema.Time{Precision: 6}, schema.Time{Precision: 6}, "time(6)", times(0, time.Microsecond, time.Hour, 24*time.Hour-time.Microsecond, 12*time.Hour+34*time.Minute+56*time.Second)},
		{schema.Time{Precision: 6}, schema.Interval{Precision: 6}, "interval(6)", times(0, time.Microsecond, -time.Second, 24*time.Hour, 838*time.Hour+59*time.Minute+59*time.Second,
			-838*time.Hour-59*time.Minute-59*time.Second, -30*time.Hour-500*time.Microsecond)},
		{schema.UUID{}, schema.UUID{}, "uuid", verbatim("00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-426614174000")},
		{schema.Binary{Length: 16, Fixed: true}, schema.UUID{}, "uuid", []example{{[]byte("0123456789abcdef"), "30313233-3435-3637-3839-616263646566"}}},
		{schema.Inet{Version: 4}, schema.Inet{}, "inet", []example{{[]byte("192.0.2.1"), "192.0.2.1/32"}}},
		{schema.Inet{Version: 6}, schema.Inet{}, "inet", []example{
			{[]byte("::1"), "::1/128"}, {[]byte("2001:db8::ff00:42:8329"), "2001:db8::ff00:42:8329/128"}, {[]byte("::ffff:192.0.2.1"), "::ffff:192.0.2.1/128"}, {[]byte("::192.0.2.1"), "::192.0.2.1/128"},
		}},
		{schema.Geometry{Shape: "POINT", SRID: -1}, schema.Binary{}, "bytea", []example{{append([]byte{0xe6, 0x10, 0, 0, 1, 1, 0, 0, 0}, make([]byte, 16)...), `\xe61000000101000000` + strings.Repeat("00", 16)}}},
	}
}

// TestPostgresReadsFields loads every example by COPY BINARY and lets PostgreSQL
// say what arrived.
func TestPostgresReadsFields(t *testing.T) {
	for _, server := range servertest.Targets(t) {
		t.Run(server.Name, func(t *testing.T) {
			t.Parallel()
			url := server.Database(t)
			server.Exec(t, url, "CREATE TYPE label AS ENUM ("+textList(append(tinyMembers, ""))+")")
			conn, err := pgconn.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.WithoutCancel(t.Context()))
			for i, j := range judgements() {
				table := fmt.Sprintf("t%d", i)
				copyExamples(t, conn, table, j)
				got := server.Query(t, url, "SET timezone = 'UTC'; SELECT c::text FROM "+table+" ORDER BY n")
				if len(got) != len(j.examples) {
					t.Errorf("%s: %d rows arrived, want %d", j.column, len(got), len(j.examples))
					continue
				}
				for k, e := range j.examples {
					if got[k][0] != e.want {
						t.Errorf("%s to %s: %x reads %q, want %q", spellSource(j.src), j.column, e.value, got[k][0], e.want)
					}
				}
			}
		})
	}
}

// copyExamples makes the table and loads it on one connection.
func copyExamples(t *testing.T, conn *pgconn.PgConn, table string, j judged) {
	t.Helper()
	create := fmt.Sprintf("SET synchronous_commit = off; CREATE TABLE %s (n bigint, c %s)", table, j.column)
	if _, err := conn.Exec(t.Context(), create).ReadAll(); err != nil {
		t.Fatal(err)
	}
	codec, _ := codecOf(t, j.src, j.dst)
	stream := append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	for n, e := range j.examples {
		stream = binary.BigEndian.AppendUint64(append(stream, 0, 2, 0, 0, 0, 8), uint64(n))
		var err error
		if stream, err = codec.Append(stream, e.value); err != nil {
			t.Fatalf("append %x for %s: %v", e.value, j.column, err)
		}
	}
	stream = append(stream, 0xff, 0xff)
	if _, err := conn.CopyFrom(t.Context(), bytes.NewReader(stream), "COPY "+table+" FROM STDIN BINARY"); err != nil {
		t.Errorf("copy %s into %s: %v", spellSource(j.src), j.column, err)
	}
}
