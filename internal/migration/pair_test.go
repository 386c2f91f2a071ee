package migration

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/schema"
)

// TestPairedKey: a plan that leaves a key column out must not be verified as if the
// table had no key.
func TestPairedKey(t *testing.T) {
	a, b := &schema.Column{Name: "a", Type: schema.Int{Bits: 32}}, &schema.Column{Name: "b", Type: schema.Int{Bits: 32}}
	table := &convert.Table{Target: &schema.Table{Name: "t"}, Columns: []convert.Column{{Source: a, Target: a}}}
	table.Select.Table = &schema.Table{Name: "t", Columns: []*schema.Column{a, b}}
	table.Select.Key = []*schema.Column{a, b}
	if _, err := paired(table); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("got %v, want an error that names column b", err)
	}
	table.Columns = append(table.Columns, convert.Column{Source: b, Target: b})
	got, err := paired(table)
	if err != nil || len(got.Key) != 2 || len(got.Columns) != 2 {
		t.Errorf("got %+v (%v), want two columns and both in the key", got, err)
	}
}
