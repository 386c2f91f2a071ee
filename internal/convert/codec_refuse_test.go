package convert

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

func TestValuesAgainstThePlanAreLoud(t *testing.T) {
	for name, c := range map[string]struct {
		reason   string
		src, dst schema.Type
		value    []byte
		want     string // in the message, beside table and column
	}{
		"unsigned beyond bigint": {
			"a live source may have passed the limit after the proof",
			schema.Int{Bits: 64, Unsigned: true},
			schema.Int{Bits: 64},
			little(8, 1<<63), "9223372036854775808 does not fit bigint",
		},
		"tinyint 2": {
			"2 must not become true", schema.Int{Bits: 8, Width: 1}, schema.Bool{}, []byte{2}, "the value 2 is neither 0 nor 1",
		},
		"tinyint -1": {
			"-1 must not become true", schema.Int{Bits: 8, Width: 1}, schema.Bool{}, []byte{0xff}, "the value -1",
		},
		"narrowed": {
			"the operator named a smaller type", schema.Int{Bits: 32}, schema.Int{Bits: 16}, little(4, 40000), "40000 does not fit smallint",
		},
		"time of tomorrow": {
			"24:00:00 is no time of a day to MySQL", schema.Time{}, schema.Time{}, mysqlTime(24 * time.Hour), "24:00:00",
		},
		"negative time": {
			"time has no sign", schema.Time{}, schema.Time{}, mysqlTime(-time.Second), "-00:00:01",
		},
		"text that is no UTF-8": {
			"PostgreSQL would refuse the whole COPY with a worse message", schema.Text{Length: 9}, schema.Text{Length: 9}, []byte("ab\xffc"), "not UTF-8 at byte 2",
		},
		"empty label": {
			"the enum type has no ''", schema.Enum{Members: []string{"a"}}, schema.Enum{Members: []string{"a"}}, nil, "invalid value",
		},
		"uuid that is none": {
			"text was named a uuid", schema.Text{Length: 36}, schema.UUID{}, []byte("not-a-uuid"), `"not-a-uuid" is not a UUID`,
		},
		"short integer": {
			"bytes of another type mean a bug or a broken server", schema.Int{Bits: 32}, schema.Int{Bits: 32}, []byte{1}, "0x01 is not a INT",
		},
		"bit too many": {
			"bits beyond the width would be cut", schema.Bit{N: 3}, schema.Bit{N: 3}, []byte{8}, "0x08",
		},
		"more digits than named": {
			"numeric(5) cannot hold it", schema.Int{Bits: 64}, schema.Decimal{Precision: 5}, little(8, 123456), "123456 does not fit numeric(5,0)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			codec, _ := codecOf(t, c.src, c.dst)
			_, err := codec.Append(nil, c.value)
			if err == nil {
				t.Fatalf("%s, and the value was taken", c.reason)
			}
			if msg := err.Error(); !strings.Contains(msg, "t.c") || !strings.Contains(msg, c.want) {
				t.Errorf("message %q lacks t.c or %q: %s", msg, c.want, c.reason)
			}
			if fault.ClassOf(err) != fault.Data {
				t.Errorf("class %q, want data", fault.ClassOf(err))
			}
		})
	}
}

