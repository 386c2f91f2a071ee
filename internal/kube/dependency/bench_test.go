package dependency_test

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/dependency"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// BenchmarkThousand reads, maps and draws a thousand objects.
func BenchmarkThousand(b *testing.B) {
	text := marketplace(430)
	for b.Loop() {
		set, err := manifest.Read(strings.NewReader(text), "-")
		if err != nil {
			b.Fatal(err)
		}
		if len(set.Objects) < 1000 {
			b.Fatal(len(set.Objects))
		}
		dependency.SVG(dependency.New(dependency.Input{Set: set}), "")
	}
}
