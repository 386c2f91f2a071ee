package postgres

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// hash60 is the contract's hash, written a second time.
func hash60(rowText string) uint64 {
	h := sha256.Sum256([]byte(rowText))
	return binary.BigEndian.Uint64(h[:8]) >> 4
}

func hexSHA(b string) string {
	h := sha256.Sum256([]byte(b))
	return hex.EncodeToString(h[:])
}

// formed is a column, its form, two rows' values in SQL, their canonical texts ("" with
// null for NULL) and what they add to the row's text.
type formed struct {
	sql        string
	column     schema.Column
	form       change.Form
	value      [2]string // SQL
	text       [2]string
	field      [2]string
	secondNull bool
}

func long(s string) string { return "64:" + hexSHA(s) }

func forms() []formed {
	k := func(kind change.FormKind, p int) change.Form { return change.Form{Kind: kind, Precision: p} }
	l := func(kind change.FormKind) change.Form { return change.Form{Kind: kind, Long: true} }
	raw := "\xe6\x10\x00\x00\x01\x01"
	return []formed{
		{"bigint", schema.Column{Type: schema.Int{Bits: 64}}, k(change.FormInteger, 0), [2]string{"-9223372036854775808", "7"}, [2]string{"-9223372036854775808", "7"}, [2]string{"-9223372036854775808;", "7;"}, false},
		{"boolean", schema.Column{Type: schema.Bool{}, Nullable: true}, k(change.FormInteger, 0), [2]string{"true", "NULL"}, [2]string{"1", ""}, [2]string{"1;", "N;"}, true},
		{"numeric(20,0)", schema.Column{Type: schema.Decimal{Precision: 20}, Nullable: true}, k(change.FormInteger, 0), [2]string{"18446744073709551615", "NULL"}, [2]string{"18446744073709551615", ""}, [2]string{"18446744073709551615;", "N;"}, true},
		{"numeric(10,3)", schema.Column{Type: schema.Decimal{Precision: 10, Scale: 3}}, k(change.FormDecimal, 3), [2]string{"-0.5", "12"}, [2]string{"-0.500", "12.000"}, [2]string{"-0.500;", "12.000;"}, false},
		{"numeric", schema.Column{Type: schema.Decimal{}, Nullable: true}, k(change.FormDecimal, 2), [2]string{"1.5", "1.005"}, [2]string{"1.50", "1.005"}, [2]string{"1.50;", "1.005;"}, false},
		{"numeric(12,4)", schema.Column{Type: schema.Decimal{Precision: 12, Scale: 4}}, k(change.FormDecimal, 2), [2]string{"-1.5", "1.0051"}, [2]string{"-1.50", "1.0051"}, [2]string{"-1.50;", "1.0051;"}, false},
		{"numeric(12,2)", schema.Column{Type: schema.Decimal{Precision: 12, Scale: 2}, Nullable: true}, k(change.FormDecimal, 4), [2]string{"-1.5", "NULL"}, [2]string{"-1.5000", ""}, [2]string{"-1.5000;", "N;"}, true},
		{"numeric", schema.Column{Type: schema.Decimal{}}, k(change.FormDecimal, 2), [2]string{"1.50000", "0.0000"}, [2]string{"1.50", "0.00"}, [2]string{"1.50;", "0.00;"}, false},
		{"text", schema.Column{Type: schema.Text{}, Nullable: true}, k(change.FormText, 0), [2]string{"'é;N\\'", "NULL"}, [2]string{"é;N\\", ""}, [2]string{"5:é;N\\", "N"}, true},
		{"varchar(9)", schema.Column{Type: schema.Text{Length: 9}}, k(change.FormText, 0), [2]string{"''", "'a '"}, [2]string{"", "a "}, [2]string{"0:", "2:a "}, false},
		{"text", schema.Column{Type: schema.Text{}, Nullable: true}, l(change.FormText), [2]string{"'é'", "NULL"}, [2]string{"é", ""}, [2]string{long("é"), "N"}, true},
		{"bytea", schema.Column{Type: schema.Binary{}, Nullable: true}, k(change.FormBytes, 0), [2]string{`'\x00ff'`, "NULL"}, [2]string{"00ff", ""}, [2]string{"4:00ff", "N"}, true},
		{"bytea", schema.Column{Type: schema.Binary{}}, k(change.FormBytes, 0), [2]string{`'\x'`, `'\x61'`}, [2]string{"", "61"}, [2]string{"0:", "2:61"}, false},
		{"bytea", schema.Column{Type: schema.Binary{}}, l(change.FormBytes), [2]string{`'\x00ff'`, `'\x'`}, [2]string{"00ff", ""}, [2]string{long("\x00\xff"), long("")}, false},
		{"bytea", schema.Column{Type: schema.Binary{}}, l(change.FormGeometry), [2]string{`'\xe61000000101'`, `'\x'`}, [2]string{hex.EncodeToString([]byte(raw)), ""}, [2]string{long(raw), long("")}, false},
		{"bit(5)", schema.Column{Type: schema.Bit{N: 5}}, k(change.FormBits, 5), [2]string{"B'00101'", "B'11111'"}, [2]string{"00101", "11111"}, [2]string{"00101;", "11111;"}, false},
		{"date", schema.Column{Type: schema.Date{}, Nullable: true}, k(change.FormDate, 0), [2]string{"'9999-12-31'", "NULL"}, [2]string{"9999-12-31", ""}, [2]string{"9999-12-31;", "N;"}, true},
		{"timestamp(0)", schema.Column{Type: schema.DateTime{}}, k(change.FormDateTime, 0), [2]string{"'1000-01-01'", "'2024-02-29 23:59:59'"}, [2]string{"1000-01-01 00:00:00", "2024-02-29 23:59:59"}, [2]string{"1000-01-01 00:00:00;", "2024-02-29 23:59:59;"}, false},
		{"timestamp(6)", schema.Column{Type: schema.DateTime{Precision: 6}}, k(change.FormDateTime, 6), [2]string{"'2024-01-01'", "'2024-02-29 23:59:59.0304'"}, [2]string{"2024-01-01 00:00:00.000000", "2024-02-29 23:59:59.030400"}, [2]string{"2024-01-01 00:00:00.000000;", "2024-02-29 23:59:59.030400;"}, false},
		{"timestamptz(3)", schema.Column{Type: schema.Timestamp{Precision: 3}, Nullable: true}, k(change.FormDateTime, 3), [2]string{"'2024-01-01 02:00:00.5+02'", "NULL"}, [2]string{"2024-01-01 00:00:00.500000", ""}, [2]string{"2024-01-01 00:00:00.500000;", "N;"}, true},
		{"time(6)", schema.Column{Type: schema.Time{Precision: 6}}, k(change.FormMicros, 6), [2]string{"'23:59:59.999999'", "'00:00:00'"}, [2]string{"86399999999", "0"}, [2]string{"86399999999;", "0;"}, false},
		{"interval(6)", schema.Column{Type: schema.Interval{Precision: 6}}, k(change.FormMicros, 6), [2]string{"'-838:59:59.000001'", "'838:59:59'"}, [2]string{"-3020399000001", "3020399000000"}, [2]string{"-3020399000001;", "3020399000000;"}, false},
		{"text[]", schema.Column{Type: schema.TextArray{}, Nullable: true}, k(change.FormLabels, 0), [2]string{"ARRAY['a','b c']", "'{}'"}, [2]string{"a,b c", ""}, [2]string{"5:a,b c", "0:"}, false},
		{"uuid", schema.Column{Type: schema.UUID{}}, k(change.FormUUID, 0), [2]string{"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'00000000-0000-0000-0000-000000000000'"}, [2]string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"}, [2]string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11;", "00000000-0000-0000-0000-000000000000;"}, false},
		{"double precision", schema.Column{Type: schema.Float{Bits: 64}, Nullable: true}, k(change.FormFloat, 0), [2]string{"1e20", "1e-7"}, [2]string{"1e20", "1e-7"}, [2]string{"4:1e20", "4:1e-7"}, false},
		{"real", schema.Column{Type: schema.Float{Bits: 32}}, k(change.FormFloat, 0), [2]string{"0.1", "16777216"}, [2]string{"0.10000000149011612", "16777216"}, [2]string{"19:0.10000000149011612", "8:16777216"}, false},
		{"json", schema.Column{Type: schema.JSON{}}, k(change.FormJSON, 0), [2]string{`'{"b":1, "a":2}'`, `'[]'`}, [2]string{`{"b":1, "a":2}`, "[]"}, [2]string{`14:{"b":1, "a":2}`, "2:[]"}, false},
		{"jsonb", schema.Column{Type: schema.JSON{Parsed: true}}, l(change.FormJSON), [2]string{`'{"b":1,"a":2}'`, `'[]'`}, [2]string{`{"a": 2, "b": 1}`, "[]"}, [2]string{long(`{"a": 2, "b": 1}`), long("[]")}, false},
		{"inet", schema.Column{Type: schema.Inet{}}, k(change.FormText, 0), [2]string{"'::1'", "'10.0.0.1'"}, [2]string{"::1", "10.0.0.1"}, [2]string{"3:::1", "8:10.0.0.1"}, false},
		{"inet", schema.Column{Type: schema.Inet{}}, k(change.FormBytes, 0), [2]string{"'2001:db8:0:1:1:1:1:1'", "'10.0.0.1'"}, [2]string{"20010db8000000010001000100010001", "0a000001"}, [2]string{"32:20010db8000000010001000100010001", "8:0a000001"}, false},
		{"inet", schema.Column{Type: schema.Inet{}, Nullable: true}, k(change.FormBytes, 0), [2]string{"'::ffff:10.0.0.1'", "NULL"}, [2]string{"00000000000000000000ffff0a000001", ""}, [2]string{"32:00000000000000000000ffff0a000001", "N"}, true},
		{"inet", schema.Column{Type: schema.Inet{}}, l(change.FormBytes), [2]string{"'10.0.0.1'", "'0.0.0.0'"}, [2]string{"0a000001", "00000000"}, [2]string{long("\n\x00\x00\x01"), long("\x00\x00\x00\x00")}, false},
	}
}

