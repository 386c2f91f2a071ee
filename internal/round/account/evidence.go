package account

import (
	"encoding/json"
	"strings"
	"time"
)

// Words says evidence in words. An automated step's stands in the journal as a JSON object of figures (rows, tables, proof, frozen_ns, live); what people and
// hooks say is text already, and stays as it is, like an object of which nothing is known here.
func Words(evidence string) string {
	if evidence == "" || evidence[0] != '{' {
		return evidence
	}
	var parts []string
	for _, f := range []struct{ key, one, many string }{{"tables", "table", "tables"}, {"rows", "row", "rows"}} {
		switch n, ok := figure(evidence, f.key); {
		case !ok || n <= 0:
		case n == 1:
			parts = append(parts, "1 "+f.one)
		default:
			parts = append(parts, thousands(n)+" "+f.many)
		}
	}
	parts = append(parts, proofWords(evidence)...)
	if n, ok := figure(evidence, "frozen_ns"); ok && n > 0 {
		parts = append(parts, "writes were stopped for "+Duration(time.Duration(n)))
	}
	if side, ok := field(evidence, "live"); ok {
		parts = append(parts, "the application lives on the "+strings.Trim(string(side), `"`)+" side")
	}
	if len(parts) == 0 {
		return evidence
	}
	return strings.Join(parts, ", ")
}

// proofWords says what was proved: of a comparison of all rows, whether they are equal; of the last one, within the freeze, how many keys it looked at again.
func proofWords(evidence string) []string {
	raw, ok := field(evidence, "proof")
	if !ok || string(raw) == "null" {
		return nil
	}
	var equal bool
	if json.Unmarshal(raw, &equal) == nil {
		if equal {
			return []string{"proved equal"}
		}
		return []string{"not proved equal"}
	}
	var last struct{ Keys, Differences int64 }
	if json.Unmarshal(raw, &last) != nil {
		return nil
	}
	if last.Differences > 0 {
		return []string{thousands(last.Differences) + " keys differ"}
	}
	return []string{"proved equal, " + thousands(last.Keys) + " keys looked at again in the freeze"}
}
