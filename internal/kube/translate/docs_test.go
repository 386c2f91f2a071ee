package translate_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/kube/translate"
)

// TestTablesAreDocumented holds docs/kube.md to the rules; -update rewrites its tables.
func TestTablesAreDocumented(t *testing.T) {
	const file = "../../../docs/kube.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- The tables below are those of the program. -->\n"
	intro, tables, ok := strings.Cut(string(text), mark)
	if !ok {
		t.Fatal("there is no mark")
	}
	var b strings.Builder
	for _, topic := range append(translate.Topics(), translate.Phases()) {
		fmt.Fprintf(&b, "\n## %s\n\n| code | source | target | |\n|---|---|---|---|\n", topic.Name)
		for _, r := range topic.Rules {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.ID, r.Source, r.Target, r.Verdict)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(intro+mark+b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(tables, b.String()); diff != "" {
		t.Errorf("docs/kube.md (-page +program):\n%s", diff)
	}
}
