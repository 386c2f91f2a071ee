package convert

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

func TestDecisions(t *testing.T) {
	estimated := answer(schema.AskMax, 0, "5")
	estimated.Estimated = true
	halfDay := answer(schema.AskOutOfDay, 0, "")
	halfDay.Estimated = true
	for name, c := range map[string]struct {
		reason  string
		src     schema.Type
		answers []schema.Answer
		named   string
		want    string
		blocked bool
	}{
		"largest bigint":         {"2^63-1 still fits", bigID, []schema.Answer{answer(schema.AskMax, 0, "9223372036854775807")}, "", "bigint", false},
		"one more":               {"2^63 does not", bigID, []schema.Answer{answer(schema.AskMax, 0, "9223372036854775808")}, "", "numeric(20,0)", false},
		"empty table":            {"no value is a proof too", bigID, []schema.Answer{answer(schema.AskMax, 0, "")}, "", "bigint", false},
		"estimated":              {"a part of the rows proves nothing", bigID, []schema.Answer{estimated}, "", "numeric(20,0)", false},
		"taken at its word":      {"the codec is loud", bigID, nil, "bigint", "bigint", false},
		"bigint refuted":         {"the data says otherwise", bigID, []schema.Answer{answer(schema.AskMax, 0, "18446744073709551615")}, "bigint", "numeric(20,0)", true},
		"boolean proven":         {"all are 0 or 1", schema.Int{Bits: 8, Width: 1}, []schema.Answer{answer(schema.AskNotBoolean, 0, "")}, "boolean", "boolean", false},
		"boolean unproven":       {"nobody looked", schema.Int{Bits: 8, Width: 1}, nil, "boolean", "smallint", true},
		"boolean refuted":        {"a 2 is there", schema.Int{Bits: 8, Width: 1}, []schema.Answer{answer(schema.AskNotBoolean, 1, "")}, "boolean", "smallint", true},
		"boolean of a bit":       {"a bit is nothing else", schema.Bit{N: 1}, nil, "boolean", "boolean", false},
		"time estimated":         {"a part of the rows proves nothing", schema.Time{}, []schema.Answer{halfDay}, "", "interval(0)", false},
		"time refuted":           {"one row is tomorrow", schema.Time{}, []schema.Answer{answer(schema.AskOutOfDay, 1, "")}, "time", "interval(0)", true},
		"json with a NUL":        {"jsonb would refuse it", schema.JSON{Parsed: true}, []schema.Answer{answer(schema.AskJSONNul, 1, "")}, "", "json", false},
		"date-time as instant":   {"the operator knows the zone", schema.DateTime{Precision: 3}, nil, "timestamptz", "timestamptz(3)", false},
		"varchar made longer":    {"no value is lost", schema.Text{Length: 10}, nil, "varchar(20)", "varchar(20)", false},
		"numeric made wider":     {"no digit is lost", schema.Decimal{Precision: 5, Scale: 2}, nil, "numeric(12,4)", "numeric(12,4)", false},
		"binary as uuid":         {"16 bytes", schema.Binary{Length: 16, Fixed: true}, nil, "uuid", "uuid", false},
		"unknown type named":     {"somebody looked at it", schema.Other{SQL: "thing"}, nil, "bytea", "bytea", false},
		"unknown type":           {"nothing says how it reads", schema.Other{SQL: "thing"}, nil, "", "text", true},
		"unsigned float":         {"the sign is a check", schema.Float{Bits: 64, Unsigned: true}, nil, "", "double precision", false},
		"year is no boolean row": {"YEAR 0 is a value", schema.Year{}, nil, "", "smallint", false},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Answers: c.answers}
			if c.named != "" {
				in.Options.Types = map[string]string{"t.c": c.named}
			}
			got, plan := planColumnOf(t, col("c", c.src), in)
			if spell(got.Target.Type) != c.want {
				t.Errorf("%s: got %s, want %s", c.reason, spell(got.Target.Type), c.want)
			}
			if got.Why == "" || !strings.HasSuffix(got.Why, ".") {
				t.Errorf("the reason %q is no sentence", got.Why)
			}
			blocked := false
			for _, f := range plan.Findings {
				blocked = blocked || f.Severity == finding.Blocker
			}
			if blocked != c.blocked {
				t.Errorf("%s: blocked %t, want %t: %v", c.reason, blocked, c.blocked, plan.Findings)
			}
		})
	}
}

// TestForeignKeysDecideTogether: one member of a group without proof keeps all
// of it wide, in both directions of the key.
func TestForeignKeysDecideTogether(t *testing.T) {
	for name, answers := range map[string][]schema.Answer{
		"child too large":  {ask("Customer", "ID", schema.AskMax, 0, "1"), ask("order", "customer_id", schema.AskMax, 0, "18446744073709551615")},
		"parent too large": {ask("Customer", "ID", schema.AskMax, 0, "18446744073709551615"), ask("order", "customer_id", schema.AskMax, 0, "1")},
		"child not asked":  {ask("Customer", "ID", schema.AskMax, 0, "1")},
	} {
		plan, err := New(Input{Source: shop(), Answers: answers})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []ref{{"Customer", "ID"}, {"order", "customer_id"}} {
			if got := spell(plan.planOf(r.table).columnOf(r.column).Target.Type); got != "numeric(20,0)" {
				t.Errorf("%s: %s became %s, want numeric(20,0)", name, r, got)
			}
		}
	}
}

func (p *Plan) planOf(name schema.Name) *Table {
	for _, t := range p.Tables {
		if t.Select.Table.Name == name {
			return t
		}
	}
	return nil
}

