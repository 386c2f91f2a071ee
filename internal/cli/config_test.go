package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestPublishedSchema: docs/bascule.schema.json is what bascule config schema prints.
func TestPublishedSchema(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := Run(t.Context(), []string{"config", "schema"}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	kept, err := os.ReadFile("../../docs/bascule.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, out.Bytes()) {
		t.Error("docs/bascule.schema.json is another: bascule config schema > docs/bascule.schema.json")
	}
}