// TestCanonicalTexts sees every form's text, and the row's hash over all of them,
// against texts written by hand and Go's SHA-256.
func TestCanonicalTexts(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		fs := forms()
		var cols, rowTexts [2][]string
		ddl := []string{"id integer PRIMARY KEY"}
		q := &change.SumQuery{Table: "odd name", Key: []change.SumColumn{{Column: &schema.Column{Name: "id", Type: schema.Int{Bits: 32}}, Form: change.Form{Kind: change.FormInteger}}}}
		for i := range fs {
			fs[i].column.Name = nameOf(fmt.Sprintf("c %d", i))
			ddl = append(ddl, fmt.Sprintf("%s %s", quote(fs[i].column.Name), fs[i].sql))
			q.Columns = append(q.Columns, change.SumColumn{Column: &fs[i].column, Form: fs[i].form})
			for r := range 2 {
				cols[r] = append(cols[r], fs[i].value[r])
				rowTexts[r] = append(rowTexts[r], fs[i].field[r])
			}
		}
		exec(t, d.owner, "CREATE SCHEMA app", fmt.Sprintf(`CREATE TABLE app."odd name" (%s)`, strings.Join(ddl, ", ")),
			fmt.Sprintf(`INSERT INTO app."odd name" VALUES (1, %s), (2, %s)`, strings.Join(cols[0], ", "), strings.Join(cols[1], ", ")))
		e := d.open(t)
		want := []change.RowSum{{Key: []string{"1"}, Rows: 1}, {Key: []string{"2"}, Rows: 1}}
		for r := range want {
			want[r].Hash = hash60(strings.Join(rowTexts[r], ""))
		}
		sums, err := e.RowSums(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(sums, func(a, b change.RowSum) int { return cmp.Compare(a.Key[0], b.Key[0]) })
		if diff := gocmp.Diff(want, sums); diff != "" {
			t.Errorf("row sums (-want +got):\n%s", diff)
		}
		values, err := e.Values(t.Context(), q, sums)
		if err != nil || len(values) != 2 {
			t.Fatal(len(values), err)
		}
		slices.SortFunc(values, func(a, b change.RowValues) int { return cmp.Compare(a.Key[0], b.Key[0]) })
		for r := range 2 {
			for i, f := range fs {
				want := change.Value{Text: f.text[r], Null: r == 1 && f.secondNull}
				if values[r].Values[i] != want {
					t.Errorf("%s as %s, row %d: %+v, want %+v", f.sql, f.form.Kind, r+1, values[r].Values[i], want)
				}
			}
		}
		total, err := e.Sums(t.Context(), q)
		if diff := gocmp.Diff([]change.Sum{{Rows: 2, Hash: want[0].Hash + want[1].Hash}}, total); diff != "" || err != nil {
			t.Errorf("sum (-want +got):\n%s%v", diff, err)
		}
	})
}

