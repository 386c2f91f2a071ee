package verify

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
)

func jsonEqual(a, b string) bool { return equal(change.Form{Kind: change.FormJSON}, text(a), text(b)) }

func text(s string) change.Value { return change.Value{Text: s} }

func TestEqual(t *testing.T) {
	null := change.Value{Null: true}
	cases := map[string]struct {
		form   change.FormKind
		a, b   change.Value
		want   bool
		reason string
	}{
		"NullNull":      {change.FormText, null, null, true, "NULL on both sides arrived"},
		"NullEmpty":     {change.FormText, null, text(""), false, "NULL is not the empty string"},
		"TrailingSpace": {change.FormText, text("a"), text("a "), false, "a space is a value"},
		"FloatSpelling": {change.FormFloat, text("1e20"), text("1e+20"), true, "spelling is not a value"},
		"FloatLastBit":  {change.FormFloat, text("0.1"), text("0.10000000000000002"), false, "the last bit counts"},
		"FloatZeroSign": {change.FormFloat, text("-0"), text("0"), false, "the sign of zero is a bit"},
		"JSONOrder":     {change.FormJSON, text(`{"a":1,"b":[1,2]}`), text(`{"b": [1, 2], "a": 1}`), true, "members have no order"},
		"JSONArray":     {change.FormJSON, text(`[1,2]`), text(`[2,1]`), false, "elements have one"},
		"JSONNumber":    {change.FormJSON, text(`{"a": 1.2345678901234568e29}`), text(`{"a":123456789012345680000000000000}`), true, "numbers by value"},
		"JSONDigit":     {change.FormJSON, text(`12345678901234567890`), text(`12345678901234567891`), false, "beyond 53 bits too"},
		"JSONScale":     {change.FormJSON, text(`100.0`), text(`1e2`), true, "100.0 is 1e2"},
		"JSONHuge":      {change.FormJSON, text(`1e999999999`), text(`1e999999998`), false, "a huge exponent is not expanded"},
		"JSONTrailing":  {change.FormJSON, text(`1`), text(`1 2`), false, "text after a document is not that document"},
		"JSONString":    {change.FormJSON, text(`"1"`), text(`1`), false, "a string is not a number"},
		"JSONNull":      {change.FormJSON, text(`null`), null, false, "JSON null is not NULL"},
		"TextIsNotJSON": {change.FormText, text(`1.0`), text(`1`), false, "only JSON is compared as JSON"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := equal(change.Form{Kind: tc.form}, tc.a, tc.b); got != tc.want {
				t.Errorf("%s: equal(%v, %v) = %v", tc.reason, tc.a, tc.b, got)
			}
		})
	}
}

// TestNumbersByValue compares with big.Rat, which expands exponents and so is an
// independent judge where they are small.
func TestNumbersByValue(t *testing.T) {
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if got, want := jsonEqual(a, b), x.Cmp(y) == 0; got != want {
			t.Fatalf("jsonEqual(%q, %q) = %v", a, b, got)
		}
		respelled := json.Number(x.FloatString(120)).String()
		if !jsonEqual(a, respelled) {
			t.Fatalf("jsonEqual(%q, %q) = false", a, respelled)
		}
	})
}

func TestShowTellsValuesApart(t *testing.T) {
	long := strings.Repeat("x", 5000)
	cases := map[string][2]change.Value{
		"NullAgainstEmpty": {{Null: true}, text("")},
		"NullAgainstWord":  {{Null: true}, text("NULL")},
		"TrailingSpace":    {text("a"), text("a ")},
		"NUL":              {text("a"), text("a\x00")},
		"LongMiddle":       {text(long + "a" + long), text(long + "b" + long)},
		"LongEnd":          {text(long), text(long + " ")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, b := show(c[0], c[1])
			if a == b {
				t.Errorf("both sides print as %s", a)
			}
			if len(a) > 4*shownBytes+60 {
				t.Errorf("%d bytes are too many to print", len(a))
			}
		})
	}
}

func FuzzJSONEqual(f *testing.F) {
	f.Add(`{"a":[1,2.50,null]}`, `{"a":[1.0,25e-1,null]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if jsonEqual(a, b) != jsonEqual(b, a) {
			t.Errorf("%q and %q are equal one way only", a, b)
		}
		if json.Valid([]byte(a)) && !jsonEqual(a, a) {
			t.Errorf("%q is not equal to itself", a)
		}
	})
}
