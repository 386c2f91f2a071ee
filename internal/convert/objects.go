package convert

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// objects tells about everything that is not a table: none of it moves yet.
func (p *planner) objects() {
	for _, o := range p.source.Objects {
		f := finding.Finding{Kind: finding.Problem, Severity: finding.Warning, Object: string(o.Name), Owner: "dba"}
		switch o.Kind {
		case schema.View:
			f.Code, f.What = CodeView, fmt.Sprintf("The view %q is not moved.", o.Name)
			f.Do = "Rewrite its SELECT for PostgreSQL and create it after the move; check who may read it, because SQL SECURITY DEFINER is PostgreSQL's default too."
		case schema.Trigger:
			f.Code, f.What = CodeTrigger, fmt.Sprintf("The trigger %q on table %q is not moved; its effects on existing rows are.", o.Name, o.Table)
			f.Do = "Rewrite it as a function in PL/pgSQL; create it after the switch, never while changes are applied."
		case schema.Event:
			f.Code, f.What = CodeEvent, fmt.Sprintf("The event %q is not moved; PostgreSQL has no scheduler of its own.", o.Name)
			f.Do = "Run its body by pg_cron or by the platform's scheduler, and disable it on the source at the switch."
		case schema.Sequence:
			f.Code, f.What = CodeSequence, fmt.Sprintf("The sequence %q is not moved.", o.Name)
			f.Do = "CREATE SEQUENCE on the target with the source's next value, after the switch's last write."
		case schema.Procedure, schema.Function:
			f.Code, f.What = CodeRoutine, fmt.Sprintf("The %s %q is not moved.", o.Kind, o.Name)
			f.Do = "Rewrite it in PL/pgSQL and run both with the same inputs."
		}
		if o.Definer != "" {
			f.Evidence = append(f.Evidence, "definer: "+o.Definer)
		}
		f.Evidence = append(f.Evidence, "definition: "+shorten(strings.Join(strings.Fields(o.Definition), " ")))
		p.find(f)
	}
}
