package crossplane

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawn makes a value that a schema takes.
func drawn(t *rapid.T, name string, schema object) any {
	if values, ok := schema["enum"].(list); ok {
		return rapid.SampledFrom(values).Draw(t, name)
	}
	switch schema["type"] {
	case "boolean":
		return rapid.Bool().Draw(t, name)
	case "integer":
		return rapid.IntRange(schema["minimum"].(int), schema["maximum"].(int)).Draw(t, name)
	case "array":
		return asList(rapid.SliceOfN(rapid.StringMatching(`[a-z0-9.]{1,20}`), 1, 3).Draw(t, name))
	}
	pattern, ok := schema["pattern"].(string)
	if !ok {
		pattern = `[a-z][a-z0-9/-]{2,40}`
	}
	most := 250
	if m, ok := schema["maxLength"].(int); ok {
		most = m
	}
	s := rapid.StringMatching(strings.Trim(pattern, "^$")).Draw(t, name)
	if len(s) > most {
		s = strings.Trim(s[:most], ".-")
	}
	return s
}

// drawnObject is an object of a kind that its definition takes.
func drawnObject(t *rapid.T, d *Definition, k *kind, compositions []composition) object {
	word := rapid.StringMatching(`[a-z]([a-z0-9-]{0,30}[a-z0-9])?`)
	spec := object{}
	properties := k.properties()
	for _, n := range sortedKeys(properties) {
		if n != "name" && (slices.Contains(k.needs, any(n)) || rapid.Bool().Draw(t, "with "+n)) {
			spec[n] = drawn(t, n, properties[n].(object))
		}
	}
	if rapid.Bool().Draw(t, "named") {
		spec["name"] = rapid.StringMatching(`[a-z][a-z0-9]{5,28}`).Draw(t, "name")
	}
	c := rapid.SampledFrom(compositions).Draw(t, "composition")
	if rapid.Bool().Draw(t, "with composition") {
		spec["crossplane"] = object{"compositionRef": object{"name": c.name}}
	}
	return asked(d, k.name, word.Draw(t, "namespace"), word.Draw(t, "object"), spec)
}

func sortedKeys(o object) (names []string) {
	for k := range o {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// limits are what Google Cloud's documentation says of names, written down apart from the program.
var limits = map[string]*regexp.Regexp{
	"DatabaseInstance":   regexp.MustCompile(`^[a-z](?:[-a-z0-9]{0,83}[a-z0-9])?$`), // 98 with shop-prod-eu and a colon
	"Instance":           regexp.MustCompile(`^[a-z][-a-z0-9]{2,61}[a-z0-9]$`),
	"Bucket":             regexp.MustCompile(`^[a-z0-9][-a-z0-9]{1,61}[a-z0-9]$`),
	"Topic":              regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$`),
	"Subscription":       regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$`),
	"ServiceAccount":     regexp.MustCompile(`^[a-z][-a-z0-9]{4,28}[a-z0-9]$`),
	"RegistryRepository": regexp.MustCompile(`^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$`),
	"Cluster":            regexp.MustCompile(`^[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?$`),
	"NodePool":           regexp.MustCompile(`^[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?$`),
}

// precious are the managed resources that hold data.
var precious = []string{"DatabaseInstance", "Database", "User", "Instance", "Bucket", "RegistryRepository", "Cluster", "NodePool"}

// TestRandom: whatever a developer asks for that the kind's definition takes becomes objects that the real definitions take.
func TestRandom(t *testing.T) {
	t.Parallel()
	known := packagesOf(t)
	d, _ := shop(t)
	e, _ := d.Environment("prod-eu")
	for _, k := range append(kinds(), gke()) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			compositions := k.compositions(e, d)
			rapid.Check(t, func(t *rapid.T) {
				o := drawnObject(t, d, &k, compositions)
				r, err := Render(t.Context(), d, e, o, nil, known)
				if err != nil {
					t.Fatal(err)
				}
				adopt := r.Composite["spec"].(object)["adopt"]
				long := false
				for _, x := range r.Resources {
					name := external(x.Object)
					long = long || strings.Contains(name, tooLong)
					holds(t, x.Object, adopt)
					if rule := limits[x.Object["kind"].(string)]; rule != nil && name != tooLong && !rule.MatchString(name) {
						t.Errorf("%s is called %q", x.Object["kind"], name)
					}
				}
				if unknown := slices.DeleteFunc(r.NotChecked, func(k string) bool { return k == "ConfigMap.v1" }); len(unknown) > 0 {
					t.Errorf("not checked: %v", unknown)
				}
				for _, p := range r.Problems {
					if p.Path != externalName {
						t.Error(p)
					}
				}
				if long != (len(r.Problems) > 0) {
					t.Errorf("a name is too long: %v; problems: %v", long, r.Problems)
				}
			})
		})
	}
}

