package helm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bascule/bascule/internal/cli"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

const data = "../../kube/helm/testdata"

// TestMain is Kustomize where the script of the post-renderer runs this program as such.
func TestMain(m *testing.M) {
	if os.Getenv("HELM_TEST_KUSTOMIZE") == "" {
		m.Run()
		return
	}
	text, err := kustomize(os.Args[len(os.Args)-1], "")
	if err != nil {
		panic(err) // which ends it as a failure
	}
	_, _ = os.Stdout.Write(text)
}

// kustomize builds a folder; with helm it inflates charts.
func kustomize(folder, helm string) ([]byte, error) {
	options := krusty.MakeDefaultOptions()
	if helm != "" {
		options.PluginConfig = types.EnabledPluginConfig(types.BploUseStaticallyLinked)
		options.PluginConfig.HelmConfig = types.HelmConfig{Enabled: true, Command: helm}
	}
	m, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	return m.AsYaml()
}

// programs are Helm 3 and Helm 4.
func programs(t *testing.T) map[string]string {
	t.Helper()
	folder := os.Getenv("BASCULE_HELM")
	if folder == "" {
		t.Skip("BASCULE_HELM names no folder with helm3 and helm4: make test-helm builds them")
	}
	out := map[string]string{}
	for _, name := range []string{"helm3", "helm4"} {
		program, err := exec.LookPath(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = program
	}
	return out
}

// stand is a tree of the release, and where Helm keeps what is its own.
type stand struct {
	tree string
	env  []string
}

func newStand(t *testing.T, helm string) *stand {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	put(t, filepath.Join(bin, "kustomize"), fmt.Sprintf("#!/bin/sh\nHELM_TEST_KUSTOMIZE=1 exec '%s' \"$@\"\n", os.Args[0]), 0o755)
	s := &stand{tree: filepath.Join(dir, "tree"), env: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"),
		"HELM_DATA_HOME="+filepath.Join(dir, "data"), "HELM_CONFIG_HOME="+filepath.Join(dir, "config"), "HELM_CACHE_HOME="+filepath.Join(dir, "cache"))}
	if code, said := s.translate(t, helm); code != 0 {
		t.Fatal(said)
	}
	return s
}

func (s *stand) translate(t *testing.T, helm string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	code = cli.Run(t.Context(), []string{
		"kube", "translate", "--config", filepath.Join(data, "decisions.yaml"), "--images", filepath.Join(data, "images"), "--helm", helm, "--env", "preprod", "--out", s.tree,
	}, strings.NewReader(""), &out, &out)
	return code, out.String()
}

// run runs Helm.
func (s *stand) run(program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = s.env
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, said.String())
	}
	return out.String(), nil
}

func template(more ...string) []string {
	return append([]string{"template", "web", filepath.Join(data, "web"), "--namespace", "shop", "--values", filepath.Join(data, "values-preprod.yaml")}, more...)
}

