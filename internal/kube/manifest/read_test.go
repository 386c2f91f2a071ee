package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
	"sigs.k8s.io/kustomize/kyaml/kio"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/manifest"
)

const web = `# the shop's face
apiVersion: apps/v1
kind: Deployment   # not a Rollout
metadata: {name: web, namespace: "shop"}
spec:
  replicas: 0x3
  paused: no
`

func read(t *testing.T, text string) (*manifest.Set, error) {
	t.Helper()
	return manifest.Read(strings.NewReader(text), "-")
}

func TestObjectsAreReadWithTheirBytes(t *testing.T) {
	tests := map[string]struct {
		reason string
		text   string
		want   []string // object, place, text
		aside  []manifest.Aside
	}{
		"one":       {"comments and quoting stay", web, []string{"Deployment shop/web", "-:1", web}, nil},
		"several":   {"markers belong to no document", "---\n" + web + "---\n---\n# nothing\n---  \n" + web2 + "...\n", []string{"Deployment shop/web", "-:2", web, "Service web", "-:13", web2}, nil},
		"on marker": {"what stands beside a marker stays", "--- # first\nkind: A\napiVersion: v1\nmetadata: {name: a}\n", []string{"A a", "-:1", "--- # first\nkind: A\napiVersion: v1\nmetadata: {name: a}\n"}, nil},
		"crlf":      {"line ends stay", "kind: A\r\napiVersion: v1\r\nmetadata: {name: a}\r\n---\r\nkind: B\r\napiVersion: v1\r\nmetadata: {name: b}\r\n", []string{"A a", "-:1", "kind: A\r\napiVersion: v1\r\nmetadata: {name: a}\r\n", "B b", "-:5", "kind: B\r\napiVersion: v1\r\nmetadata: {name: b}\r\n"}, nil},
		"bom":       {"a byte order mark is no part of a document", "\xef\xbb\xbfkind: A\napiVersion: v1\nmetadata: {name: a}", []string{"A a", "-:1", "kind: A\napiVersion: v1\nmetadata: {name: a}"}, nil},
		"no object": {"it is put aside, by name", "image: web\n---\n- a\n---\njust text\n---\nkind: Kustomization\n", nil, []manifest.Aside{
			{Where: "-:1", What: "a document without apiVersion and kind"},
			{Where: "-:3", What: "a document without apiVersion and kind"},
			{Where: "-:5", What: "a document without apiVersion and kind"},
			{Where: "-:7", What: "a document without apiVersion and kind"},
		}},
		"marker in text": {"an indented marker is text", "kind: A\napiVersion: v1\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    y\n", []string{"A a", "-:1", "kind: A\napiVersion: v1\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    y\n"}, nil},
		"list": {
			"its objects come one by one, without anchors of one another", "apiVersion: v1\nkind: List\nitems:\n- kind: A # a\n  apiVersion: v1\n  metadata: &m {name: a, labels: {x: \"1\"}}\n- {kind: B, apiVersion: v1, metadata: *m}\n- nothing\n",
			[]string{"A a", "-:4", "kind: A # a\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    x: \"1\"\n", "B a", "-:7", "kind: B\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    x: \"1\"\n"},
			[]manifest.Aside{{Where: "-:8", What: "an element of a List without apiVersion and kind"}},
		},
		"json": {"a cluster's answer", `{"apiVersion":"v1","kind":"ConfigMapList","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"n":"01"}}]}`, []string{"ConfigMap a", "-:1", "\"apiVersion\": \"v1\"\n\"kind\": \"ConfigMap\"\n\"metadata\":\n  \"name\": \"a\"\n\"data\":\n  \"n\": \"01\"\n"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set, err := read(t, test.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range set.Objects {
				got = append(got, o.String(), o.Where(), string(o.Text))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if diff := cmp.Diff(test.aside, set.Aside, cmpopts.IgnoreFields(manifest.Aside{}, "Value")); diff != "" {
				t.Errorf("aside (-want +got):\n%s", diff)
			}
		})
	}
}

const web2 = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: 80\n  - port: 443\n"

func TestValuesAndLines(t *testing.T) {
	set, err := read(t, "# head\n---\n"+web+"x: &a {k: 1.5, d: 2020-01-02, on: true}\ny: {<<: *a, k: 2}\nz: [~, '7']\n")
	if err != nil {
		t.Fatal(err)
	}
	o := set.Objects[0]
	want := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "shop"},
		"spec": map[string]any{"replicas": int64(3), "paused": "no"},
		"x":    map[string]any{"k": 1.5, "d": "2020-01-02", "on": true},
		"y":    map[string]any{"k": int64(2), "d": "2020-01-02", "on": true},
		"z":    []any{nil, "7"},
	}
	if diff := cmp.Diff(want, o.Value); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{"spec/replicas": "-:8", "z/1": "-:12", "spec/nothing/there": "-:7", "kind": "-:5"} {
		if got := o.Places().Of(strings.Split(path, "/")...); got != want {
			t.Errorf("%s is at %s, not %s", path, got, want)
		}
	}
}

