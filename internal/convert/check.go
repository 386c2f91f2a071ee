package convert

import (
	"fmt"
	"regexp"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// jsonValid is the check that MariaDB adds to every JSON column.
var jsonValid = regexp.MustCompile("(?i)^\\(*json_valid\\(`((?:[^`]|``)+)`\\)\\)*$")

// checks carries over the table's own checks.
func (t *tablePlan) checks() {
	for _, c := range t.source.Checks {
		if t.impliedByType(c) {
			continue
		}
		object := string(t.source.Name) + "." + string(c.Name)
		if !c.Enforced {
			t.checkDropped(object, c, finding.Info, "it is NOT ENFORCED on the source, and PostgreSQL enforces every check",
				"Nothing; or add it NOT VALID when new rows should keep to it.")
			continue
		}
		sql, why := t.express(object, c.Expr, t.context(expr.Check, nil))
		if why != "" {
			t.checkDropped(object, c, finding.Warning, why, "Write it for PostgreSQL and add it after the move.")
			continue
		}
		t.addCheck(t.opt.fold(c.Name), sql)
	}
}

// impliedByType reports whether the target's type keeps the check already.
func (t *tablePlan) impliedByType(c schema.Check) bool {
	m := jsonValid.FindStringSubmatch(c.Expr)
	if m == nil {
		return false
	}
	col := t.plan.columnOf(schema.Name(m[1]))
	if col == nil {
		return false
	}
	_, ok := col.Target.Type.(schema.JSON)
	return ok
}

func (t *tablePlan) checkDropped(object string, c schema.Check, s finding.Severity, why, do string) {
	t.find(finding.Finding{
		Code: CodeCheckDropped, Kind: finding.Problem, Severity: s, Object: object,
		What: fmt.Sprintf("CHECK (%s) is left out: %s.", c.Expr, why), Do: do, Owner: "dba",
	})
}
