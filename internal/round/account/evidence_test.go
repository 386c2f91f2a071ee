package account_test

import (
	"testing"

	"github.com/bascule/bascule/internal/round/account"
)

// TestWords reads evidence as the phases write it.
func TestWords(t *testing.T) {
	for evidence, want := range map[string]string{
		"":                                      "",
		"all green, \"rows\": 4":                "all green, \"rows\": 4",
		`{"bytes":0,"rows":0,"tables":28}`:      "28 tables",
		`{"bytes":123,"rows":80458,"tables":1}`: "1 table, 80 458 rows",
		`{"proof":true,"rows":1}`:               "1 row, proved equal",
		`{"proof":false,"rows":2}`:              "2 rows, not proved equal",
		`{"frozen_ns":265296927,"live":"new"}`:  "writes were stopped for 0.27 s, the application lives on the new side",
		`{"direction":"back","proof":{"keys":14,"differences":0}}`: "proved equal, 14 keys looked at again in the freeze",
		`{"direction":"back","proof":{"keys":14,"differences":3}}`: "3 keys differ",
		`{"frozen_ns":0,"live":"old","proof":null}`:                "the application lives on the old side",
		`{"something":"else"}`:                                     `{"something":"else"}`,
		`{broken`:                                                  `{broken`,
	} {
		if got := account.Words(evidence); got != want {
			t.Errorf("%s: %q, want %q", evidence, got, want)
		}
	}
}
