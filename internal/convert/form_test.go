package convert

import (
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

func TestForms(t *testing.T) {
	text := schema.Text{MaxBytes: 1<<16 - 1}
	for name, c := range map[string]struct {
		reason   string
		src, dst schema.Type
		want     change.Form
	}{
		"MariaDB's JSON":    {"a duplicate key would be lost in values", schema.JSON{}, schema.JSON{}, change.Form{Kind: change.FormText, Long: true}},
		"MySQL's as json":   {"json keeps the text", schema.JSON{Parsed: true}, schema.JSON{}, change.Form{Kind: change.FormText, Long: true}},
		"JSON as jsonb":     {"jsonb keeps values only", schema.JSON{}, schema.JSON{Parsed: true}, change.Form{Kind: change.FormJSON, Long: true}},
		"text as json":      {"json keeps the text", text, schema.JSON{}, change.Form{Kind: change.FormText, Long: true}},
		"text as jsonb":     {"jsonb keeps values only", text, schema.JSON{Parsed: true}, change.Form{Kind: change.FormJSON, Long: true}},
		"INET4":             {"one rule for both", schema.Inet{Version: 4}, schema.Inet{}, change.Form{Kind: change.FormBytes}},
		"INET6":             {"the texts of 2001:db8:0:1:1:1:1:1 differ", schema.Inet{Version: 6}, schema.Inet{}, change.Form{Kind: change.FormBytes}},
		"INET6 as text":     {"the text is what was copied", schema.Inet{Version: 6}, schema.Text{}, change.Form{Kind: change.FormText}},
		"DECIMAL alike":     {"both print two digits", schema.Decimal{Precision: 10, Scale: 2}, schema.Decimal{Precision: 10, Scale: 2}, change.Form{Kind: change.FormDecimal, Precision: 2}},
		"DECIMAL made wide": {"the target prints four digits", schema.Decimal{Precision: 10, Scale: 2}, schema.Decimal{Precision: 12, Scale: 4}, change.Form{Kind: change.FormDecimal, Precision: 4}},
	} {
		if got := formOf(c.src, c.dst); got.Kind != c.want.Kind || got.Precision != c.want.Precision || got.Long != c.want.Long {
			t.Errorf("%s: got %+v, want %+v: %s", name, got, c.want, c.reason)
		}
	}
}
