package estate

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/examples/marketplace"
	"github.com/bascule/bascule/internal/kube/decision"
)

// TestManagedPrometheusStandsForAll: with Managed Prometheus no monitor and no rule of the marketplace is left to the old one, what is written is valid where its
// definition is at hand, and nothing pages in standby.
func TestManagedPrometheusStandsForAll(t *testing.T) {
	t.Parallel()
	defined, err := definitions()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range environments {
		source, err := marketplace.Manifests(name)
		if err != nil {
			t.Fatal(err)
		}
		e, err := translation(name, source, func(d *decision.Decisions) { d.Monitoring = decision.Managed })
		if err != nil {
			t.Fatal(err)
		}
		monitors, written := 0, 0
		for _, o := range e.set.Objects {
			if strings.HasSuffix(o.Kind, "Monitor") || o.Kind == "PrometheusRule" {
				monitors++
			}
		}
		for _, o := range e.build(t, live) {
			if strings.HasSuffix(o.Kind, "Monitor") || o.Kind == "PrometheusRule" {
				t.Errorf("%s: %s is left", name, o)
			}
			if o.Group != "monitoring.googleapis.com" {
				continue
			}
			written++
			v, err := defined.Check(t.Context(), "", o.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range v.Problems {
				t.Errorf("%s: %s", name, p)
			}
		}
		if written < monitors || monitors < 30 {
			t.Errorf("%s: %d monitors and rules, of which %d objects were made", name, monitors, written)
		}
		for _, o := range e.build(t, standby) {
			if strings.HasSuffix(o.Kind, "Rules") {
				t.Errorf("%s: %s pages in standby", name, o)
			}
		}
	}
}