func TestOptionsThatNameNothing(t *testing.T) {
	for name, opt := range map[string]Options{
		"unknown loss":        {Accept: []string{"zero-dates:*.*"}},
		"no loss":             {Accept: []string{"Customer.Born"}},
		"unknown column":      {Accept: []string{"zero-date:Customer.Birth"}},
		"unknown typed":       {Types: map[string]string{"Customer.Birth": "date"}},
		"no type":             {Types: map[string]string{"Customer.Born": "datum"}},
		"not convertible":     {Types: map[string]string{"Customer.Born": "boolean"}},
		"no PostGIS":          {Types: map[string]string{"place.at": "geometry"}},
		"contradiction":       {Types: map[string]string{"Customer.ID": "bigint", "order.customer_id": "numeric"}},
		"unknown collation":   {Collation: "swedish"},
		"shorter varchar":     {Types: map[string]string{"Customer.Email": "varchar(5)"}},
		"hidden SQL in types": {Types: map[string]string{"Customer.Email": "text); DROP TABLE x"}},
	} {
		if _, err := New(Input{Source: shop(), Options: opt}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestQuestions(t *testing.T) {
	decides := map[string][]string{}
	for _, q := range Questions(shop(), Options{Types: map[string]string{"Customer.Vip": "boolean", "order.state": "enum"}}) {
		if q.Decides {
			decides[string(q.Ask)] = append(decides[string(q.Ask)], ref{q.Table, q.Column}.String())
		}
	}
	want := map[string][]string{
		"max": {"Customer.ID", "order.customer_id", "place.my_row_id"}, "not-boolean": {"Customer.Vip"},
		"out-of-day": {"order.wait"}, "empty-enum": {"order.state"}, "json-nul": {"Customer.Profile"},
	}
	if diff := cmp.Diff(want, decides); diff != "" {
		t.Errorf("deciding questions (-want +got):\n%s", diff)
	}
	foresee := map[string]bool{}
	for _, q := range Questions(bazaar(), Options{}) {
		foresee[ref{q.Table, q.Column}.String()+" "+string(q.Ask)] = true
	}
	for _, q := range []string{"day.day zero-date", "day.day partial-date", "log.line nul-byte", "log.line double-encoded", "log.key max-bytes", "item.kind empty-enum"} {
		if !foresee[q] {
			t.Errorf("%s is not asked", q)
		}
	}
	if foresee["log.line max-bytes"] {
		t.Error("the length of a column is asked though only a prefix of it is indexed")
	}
}

func TestNames(t *testing.T) {
	long := schema.Name(strings.Repeat("é", 40)) // 80 bytes, within MySQL's 64 characters
	ns := namespace{}
	first, second := ns.take(long+"a", "a"), ns.take(long+"b", "b")
	if first == second || len(first) > maxName || len(second) > maxName {
		t.Errorf("got %q and %q, want two names of at most %d bytes", first, second, maxName)
	}
	if !strings.HasPrefix(string(first), "éé") || strings.ContainsRune(string(first), '�') {
		t.Errorf("%q is cut within a character", first)
	}
	if again := (namespace{}).take(long+"a", "a"); again != first {
		t.Errorf("got %q, then %q: a name must not depend on chance", first, again)
	}
	if got := (Options{}).fold("ÄBC"); got != "Äbc" {
		t.Errorf("got %q: PostgreSQL folds ASCII alone", got)
	}
}

func TestLooseness(t *testing.T) {
	for collation, want := range map[string]string{
		"utf8mb4_0900_ai_ci": "case, accents", "utf8mb4_0900_as_ci": "case", "utf8mb4_0900_as_cs": "", "utf8mb4_0900_bin": "", "binary": "",
		"utf8mb4_bin": "trailing spaces", "utf8mb4_general_ci": "case, accents, trailing spaces", "latin1_general_cs": "trailing spaces",
		"utf8mb4_general_nopad_ci": "case, accents", "utf8mb4_uca1400_nopad_as_ci": "case", "utf8mb4_uca1400_ai_ci": "case, accents, trailing spaces",
	} {
		if got := looseOf(collation).String(); got != want {
			t.Errorf("%s ignores %q, want %q", collation, got, want)
		}
	}
}

func TestAcceptedLossesAndNotNull(t *testing.T) {
	found, none := answer(schema.AskZeroDate, 1, ""), answer(schema.AskZeroDate, 0, "")
	for name, c := range map[string]struct {
		accept   string
		answer   *schema.Answer
		nullable bool
	}{
		"by name, none there":    {"zero-date:t.c", &none, true},
		"by star, none there":    {"zero-date:*.*", &none, false},
		"by star, found":         {"zero-date:*.c", &found, true},
		"by star, nobody looked": {"zero-date:t.*", nil, true},
		"other loss":             {"nul-byte:t.c", &found, false},
	} {
		in := Input{Options: Options{Accept: []string{c.accept}}}
		if c.answer != nil {
			in.Answers = []schema.Answer{*c.answer}
		}
		got, _ := planColumnOf(t, col("c", schema.Timestamp{}), in)
		if got.Target.Nullable != c.nullable || (len(got.Form.Accepted) > 0) != c.nullable {
			t.Errorf("%s: nullable %t, form %v; want %t", name, got.Target.Nullable, got.Form, c.nullable)
		}
	}
}

func TestVirtualColumns(t *testing.T) {
	for version, stored := range map[int]bool{150018: true, 170002: true, 180001: false} {
		c := col("c", int32s, null, generated("(`id` + 1)", false))
		got, _ := planColumnOf(t, c, Input{Target: change.Capabilities{Version: version}})
		if got.Travels || got.Target.Generated == nil || got.Target.Generated.Stored != stored {
			t.Errorf("version %d: %+v, want stored %t", version, got.Target.Generated, stored)
		}
	}
}
