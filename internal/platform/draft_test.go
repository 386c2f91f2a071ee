package platform

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDraft: whatever names it is made of, a draft is read as what it was made of.
func TestDraft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Draft{
			Name: texts().Draw(t, "name"), Environments: rapid.SliceOfNDistinct(names(), 1, 4, rapid.ID[string]).Draw(t, "environments"),
			Databases: rapid.SliceOfNDistinct(names(), 0, 3, rapid.ID[string]).Draw(t, "databases"), Configs: map[string]string{},
		}
		there := 0
		if len(d.Databases) > 0 && rapid.Bool().Draw(t, "a file is there") {
			d.Configs[d.Databases[0]] = rapid.SampledFrom([]string{"../a b/c.yaml", "/etc/x.yaml", "x.yaml", "# y", "a//b", "c: d", "Ä"}).Draw(t, "file")
			there = 1
		}
		text, err := d.Text()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		p, err := Parse(text)
		if err != nil || p.Name != d.Name || len(p.Environments) != len(d.Environments) {
			t.Fatalf("%v %+v\n%s", err, p, text)
		}
		for i, e := range p.Environments {
			if e.Name != d.Environments[i] || e.Production != strings.HasPrefix(e.Name, "prod") || len(e.Databases) != len(d.Databases) {
				t.Fatalf("environment %d: %+v\n%s", i, e, text)
			}
			for j, db := range e.Databases {
				if file, ok := d.Configs[db.Name]; db.Name != d.Databases[j] || i == 0 && ok && db.Config != file {
					t.Fatalf("database %d: %+v\n%s", j, db, text)
				}
			}
		}
		if got := len(d.Files()); got != len(d.Environments)*len(d.Databases)-there {
			t.Fatalf("%d files are to be written", got)
		}
	})
	if _, err := (&Draft{Name: "x", Environments: []string{"A B"}}).Text(); err == nil {
		t.Error("a draft with a name that is none")
	}
}

// TestDraftComments: what the draft offers in comments is right when the marks are taken away.
func TestDraftComments(t *testing.T) {
	d := &Draft{Name: "shop", Environments: []string{"preprod", "prod-eu"}, Databases: []string{"orders"}}
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, "# ")
		key, _, pair := strings.Cut(strings.TrimLeft(after, " -{"), ":")
		if ok && strings.TrimSpace(before) == "" && pair && name.MatchString(key) && key != "yaml-language-server" {
			line = before + after
		}
		lines = append(lines, line)
	}
	p, err := Parse([]byte(strings.Join(lines, "")))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(lines, ""))
	}
	e := p.Environments[0]
	if len(p.People) != 2 || e.Window == nil || len(e.Hosts) != 2 || len(e.Hooks) != 1 || e.Manifests() == nil || len(e.Watch) != 1 || e.MaxLag == 0 || p.Journal == "" || p.Notify == nil {
		t.Errorf("the comments offer less than they seem to: %+v", p)
	}
}

// TestNameOf holds what becomes of names that a server allows.
func TestNameOf(t *testing.T) {
	for _, c := range []struct{ text, want string }{{"Shop_DB", "shop_db"}, {"a b", "a-b"}, {"été", "t"}, {"_", "database"}, {"orders", "orders-3"}} {
		if got := NameOf(c.text, []string{"orders", "orders-2"}); got != c.want || !name.MatchString(got) {
			t.Errorf("of %q it is %q, want %q", c.text, got, c.want)
		}
	}
}
