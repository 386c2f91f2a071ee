package decision_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/kube/decision"
)

// TestExtendAddsLines compares with what a person would write.
func TestExtendAddsLines(t *testing.T) {
	add := decision.Addition{
		Words: map[string][]string{"eu": {"eu", "eu-west-1"}},
		Questions: []decision.Question{
			{Difference: decision.Difference{Path: "spec.paused", Objects: []string{"Deployment shop/web"}, Value: false, Reason: "majority, 2 of 3"}, Notes: []string{"eu: true"}},
			{Difference: decision.Difference{Objects: []string{"Service shop/a", "Service shop/b"}}},
		},
	}
	const questions = `- path: "spec.paused"
  objects: ["Deployment shop/web"]
  value: false
  reason: "majority, 2 of 3"
- objects:
  - "Service shop/a"
  - "Service shop/b"
`
	in := func(pad, note string) string {
		return pad + strings.ReplaceAll(strings.TrimSuffix(note+questions, "\n"), "\n", "\n"+pad) + "\n"
	}
	note := "# eu: true\n"
	tests := map[string]struct{ text, want, wrong string }{
		"nothing": {"", "harmonise:\n  words:\n    \"eu\": [\"eu\",\"eu-west-1\"]\n  differences:\n" + in("    ", note), ""},
		"others":  {"project: shop # ours", "project: shop # ours\nharmonise:\n  words:\n    \"eu\": [\"eu\",\"eu-west-1\"]\n  differences:\n" + in("    ", note), ""},
		"some": {
			"harmonise:\n    # why\n    differences: # these\n    # first\n    - path: spec.a\n      objects: [A b]\n      keep: x\nproject: shop\n",
			"harmonise:\n    words:\n      \"eu\": [\"eu\",\"eu-west-1\"]\n    # why\n    differences: # these\n" + in("    ", note) + "    # first\n    - path: spec.a\n      objects: [A b]\n      keep: x\nproject: shop\n", "",
		},
		"both": {
			"harmonise:\n  words:\n    na: [na]\n  differences:\n  - {path: spec.a, objects: [A b]}\n",
			"harmonise:\n  words:\n    \"eu\": [\"eu\",\"eu-west-1\"]\n    na: [na]\n  differences:\n" + in("  ", note) + "  - {path: spec.a, objects: [A b]}\n", "",
		},
		"flow":  {"harmonise: {words: {na: [na]}}\n", "", "write it as a block"},
		"there": {"harmonise:\n  words:\n    eu: [na]\n", "", "has words for eu already"},
		"ended": {"project: shop\n...\n", "", "cannot be added"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := decision.Extend([]byte(test.text), add)
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("got %v", err)
				}
				return
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	windows, err := decision.Extend([]byte("project: shop\r\n"), add)
	if err != nil || strings.Count(string(windows), "\n") != strings.Count(string(windows), "\r\n") {
		t.Errorf("line ends are mixed: %q, %v", windows, err)
	}
}

// TestExtendKeepsAnyValue writes random values and reads them back.
func TestExtendKeepsAnyValue(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"yes", "1e3", "0x1", "null", "a: b", "- x", "#", "a\n b\n", "{{x}}", "012", "\u2028", "<a>"}))
	scalars := rapid.OneOf(rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Int64(), func(i int64) any { return i }), rapid.Map(rapid.Bool(), func(b bool) any { return b }))
	rapid.Check(t, func(t *rapid.T) {
		v := scalars.Draw(t, "value")
		if rapid.Bool().Draw(t, "nested") {
			v = map[string]any{"name": v, "list": []any{scalars.Draw(t, "element")}}
		}
		file := []byte("# mine\nproject: shop\n")
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			q := decision.Question{Difference: decision.Difference{Path: "spec.a", Objects: []string{"A " + text.Draw(t, "name")}, Value: v, Reason: text.Draw(t, "reason")}, Notes: []string{text.Draw(t, "note")}}
			out, err := decision.Extend(file, decision.Addition{Questions: []decision.Question{q}})
			if err != nil {
				if strings.Contains(err.Error(), "two answers") {
					continue
				}
				t.Fatalf("%v", err)
			}
			if !strings.HasPrefix(string(out), "# mine\nproject: shop\n") {
				t.Fatalf("what stood there has changed: %q", out)
			}
			d, err := decision.Parse(out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(q.Difference, d.Harmonise.Differences[0]); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			file = out
		}
	})
}

func TestHarmoniseIsChecked(t *testing.T) {
	for text, wrong := range map[string]string{
		"harmonise: {differences: [{path: 'a[', objects: [A b]}]}":                                                  "the path a[",
		"harmonise: {differences: [{path: a}]}":                                                                     "names no objects",
		"harmonise: {differences: [{path: a, objects: [A b], value: 1, keep: x}]}":                                  "several of",
		"harmonise: {differences: [{objects: [A b], value: 1}]}":                                                    "only keep",
		"harmonise: {differences: [{path: a, objects: [A b], value: 1}, {path: a, objects: [A c, A b], value: 2}]}": "A b has two answers",
		"harmonise: {same: [{eu: A b}]}":                                                                            "one region only",
	} {
		if _, err := decision.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
