package helm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/decision"
)

func values(t testing.TB, files ...string) *Values {
	t.Helper()
	v := &Values{}
	for i, text := range files {
		if err := v.add([]string{"first.yaml", "second.yaml", "third.yaml"}[i], []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// told are the leaves as people see them.
func told(v *Values) map[string]string {
	out := map[string]string{}
	for _, l := range v.leaves {
		out[l.key()] = l.where()
	}
	return out
}

// TestALaterFileCounts: what a later file says, it says in place of an earlier one, as Helm has it: mappings are merged, lists and values replaced.
func TestALaterFileCounts(t *testing.T) {
	v := values(t,
		"image: {repository: a, tag: b}\nhosts: [x, y, z]\nqueue: q\n\"a.b/c\": 1\n",
		"image:\n  tag: c\nhosts: [w]\nqueue: {name: n}\n")
	want := map[string]string{
		"image.repository": "first.yaml:1", "image.tag": "second.yaml:2", "hosts[0]": "second.yaml:3", "queue.name": "second.yaml:4", `"a.b/c"`: "first.yaml:4",
	}
	if diff := cmp.Diff(want, told(v)); diff != "" {
		t.Error(diff)
	}
}

func TestTraceNamesTheValueAndNotWhatItSays(t *testing.T) {
	v := values(t, `image:
  repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web
other:
  repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/other
registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com
db: mysql://app:hunter2@shop.abc.eu-west-1.rds.amazonaws.com:3306/shop
role: arn:aws:iam::123456789012:role/web
short: a
`)
	findings := []finding.Finding{
		{Object: "Deployment shop/web", What: "The image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:7.1 is in ECR, and no copy of it was verified.", Do: "copy it"},
		{Object: "ConfigMap shop/web", What: "/data/x names shop.abc.eu-west-1.rds.amazonaws.com, a database."},
		{Object: "ServiceAccount shop/web", What: "Which account stands for web?", Do: `identities: {"arn:aws:iam::123456789012:role/web": NAME}`},
		{Object: "Deployment shop/web", What: "It has a nodeSelector."},
		{Object: "Deployment other/web", What: "/spec names arn:aws:iam::123456789012:role/web."},
	}
	v.Trace(findings, func(object string) bool { return !strings.Contains(object, "other/") })
	want := [][]string{
		{"first.yaml:2: image.repository", "first.yaml:5: registry"},
		{"first.yaml:6: db"},
		{"first.yaml:7: role"},
		nil, nil,
	}
	for i, f := range findings {
		if diff := cmp.Diff(want[i], f.Evidence); diff != "" {
			t.Errorf("%s:\n%s", f.What, diff)
		}
		if strings.Contains(f.Do, "hunter2") {
			t.Error(f.Do)
		}
		if told := strings.Contains(f.Do, "or say it by a value"); told != (want[i] != nil) {
			t.Errorf("%s: %q", f.What, f.Do)
		}
	}
}

func TestReadValuesSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"list.yaml": "- a\n", "tab.yaml": "a:\n\t- b\n", "chart/values.yaml": "own: 1\n", "empty.yaml": "# nothing\n", "more.yaml": "more: 2\n"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"list.yaml": "it holds no mapping", "tab.yaml": "found", "none.yaml": "no such file"} {
		if _, err := ReadValues(decision.Release{Values: []string{filepath.Join(dir, name)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v, err := ReadValues(decision.Release{Chart: filepath.Join(dir, "chart"), Values: []string{filepath.Join(dir, "empty.yaml"), filepath.Join(dir, "more.yaml")}})
	if err != nil || len(v.leaves) != 2 || v.leaves[0].key() != "own" {
		t.Errorf("%v, %v", v, err)
	}
}

// FuzzValues: whatever a file of values holds, reading it ends, and each value has a line in it.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"a: {b: c}\n", "a: &x [*x]\n", "a: &a {b: 1}\nc: *a\n", "? {x: y}\n: z\n", "a:\n  <<: {b: c}\n", "\t", "- a", "a: !!binary x\n", "&a a: *a\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v := &Values{}
		if v.add("f", text) != nil {
			return
		}
		lines := strings.Count(string(text), "\n") + 2
		for _, l := range v.leaves {
			if l.line < 1 || l.line > lines+strings.Count(string(text), "\r")+strings.Count(string(text), "\u0085")+strings.Count(string(text), "\u2028")+strings.Count(string(text), "\u2029") {
				t.Errorf("%s stands at line %d of %d", l.key(), l.line, lines)
			}
		}
	})
}
