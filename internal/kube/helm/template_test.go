package helm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/decision"
)

// TestTemplateAsksHelm runs a program that says what it was asked.
func TestTemplateAsksHelm(t *testing.T) {
	program := filepath.Join(t.TempDir(), "helm")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n[ \"$2\" != broken ] || { echo 'Error: no such value' >&2; exit 1; }\nfor a; do echo \"$a\"; done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &Renderer{Program: program, ID: "shop/web", KubeVersion: "1.36", Release: decision.Release{
		Chart: "web", Repo: "https://charts.example.com", Version: "1.2.0", Values: []string{"a.yaml", "b c.yaml"}, APIVersions: []string{"keda.sh/v1alpha1"},
	}}
	out, err := c.Template(t.Context(), "more.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"template", "web", "web", "--namespace", "shop", "--skip-tests", "--repo", "https://charts.example.com", "--version", "1.2.0",
		"--values", "a.yaml", "--values", "b c.yaml", "--values", "more.yaml", "--kube-version", "1.36", "--api-versions", "keda.sh/v1alpha1",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Error(diff)
	}
	c.ID = "shop/broken"
	if _, err := c.Template(t.Context()); fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), "no such value") {
		t.Errorf("got %v", err)
	}
	c.Program = "no-such-helm"
	if _, err := c.Template(t.Context()); fault.ClassOf(err) != fault.Usage || !strings.Contains(err.Error(), "no-such-helm") {
		t.Errorf("got %v", err)
	}
}
