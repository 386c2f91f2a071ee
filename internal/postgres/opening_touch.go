package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// touchTrigger is the name of the trigger that does what MySQL's ON UPDATE CURRENT_TIMESTAMP does.
const touchTrigger schema.Name = "bascule_touch"

// touch is a table with columns that are set to the time of every change. Its function lives in the table's schema, so that both go on
// without schema bascule.
type touch struct {
	in      schema.Name
	name    string // of the table, qualified
	columns []*schema.Column
}

// touches lists the tables with such columns.
func touches(in schema.Name, db *schema.Database) ([]touch, error) {
	var out []touch
	for _, t := range db.Tables {
		x := touch{in: in, name: qualify(in, t.Name)}
		for _, c := range t.Columns {
			if !c.OnUpdateNow {
				continue
			}
			if momentSQL(c.Type) == "" {
				return nil, fault.New(fault.Unsupported, "set "+x.name+"."+quote(c.Name)+" at every update",
					fmt.Errorf("a column of type %s cannot take the time", sqlType(c.Type)), "let it be a timestamp, as the source has it")
			}
			x.columns = append(x.columns, c)
		}
		if len(x.columns) > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

// momentSQL is the start of the statement, cut as MySQL cuts it and not rounded, so that it never lies in the future. Like a default, it
// takes the session's time zone where the type has none. It is empty for types that hold no moment.
func momentSQL(t schema.Type) string {
	precision := 0
	switch t := t.(type) {
	case schema.DateTime:
		precision = t.Precision
	case schema.Timestamp:
		precision = t.Precision
	case schema.Date:
	default:
		return ""
	}
	const now = "pg_catalog.statement_timestamp()"
	switch precision {
	case 6:
		return now
	case 0:
		return "pg_catalog.date_trunc('second', " + now + ")"
	case 3:
		return "pg_catalog.date_trunc('milliseconds', " + now + ")"
	default:
		return fmt.Sprintf("pg_catalog.date_bin('%s microseconds', %s, '2000-01-01 00:00:00+00')", "1"+strings.Repeat("0", 6-precision), now)
	}
}

// functionSQL writes the function. A column that was assigned keeps its value, and a row that stays as it was is left alone: rows are
// compared byte by byte, as MySQL does, which also types without an equality allow. Generated columns have no value yet.
func (x *touch) functionSQL(name string, generated []string) string {
	var b strings.Builder
	before, after := "OLD", "NEW"
	fmt.Fprintf(&b, "CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $touch$", name)
	if len(generated) > 0 {
		before, after = "was", "becomes"
		fmt.Fprintf(&b, "\nDECLARE\n\twas %[1]s := OLD;\n\tbecomes %[1]s := NEW;", x.name)
	}
	b.WriteString("\nBEGIN\n")
	for _, g := range generated {
		fmt.Fprintf(&b, "\twas.%[1]s := NULL;\n\tbecomes.%[1]s := NULL;\n", quoteText(g))
	}
	fmt.Fprintf(&b, "\tIF %s OPERATOR(pg_catalog.*<>) %s THEN\n", after, before)
	for _, c := range x.columns {
		fmt.Fprintf(&b, "\t\tIF NEW.%[1]s IS NOT DISTINCT FROM OLD.%[1]s THEN\n\t\t\tNEW.%[1]s := %[2]s;\n\t\tEND IF;\n", quote(c.Name), momentSQL(c.Type))
	}
	b.WriteString("\tEND IF;\n\tRETURN NEW;\nEND$touch$")
	return b.String()
}

// create makes function and trigger, where they are missing, and notes them.
func (x *touch) create(ctx context.Context, tx pgx.Tx, migration int64) error {
	var oid uint32
	var there, live bool
	var generated []string
	err := tx.QueryRow(ctx, `SELECT c.oid, t.oid IS NOT NULL, COALESCE(tgenabled = 'O', false),
			ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated <> '' ORDER BY attnum)
		FROM pg_class c LEFT JOIN pg_trigger t ON tgrelid = c.oid AND tgname = $2 AND t.oid IN (
			SELECT oid FROM bascule.object WHERE migration = $3 AND kind = $4)
		WHERE c.oid = $1::text::regclass`, x.name, string(touchTrigger), migration, kindTrigger).Scan(&oid, &there, &live, &generated)
	if err != nil {
		return err
	}
	name := qualify(x.in, schema.Name(fmt.Sprintf("%s_%d", touchTrigger, oid)))
	statements := []string{x.functionSQL(name, generated)}
	switch {
	case !there:
		statements = append(statements, fmt.Sprintf("CREATE TRIGGER %s BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s()", touchTrigger, x.name, name))
	case !live:
		statements = append(statements, fmt.Sprintf("ALTER TABLE %s ENABLE TRIGGER %s", x.name, touchTrigger))
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO bascule.object (migration, kind, name, oid)
		SELECT $1::bigint, $2::text, quote_ident(relname) || '.' || quote_ident(tgname), t.oid FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE tgrelid = $4 AND tgname = $5
		UNION ALL SELECT $1, $3, $6::text, $6::text::regproc::oid
		ON CONFLICT (migration, kind, name) DO UPDATE SET oid = excluded.oid`,
		migration, kindTrigger, kindFunction, oid, string(touchTrigger), name)
	return err
}
