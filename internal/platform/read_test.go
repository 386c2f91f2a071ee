package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/fault"
)

// names draws texts that stand for names.
func names() *rapid.Generator[string] { return rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,8}`) }

// texts draws what people write, and what YAML could mistake for something else.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"true", "no", "null", "~", "12", "1e3", "0x1f", "1:30", "2026-11-27", "- a", "a: b", "# x", "*a", "&a", "!x", "[", "{", "'", `"`, " x ", "a\nb\n", "@", "%", "|", ">", "é", "\t", "x #y", "key:", "=", "<<"}),
		rapid.StringMatching(`[ -~]{1,20}`),
	)
}

func lasting() *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(1, 1e6), func(n int64) time.Duration { return time.Duration(n) * time.Second })
}

// platforms draws platforms that are right: two databases at most, the built-in steps or some of their own, everything else as it comes.
func platforms() *rapid.Generator[*Platform] {
	return rapid.Custom(func(t *rapid.T) *Platform {
		text := func(label string) string { return strings.ReplaceAll(texts().Draw(t, label), "${", "$ {") }
		maybe := func(label string) string {
			if rapid.Bool().Draw(t, label+" is there") {
				return text(label)
			}
			return ""
		}
		p := &Platform{Name: text("name"), RehearsalDays: rapid.IntRange(0, 100).Draw(t, "days")}
		for _, n := range rapid.SliceOfNDistinct(names(), 1, 3, rapid.ID[string]).Draw(t, "people") {
			p.People = append(p.People, Person{n, []Role{RoleApprove}})
		}
		for _, n := range rapid.SliceOfNDistinct(names(), 1, 3, rapid.ID[string]).Draw(t, "environments") {
			e := Environment{Name: n, Production: rapid.Bool().Draw(t, "production"), Cost: rapid.Float64Range(0, 1e6).Draw(t, "cost")}
			for _, n := range rapid.SliceOfNDistinct(names(), 0, 2, rapid.ID[string]).Draw(t, "databases") {
				e.Databases = append(e.Databases, Database{Name: n, Config: text("config"), Group: "g"})
			}
			if rapid.Bool().Draw(t, "has workloads") {
				e.Workloads = []Workload{{Name: "w", From: []string{"a " + text("from"), text("other") + " b"}, Config: maybe("decisions"), Images: maybe("images"), Exists: []string{"Secret shop/db"}}}
			}
			if rapid.Bool().Draw(t, "has a hook") {
				e.Hooks = map[string]Hook{"freeze": {Do: text("do"), Check: maybe("check"), Undo: maybe("undo"), Rehearse: maybe("rehearse"), Timeout: lasting().Draw(t, "timeout")}}
			}
			if rapid.Bool().Draw(t, "has parameters") {
				e.Parameters = map[string]string{names().Filter(func(n string) bool { return n != "environment" && n != "database" && n != "hosts" }).Draw(t, "parameter"): maybe("value")}
			}
			if rapid.Bool().Draw(t, "is watched") {
				e.Watch = []Watch{{Name: "w", Check: text("look"), Every: lasting().Draw(t, "every"), From: "freeze"}}
				e.MaxLag = lasting().Draw(t, "lag")
			}
			p.Environments = append(p.Environments, e)
		}
		if rapid.Bool().Draw(t, "has steps") {
			p.Steps = []Step{
				{Name: "freeze", Kind: "manual", Do: text("instructions"), Undo: "nothing", Title: maybe("title"), Owner: maybe("owner")},
				{Name: "wait", Kind: "wait", For: lasting().Draw(t, "soak"), Needs: []string{"freeze"}},
				{Name: "go", Kind: "gate", Quorum: 1, Approvers: []string{p.People[0].Name}},
			}
		}
		for i, f := range rapid.SliceOfNDistinct(texts(), 0, 2, rapid.ID[string]).Draw(t, "findings") {
			p.Lessons = append(p.Lessons, Lesson{Finding: f, Dismissed: text("reason")}, Lesson{Finding: fmt.Sprint("open ", i), Owner: text("whose")})
		}
		return p
	})
}

// TestWrittenAndRead: what is written comes back as it was. It is written as JSON, which is YAML: in its own, the library forgets quotes.
func TestWrittenAndRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := platforms().Draw(t, "platform")
		text, err := yaml.MarshalWithOptions(p, yaml.JSON())
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cmp.Diff(p, back); d != "" {
			t.Fatalf("%s\n%s", d, text)
		}
	})
}

// TestNearest holds what is offered for a misspelt key.
func TestNearest(t *testing.T) {
	for _, c := range []struct{ wrong, near string }{
		{"environmnets", "environments"}, {"nme", "name"}, {"webhook_secret", "webhook-secret"}, {"xyz", ""}, {"", ""},
	} {
		if got := nearest(c.wrong, []string{"name", "environments", "webhook-secret", "serve"}); got != c.near {
			t.Errorf("for %q it is %q, want %q", c.wrong, got, c.near)
		}
	}
	if got := edits("serve", "sevre"); got != 1 {
		t.Errorf("two letters that changed places are %d edits", got)
	}
}

// TestRead: a file that cannot be read says what to do.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	wrong := filepath.Join(dir, "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("platform: shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, "long.yaml")
	if err := os.WriteFile(long, make([]byte, longest+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{filepath.Join(dir, "none.yaml"): "no such file", wrong: "no environment", dir: "is a directory", long: "bytes"} {
		_, err := Read(name)
		if err == nil || !strings.Contains(err.Error(), says) || fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
	}
}

// FuzzParse: whatever the file, there is a platform that can be planned, or an error that says where.
func FuzzParse(f *testing.F) {
	f.Add([]byte(shop))
	f.Add([]byte(shop + template))
	f.Add([]byte(deployed))
	f.Add([]byte(strings.ReplaceAll(deployed+template, "undo: nothing", "undo: nothing, where: workloads")))
	f.Add([]byte("- &a [*a]\n"))
	f.Add([]byte("a: &a {b: *a}\n<<: *a\n---\nx"))
	if text, err := os.ReadFile(docs + "bascule.yaml.md"); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if (err == nil) != (p != nil) {
			t.Error("either a platform or an error")
		}
		if err != nil {
			return
		}
		for i := range p.Environments {
			for _, purpose := range Purposes {
				s, _, err := p.Script(&p.Environments[i], purpose)
				if err == nil {
					err = s.Plan().Check()
				}
				if err != nil {
					t.Errorf("a file that is right, with a %s round that is wrong: %v", purpose, err)
				}
			}
		}
	})
}
