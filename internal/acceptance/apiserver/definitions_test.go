package apiserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// definitions are the kinds that the server was taught.
type definitions struct {
	*server
	// own are the groups that a server without definitions serves.
	own map[string]bool
	// real are kinds with a definition of those who own them, by group and kind; standIns those of which none is at hand.
	real     map[string]bool
	standIns map[string]object
}

// given is where the definitions lie that are not in a module: beside the project on some machines.
func given() string { return cmp.Or(os.Getenv("BASCULE_TEST_CRDS"), "../../../../shared/crds") }

// teach installs all definitions that are at hand: Gateway API's, from its module, and those of given.
func teach(t *testing.T, s *server) *definitions {
	t.Helper()
	d := &definitions{server: s, own: map[string]bool{}, real: map[string]bool{}, standIns: map[string]object{}}
	text, err := s.ask(t.Context(), http.MethodGet, "/apis", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var groups struct {
		Groups []struct {
			Name string `json:"name"`
		} `json:"groups"`
	}
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups.Groups {
		d.own[g.Name] = true
	}
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := read(t, filepath.Join(strings.TrimSpace(string(module)), "config/crd/standard"))
	if _, err := os.Stat(given()); errors.Is(err, fs.ErrNotExist) {
		t.Logf("there are no definitions in %s (BASCULE_TEST_CRDS): kinds that are not Gateway API's take a stand-in", given())
	} else {
		all = append(all, read(t, given())...)
	}
	// Gateway API's own policies come with its definitions, and are no part of this.
	all = slices.DeleteFunc(all, func(o object) bool { return word(o, "kind") != "CustomResourceDefinition" })
	d.define(t, all)
	d.refuses(t)
	return d
}

// refuses sees that the server does refuse what is wrong, of its own kinds and of others: or all that follows would prove nothing.
func (d *definitions) refuses(t *testing.T) {
	t.Helper()
	for wrong, text := range map[string]string{
		".data.a: expected string":  "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: [b]}}",
		".spec.port: field not":     "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {port: 80}}",
		"spec.ports: Required":      "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: NodePort}}",
		".spec.hostname: field not": "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {hostname: a}}",
		"must be an absolute path":  "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {rules: [{matches: [{path: {type: PathPrefix, value: a}}]}]}}",
	} {
		if _, err := d.apply(t.Context(), documents(t, wrong, []byte(text))[0], true); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("the server says %v of %s, and not that %q", err, text, wrong)
		}
	}
}

// define installs definitions and waits until the server serves them.
func (d *definitions) define(t *testing.T, all []object) {
	t.Helper()
	if _, err := d.kindOf(t.Context(), all[0]); err != nil { // known before several ask for it
		t.Fatal(err)
	}
	var parts sync.WaitGroup
	for part := range slices.Chunk(all, (len(all)+3)/4) {
		parts.Go(func() {
			for _, o := range part {
				if _, err := d.apply(t.Context(), o, false); err != nil {
					t.Errorf("%s: %v", title(o), err)
				}
			}
		})
	}
	parts.Wait()
	for _, o := range all {
		d.real[word(o, "spec", "group")+" "+word(o, "spec", "names", "kind")] = true
	}
	d.await(t, all)
}

// await waits until the server serves what is defined.
func (d *definitions) await(t *testing.T, all []object) {
	t.Helper()
	for _, o := range all {
		wait(t, title(o), func(ctx context.Context) error {
			now, err := d.get(ctx, o)
			if err != nil {
				return err
			}
			if !told(now, "Established") {
				return errors.New("it is not established")
			}
			versions, _ := at(o, "spec", "versions").([]any)
			for _, v := range versions {
				if version, _ := v.(object); version["served"] == true {
					one := object{"apiVersion": word(o, "spec", "group") + "/" + word(version, "name"), "kind": word(o, "spec", "names", "kind")}
					if _, err := d.kindOf(ctx, one); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
}

// told reports whether an object's status has a condition that is true.
func told(o object, condition string) bool {
	all, _ := at(o, "status", "conditions").([]any)
	return slices.ContainsFunc(all, func(c any) bool {
		m, _ := c.(object)
		return m["type"] == condition && m["status"] == "True"
	})
}

// standIn makes a definition for each kind of which none is at hand, so that everything can be applied: it takes any field, and proves nothing of
// the fields. Kinds of Kubernetes' own groups get none. It returns how many of the objects are of such a kind.
func (d *definitions) standIn(t *testing.T, objects []object) int {
	t.Helper()
	changed, count := map[string]object{}, 0
	for _, o := range objects {
		group, version, _ := strings.Cut(word(o, "apiVersion"), "/")
		kind := word(o, "kind")
		id := group + " " + kind
		if !strings.Contains(group, ".") || d.own[group] || d.real[id] {
			continue
		}
		count++
		c, ok := d.standIns[id]
		if !ok {
			c = standIn(group, kind, at(o, "metadata", "namespace") != nil)
			d.standIns[id] = c
		}
		spec := c["spec"].(object)
		versions, _ := spec["versions"].([]any)
		if slices.ContainsFunc(versions, func(v any) bool { return v.(object)["name"] == version }) {
			continue
		}
		spec["versions"] = append(versions, object{
			"name": version, "served": true, "storage": len(versions) == 0,
			"schema": object{"openAPIV3Schema": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
		})
		changed[id] = c
	}
	var all []object
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		if _, err := d.apply(t.Context(), changed[id], false); err != nil {
			t.Fatalf("stand-in for %s: %v", id, err)
		}
		all = append(all, changed[id])
	}
	d.await(t, all)
	return count
}

func standIn(group, kind string, namespaced bool) object {
	plural := strings.ToLower(kind) + "s"
	scope := "Cluster"
	if namespaced {
		scope = "Namespaced"
	}
	return object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": object{"name": plural + "." + group, "annotations": object{"api-approved.kubernetes.io": "unapproved, a stand-in of a test"}},
		"spec":     object{"group": group, "scope": scope, "names": object{"kind": kind, "plural": plural, "singular": strings.ToLower(kind), "listKind": kind + "List"}},
	}
}

// read returns the objects of the YAML files in a folder and its subfolders, in their order.
func read(t *testing.T, folder string) (out []object) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		out = append(out, documents(t, name, text)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// documents returns the objects of a file of YAML.
func documents(t *testing.T, name string, text []byte) (out []object) {
	t.Helper()
	for doc := range strings.SplitSeq("\n"+string(text), "\n---") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}
