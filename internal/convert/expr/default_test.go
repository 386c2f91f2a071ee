package expr_test

import (
	"fmt"
	"testing"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/schema"
)

// TestDefaults makes each default a real one on both sides and checks that a row
// gets a value of the same form and, for times, the same moment.
func TestDefaults(t *testing.T) {
	defaults := []struct {
		sql, mysql, pg string
		into           expr.Column
		check          string // a condition on PostgreSQL that the value c must meet
	}{
		{"(uuid())", "VARCHAR(36)", "varchar(36)", expr.Column{Target: schema.Text{Length: 36}}, "c ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"},
		{"(uuid())", "VARCHAR(36)", "uuid", expr.Column{Source: schema.Text{Length: 36}, Target: schema.UUID{}}, "c IS NOT NULL"},
		{"now()", "DATETIME", "timestamp(0)", expr.Column{Target: schema.DateTime{}}, "c <= clock_timestamp()::timestamp AND c > clock_timestamp()::timestamp - interval '1 minute'"},
		{"now(3)", "DATETIME(3)", "timestamp(3)", expr.Column{Target: schema.DateTime{Precision: 3}}, "c <= clock_timestamp()::timestamp"},
		{"now(6)", "TIMESTAMP(6)", "timestamptz(6)", expr.Column{Target: schema.Timestamp{Precision: 6}}, "c <= clock_timestamp()"},
		{"current_timestamp", "TIMESTAMP", "timestamptz(0)", expr.Column{Target: schema.Timestamp{}}, "c <= clock_timestamp()"},
		{"(curdate())", "DATE", "date", expr.Column{Target: schema.Date{}}, "c = clock_timestamp()::date OR c = clock_timestamp()::date - 1"},
		{"(curtime())", "TIME", "time(0)", expr.Column{Target: schema.Time{}}, "extract(microseconds FROM c)::bigint % 1000000 = 0"},
		{"(utc_timestamp())", "DATETIME", "timestamp(0)", expr.Column{Target: schema.DateTime{}}, "c <= timezone('UTC', clock_timestamp())"},
		{"(utc_date())", "DATE", "date", expr.Column{Target: schema.Date{}}, "c IS NOT NULL"},
		{"(curdate() + interval 1 month)", "DATE", "date", expr.Column{Target: schema.Date{}}, "c > clock_timestamp()::date + 26"},
		{"(unix_timestamp())", "BIGINT", "bigint", expr.Column{Source: schema.Int{Bits: 64}, Target: schema.Int{Bits: 64}}, "c BETWEEN extract(epoch FROM clock_timestamp()) - 60 AND extract(epoch FROM clock_timestamp())"},
		{"(rand())", "DOUBLE", "double precision", expr.Column{Target: schema.Float{Bits: 64}}, "c >= 0 AND c < 1"},
		{"(1 + 2)", "INT", "integer", expr.Column{Source: schema.Int{Bits: 32}, Target: schema.Int{Bits: 32}}, "c = 3"},
		{"(5 / 2)", "DECIMAL(10,4)", "numeric(10,4)", expr.Column{Source: schema.Decimal{Precision: 10, Scale: 4}, Target: schema.Decimal{Precision: 10, Scale: 4}}, "c = 2.5"},
		{"(json_array())", "JSON", "jsonb", expr.Column{Source: schema.JSON{Parsed: true}, Target: schema.JSON{Parsed: true}}, "c = '[]'"},
		{"(json_object())", "JSON", "json", expr.Column{Source: schema.JSON{}, Target: schema.JSON{}}, "c::text = '{}'"},
		{"(concat('é', 'b'))", "VARCHAR(9)", "varchar(9)", expr.Column{Source: schema.Text{Length: 9}, Target: schema.Text{Length: 9}}, "c = 'éb'"},
	}
	pairs(t, func(t *testing.T, p *pair) {
		for i, d := range defaults {
			table := fmt.Sprintf("d%d", i)
			if _, err := p.db.ExecContext(t.Context(), "CREATE TABLE "+table+" (id INT, c "+d.mysql+" DEFAULT "+d.sql+") DEFAULT CHARSET utf8mb4"); err != nil {
				t.Logf("%s has no default %s: %v", p.source.Name, d.sql, err)
				continue
			}
			printed, err := p.ask(t.Context(), "SELECT column_default FROM information_schema.columns WHERE table_schema = database() AND table_name = '"+table+"' AND column_name = 'c'")
			if err != nil || len(printed) != 1 {
				t.Fatal(printed, err)
			}
			got, err := expr.Translate(printed[0], expr.Context{Dialect: p.dialect, Use: expr.Default, Into: &d.into, Version: p.version})
			if err != nil {
				t.Fatalf("%s: %v", d.sql, err)
			}
			p.mustTarget(t, "CREATE TABLE "+table+" (id int, c "+d.pg+" DEFAULT ("+got.SQL+"))", "INSERT INTO "+table+" (id) VALUES (1)")
			met, err := p.askTarget(t.Context(), "SELECT "+d.check+" FROM "+table)
			if err != nil || met[0] != "t" {
				t.Errorf("%s → %s: %s is %q, %v", printed[0], got.SQL, d.check, met, err)
			}
		}
	})
}
