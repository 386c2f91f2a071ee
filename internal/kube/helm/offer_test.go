package helm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
)

// small renders a chart of one template as Helm does: values of later files on top of earlier ones. The first are the chart's own: null takes away what is among them, and is a value otherwise.
type small struct {
	template string
	values   []string
	runs     int
}

func (s *small) render(t testing.TB, more ...string) string {
	t.Helper()
	s.runs++
	all := map[string]any{}
	for _, text := range append(append([]string{}, s.values...), more...) {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		onTop(all, v)
	}
	var own map[string]any
	if err := yaml.Unmarshal([]byte(s.values[0]), &own); err != nil {
		t.Fatal(err)
	}
	without(all, own)
	var b bytes.Buffer
	asYAML := func(v any) (string, error) { text, err := yaml.Marshal(v); return string(text), err }
	indent := func(n int, s string) string {
		return strings.ReplaceAll("\n"+strings.TrimSpace(s), "\n", "\n"+strings.Repeat(" ", n))
	}
	tmpl := template.Must(template.New("t").Funcs(template.FuncMap{"toYaml": asYAML, "nindent": indent}).Parse(s.template))
	if err := tmpl.Execute(&b, map[string]any{"Values": all}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func onTop(into, v map[string]any) {
	for k, x := range v {
		inner, ok := x.(map[string]any)
		was, is := into[k].(map[string]any)
		if ok && is {
			onTop(was, inner)
			continue
		}
		into[k] = x
	}
}

// without takes away what is null and the chart has itself.
func without(all, own map[string]any) {
	for k, x := range own {
		inner, ok := x.(map[string]any)
		now, is := all[k].(map[string]any)
		if v, there := all[k]; there && v == nil {
			delete(all, k)
		}
		if ok && is {
			without(now, inner)
		}
	}
}

func (s *small) translate(t testing.TB, decisions string, more ...string) *translate.Result {
	t.Helper()
	set, err := manifest.ReadRelease(manifest.Release{Namespace: "shop", Name: "web", File: "web", Text: []byte(s.render(t, more...))}, func(*manifest.Object) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	d, err := decision.Parse([]byte(decisions))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	return translate.Translate(translate.Input{Environment: "preprod", Set: set, Decisions: d, File: "kube.yaml", Profile: p, Images: translate.Images{image: "europe-docker.pkg.dev/p/r/web@sha256:" + strings.Repeat("1", 64)}})
}

const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1"

func (s *small) propose(t testing.TB, decisions string) *Offer {
	t.Helper()
	again := func(_ context.Context, name string) (*translate.Result, error) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return s.translate(t, decisions, string(text)), nil
	}
	o, err := values(t, s.values...).Propose(t.Context(), "shop/web", s.translate(t, decisions), again)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const account = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
  annotations: {{- toYaml .Values.account.annotations | nindent 4 }}
`

const roles = "identities: {'arn:aws:iam::123456789012:role/web': web-app@shop-preprod.iam.gserviceaccount.com}\n"

func TestWhatIsProvedIsOffered(t *testing.T) {
	const zones = "zones: {eu-west-1a: europe-west1-b}\n"
	pods := func(spec string) string {
		return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n" + spec + "      containers:\n      - {name: a, image: '{{ .Values.image }}'}\n"
	}
	for name, c := range map[string]struct {
		small
		decisions, want string
	}{
		"annotations that are values": {
			small{template: account, values: []string{"account: {annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/web'}}\n"}},
			roles,
			"account:\n  annotations:\n    eks.amazonaws.com/role-arn: null\n    iam.gke.io/gcp-service-account: web-app@shop-preprod.iam.gserviceaccount.com\n",
		},
		"annotations of another file, where null is a value": {small{template: account, values: []string{"account: {annotations: {}}\n", "account: {annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/web'}}\n"}}, roles, ""},
		"a text that is a value, and an image that is one and stays": {
			small{template: pods("      nodeSelector: {topology.kubernetes.io/zone: '{{ .Values.zone }}'}\n"), values: []string{"zone: eu-west-1a\nimage: " + image + "\n"}},
			zones,
			"zone: europe-west1-b\n",
		},
		"a value that is in another place too": {small{template: pods("      nodeSelector: {topology.kubernetes.io/zone: '{{ .Values.zone }}', disk: '{{ .Values.zone }}'}\n"), values: []string{"zone: eu-west-1a\nimage: a\n"}}, zones, ""},
		"a value that is part of a text":       {small{template: pods("      nodeSelector: {topology.kubernetes.io/zone: 'eu-west-1{{ .Values.zone }}'}\n"), values: []string{"zone: a\nimage: a\n"}}, zones, ""},
		"a value that the chart ignores":       {small{template: pods("      nodeSelector: {topology.kubernetes.io/zone: eu-west-1a}\n"), values: []string{"zone: eu-west-1a\nimage: a\n"}}, zones, ""},
		"a selector whose toleration would go": {small{template: pods("      nodeSelector: {{- toYaml .Values.nodes | nindent 8 }}\n"), values: []string{"nodes: {eks.amazonaws.com/capacityType: SPOT}\nimage: a\n"}}, "", ""},
		"nothing to mend":                      {small{template: pods(""), values: []string{"image: a\n"}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.propose(t, c.decisions)
			if diff := cmp.Diff(c.want, string(o.Text)); diff != "" {
				t.Error(diff)
			}
			if c.want == "" {
				return
			}
			// Rendered with it, the release needs fewer operations and comes to the same.
			before, after := c.translate(t, c.decisions), c.translate(t, c.decisions, string(o.Text))
			if n := operations(after, "shop/web"); n != o.After || o.After >= o.Before {
				t.Errorf("%d operations, and it says %d in place of %d", n, o.After, o.Before)
			}
			if diff := cmp.Diff(final(before, "shop/web"), final(after, "shop/web")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOneThatDoesNotHoldKeepsNoOtherAway: what is wrong together is tried one mapping at a time.
func TestOneThatDoesNotHoldKeepsNoOtherAway(t *testing.T) {
	s := small{
		template: account + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      nodeSelector: {{- toYaml .Values.nodes | nindent 8 }}\n      containers: [{name: a, image: a}]\n",
		values:   []string{"account: {annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/web'}}\nnodes: {eks.amazonaws.com/capacityType: SPOT}\n"},
	}
	o := s.propose(t, roles)
	if !strings.Contains(string(o.Text), "gcp-service-account") || strings.Contains(string(o.Text), "nodes") {
		t.Errorf("offered:\n%s", o.Text)
	}
	if s.runs > 4 {
		t.Errorf("the chart was rendered %d times", s.runs)
	}
}

func TestAChartThatDoesNotTakeAValueKeepsItsPatches(t *testing.T) {
	s := small{template: account, values: []string{"account: {annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/web'}}\n"}}
	o, err := values(t, s.values...).Propose(t.Context(), "shop/web", s.translate(t, roles), func(context.Context, string) (*translate.Result, error) { return nil, errors.New("a schema of values") })
	if err != nil || len(o.Text) > 0 {
		t.Errorf("%s, %v", o.Text, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := values(t, s.values...).Propose(ctx, "shop/web", s.translate(t, roles), func(context.Context, string) (*translate.Result, error) { return nil, ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
