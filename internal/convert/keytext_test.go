package convert

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// keyOf is a table with one column, which is its key.
func keyOf(src, dst schema.Type) *Table {
	t := oneColumn(src, dst)
	t.Columns[0].Form = formOf(src, dst)
	t.Select.Table = &schema.Table{Name: "t"}
	t.Select.Key = []*schema.Column{t.Columns[0].Source}
	return t
}

// TestKeyTexts holds that a value has one text on either way, that it comes back from it, and that other values have others.
func TestKeyTexts(t *testing.T) {
	spelt := 0
	for _, p := range pairs() {
		if !ordersChunks(p.src) {
			continue
		}
		t.Run(p.String(), func(t *testing.T) {
			table := keyOf(p.src, p.dst)
			there, err := table.KeyTexts(false)
			if err != nil {
				t.Fatal(err)
			}
			if there == nil {
				t.Skip("compared as a whole")
			}
			spelt++
			back, err := table.KeyTexts(true)
			if err != nil {
				t.Fatal(err)
			}
			values, err := table.KeyValues()
			if err != nil {
				t.Fatal(err)
			}
			codec, _ := codecOf(t, p.src, p.dst)
			of := map[string][]byte{}
			rapid.Check(t, func(t *rapid.T) {
				src := p.draw.Draw(t, "value")
				text, err := there[0](nil, src)
				if err != nil {
					t.Fatal(err)
				}
				field, err := codec.Append(nil, src)
				if err != nil {
					t.Fatal(err)
				}
				again, err := back[0](nil, payload(t, field))
				if err != nil || !bytes.Equal(text, again) {
					t.Fatalf("%x is %q there and %q back: %v", src, text, again, err)
				}
				value, err := values[0](nil, string(text))
				if err != nil {
					t.Fatal(err)
				}
				same, err := codec.Append(nil, value)
				if err != nil || !bytes.Equal(same, field) {
					t.Fatalf("%x is %q, which is %x", src, text, value)
				}
				if other, ok := of[string(text)]; ok && !bytes.Equal(other, field) {
					t.Fatalf("%x and %x are both %q", other, field, text)
				}
				of[string(text)] = field
			})
		})
	}
	if spelt < 20 {
		t.Errorf("%d kinds of key are spelled", spelt)
	}
}

// TestKeyTextForms compares texts with what the forms are defined to be.
func TestKeyTextForms(t *testing.T) {
	at := mysqlDateTime(time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC))
	for _, c := range []struct {
		src, dst schema.Type
		value    []byte
		want     string
	}{
		{schema.Int{Bits: 8}, schema.Int{Bits: 16}, []byte{0x80}, "-128"},
		{schema.Int{Bits: 64, Unsigned: true}, schema.Decimal{Precision: 20}, bytes.Repeat([]byte{0xff}, 8), "18446744073709551615"},
		{schema.Decimal{Precision: 9, Scale: 2}, schema.Decimal{Precision: 9, Scale: 3}, []byte("-0007.50"), "-7.500"},
		{schema.Decimal{Precision: 9, Scale: 2}, schema.Decimal{Precision: 9, Scale: 2}, []byte("-0.00"), "0.00"},
		{schema.Binary{Length: 3}, schema.Binary{}, []byte{0, 0xab, 1}, "00ab01"},
		{schema.Binary{Length: 16, Fixed: true}, schema.UUID{}, []byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"), "00112233-4455-6677-8899-aabbccddeeff"},
		{schema.UUID{}, schema.UUID{}, []byte("00112233-4455-6677-8899-AABBCCDDEEFF"), "00112233-4455-6677-8899-aabbccddeeff"},
		{schema.DateTime{Precision: 6}, schema.DateTime{Precision: 6}, at, "2024-02-29 01:02:03.000004"},
		{schema.DateTime{}, schema.DateTime{}, at[:7], "2024-02-29 01:02:03"},
		{schema.Date{}, schema.Date{}, at[:4], "2024-02-29"},
		{schema.Time{Precision: 2}, schema.Interval{}, []byte{1, 1, 0, 0, 0, 2, 3, 4, 0x10, 0x27, 0, 0}, "-93784010000"},
		{schema.Inet{Version: 4}, schema.Inet{}, []byte("10.0.0.255"), "0a0000ff"},
		{schema.Inet{Version: 6}, schema.Inet{}, []byte("::ffff:10.0.0.255"), "00000000000000000000ffff0a0000ff"},
	} {
		texts, err := keyOf(c.src, c.dst).KeyTexts(false)
		if err != nil || len(texts) != 1 {
			t.Fatalf("%s: %v", spellSource(c.src), err)
		}
		if got, err := texts[0](nil, c.value); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", spellSource(c.src), got, err, c.want)
		}
		if got, err := texts[0](nil, []byte("\x07*")); err == nil && c.src.Kind() != "text" && c.src.Kind() != "binary" && c.src.Kind() != "uuid" {
			t.Errorf("%s: %q for what is no value", spellSource(c.src), got)
		}
	}
}

// TestKeyTextOfALoss has none: the servers' texts then depend on what was accepted.
func TestKeyTextOfALoss(t *testing.T) {
	table := keyOf(schema.Date{}, schema.Date{})
	table.Columns[0].Form.Accepted = []string{string(finding.LossZeroDate)}
	texts, err := table.KeyTexts(false)
	values, errValues := table.KeyValues()
	if texts != nil || values != nil || err != nil || errValues != nil {
		t.Errorf("got %d, %d, %v, %v", len(texts), len(values), err, errValues)
	}
	table.Columns[0].Form = change.Form{Kind: change.FormDate}
	if texts, err = table.KeyTexts(false); len(texts) != 1 || err != nil {
		t.Errorf("got %d, %v", len(texts), err)
	}
}
