package decision_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/kube/decision"
)

func TestReleasesAreChecked(t *testing.T) {
	for want, text := range map[string]string{
		`"web" is not NAMESPACE/NAME`:            "releases: {web: {chart: a}}",
		`"../x" is not NAMESPACE/NAME`:           "releases: {../x: {chart: a}}",
		`flux: "a" is not NAMESPACE/NAME`:        "releases: {shop/web: {chart: a, flux: a}}",
		`"--post-renderer=x" would be an option`: "releases: {shop/web: {chart: --post-renderer=x}}",
		"repo and version say nothing without":   "releases: {shop/web: {version: 1.2.0}}",
		"unknown field":                          "releases: {shop/web: {charts: a}}",
	} {
		if _, err := decision.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, and not %q", text, err, want)
		}
	}
}

// TestPathsOfReleases: they are relative to the file; a chart is a path where something is.
func TestPathsOfReleases(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "kube.yaml")
	text := "releases:\n  shop/web: {chart: charts/web, values: [values.yaml, /abs.yaml], rendered: web.yaml}\n  shop/api: {chart: repo/api}\n  shop/far: {chart: charts, repo: 'https://charts.example.com'}\n"
	if err := os.MkdirAll(filepath.Join(dir, "charts", "web"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := decision.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]decision.Release{
		"shop/web": {Chart: filepath.Join(dir, "charts/web"), Values: []string{filepath.Join(dir, "values.yaml"), "/abs.yaml"}, Rendered: filepath.Join(dir, "web.yaml")},
		"shop/api": {Chart: "repo/api", Values: []string{}},
		"shop/far": {Chart: "charts", Repo: "https://charts.example.com", Values: []string{}},
	}
	if diff := cmp.Diff(want, d.Releases); diff != "" {
		t.Error(diff)
	}
}

func TestRemoteCharts(t *testing.T) {
	for _, c := range []struct {
		release    decision.Release
		repo, name string
		ok         bool
	}{
		{decision.Release{Chart: "oci://registry.example.com/charts/web"}, "oci://registry.example.com/charts", "web", true},
		{decision.Release{Chart: "web", Repo: "https://charts.example.com"}, "https://charts.example.com", "web", true},
		{decision.Release{Chart: "charts/web"}, "", "charts/web", false},
		{decision.Release{Chart: "oci://web"}, "", "oci://web", false},
		{decision.Release{}, "", "", false},
	} {
		if repo, name, ok := c.release.Remote(); repo != c.repo || name != c.name || ok != c.ok {
			t.Errorf("%+v: %q, %q, %v", c.release, repo, name, ok)
		}
	}
}