// TestSumGroups compares ranges, buckets and rests with sums made in Go.
func TestSumGroups(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		const n = 3000
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (id bigint PRIMARY KEY, v text NOT NULL)",
			fmt.Sprintf("INSERT INTO app.t SELECT i, 'v' || i %% 1000 FROM generate_series(1, %d) i", n))
		id := change.SumColumn{Column: &schema.Column{Name: "id", Type: schema.Int{Bits: 64}}, Form: change.Form{Kind: change.FormInteger}}
		v := change.SumColumn{Column: &schema.Column{Name: "v", Type: schema.Text{}}, Form: change.Form{Kind: change.FormText}}
		e := d.open(t)
		tests := map[string]change.SumQuery{
			"all":                  {},
			"a range":              {Lo: "100", Hi: "199"},
			"an open range":        {Hi: "10"},
			"an empty range":       {Lo: "5000", Hi: "6000"},
			"buckets":              {Buckets: 16},
			"one bucket of 7":      {Mod: 7, Rems: []uint64{3}},
			"three buckets of 7":   {Mod: 7, Rems: []uint64{0, 3, 6}},
			"buckets of a bucket":  {Mod: 7, Rems: []uint64{3}, Buckets: 5},
			"a range in buckets":   {Lo: "1", Hi: "2000", Buckets: 3, Mod: 2, Rems: []uint64{1}},
			"the largest unsigned": {Hi: "18446744073709551615"},
		}
		for reason, q := range tests {
			for _, keyed := range []bool{true, false} {
				if !keyed && q.Lo+q.Hi != "" {
					continue
				}
				q.Table, q.Key = "t", nil
				q.Columns = []change.SumColumn{v}
				if keyed {
					q.Columns, q.Key = []change.SumColumn{id, v}, []change.SumColumn{id}
				}
				want, rows := sumInGo(n, q, keyed)
				got, err := e.Sums(t.Context(), &q)
				slices.SortFunc(got, func(a, b change.Sum) int { return cmp.Compare(a.Group, b.Group) })
				if diff := gocmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%s, key %t (-Go +SQL):\n%s%v", reason, keyed, diff, err)
				}
				sums, err := e.RowSums(t.Context(), &q)
				slices.SortFunc(sums, func(a, b change.RowSum) int { return cmp.Compare(a.Hash, b.Hash) })
				if diff := gocmp.Diff(rows, sums); diff != "" || err != nil {
					t.Errorf("rows of %s, key %t (-Go +SQL):\n%s%v", reason, keyed, diff, err)
				}
			}
		}
		if _, err := e.Sums(t.Context(), &change.SumQuery{Table: "t", Columns: []change.SumColumn{v}, Key: []change.SumColumn{id}, Lo: "1; DROP"}); err == nil {
			t.Error("a bound that is no number was taken")
		}
	})
}

