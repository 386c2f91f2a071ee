package convert

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// defaultOf carries over a column's default.
func (t *tablePlan) defaultOf(c *Column) {
	d := c.Source.Default
	switch {
	case d == nil || c.Target.Generated != nil:
		return
	case d.Null:
		c.Target.Default = &schema.Default{Null: true}
		return
	}
	r := ref{t.source.Name, c.Source.Name}
	shown, why := d.Expr, ""
	if d.Expr != "" {
		var sql string
		if sql, why = t.express(r.String(), d.Expr, t.context(expr.Default, c)); why == "" {
			c.Target.Default = &schema.Default{Expr: sql}
			return
		}
	} else {
		shown = quoteText(d.Literal)
		if c.Target.Default, why = literalDefault(d.Literal, c.Source.Type, c.Target.Type); why == "" {
			return
		}
	}
	t.find(finding.Finding{
		Code: CodeDefaultDropped, Kind: finding.Problem, Severity: finding.Warning, Object: r.String(),
		What: fmt.Sprintf("Its default %s has no form on the target (%s), so it has none there.", shown, why),
		Do:   "Let the application give the value, or set a default after the move.", Owner: "application",
	})
}

// literalDefault returns a literal as PostgreSQL reads it for a column of type
// dst, or why there is none.
func literalDefault(lit string, src, dst schema.Type) (d *schema.Default, why string) {
	text := func(s string) (*schema.Default, string) { return &schema.Default{Literal: s}, "" }
	switch dst := dst.(type) {
	case schema.Bool:
		return boolDefault(lit, src)
	case schema.Bit:
		return &schema.Default{Expr: "B'" + bitDigits(lit, dst.N) + "'"}, ""
	case schema.Binary:
		return &schema.Default{Expr: `'\x` + hex.EncodeToString([]byte(pad(lit, src))) + `'::bytea`}, ""
	case schema.TextArray:
		var members []string
		if lit != "" {
			members = strings.Split(lit, ",")
		}
		return &schema.Default{Expr: "ARRAY[" + textList(members) + "]::text[]"}, ""
	case schema.Date, schema.DateTime, schema.Timestamp:
		if impossibleDate(lit) {
			return nil, "PostgreSQL has no such date"
		}
		if _, ok := dst.(schema.Timestamp); ok {
			lit += "+00" // printed by a session in UTC
		}
		return text(lit)
	case schema.Text:
		if strings.ContainsRune(lit, 0) {
			return nil, "PostgreSQL's text refuses the byte 0x00"
		}
	case schema.Int:
		if _, ok := src.(schema.Year); ok {
			return text(strings.TrimLeft(lit[:max(0, len(lit)-1)], "0") + lit[max(0, len(lit)-1):])
		}
	}
	return text(lit)
}

func boolDefault(lit string, src schema.Type) (*schema.Default, string) {
	if _, ok := src.(schema.Bit); ok {
		lit = bitDigits(lit, 1)
	}
	switch lit {
	case "0":
		return &schema.Default{Expr: "false"}, ""
	case "1":
		return &schema.Default{Expr: "true"}, ""
	}
	return nil, "boolean holds only 0 and 1"
}

// bitDigits writes the last n bits of big-endian raw bytes as 0 and 1.
func bitDigits(raw string, n int) string {
	digits := make([]byte, n)
	for i := range digits {
		bit := n - 1 - i // from the right
		digits[i] = '0'
		if at := len(raw) - 1 - bit/8; at >= 0 && raw[at]>>(bit%8)&1 == 1 {
			digits[i] = '1'
		}
	}
	return string(digits)
}

// pad fills a default of BINARY(n) with the zeros that the server adds.
func pad(lit string, src schema.Type) string {
	if b, ok := src.(schema.Binary); ok && b.Fixed && len(lit) < b.Length {
		return lit + strings.Repeat("\x00", b.Length-len(lit))
	}
	return lit
}

// impossibleDate reports whether the text of a date has a year, month or day of zero.
func impossibleDate(lit string) bool {
	date, _, _ := strings.Cut(lit, " ")
	parts := strings.Split(date, "-")
	if len(parts) != 3 {
		return true
	}
	for _, p := range parts {
		if strings.Trim(p, "0") == "" {
			return true
		}
	}
	return false
}