func TestMistakesSayWhere(t *testing.T) {
	bomb := "kind: A\napiVersion: v1\na: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'k'; i++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat("*"+string(i-1)+",", 10), ","))
	}
	tests := map[string]struct{ text, want string }{
		"duplicate key": {"kind: A\napiVersion: v1\nmetadata:\n  name: a\n  name: b\n", `-:5: the key "name" stands twice: first on line 4 of the document`},
		"second file":   {web + "---\nkind: A\nb: c: d\n", "-:10: mapping values are not allowed in this context"},
		"tab":           {"kind: A\napiVersion: v1\nmetadata:\n\tname: a\n", "-:4: found character that cannot start any token (a tab, or a template that was not rendered?)"},
		"bomb":          {bomb, "-:3: its aliases stand for more than 100000 values"},
		"circle":        {"kind: A\napiVersion: v1\na: &a\n  b: *a\n", "-:4: the alias *a stands within what it names"},
		"directive":     {"%YAML 1.1\n---\nkind: A\n", "-:1: a directive, which Kubernetes does not read: remove the line"},
		"not text":      {"kind: A\nx: \xff\n", "-:2: it is not UTF-8"},
		"twice":         {web + "---\n" + web, "-:9: Deployment shop/web stands twice: first at -:1"},
		"key":           {"kind: A\n? [a]\n: b\n", "-:2: a key that is no text"},
		"deep":          {"kind: A\nx: " + strings.Repeat("[", 300) + strings.Repeat("]", 300), "-:2: values stand more than 200 deep within one another"},
		"large":         {"kind: A\nx: " + strings.Repeat("y", manifest.Largest), "-:1: the document has 16777227 bytes; 16777216 is the most: print the objects by namespace or by kind"},
		"two at once":   {"a: b: c\n---\nkind: A\na: 1\na: 2\n", "-:1: mapping values are not allowed in this context\n-:5: the key \"a\" stands twice: first on line 2 of the document"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set, err := read(t, test.text)
			if set != nil || fault.ClassOf(err) != fault.Data {
				t.Fatalf("got %v, %v", set, err)
			}
			if got := errors.Unwrap(err).Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b/web.yml": web, "a.json": `{"kind":"A","apiVersion":"v1","metadata":{"name":"a"}}`, "README.md": "# x: [", ".git/x.yaml": "{", "c.yaml": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.json", filepath.Join(dir, "z.yaml")); err != nil {
		t.Fatal(err)
	}
	set, err := manifest.Read(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range set.Objects {
		got = append(got, o.Where())
	}
	if diff := cmp.Diff([]string{"a.json:1", "b/web.yml:1"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]manifest.Aside{{Where: "z.yaml", What: "a link, or no regular file: it is not followed"}}, set.Aside); diff != "" {
		t.Error(diff)
	}
	for name, hint := range map[string]string{"kustomization.yaml": "kustomize build", "Chart.yaml": "helm template"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := manifest.Read(nil, dir)
		if fault.ClassOf(err) != fault.Unsupported || !strings.HasPrefix(fault.HintOf(err), hint) {
			t.Errorf("%s: %v, %q", name, err, fault.HintOf(err))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingIsLost joins random documents by random markers and compares with what was joined.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		var want []string
		for i := range rapid.IntRange(1, 8).Draw(t, "documents") {
			eol := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "eol")
			text := rapid.SampledFrom([]string{"# c", "\"apiVersion\":   v1", "apiVersion: 'v1' # x"}).Draw(t, "head") + eol
			if strings.HasPrefix(text, "#") {
				text += "apiVersion: v1" + eol
			}
			text += fmt.Sprintf("kind: K%smetadata: {name: n%d}%s", eol, i, eol)
			text += rapid.SampledFrom([]string{"", "x: |" + eol + "  ---" + eol + "   ..." + eol, "y: \"a" + eol + "  b\"" + eol, "# end" + eol, "z: -----" + eol}).Draw(t, "tail")
			if i > 0 || rapid.Bool().Draw(t, "opened") {
				stream.WriteString(rapid.SampledFrom([]string{"---", "---  ", "...\n---", "---\n# only a comment\n---"}).Draw(t, "marker") + eol)
			}
			stream.WriteString(text)
			want = append(want, text)
		}
		set, err := manifest.Read(&stream, "-")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range set.Objects {
			got = append(got, string(o.Text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzRead asks for an answer or one error, never a panic, and that kyaml finds the same objects in what is kept of them.
func FuzzRead(f *testing.F) {
	for _, s := range []string{web, web2, "a: &a [*a]", "kind: List\napiVersion: v1\nitems: &x\n- {kind: A, apiVersion: b}\n", "---\n...\n", "? a\n: b", "!!binary x", "{\"a\":\t1}", "<<: {a: b}", "- - - a", "%TAG ! x\n---\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := manifest.Read(bytes.NewReader(text), "-")
		if err != nil {
			if !strings.Contains(err.Error(), "-:") {
				t.Errorf("no place in %q", err)
			}
			return
		}
		for _, o := range set.Objects {
			if !o.Listed && !bytes.Contains(text, o.Text) {
				t.Errorf("%q does not stand in the input", o.Text)
			}
			again, err := manifest.Read(bytes.NewReader(o.Text), "-")
			if err != nil || len(again.Objects) != 1 {
				t.Fatalf("%q reads as %v, %v", o.Text, again, err)
			}
			if diff := cmp.Diff(o.Value, again.Objects[0].Value); diff != "" {
				t.Errorf("%q reads otherwise: %s", o.Text, diff)
			}
		}
	})
}

// TestKyamlReadsTheSame compares with the reader of Kustomize.
func TestKyamlReadsTheSame(t *testing.T) {
	text := "---\n" + web + "---\n# nothing\n---\n" + web2
	nodes, err := (&kio.ByteReader{Reader: strings.NewReader(text), OmitReaderAnnotations: true}).Read()
	if err != nil {
		t.Fatal(err)
	}
	set, err := read(t, text)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, n := range nodes {
		want = append(want, n.GetApiVersion()+" "+n.GetKind()+" "+n.GetNamespace()+" "+n.GetName())
	}
	for _, o := range set.Objects {
		got = append(got, o.APIVersion()+" "+o.Kind+" "+o.Namespace+" "+o.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
