package gateway_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/gateway"
)

// uncovered lists the controller's constants for which a table has neither a row nor a reason.
func uncovered(t *testing.T, table *gateway.Table) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/constants.txt")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for kind, entries := range map[string][]gateway.Entry{"ingress": table.Ingress, "dynamic": table.Dynamic, "service": table.Service, "pod": table.Service} {
		for _, e := range entries {
			have[kind+" "+e.Suffix] = e.Row != "" || e.Reason != ""
		}
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && !have[line] {
			out = append(out, line)
		}
	}
	return out
}

func table(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("annotations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestEveryConstantIsCovered holds the table against the constants of the controller's source.
func TestEveryConstantIsCovered(t *testing.T) {
	parsed, err := gateway.ReadTable(table(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range uncovered(t, parsed) {
		t.Errorf("%s is neither implemented nor listed as not applicable", missing)
	}
	if parsed.Source == "" || parsed.Date == "" {
		t.Error("the table does not say where its keys come from, and when")
	}
}

// TestARemovedEntryIsNoticed takes every entry out in turn: the check above names each.
func TestARemovedEntryIsNoticed(t *testing.T) {
	entry := regexp.MustCompile(`(?m)^  - \{suffix: ([^,]+),.*\n`)
	text := table(t)
	constants, err := os.ReadFile("testdata/constants.txt")
	if err != nil {
		t.Fatal(err)
	}
	removed := 0
	for _, at := range entry.FindAllSubmatchIndex(text, -1) {
		suffix := string(text[at[2]:at[3]])
		if !bytes.Contains(constants, []byte(" "+suffix+"\n")) {
			continue // of the in-tree provider: no constant of the controller
		}
		parsed, err := gateway.ReadTable(slices.Concat(text[:at[0]], text[at[1]:]))
		if err != nil {
			t.Fatal(err)
		}
		missing := uncovered(t, parsed)
		if len(missing) == 0 || slices.ContainsFunc(missing, func(line string) bool { return !strings.HasSuffix(line, " "+suffix) }) {
			t.Errorf("without %s it says %q", suffix, missing)
		}
		removed++
	}
	if removed < 69+48 {
		t.Errorf("only %d entries were taken out", removed)
	}
}

// TestTableRefuses: an entry says what becomes of its key, once.
func TestTableRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no row":      {"ingress: [{suffix: a, row: nowhere, verdict: '=', code: a, what: a}]", "neither a reason nor a row"},
		"no text":     {"rows: [{id: a}]\ningress: [{suffix: a, row: a}]", "lacks"},
		"twice":       {"ingress: [{suffix: a, reason: b}, {suffix: a, reason: b}]", "twice"},
		"unknown key": {"ingress: [{sufix: a}]", "sufix"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := gateway.ReadTable([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestEveryKeyIsTold: each key of the table, and one that nobody knows, gets at least one finding on an object that carries it.
func TestEveryKeyIsTold(t *testing.T) {
	parsed, err := gateway.ReadTable(table(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range append(parsed.Ingress, gateway.Entry{Suffix: "no-such-key"}) {
		key := "alb.ingress.kubernetes.io/" + e.Suffix
		told(t, key, fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  annotations: {kubernetes.io/ingress.class: alb, %s: \"1\"}\n", key))
	}
	for _, e := range append(parsed.Service, gateway.Entry{Suffix: "aws-load-balancer-no-such-key"}) {
		key := "service.beta.kubernetes.io/" + e.Suffix
		told(t, key, fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  annotations: {%s: \"1\"}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n", key))
	}
}

func told(t *testing.T, key, text string) {
	t.Helper()
	objects := read(t, text)
	findings := slices.Concat(gateway.Translate(objects, nil).Findings, gateway.Balancers(objects, nil).Findings)
	if !slices.ContainsFunc(findings, func(f gateway.Finding) bool { return f.Annotation == key && f.Code != "" && f.What != "" }) {
		t.Errorf("nothing is said about %s", key)
	}
	for _, f := range findings {
		if f.Verdict == gateway.None && f.Do == "" {
			t.Errorf("%s: %s has no equivalent, and no options", key, f.Code)
		}
	}
}