func put(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// objects reads what is printed, by what tells objects apart.
func objects(t *testing.T, text string) map[string]any {
	t.Helper()
	set, err := manifest.ReadRelease(manifest.Release{Namespace: "shop", Name: "web", File: "printed", Text: []byte(text)}, func(*manifest.Object) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, o := range set.Objects {
		out[o.String()] = o.Value
	}
	return out
}

// TestTheStoredStreamIsWhatHelmRenders keeps the everyday tests honest.
func TestTheStoredStreamIsWhatHelmRenders(t *testing.T) {
	for name, helm := range programs(t) {
		text, err := os.ReadFile(filepath.Join(data, "rendered.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s := &stand{env: os.Environ()}
		now, err := s.run(helm, template()...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(objects(t, string(text)), objects(t, now)); diff != "" {
			t.Errorf("%s (-stored +now):\n%s", name, diff)
		}
	}
}

// TestEveryWayComesToTheSame deploys the chart in each way as far as that needs no cluster: by the script in Helm 3, the plugin in Helm 4, and Kustomize.
func TestEveryWayComesToTheSame(t *testing.T) {
	helm := programs(t)
	s := newStand(t, helm["helm4"])
	plugin := filepath.Join(s.tree, "generated/preprod/helm")
	plugins, err := s.run(helm["helm4"], "env", "HELM_PLUGINS")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(strings.TrimSpace(plugins), "bascule-preprod")
	if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(plugin, link)); err != nil {
		t.Fatal(err)
	}
	rendered, err := s.run(helm["helm4"], template()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []string{"live", "standby"} {
		want := objects(t, s.onto(t, phase, rendered))
		args := []string{"--post-renderer-args", "shop/web", "--post-renderer-args", phase}
		four, err := s.run(helm["helm4"], template(append([]string{"--post-renderer", "bascule-preprod"}, args...)...)...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, objects(t, four)); diff != "" {
			t.Errorf("%s: Helm 4 (-Kustomize +Helm):\n%s", phase, diff)
		}
		three, err := s.run(helm["helm3"], template(append([]string{"--post-renderer", filepath.Join(plugin, "post-render")}, args...)...)...)
		if err != nil {
			t.Fatal(err)
		}
		got := objects(t, three)
		// Helm 3 sends no hook: it is as the chart renders it, and with --no-hooks it is not there.
		if diff := cmp.Diff(objects(t, rendered)["Job shop/web-migrate"], got["Job shop/web-migrate"]); diff != "" {
			t.Errorf("%s: the hook in Helm 3 (-chart +Helm):\n%s", phase, diff)
		}
		delete(got, "Job shop/web-migrate")
		delete(want, "Job shop/web-migrate")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: Helm 3 (-Kustomize +Helm):\n%s", phase, diff)
		}
		for name, program := range helm {
			if inflated := s.inflated(t, program, phase); cmp.Diff(objects(t, s.onto(t, phase, rendered)), inflated) != "" {
				t.Errorf("%s: Kustomize with %s (-rendered +inflated):\n%s", phase, name, cmp.Diff(objects(t, s.onto(t, phase, rendered)), inflated))
			}
		}
	}
	if again, err := s.run(helm["helm3"], template("--no-hooks")...); err != nil || objects(t, again)["Job shop/web-migrate"] != nil {
		t.Errorf("--no-hooks: %v", err)
	}
}

// onto puts a phase onto what Helm rendered, by Kustomize alone.
func (s *stand) onto(t *testing.T, phase, rendered string) string {
	t.Helper()
	folder := filepath.Join(s.tree, "onto")
	put(t, filepath.Join(folder, "rendered.yaml"), rendered, 0o600)
	put(t, filepath.Join(folder, "kustomization.yaml"), "resources: [rendered.yaml]\ncomponents: [../generated/preprod/releases/shop/web/"+phase+"]\n", 0o600)
	text, err := kustomize(folder, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// inflated lets Kustomize inflate the chart, as Argo CD does.
func (s *stand) inflated(t *testing.T, helm, phase string) map[string]any {
	t.Helper()
	folder := filepath.Join(s.tree, "inflated")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(folder, "charts", "web"), os.DirFS(filepath.Join(data, "web"))); err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile(filepath.Join(data, "values-preprod.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(folder, "values-preprod.yaml"), string(values), 0o600)
	put(t, filepath.Join(folder, "kustomization.yaml"), "helmCharts:\n- {name: web, releaseName: web, namespace: shop, skipTests: true, additionalValuesFiles: [values-preprod.yaml]}\n"+
		"components: [../generated/preprod/releases/shop/web/"+phase+"]\n", 0o600)
	text, err := kustomize(folder, helm)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, string(text))
}

var imageTag = regexp.MustCompile(`(?m)^  tag: .*$`)

// TestTheOfferHolds takes the offered values, as Helm does, and a chart whose image was bumped.
func TestTheOfferHolds(t *testing.T) {
	helm := programs(t)["helm4"]
	s := newStand(t, helm)
	offer := filepath.Join(s.tree, "generated/preprod/releases/shop/web/values-gcp.yaml")
	rendered, err := s.run(helm, template("--values", offer)...)
	if err != nil {
		t.Fatal(err)
	}
	zone := translate.Text(objects(t, rendered)["CronJob shop/web-report"], "spec", "jobTemplate", "spec", "template", "spec", "nodeSelector", "topology.kubernetes.io/zone")
	if zone != "europe-west1-b" {
		t.Errorf("the zone is %q", zone)
	}
	if text, err := os.ReadFile(offer); err != nil || strings.Contains(string(text), "role-arn") {
		t.Errorf("a value that would be null, and not gone: %v\n%s", err, text)
	}
	if code, said := s.translate(t, helm); code != 0 || !strings.Contains(said, "nothing changes") {
		t.Errorf("again: %d\n%s", code, said)
	}
	chart := filepath.Join(t.TempDir(), "web")
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(data, "web"))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(chart, "values.yaml"), imageTag.ReplaceAllString(string(text), `  tag: "7.2"`), 0o600)
	bumped, err := s.run(helm, "template", "web", chart, "--namespace", "shop", "--values", filepath.Join(data, "values-preprod.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.tree, "generated/preprod/helm/post-render"), "shop/web", "live")
	cmd.Env, cmd.Stdin, cmd.Stdout = s.env, strings.NewReader(bumped), io.Discard
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err == nil || !strings.Contains(said.String(), "/image failed") {
		t.Errorf("an image that was bumped: %v, %s", err, said.String())
	}
}
