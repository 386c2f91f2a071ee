package convert

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// returnable has a key, a text that the source compares loosely, and a date that may be 0000-00-00.
func returnable() *schema.Database {
	t := &schema.Table{Name: "Orders", PrimaryKey: primary("Id"), Indexes: []*schema.Index{unique("by_no", "No")}}
	t.Columns = []*schema.Column{
		col("Id", schema.Int{Bits: 32}), col("No", ci(20)), col("Shipped", schema.Date{}),
		col("Total", schema.Decimal{Precision: 8, Scale: 2}, null), col("Twice", schema.Int{Bits: 32}, generated("`Id` * 2", true)),
	}
	return &schema.Database{Name: "shop", Dialect: schema.MySQL, Version: "9.7.0", Tables: []*schema.Table{t}}
}

func reversed(t *testing.T, o Options) (*Plan, *change.Select, *change.Replica) {
	t.Helper()
	p, err := New(Input{Source: returnable(), Options: o, Target: change.Capabilities{Version: 150018, ICU: true}})
	if err != nil {
		t.Fatal(err)
	}
	selects, replicas, err := p.Reverse()
	if err != nil {
		t.Fatal(err)
	}
	return p, selects[0], replicas[0]
}

func TestReverse(t *testing.T) {
	_, s, r := reversed(t, Options{Accept: []string{"zero-date:Orders.Shipped"}})
	var from, to []schema.Name
	for _, c := range s.Columns {
		from = append(from, c.Name)
	}
	to = r.Into.Columns
	if !slices.Equal(from, []schema.Name{"id", "no", "shipped", "total"}) || !slices.Equal(to, []schema.Name{"Id", "No", "Shipped", "Total"}) {
		t.Errorf("the columns are %v and %v; a generated one does not travel", from, to)
	}
	if s.Table.Name != "orders" || r.Into.Table != "Orders" || !slices.Equal(r.Key, []int{0}) || len(s.Key) != 1 || s.Key[0].Name != "id" {
		t.Errorf("%s to %s by %v (%v)", s.Table.Name, r.Into.Table, r.Key, s.Key)
	}
	got, err := r.Into.Codecs[0].Append([]byte("x"), binary.BigEndian.AppendUint32(nil, 513))
	if err != nil || string(got) != "x\x00\x00\x00\x04\x01\x02\x00\x00" {
		t.Errorf("513 travels as %q, %v; want a length and four bytes, little-endian", got, err)
	}
	if r.Into.Codecs[2].Null == nil || r.Into.Codecs[3].Null != nil {
		t.Error("NULL stands for 0000-00-00 where the source takes none, and for NULL where it takes it")
	}
}

func TestWayBack(t *testing.T) {
	accepted := []string{"zero-date:Orders.Shipped"}
	p, _, _ := reversed(t, Options{Accept: accepted})
	codes := func(accept ...string) map[finding.Code]bool {
		all, err := p.WayBack(accept)
		if err != nil {
			t.Fatal(err)
		}
		m := map[finding.Code]bool{}
		for _, f := range all {
			m[f.Code] = f.Accepted
		}
		return m
	}
	if got := codes(); len(got) != 2 || got[CodeBackDate] || got[CodeBackUnique] {
		t.Errorf("told %v, want a date and a unique index, neither accepted", got)
	}
	if got := codes("back-unique:Orders.No", "back-date:*.*"); !got[CodeBackDate] || !got[CodeBackUnique] {
		t.Errorf("told %v, want both accepted", got)
	}
	if _, err := p.WayBack([]string{"back-unique:Orders.Nr"}); err == nil {
		t.Error("a column that does not exist was accepted")
	}
	icu, _, _ := reversed(t, Options{Collation: CollationICU})
	if all, err := icu.WayBack(nil); err != nil || len(all) != 0 {
		t.Errorf("with ICU collations the target refuses the same rows, and %v, %v were told", all, err)
	}
}
