package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

func decideText(src schema.Text, col string) decision {
	switch {
	case src.MaxBytes > 0:
		return decision{typ: schema.Text{}, why: spellSource(src) + " becomes text."}
	case src.Length == 0: // CHAR(0), VARCHAR(0): PostgreSQL has no varchar(0)
		return decision{typ: schema.Text{}, why: spellSource(src) + " becomes text that must be empty.", check: col + " = ''"}
	case src.Fixed:
		return decision{
			typ: schema.Text{Length: src.Length},
			why: fmt.Sprintf("CHAR(%d) becomes varchar(%d): MySQL strips trailing spaces when it reads, PostgreSQL's char pads them.", src.Length, src.Length),
		}
	}
	return decision{typ: schema.Text{Length: src.Length}, why: fmt.Sprintf("VARCHAR(%d) becomes varchar(%d); both count characters.", src.Length, src.Length)}
}

// decideEnum chooses text with a check unless a native enum is named: its
// members can be changed in one transaction, and applications bind it as text.
// The check always allows the empty string, which MySQL stores for an invalid value: so
// the plan is the same whether the data was read for it or not. A native enum has
// the label ” unless the whole column was read without one.
func (t *tablePlan) decideEnum(r ref, src schema.Enum, col string, a asked) decision {
	members := src.Members
	own := slices.Contains(members, "")
	if _, native := a.typ.(schema.Enum); native {
		empty := ""
		if !own && !t.evidence.absent(t.tied.of(r), schema.AskEmptyEnum) {
			members = append([]string{""}, members...)
			empty = "; '' is a label as well, because " + t.emptyWhy(r)
		}
		return decision{
			typ: schema.Enum{Members: members},
			why: fmt.Sprintf("The operator named enum for %s: %d members in the source's order%s.", a.from, len(src.Members), empty),
		}
	}
	empty := ""
	if !own {
		members = append([]string{""}, members...)
		empty = ", and on '', which MySQL stores for an invalid value"
	}
	return decision{
		typ:   schema.Text{},
		why:   fmt.Sprintf("ENUM becomes text with a check on its %d members%s.", len(src.Members), empty),
		check: fmt.Sprintf("%s IN (%s)", col, textList(members)),
	}
}

func (t *tablePlan) emptyWhy(r ref) string {
	if n := t.total(t.tied.of(r), schema.AskEmptyEnum); n > 0 {
		return fmt.Sprintf("%d rows hold it", n)
	}
	return "nothing proves that no row holds it"
}

// readable drops the check on members that the server could not print: the
// catalog of MySQL and MariaDB is in utf8mb3, so a character beyond it, such as an
// emoji, reads as '?'. A check on that would refuse the column's real values.
func (t *tablePlan) readable(r ref, members []string, d decision) decision {
	n := 0
	for _, m := range members {
		if strings.Contains(m, "?") {
			n++
		}
	}
	if n == 0 || d.check == "" {
		return d
	}
	d.check = ""
	d.why = fmt.Sprintf("It becomes %s without a check: %d of its %d members may not be what the catalog prints.", spell(d.typ), n, len(members))
	t.find(finding.Finding{
		Code: CodeMemberUnreadable, Kind: finding.Problem, Severity: finding.Warning, Object: r.String(), Count: int64(n), Owner: "dba",
		What: fmt.Sprintf("%d members hold a '?', which may stand for a character that the server's catalog cannot print; values arrive as they are, without a check on the members.", n),
		Do:   "Add the check by hand after the move if the column needs one.",
	})
	return d
}

// decideSet chooses text as the default: the application reads and writes the
// same 'a,b' as before, while text[] would change every statement that touches
// the column.
func decideSet(src schema.Set, col string, a asked) decision {
	members := fmt.Sprintf("ARRAY[%s]::text[]", textList(src.Members))
	if _, array := a.typ.(schema.TextArray); array {
		return decision{
			typ:   schema.TextArray{},
			why:   fmt.Sprintf("The operator named text[] for %s.", a.from),
			check: fmt.Sprintf("%s <@ %s", col, members),
		}
	}
	return decision{
		typ:   schema.Text{},
		why:   fmt.Sprintf("SET becomes text, members joined by commas as MySQL shows them, with a check on its %d members.", len(src.Members)),
		check: fmt.Sprintf("string_to_array(%s, ',') <@ %s", col, members),
	}
}

// decideJSON: jsonb keeps what MySQL's JSON keeps, except \u0000; MariaDB's
// JSON is text, whose key order and duplicates only json keeps.
func (t *tablePlan) decideJSON(r ref, src schema.JSON) decision {
	if !src.Parsed {
		return decision{typ: schema.JSON{}, why: "MariaDB's JSON is text and becomes json, which keeps key order and duplicates; jsonb can be named."}
	}
	n := t.evidence.found(r, schema.AskJSONNul)
	if accepted, _ := t.opt.accepts(finding.LossJSONNul, r); n > 0 && !accepted {
		return decision{typ: schema.JSON{}, why: fmt.Sprintf(`JSON becomes json: %d documents hold \u0000, which jsonb refuses.`, n)}
	}
	return decision{typ: schema.JSON{Parsed: true}, why: "JSON becomes jsonb; both drop duplicate keys and the order of keys."}
}

// textList is SQL for a list of strings.
func textList(ss []string) string {
	quoted := make([]string, len(ss))
	for i, s := range ss {
		quoted[i] = quoteText(s)
	}
	return strings.Join(quoted, ", ")
}
