package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// objects reads what is not a table. The catalog says what there is and, as far as the account's rights go, what it does; SHOW CREATE
// says it in full. What the account may not even see is not here: Check says which rights would show it.
func (in *inspection) objects(ctx context.Context) error {
	here := in.here
	for _, q := range []struct {
		what, sql string
		fn        func(row) error
	}{
		{
			"views", "SELECT TABLE_NAME AS NAME, VIEW_DEFINITION AS DEFINITION, DEFINER FROM information_schema.VIEWS WHERE " + here("TABLE_SCHEMA") + " ORDER BY 1",
			func(r row) error {
				ok, err := wanted(in.filter, r.text("NAME"))
				if ok {
					in.add(schema.View, r, "CREATE VIEW "+quote(schema.Name(r.text("NAME")))+" AS "+r.text("DEFINITION"))
				}
				return err
			},
		},
		{
			"triggers", "SELECT TRIGGER_NAME AS NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT AS DEFINITION, DEFINER" +
				" FROM information_schema.TRIGGERS WHERE " + here("TRIGGER_SCHEMA") + " ORDER BY EVENT_OBJECT_TABLE, ACTION_ORDER, 1",
			func(r row) error {
				if in.tables[r.text("EVENT_OBJECT_TABLE")] != nil {
					in.add(schema.Trigger, r, fmt.Sprintf("CREATE TRIGGER %s %s %s ON %s FOR EACH ROW %s", quote(schema.Name(r.text("NAME"))),
						r.text("ACTION_TIMING"), r.text("EVENT_MANIPULATION"), quote(schema.Name(r.text("EVENT_OBJECT_TABLE"))), r.text("DEFINITION")))
				}
				return nil
			},
		},
		{
			"routines", "SELECT ROUTINE_NAME AS NAME, ROUTINE_TYPE, ROUTINE_DEFINITION AS DEFINITION, DEFINER FROM information_schema.ROUTINES WHERE " +
				here("ROUTINE_SCHEMA") + " AND ROUTINE_TYPE IN ('PROCEDURE', 'FUNCTION') ORDER BY 1, ROUTINE_TYPE",
			func(r row) error {
				in.add(schema.ObjectKind(strings.ToLower(r.text("ROUTINE_TYPE"))), r, r.text("DEFINITION"))
				return nil
			},
		},
		{
			"events", "SELECT EVENT_NAME AS NAME, EVENT_DEFINITION AS DEFINITION, DEFINER FROM information_schema.EVENTS WHERE " + here("EVENT_SCHEMA") + " ORDER BY 1",
			func(r row) error { in.add(schema.Event, r, r.text("DEFINITION")); return nil },
		},
	} {
		if err := in.each(ctx, q.what, q.sql, q.fn); err != nil {
			return err
		}
	}
	for i := range in.db.Objects {
		in.definition(ctx, &in.db.Objects[i])
	}
	return ctx.Err()
}

// add appends an object with the definition that the catalog gives; an account without the right to see it gets none.
func (in *inspection) add(kind schema.ObjectKind, r row, definition string) {
	o := schema.Object{Kind: kind, Name: schema.Name(r.text("NAME")), Table: schema.Name(r.text("EVENT_OBJECT_TABLE")), Definer: r.text("DEFINER")}
	if r.text("DEFINITION") != "" {
		o.Definition = definition
	}
	in.db.Objects = append(in.db.Objects, o)
}

// definition replaces an object's definition by what SHOW CREATE prints, where the account may run it.
func (in *inspection) definition(ctx context.Context, o *schema.Object) {
	words := map[schema.ObjectKind]string{
		schema.View: "VIEW", schema.Trigger: "TRIGGER", schema.Procedure: "PROCEDURE", schema.Function: "FUNCTION", schema.Event: "EVENT", schema.Sequence: "SEQUENCE",
	}
	q := "SHOW CREATE " + words[o.Kind] + " " + quote(in.db.Name) + "." + quote(o.Name)
	err := in.each(ctx, "definition", q, func(r row) error {
		for _, column := range []string{"CREATE VIEW", "SQL ORIGINAL STATEMENT", "CREATE PROCEDURE", "CREATE FUNCTION", "CREATE EVENT", "CREATE TABLE", "CREATE SEQUENCE"} {
			if text := r.text(column); text != "" {
				o.Definition = text
			}
		}
		return nil
	})
	if err != nil {
		// A right is missing, or a view refers to something that is gone; the catalog's text, or nothing, remains.
		in.e.log.DebugContext(ctx, "read an object's definition", "kind", o.Kind, "name", o.Name, "error", err)
	}
}