// holds: what Crossplane may do follows from what is adopted and what is precious, whatever else was asked.
func holds(t *rapid.T, o object, adopt any) {
	given, ok := o["spec"].(object)[`managementPolicies`].(list)
	if !ok {
		if strings.HasSuffix(o["apiVersion"].(string), "upbound.io/v1beta1") {
			t.Errorf("%s may do everything: it has no policies", o["kind"])
		}
		return
	}
	kind := o["kind"].(string)
	may := func(action string) bool {
		return slices.Contains(given, any(action)) || slices.Contains(given, any("*"))
	}
	data := slices.Contains(precious, kind)
	binding := strings.HasSuffix(kind, "IAMMember")
	if may("Delete") && (data || adopt != "No" && !binding) {
		t.Errorf("%s may be deleted: %v", kind, given)
	}
	if adopt != "No" && may("Create") && !binding {
		t.Errorf("%s was adopted and may be made anew: %v", kind, given)
	}
	if adopt == "Observe" && (may("Create") || may("Update") || may("Delete")) {
		t.Errorf("%s is only observed, and may be changed: %v", kind, given)
	}
	if adopt == "No" && !may("Create") {
		t.Errorf("%s may not be made: %v", kind, given)
	}
	p := o["spec"].(object)["forProvider"].(object)
	protected := map[string]bool{
		"DatabaseInstance": p["deletionProtection"] == true && fieldOf(p, "settings", "deletionProtectionEnabled") == true,
		"Cluster":          p["deletionProtection"] == true, "Instance": p["deletionProtectionEnabled"] == true, "Bucket": p["forceDestroy"] == false,
	}
	if is, ok := protected[kind]; ok && !is {
		t.Errorf("%s is not protected from deletion", kind)
	}
}

// TestRemoved: a database that is taken out of bascule.yaml takes its file with it, and nothing that was written ever may delete it.
func TestRemoved(t *testing.T) {
	t.Parallel()
	d, files := generated(t)
	for _, f := range files {
		for _, o := range f.Objects {
			if o["kind"] != "Composition" {
				continue
			}
			text := string(f.Text)
			if k, ok := byName(o["spec"].(object)["compositeTypeRef"].(object)["kind"].(string)); !ok || !k.stateful {
				continue
			}
			_, sets, _ := strings.Cut(text, "patchSets:")
			sets, _, _ = strings.Cut(sets, "resources:")
			rest := strings.ReplaceAll(text, sets, "")
			if strings.Contains(rest, "Delete\n") || strings.Contains(rest, "patchSetName: free") || strings.Contains(rest, "patchSetName: bind") {
				t.Errorf("%s could delete", f.Path)
			}
		}
	}
	e, _ := d.Environment("prod-eu")
	delete(e.Databases, "stock")
	after, err := Generate(d)
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, f := range files {
		if !slices.ContainsFunc(after, func(g File) bool { return g.Path == f.Path }) {
			gone = append(gone, f.Path)
		}
	}
	if diff := cmp.Diff([]string{"environments/prod-eu/objects/postgresql-stock.yaml"}, gone); diff != "" {
		t.Error(diff)
	}
}