func sumInGo(n int, q change.SumQuery, keyed bool) (sums []change.Sum, rows []change.RowSum) {
	bound := func(s string, def int) int {
		if s == "" || len(s) > 10 {
			return def
		}
		var i int
		_, _ = fmt.Sscan(s, &i)
		return i
	}
	groups := map[uint64]*change.Sum{}
	byHash := map[uint64]*change.RowSum{}
	for i := max(1, bound(q.Lo, 1)); i <= min(n, bound(q.Hi, n)); i++ {
		v := fmt.Sprintf("v%d", i%1000)
		h := hash60(fmt.Sprintf("%d:%s", len(v), v))
		k := h
		if keyed {
			h = hash60(fmt.Sprintf("%d;%d:%s", i, len(v), v))
			k = hash60(fmt.Sprintf("%d;", i))
		}
		if q.Mod > 0 && !slices.Contains(q.Rems, k%q.Mod) {
			continue
		}
		g := k / max(q.Mod, 1) % max(q.Buckets, 1)
		if groups[g] == nil {
			groups[g] = &change.Sum{Group: g}
		}
		groups[g].Rows++
		groups[g].Hash += h
		if byHash[h] == nil {
			byHash[h] = &change.RowSum{Hash: h}
			if keyed {
				byHash[h].Key = []string{fmt.Sprint(i)}
			}
		}
		byHash[h].Rows++
	}
	for _, s := range groups {
		sums = append(sums, *s)
	}
	for _, r := range byHash {
		rows = append(rows, *r)
	}
	slices.SortFunc(sums, func(a, b change.Sum) int { return cmp.Compare(a.Group, b.Group) })
	slices.SortFunc(rows, func(a, b change.RowSum) int { return cmp.Compare(a.Hash, b.Hash) })
	return sums, rows
}

