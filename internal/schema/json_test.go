package schema_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/schema"
)

// TestColumnJSON holds that a plan's input survives the ledger: every type comes
// back as it went.
func TestColumnJSON(t *testing.T) {
	types := []schema.Type{
		schema.Bool{},
		schema.Int{Bits: 64, Unsigned: true, Width: 1},
		schema.Bit{N: 64},
		schema.Decimal{Precision: 65, Scale: 30, Unsigned: true},
		schema.Float{Bits: 32, Digits: 7, Scale: 2},
		schema.Text{Length: 3, MaxBytes: 4, Fixed: true, Charset: "latin1", Collation: "latin1_bin"},
		schema.Binary{Length: 16, Fixed: true},
		schema.Enum{Name: "e", Members: []string{"", "a,b", `"'`}, Charset: "utf8mb4"},
		schema.Set{Members: []string{"x", "é"}},
		schema.TextArray{},
		schema.JSON{Parsed: true},
		schema.Date{},
		schema.Time{Precision: 6},
		schema.Interval{Precision: 3},
		schema.DateTime{Precision: 1},
		schema.Timestamp{},
		schema.Year{},
		schema.UUID{},
		schema.Inet{Version: 6},
		schema.Geometry{Shape: "POINT", SRID: 4326},
		schema.Vector{N: 3},
		schema.Other{SQL: "xmltype"},
	}
	seen := map[string]bool{}
	for _, typ := range types {
		t.Run(typ.Kind(), func(t *testing.T) {
			if seen[typ.Kind()] {
				t.Fatalf("two types have the kind %q", typ.Kind())
			}
			seen[typ.Kind()] = true
			in := &schema.Column{
				Name: "Straße", Type: typ, Nullable: true, Default: &schema.Default{Literal: "a\x00\"b"},
				Identity: true, Generated: &schema.Generated{Expr: "a+1", Stored: true}, OnUpdateNow: true, Invisible: true, Comment: "c",
			}
			b, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			var out schema.Column
			if err := json.Unmarshal(b, &out); err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			if diff := cmp.Diff(in, &out); diff != "" {
				t.Errorf("%s came back changed (-went +came):\n%s", b, diff)
			}
		})
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	if typ, err := schema.UnmarshalType([]byte(`{"kind":"money"}`)); err == nil {
		t.Fatalf("an unknown kind became %#v", typ)
	}
}