// TestAdopted: what exists is called what it is called, and only looked at.
func TestAdopted(t *testing.T) {
	t.Parallel()
	known := packagesOf(t)
	d, _ := shop(t)
	e, _ := d.Environment("prod-eu")
	names := map[string]bool{}
	for _, o := range append(e.existing(d), e.clusterObject(d)) {
		r, err := Render(t.Context(), d, e, o, nil, known)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Problems {
			t.Error(p)
		}
		for _, x := range r.Resources {
			if external(x.Object) != "" {
				names[fmt.Sprint(x.Object["kind"], " ", external(x.Object))] = true
			}
			if given, ok := fieldOf(x.Object, "spec", "managementPolicies").(list); ok && len(given) > 0 && !slices.Equal(given, list{"Observe"}) {
				t.Errorf("%s: %v", x.Object["kind"], given)
			}
		}
	}
	want := map[string]bool{
		"DatabaseInstance orders-eu": true, "Database orders": true, "User shop-checkout@shop-prod-eu.iam": true,
		"DatabaseInstance stock-eu": true, "Database warehouse": true, "Instance sessions-eu": true, "Bucket shop-pictures-eu": true,
		"Topic order-placed": true, "Subscription invoices": true, "Subscription mails": true,
		"ServiceAccount shop-checkout": true, "ServiceAccount shop-mailer": true, "RegistryRepository images": true,
		"RecordSet projects/shop-prod-eu/managedZones/shop-example/rrsets/api.shop.example./A": true,
		"Cluster prod-eu": true, "NodePool general": true, "NodePool batch": true,
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// TestCompare shows exactly the fields that differ, and counts the others.
func TestCompare(t *testing.T) {
	t.Parallel()
	d, _ := shop(t)
	e, _ := d.Environment("prod-eu")
	o := e.existing(d)[0]
	r, err := Render(t.Context(), d, e, o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen []map[string]any
	for _, x := range r.Resources {
		is, ok := fieldOf(x.Object, "spec", "forProvider").(object)
		if !ok {
			continue
		}
		if x.Name == "instance" {
			settings := is["settings"].(object)
			settings["tier"] = "db-perf-optimized-N-8"
			settings["ipConfiguration"].(object)["privateNetwork"] = "https://www.googleapis.com/compute/v1/" + e.Network
			delete(settings, "retainBackupsOnDelete")
			delete(settings, "insightsConfig")
		}
		x.Object["status"] = object{"atProvider": is}
		if x.Name != "user" {
			seen = append(seen, x.Object)
		}
	}
	found := Observed(o, append(seen, object{"metadata": object{"annotations": object{"crossplane.io/composition-resource-name": "user"}}}))
	c, err := Compare(t.Context(), d, e, o, found, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Comparison{
		Unseen: []string{"user"}, Equal: c.Equal,
		Differences: []Difference{
			{"instance", "settings.insightsConfig.queryInsightsEnabled", nil, true},
			{"instance", "settings.tier", "db-perf-optimized-N-8", "db-perf-optimized-N-4"},
		},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if c.Equal < 15 {
		t.Errorf("only %d fields are equal", c.Equal)
	}
}

// TestKeep: the phase that people have set stays, unless another thing goes by the name.
func TestKeep(t *testing.T) {
	t.Parallel()
	const path = "environments/prod-eu/objects/bucket-pictures.yaml"
	cases := map[string]struct{ from, to, want string }{
		"Promoted":  {"adopt: Observe", "adopt: Manage", "adopt: Manage"},
		"Same":      {"", "", "adopt: Observe"},
		"Nonsense":  {"adopt: Observe", "adopt: Always", "adopt: Observe"},
		"OtherName": {"adopt: Observe\n  location: EU\n  name: shop-pictures-eu", "adopt: Manage\n  location: EU\n  name: another", "adopt: Observe"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, files := generated(t)
			f := &files[slices.IndexFunc(files, func(f File) bool { return f.Path == path })]
			before := strings.Replace(string(f.Text), tc.from, tc.to, 1)
			if tc.from != "" && before == string(f.Text) {
				t.Fatalf("the file does not hold %q:\n%s", tc.from, f.Text)
			}
			if err := f.Keep([]byte(before)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(f.Text), tc.want+"\n") || fieldOf(f.Objects[0], "spec", "adopt") != strings.TrimPrefix(tc.want, "adopt: ") {
				t.Errorf("got %s", f.Text)
			}
		})
	}
}

// TestRefused: what the kind's own definition refuses never reaches a composition.
func TestRefused(t *testing.T) {
	t.Parallel()
	d, _ := shop(t)
	e, _ := d.Environment("prod-eu")
	for name, o := range map[string]object{
		"UnknownField": asked(d, "PostgreSQL", "shop", "a", object{"sizes": "small"}),
		"Enum":         asked(d, "PostgreSQL", "shop", "a", object{"size": "huge"}),
		"Missing":      asked(d, "DNSRecord", "shop", "a", object{"zone": "z"}),
		"LongName":     asked(d, "Topic", "shop", strings.Repeat("a", 64), object{}),
		"Composition":  asked(d, "Topic", "shop", "a", object{"crossplane": object{"compositionRef": object{"name": "queue"}}}),
		"Selector":     asked(d, "Topic", "shop", "a", object{"crossplane": object{"compositionSelector": object{"matchLabels": object{}}}}),
		"Kind":         asked(d, "Queue", "shop", "a", object{}),
	} {
		if r, err := Render(t.Context(), d, e, o, nil, nil); err == nil {
			t.Errorf("%s: taken, and became %v", name, r.Resources)
		}
	}
}

// TestLater: an object that waits for an address is made when there is one.
func TestLater(t *testing.T) {
	t.Parallel()
	d, _ := shop(t)
	e, _ := d.Environment("prod-eu")
	o := asked(d, "PostgreSQL", "shop", "orders", object{})
	r, err := Render(t.Context(), d, e, o, nil, nil)
	if err != nil || len(r.Waiting) != 2 || len(r.Resources) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	seen := map[string]map[string]any{"instance": {"status": object{"atProvider": object{"privateIpAddress": "10.0.0.3", "connectionName": "p:r:i"}}}}
	r, err = Render(t.Context(), d, e, o, seen, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"address": "10.0.0.3", "instance": "p:r:i"}, r.Status); diff != "" {
		t.Error(diff)
	}
	o["status"] = r.Status
	r, err = Render(t.Context(), d, e, o, seen, nil)
	if err != nil || len(r.Resources) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	want := object{"port": "5432", "sslmode": "require", "database": "orders", "host": "10.0.0.3", "instance": "p:r:i"}
	if diff := cmp.Diff(want, r.Resources[2].Object["data"]); diff != "" {
		t.Error(diff)
	}
}