func TestLosses(t *testing.T) {
	jsonb, text := schema.JSON{Parsed: true}, schema.Text{Length: 20}
	for name, c := range map[string]struct {
		src   schema.Type
		value []byte
		code  finding.Code
		want  string // the payload once accepted; "NULL" for NULL
	}{
		"zero date":            {schema.Date{}, nil, finding.LossZeroDate, "NULL"},
		"zero date, long form": {schema.Date{}, []byte{0, 0, 0, 0}, finding.LossZeroDate, "NULL"},
		"zero datetime":        {schema.DateTime{}, nil, finding.LossZeroDate, "NULL"},
		"zero timestamp":       {schema.Timestamp{}, nil, finding.LossZeroDate, "NULL"},
		"day of zero":          {schema.Date{}, []byte{0xe8, 7, 5, 0}, finding.LossPartialDate, "NULL"},
		"month of zero":        {schema.Date{}, []byte{0xe8, 7, 0, 1}, finding.LossPartialDate, "NULL"},
		"year of zero":         {schema.Date{}, []byte{0, 0, 5, 1}, finding.LossPartialDate, "NULL"},
		"31 February":          {schema.Date{}, []byte{0xe8, 7, 2, 31}, finding.LossPartialDate, "NULL"},
		"29 February 1900":     {schema.Date{}, []byte{0x6c, 7, 2, 29}, finding.LossPartialDate, "NULL"},
		"zero date at ten":     {schema.DateTime{}, []byte{0, 0, 0, 0, 10, 0, 0}, finding.LossPartialDate, "NULL"},
		"0x00 in text":         {text, []byte("a\x00b\x00"), finding.LossNulByte, "ab"},
		`\u0000 in jsonb`:      {jsonb, []byte(`["a\u0000b", "\\u0000", "\\\u0000"]`), finding.LossJSONNul, "\x01" + `["ab", "\\u0000", "\\"]`},
	} {
		t.Run(name, func(t *testing.T) {
			codec, _ := codecOf(t, c.src, c.src)
			_, err := codec.Append(nil, c.value)
			loss, ok := errors.AsType[*change.LossError](err)
			if !ok || loss.Code != c.code || loss.Table != "t" || loss.Column != "c" || loss.Value == "" {
				t.Fatalf("got %#v, want a LossError of %s", err, c.code)
			}
			codec, losses := codecOf(t, c.src, c.src, c.code)
			dst, err := codec.Append(nil, c.value)
			if err != nil {
				t.Fatalf("accepted, and still: %v", err)
			}
			if c.want == "NULL" {
				if binary.BigEndian.Uint32(dst) != 1<<32-1 || len(dst) != 4 {
					t.Errorf("got %x, want NULL", dst)
				}
			} else if got := string(payload(t, dst)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if n := losses[change.LossKey{Code: c.code, Table: "t", Column: "c"}]; n != 1 || len(losses) != 1 {
				t.Errorf("counted %v, want one %s", losses, c.code)
			}
			if n := testing.AllocsPerRun(50, func() { dst, _ = codec.Append(dst[:0], c.value) }); n != 0 {
				t.Errorf("%v allocations for an accepted loss", n)
			}
		})
	}
}

func TestBackRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		src, dst schema.Type
		payload  []byte
		want     string
	}{
		"negative unsigned": {schema.Int{Bits: 32, Unsigned: true}, schema.Int{Bits: 64}, []byte{255, 255, 255, 255, 255, 255, 255, 255}, "-1 does not fit INT UNSIGNED"},
		"beyond mediumint":  {schema.Int{Bits: 24}, schema.Int{Bits: 32}, []byte{1, 0, 0, 0}, "16777216 does not fit MEDIUMINT"},
		"infinity":          {schema.DateTime{}, schema.DateTime{}, []byte{127, 255, 255, 255, 255, 255, 255, 255}, "infinity is outside"},
		"NaN":               {schema.Decimal{Precision: 5, Scale: 2}, schema.Decimal{Precision: 5, Scale: 2}, []byte{0, 0, 0, 0, 192, 0, 0, 0}, "0x"},
		"months":            {schema.Time{}, schema.Interval{}, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, "does not fit TIME"},
		"2^64":              {schema.Int{Bits: 64, Unsigned: true}, schema.Decimal{Precision: 20}, numericField("18446744073709551616"), "0x"},
		"a network":         {schema.Inet{Version: 4}, schema.Inet{}, []byte{2, 24, 0, 4, 10, 0, 0, 0}, "0x"},
		"a NULL member":     {schema.Set{Members: []string{"a"}}, schema.TextArray{}, []byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 0, 1, 255, 255, 255, 255}, "0x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := backOf(t, c.src, c.dst)(nil, c.payload)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "t.c") {
				t.Errorf("got %v, want t.c and %q", err, c.want)
			}
		})
	}
}

// numericField is the payload of an integer's numeric.
func numericField(digits string) []byte { return appendNumeric(nil, []byte(digits), nil, 0)[4:] }

// FuzzCodecs feeds arbitrary bytes to every codec and its inverse: they may
// refuse, never panic, and what they accept keeps its framing.
func FuzzCodecs(f *testing.F) {
	all := pairs()
	for i := range all {
		f.Add(i, []byte(nil))
		f.Add(i, all[i].draw.Example(i))
	}
	f.Fuzz(func(t *testing.T, which int, value []byte) {
		p := all[uint(which)%uint(len(all))]
		for _, codes := range [][]finding.Code{nil, losses} {
			codec, _ := codecOf(t, p.src, p.dst, codes...)
			field, err := codec.Append(nil, value)
			if err == nil && int32(binary.BigEndian.Uint32(field)) != -1 {
				payload(t, field)
			}
		}
		if _, err := backOf(t, p.src, p.dst)(nil, value); err != nil && !strings.Contains(err.Error(), "t.c") {
			t.Errorf("the error %q does not name the column", err)
		}
	})
}
