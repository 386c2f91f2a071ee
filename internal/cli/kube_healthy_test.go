package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/cluster"
)

// TestWaits: whoever waits is told how many objects are missing, and the first of them with its reason; or that nobody answers.
func TestWaits(t *testing.T) {
	t.Parallel()
	all := []cluster.Health{{Object: "Service shop/web", Healthy: true}, {Object: "Deployment shop/web", Why: "0 of 2 pods:\nreadyReplicas"}, {Object: "Job shop/a", Why: "x"}}
	if got, want := waits(all, 2, nil), "waiting for 2 objects, first Deployment shop/web: 0 of 2 pods: readyReplicas"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := waits(nil, 0, errors.New("nobody answers")), "waiting: nobody answers"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPhase: what GitOps applies is what bascule works out or, of overrides that it cannot, what kustomize builds; and nothing is taken for well that is not known.
func TestPhase(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	source := filepath.Join(dir, "web.yaml")
	write(source, "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n", 0o600)
	out := filepath.Join(dir, "tree")
	if code := Run(t.Context(), []string{"kube", "translate", "--from", source, "--env", "preprod", "--out", out}, nil, io.Discard, io.Discard); code != 0 {
		t.Fatal(code)
	}
	look := func(environment, name string) string {
		objects, err := (&app{file: platformFile}).phase(t.Context(), out, &health{environment: environment, phase: name})
		if err != nil {
			return fmt.Sprintf("%v (%s)", err, fault.ClassOf(err))
		}
		return fmt.Sprint(objects)
	}
	write(filepath.Join(out, "overrides/preprod/live/kustomization.yaml"), "resources: [../../../generated/preprod/live]\nimages: [{name: web, newTag: \"2\"}]\n", 0o600)
	for _, c := range []struct{ kustomize, environment, phase, want string }{
		{"", "preprod", "standby", "[Service shop/web]"},
		{"", "preprod", "live", "and there is no kustomize"},
		{"printf 'kind: Service\\napiVersion: v1\\nmetadata: {name: built}\\n' # ${2##*/}", "preprod", "live", "[Service built]"},
		{"echo it is broken >&2; exit 1", "preprod", "live", "kustomize: it is broken"},
		{"", "prod", "live", "there is no environment prod in"},
	} {
		if c.kustomize != "" {
			write(filepath.Join(bin, "kustomize"), "#!/bin/sh\n"+c.kustomize+"\n", 0o700)
		}
		if got := look(c.environment, c.phase); !strings.Contains(got, c.want) {
			t.Errorf("%s %s with %q: %s, want %s", c.environment, c.phase, c.kustomize, got, c.want)
		}
	}
}

// TestPhaseWithReleases: what Helm renders is looked for too, without its hooks, and nothing is taken for well while nobody says what it renders.
func TestPhaseWithReleases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "web.yaml"), filepath.Join(dir, "tree")
	text := "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}\nspec: {template: {spec: {containers: [{name: a, image: a}]}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := Run(t.Context(), []string{"kube", "translate", "--release", "shop/web=" + file, "--env", "preprod", "--out", out}, nil, io.Discard, io.Discard); code != 0 {
		t.Fatal(code)
	}
	a := &app{file: platformFile}
	if _, err := a.phase(t.Context(), out, &health{environment: "preprod", phase: "live"}); err == nil || !strings.Contains(err.Error(), "read the release shop/web: nothing says what Helm renders for it") {
		t.Errorf("got %v", err)
	}
	objects, err := a.phase(t.Context(), out, &health{environment: "preprod", phase: "live", releases: []string{"shop/web=" + file}})
	if got := fmt.Sprint(objects); err != nil || got != "[Service shop/web]" {
		t.Errorf("%s, %v", got, err)
	}
}