// TestValues reads rows back by keys of several kinds, and by hashes.
func TestValues(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", `CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`,
			`CREATE TABLE app.t (a text COLLATE app.ci NOT NULL, b bytea NOT NULL, v integer, PRIMARY KEY (a, b))`,
			`INSERT INTO app.t VALUES ('é', '\x00', 1), ('e', '\x01', 2), ('x', '\x00', NULL)`,
			`CREATE TABLE app.keyless (v text)`, `INSERT INTO app.keyless VALUES ('dup'), ('dup'), (NULL), ('one')`)
		e := d.open(t)
		a := change.SumColumn{Column: &schema.Column{Name: "a", Type: schema.Text{}}, Form: change.Form{Kind: change.FormText}}
		b := change.SumColumn{Column: &schema.Column{Name: "b", Type: schema.Binary{}}, Form: change.Form{Kind: change.FormBytes}}
		v := change.SumColumn{Column: &schema.Column{Name: "v", Type: schema.Int{Bits: 32}, Nullable: true}, Form: change.Form{Kind: change.FormInteger}}
		got, err := e.Values(t.Context(), &change.SumQuery{Table: "t", Columns: []change.SumColumn{v, a, b}, Key: []change.SumColumn{a, b}},
			[]change.RowSum{{Key: []string{"é", "00"}}, {Key: []string{"x", "00"}}, {Key: []string{"e", "00"}}, {Key: []string{"E", "01"}}})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b change.RowValues) int { return cmp.Compare(a.Key[0], b.Key[0]) })
		want := []change.RowValues{
			{RowSum: change.RowSum{Key: []string{"x", "00"}, Hash: hash60("N;1:x2:00"), Rows: 1}, Values: []change.Value{{Null: true}, {Text: "x"}, {Text: "00"}}},
			{RowSum: change.RowSum{Key: []string{"é", "00"}, Hash: hash60("1;2:é2:00"), Rows: 1}, Values: []change.Value{{Text: "1"}, {Text: "é"}, {Text: "00"}}},
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("by key (-want +got):\n%s", diff)
		}
		text := change.SumColumn{Column: &schema.Column{Name: "v", Type: schema.Text{}, Nullable: true}, Form: change.Form{Kind: change.FormText}}
		got, err = e.Values(t.Context(), &change.SumQuery{Table: "keyless", Columns: []change.SumColumn{text}},
			[]change.RowSum{{Hash: hash60("3:dup")}, {Hash: hash60("N")}})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b change.RowValues) int { return cmp.Compare(a.Rows, b.Rows) })
		want = []change.RowValues{
			{RowSum: change.RowSum{Hash: hash60("N"), Rows: 1}, Values: []change.Value{{Null: true}}},
			{RowSum: change.RowSum{Hash: hash60("3:dup"), Rows: 2}, Values: []change.Value{{Text: "dup"}}},
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("by hash (-want +got):\n%s", diff)
		}
		if e.Received() == 0 {
			t.Error("nothing was received")
		}
	})
}

