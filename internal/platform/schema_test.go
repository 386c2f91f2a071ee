package platform

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

const docs = "../../docs/"

// example returns the complete example of the reference.
func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(docs + "bascule.yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "## A complete example")
	_, after, _ = strings.Cut(after, "```yaml\n")
	block, _, ok := strings.Cut(after, "```\n")
	if !ok {
		t.Fatal("there is no complete example in the reference")
	}
	return block
}

// published returns the published schema, read by another library than the one that wrote it.
func published(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(docs + "bascule.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("bascule.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("bascule.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns a file as JSON has it.
func asJSON(t interface{ Fatal(...any) }, text []byte) any {
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	js, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(js))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestSchema: the published schema is the program's, and holds what is right to be right.
func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(docs + "bascule.schema.json"); err != nil || !bytes.Equal(kept, text) {
		t.Errorf("docs/bascule.schema.json is not what the program prints (%v): bascule config schema > docs/bascule.schema.json", err)
	}
	s := published(t)
	withDefault, err := yaml.Marshal(&Platform{Name: "p", Environments: []Environment{{Name: "e"}}, Steps: DefaultSteps()})
	if err != nil {
		t.Fatal(err)
	}
	for name, right := range map[string]string{"the complete example": example(t), "the tests' file": shop, "the tests' template": ownTemplate(), "the built-in steps": string(withDefault)} {
		if _, err := Parse([]byte(right)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Validate(asJSON(t, []byte(right))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses breaks the example in one place after the other: what the schema refuses, Parse refuses.
func TestSchemaRefuses(t *testing.T) {
	s := published(t)
	right := []byte(example(t))
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		doc := asJSON(t, right)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			doc = change(t, doc)
		}
		wrong, err := yaml.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		bad := s.Validate(asJSON(t, wrong))
		if bad == nil {
			return
		}
		refused++
		if _, err := Parse(wrong); err == nil {
			t.Fatalf("Parse takes what the schema refuses: %v\n%s", bad, wrong)
		}
	})
	if refused < 20 {
		t.Errorf("the schema refused only %d of the files", refused)
	}
}

// change changes one thing somewhere in a tree of values.
func change(t *rapid.T, v any) any {
	inside := rapid.IntRange(0, 9).Draw(t, "deeper") < 8
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 || !inside {
			break
		}
		key := rapid.SampledFrom(sorted(v)).Draw(t, "key")
		switch rapid.IntRange(0, 9).Draw(t, "to the key") {
		case 0:
			delete(v, key)
		case 1:
			v[key+"s"] = v[key]
		default:
			v[key] = change(t, v[key])
		}
		return v
	case []any:
		if len(v) == 0 || !inside {
			break
		}
		i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
		v[i] = change(t, v[i])
		return v
	}
	return rapid.SampledFrom([]any{nil, "", "x", "Not A Name", "1h", 0, 1, -1, 101, 1.5, true, []any{}, []any{"x"}, []any{1}, map[string]any{}, map[string]any{"name": "x"}}).Draw(t, "value")
}

func sorted(m map[string]any) (names []string) {
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// TestReference: every key of every type is explained in the reference, and shown in its example, or said there to have no need of one.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(docs + "bascule.yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, _ := strings.Cut(string(text), "## The platform")
	shown := example(t)
	unshown := []string{"port", "tls", "proxy", "ramp"} // they go without saying, or exclude others
	for _, of := range []reflect.Type{
		reflect.TypeFor[Platform](), reflect.TypeFor[Person](), reflect.TypeFor[Environment](), reflect.TypeFor[Window](), reflect.TypeFor[Database](),
		reflect.TypeFor[Host](), reflect.TypeFor[Place](), reflect.TypeFor[Workload](), reflect.TypeFor[Hook](), reflect.TypeFor[Watch](), reflect.TypeFor[Step](),
		reflect.TypeFor[Notify](), reflect.TypeFor[Mail](), reflect.TypeFor[Serve](), reflect.TypeFor[Lesson](),
		reflect.TypeFor[Crossplane](), reflect.TypeFor[Cluster](), reflect.TypeFor[Pool](), reflect.TypeFor[Landing](), reflect.TypeFor[LandedDatabase](),
		reflect.TypeFor[LandedCache](), reflect.TypeFor[LandedBucket](), reflect.TypeFor[LandedTopic](), reflect.TypeFor[LandedIdentity](),
		reflect.TypeFor[LandedRecord](), reflect.TypeFor[LandedRepository](),
	} {
		for _, key := range keys(of) {
			if !strings.Contains(tables, "`"+key+"`") && !strings.Contains(tables, "`mail."+key+"`") {
				t.Errorf("the reference does not explain the key %s of %s", key, of.Name())
			}
			if !strings.Contains(shown, key+":") && !slices.Contains(unshown, key) {
				t.Errorf("the example does not show the key %s of %s", key, of.Name())
			}
		}
	}
}
