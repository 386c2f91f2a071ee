package convert

import (
	"fmt"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// loss is one way in which values of a column may not arrive unchanged.
type loss struct {
	code finding.Code
	ask  schema.Ask
	// null says that NULL arrives instead.
	null bool
	what string // of a value
	then string // what arrives once accepted
}

// lossesOf lists the losses that the conversion from src to dst can meet.
func lossesOf(src, dst schema.Type) []loss {
	zero := loss{finding.LossZeroDate, schema.AskZeroDate, true, "the date 0000-00-00, which PostgreSQL refuses", "NULL"}
	partial := loss{finding.LossPartialDate, schema.AskPartialDate, true, "a date that no calendar has, such as 2024-05-00", "NULL"}
	switch src.(type) {
	case schema.Timestamp:
		return []loss{zero}
	case schema.Date, schema.DateTime:
		return []loss{zero, partial}
	case schema.Text, schema.Other:
		if _, ok := dst.(schema.Text); ok {
			return []loss{{finding.LossNulByte, schema.AskNulByte, false, "a byte 0x00, which PostgreSQL's text refuses", "the text without it"}}
		}
	case schema.JSON:
		if j, ok := dst.(schema.JSON); ok && j.Parsed {
			return []loss{{finding.LossJSONNul, schema.AskJSONNul, false, `the escape \u0000, which jsonb refuses`, "the document without it"}}
		}
	}
	return nil
}

// losses decides which losses of a column are accepted, relaxes NOT NULL where
// NULL may arrive, and tells about every value that is known to be concerned.
func (t *tablePlan) losses(c *Column) {
	r := ref{t.source.Name, c.Source.Name}
	relaxed := false
	for _, l := range lossesOf(c.Source.Type, c.Target.Type) {
		accepted, exact := t.opt.accepts(l.code, r)
		if accepted && l.null && !c.Source.Nullable {
			accepted = t.mayBeNull(r, l, exact)
			relaxed = relaxed || accepted
		}
		if accepted {
			c.accepted[l.code] = true
			c.Form.Accepted = append(c.Form.Accepted, string(l.code))
		}
		t.tellLoss(r, l, accepted)
	}
	if !relaxed {
		return
	}
	c.Target.Nullable = true
	t.find(finding.Finding{
		Code: CodeNullRelaxed, Kind: finding.Loss, Severity: finding.Warning, Object: r.String(),
		What: "It is NOT NULL on the source and nullable on the target, because dates without a form arrive as NULL.",
		Do: fmt.Sprintf("Once no NULL is left: ALTER TABLE %s.%s ALTER COLUMN %s SET NOT NULL.",
			quoteName(t.opt.Schema), quoteName(t.target.Name), quoteName(c.Target.Name)), Owner: "application",
	})
}

// mayBeNull decides whether a NOT NULL column gives way to an accepted loss. A
// primary key never does; another column does unless the whole of it was read
// without such a value and the operator named it only by a star.
func (t *tablePlan) mayBeNull(r ref, l loss, exact bool) bool {
	if !t.inPrimaryKey(r.column) {
		return exact || !t.evidence.absent([]ref{r}, l.ask)
	}
	if exact || t.evidence.found(r, l.ask) > 0 {
		t.find(finding.Finding{
			Code: CodeKeyNotNull, Kind: finding.Loss, Severity: finding.Warning, Object: r.String(),
			What:  fmt.Sprintf("The loss %s was accepted for it, but it is part of the primary key and cannot become NULL.", l.code),
			Do:    "Give these rows another key on the source.",
			Count: t.evidence.found(r, l.ask), Owner: "application",
		})
	}
	return false
}

// tellLoss tells about values that were found. A loss that nobody named stops a copy.
func (t *tablePlan) tellLoss(r ref, l loss, accepted bool) {
	a, _ := t.evidence.answer(r, l.ask)
	if a.Count == 0 {
		return
	}
	f := finding.Finding{
		Code: l.code, Kind: finding.Loss, Severity: finding.Blocker, Object: r.String(),
		What: fmt.Sprintf("%s %s.", rows(a.Count), l.what), Do: fmt.Sprintf("Mend them on the source, or accept that %s arrives instead: --accept %s:%s", l.then, l.code, r),
		Evidence: samples(a), Count: a.Count, Owner: "application", Accepted: accepted,
	}
	if accepted {
		f.Severity = finding.Info
		f.Do = fmt.Sprintf("Accepted: %s arrives instead.", l.then)
	}
	t.find(f)
}

func rows(n int64) string {
	if n == 1 {
		return "1 row holds"
	}
	return fmt.Sprintf("%d rows hold", n)
}

// dataFindings tells about values that arrive unchanged and still deserve a look.
func (t *tablePlan) dataFindings(r ref) {
	if a, _ := t.evidence.answer(r, schema.AskEmptyEnum); a.Count > 0 {
		t.find(finding.Finding{
			Code: CodeEmptyEnum, Kind: finding.Problem, Severity: finding.Info, Object: r.String(),
			What: "It holds the ENUM's invalid value (index 0), which reads as '' and arrives as ''.",
			Do:   "Mend the rows when '' means nothing to the application, then take '' out of the check.", Evidence: samples(a), Count: a.Count, Owner: "application",
		})
	}
	if a, _ := t.evidence.answer(r, schema.AskDoubleEncoded); a.Count > 0 {
		t.find(finding.Finding{
			Code: CodeDoubleEncoded, Kind: finding.Problem, Severity: finding.Warning, Object: r.String(),
			What: "It holds text that was probably encoded as UTF-8 twice; it arrives as it stands.",
			Do:   "Look at the samples. When they are wrong, mend them on the source: CONVERT(BINARY CONVERT(col USING latin1) USING utf8mb4).", Evidence: samples(a), Count: a.Count, Owner: "application",
		})
	}
}