// TestNullKey sees rows whose key holds NULL, which a target without its key can hold.
func TestNullKey(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (id bigint, s text, v integer NOT NULL)",
			"INSERT INTO app.t VALUES (1, 'a', 10), (NULL, 'a', 20), (NULL, 'N', 30), (1, NULL, 40), (1, '', 50)")
		id := change.SumColumn{Column: &schema.Column{Name: "id", Type: schema.Int{Bits: 64}}, Form: change.Form{Kind: change.FormInteger}}
		s := change.SumColumn{Column: &schema.Column{Name: "s", Type: schema.Text{}}, Form: change.Form{Kind: change.FormText}}
		v := change.SumColumn{Column: &schema.Column{Name: "v", Type: schema.Int{Bits: 32}}, Form: change.Form{Kind: change.FormInteger}}
		q := &change.SumQuery{Table: "t", Columns: []change.SumColumn{v}, Key: []change.SumColumn{id, s}}
		e := d.open(t)
		byKey := func(a, b change.RowSum) int { return slices.Compare(a.Key, b.Key) }
		want := []change.RowSum{
			{Key: []string{"\x00", "N"}, Hash: hash60("30;"), Rows: 1},
			{Key: []string{"\x00", "a"}, Hash: hash60("20;"), Rows: 1},
			{Key: []string{"1", ""}, Hash: hash60("50;"), Rows: 1},
			{Key: []string{"1", "\x00"}, Hash: hash60("40;"), Rows: 1},
			{Key: []string{"1", "a"}, Hash: hash60("10;"), Rows: 1},
		}
		got, err := e.RowSums(t.Context(), q)
		slices.SortFunc(got, byKey)
		if diff := gocmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("row sums (-want +got):\n%s%v", diff, err)
		}
		for i, r := range want {
			for _, rows := range [][]change.RowSum{{r}, {r, {Key: []string{"\x00", "=N"}}}} {
				values, err := e.Values(t.Context(), q, rows)
				if diff := gocmp.Diff([]change.RowValues{{RowSum: r, Values: []change.Value{{Text: fmt.Sprint([]int{30, 20, 50, 40, 10}[i])}}}}, values); diff != "" || err != nil {
					t.Errorf("values of %q (-want +got):\n%s%v", r.Key, diff, err)
				}
			}
		}
	})
}

// TestLongValues sees that long values come back whole up to 64 KiB of text, then as
// their hash, with a key and without.
func TestLongValues(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (id integer, t text, b bytea, j json, short text)",
			`INSERT INTO app.t VALUES (1, repeat('é', 32768), decode(repeat('0a', 32768), 'hex'), '"x"', repeat('s', 70000)),
				(2, repeat('é', 32768) || 'x', decode(repeat('0a', 32769), 'hex'), to_json(repeat('x', 70000)), NULL), (3, NULL, NULL, NULL, NULL)`)
		col := func(name schema.Name, ty schema.Type, k change.FormKind, long bool) change.SumColumn {
			return change.SumColumn{Column: &schema.Column{Name: name, Type: ty, Nullable: true}, Form: change.Form{Kind: k, Long: long}}
		}
		id := col("id", schema.Int{Bits: 32}, change.FormInteger, false)
		q := &change.SumQuery{Table: "t", Columns: []change.SumColumn{
			col("t", schema.Text{}, change.FormText, true), col("b", schema.Binary{}, change.FormBytes, true),
			col("j", schema.JSON{}, change.FormText, true), col("short", schema.Text{}, change.FormText, false),
		}}
		text, raw := strings.Repeat("é", 32768), strings.Repeat("\n", 32768)
		doc := `"` + strings.Repeat("x", 70000) + `"`
		hashed := func(s string) change.Value {
			return change.Value{Text: fmt.Sprintf("sha256:%s (%d bytes)", hexSHA(s), len(s))}
		}
		want := [][]change.Value{
			{{Text: text}, {Text: strings.Repeat("0a", 32768)}, {Text: `"x"`}, {Text: strings.Repeat("s", 70000)}},
			{hashed(text + "x"), hashed(raw + "\n"), hashed(doc), {Null: true}},
			{{Null: true}, {Null: true}, {Null: true}, {Null: true}},
		}
		e := d.open(t)
		for _, key := range [][]change.SumColumn{{id}, nil} {
			q.Key = key
			sums, err := e.RowSums(t.Context(), q)
			if err != nil || len(sums) != 3 {
				t.Fatal(len(sums), err)
			}
			got, err := e.Values(t.Context(), q, sums)
			if err != nil || len(got) != 3 {
				t.Fatal(len(got), err)
			}
			// The rows in order: the whole one has the longest text, the NULLs have none.
			slices.SortFunc(got, func(a, b change.RowValues) int { return cmp.Compare(len(b.Values[0].Text), len(a.Values[0].Text)) })
			for i := range want {
				if !slices.Equal(got[i].Values, want[i]) {
					t.Errorf("row %d with %d key columns has other values", i+1, len(key))
				}
			}
		}
	})
}
