package expr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/convert/expr"
)

// grammar draws expressions of a type, as MySQL's SQL with full parentheses
// left out wherever MySQL's precedence allows, so that the parser and the
// renderer have to agree about it.
type grammar struct{ t *rapid.T }

func (g grammar) pick(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(g.t, label)
}

// number draws a number of limited size: four levels of arithmetic on small
// columns stay far from the limits where MySQL reports an error.
func (g grammar) number(depth int) string {
	if depth == 0 {
		return g.pick("number", "k", "n", "m", "u", "flag", "y", "0", "1", "2", "7", "-3", "1.5", "0.01", "null", "ok", "char_length(t)", "year(d)")
	}
	a, b := g.number(depth-1), g.number(depth-1)
	switch g.pick("form", "sum", "product", "div", "mod", "if", "coalesce", "nullif", "case", "extreme", "abs", "condition", "round", "bits") {
	case "sum":
		return "(" + a + g.pick("op", " + ", " - ") + "(" + b + "))"
	case "product":
		return "(" + a + " * " + b + ")"
	case "div":
		return "(" + a + g.pick("op", " / ", " div ") + b + ")"
	case "mod":
		return "(" + a + " % " + b + ")"
	case "if":
		return "if(" + g.condition(depth-1) + ", " + a + ", " + b + ")"
	case "coalesce":
		return g.pick("name", "coalesce", "ifnull") + "(" + a + ", " + b + ")"
	case "nullif":
		return "nullif(" + a + ", " + b + ")"
	case "case":
		return "case " + a + " when " + b + " then " + g.number(depth-1) + " when 2 then " + b + " else " + a + " end"
	case "extreme":
		return g.pick("name", "greatest", "least") + "(" + a + ", " + b + ")"
	case "abs":
		return g.pick("name", "abs", "sign", "floor", "ceil", "-") + "(" + a + ")"
	case "condition":
		return "(" + g.condition(depth-1) + ")"
	case "round":
		return g.pick("name", "round", "truncate") + "(" + a + ", " + g.pick("digits", "0", "1", "3", "-1") + ")"
	}
	return "(u & 7)"
}

func (g grammar) text(depth int) string {
	if depth == 0 {
		return g.pick("text", "t", "c", "e", "'a'", "'x_y%z'", "''", "null", "'été'")
	}
	a, b := g.text(depth-1), g.text(depth-1)
	switch g.pick("form", "concat", "ws", "case", "substr", "lower", "replace", "trim", "pad", "if", "coalesce", "nullif", "number") {
	case "concat":
		return "concat(" + a + ", " + b + ")"
	case "ws":
		return "concat_ws('-', " + a + ", " + b + ")"
	case "case":
		return "case when " + g.condition(depth-1) + " then " + a + " else " + b + " end"
	case "substr":
		return "substr(" + a + ", " + g.pick("from", "1", "2", "-2", "0") + ", " + g.pick("count", "0", "1", "3") + ")"
	case "lower":
		return g.pick("name", "reverse", "trim", "ltrim", "rtrim") + "(" + a + ")"
	case "replace":
		return "replace(" + a + ", 'a', " + b + ")"
	case "trim":
		return "trim(leading 'x' from " + a + ")"
	case "pad":
		return "lpad(" + a + ", 5, '*')"
	case "if":
		return "if(" + g.condition(depth-1) + ", " + a + ", " + b + ")"
	case "coalesce":
		return "coalesce(" + a + ", " + b + ")"
	case "nullif":
		return "nullif(" + a + ", " + b + ")"
	}
	return "concat(k, " + a + ")"
}

func (g grammar) condition(depth int) string {
	if depth == 0 {
		return g.pick("condition", "k > 1", "n", "flag", "not flag", "ok", "t = 'a'", "d > '2024-01-01'", "d2 is null", "k in (1, 2, null)", "t like 'x%'", "n between 0 and m", "e = 'new'", "dt < d", "null", "true")
	}
	switch g.pick("form", "and", "or", "xor", "not", "compare", "texts", "in", "between", "truth", "null", "like") {
	case "and":
		return g.condition(depth-1) + " and " + g.condition(depth-1)
	case "or":
		return "(" + g.condition(depth-1) + " or " + g.condition(depth-1) + ")"
	case "xor":
		return "(" + g.condition(depth-1) + " xor " + g.condition(depth-1) + ")"
	case "not":
		return "not (" + g.condition(depth-1) + ")"
	case "compare":
		return "(" + g.number(depth-1) + g.pick("op", " = ", " <> ", " < ", " <= ", " > ", " >= ", " <=> ") + g.number(depth-1) + ")"
	case "texts":
		return "(" + g.text(depth-1) + g.pick("op", " = ", " <> ", " <=> ", " < ") + g.text(depth-1) + ")"
	case "in":
		return "(" + g.number(depth-1) + g.pick("op", " in (", " not in (") + g.number(depth-1) + ", 1, " + g.number(depth-1) + "))"
	case "between":
		return "(" + g.number(depth-1) + " between " + g.number(depth-1) + " and " + g.number(depth-1) + ")"
	case "truth":
		return "(" + g.condition(depth-1) + ")" + g.pick("is", " is true", " is not true", " is false", " is not false")
	case "null":
		return "(" + g.text(depth-1) + ")" + g.pick("is", " is null", " is not null")
	}
	return "(" + g.text(depth-1) + g.pick("op", " like ", " not like ") + g.pick("pattern", "'a%'", "'%_y%'", "'%a%b%'", "''") + ")"
}

// TestRandomConditions compares checks drawn at random, row by row.
func TestRandomConditions(t *testing.T) {
	pairs(t, func(t *testing.T, p *pair) {
		fill(t, p, 40)
		tried, same, noted := 0, 0, 0
		why := map[string]int{}
		rapid.Check(t, func(rt *rapid.T) {
			g := grammar{rt}
			source := g.condition(rapid.IntRange(1, 3).Draw(rt, "depth"))
			want, err := p.ask(t.Context(), "SELECT ("+source+") FROM r ORDER BY id")
			if err != nil {
				rt.Skip(err) // a row that MySQL refuses to compute
			}
			tried++
			got, err := expr.Translate(source, expr.Context{Dialect: p.dialect, Use: expr.Check, Columns: columns(p.dialect), Version: p.version})
			if u, ok := errors.AsType[*expr.UntranslatableError](err); ok {
				why[u.Why]++
				return
			}
			if len(got.Notes) > 0 {
				noted++ // it says itself that it differs
				return
			}
			have, err := p.askTarget(t.Context(), "SELECT ("+got.SQL+") FROM r ORDER BY id")
			if err != nil {
				rt.Fatalf("%s → %s: %v", source, got.SQL, err)
			}
			for i := range want {
				want[i], have[i] = truth(want[i]), truth(have[i])
			}
			if w, h := strings.Join(want, ","), strings.Join(have, ","); w != h {
				rt.Fatalf("%s → %s:\nsource %s\ntarget %s", source, got.SQL, w, h)
			}
			same++
		})
		t.Logf("%d expressions, %d the same, %d with notes, refused: %v", tried, same, noted, why)
		if same*2 < tried {
			t.Errorf("only %d of %d expressions were translated", same, tried)
		}
	})
}

// truth is MySQL's view of a condition's value: not zero, zero or NULL.
func truth(s string) string {
	switch s = canonical(s); s {
	case "0", "⟨NULL⟩":
		return s
	}
	return fmt.Sprint(1)
}
