package crossplane

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Mark is the first line of every file that is generated; a file without it is a person's.
const Mark = "Written by bascule crossplane generate."

// File is one file of the tree, its path with slashes.
type File struct {
	Path string
	Text []byte
	// Objects are what it holds; none in a page for people.
	Objects []map[string]any
}

// Generate writes everything that a definition comes to. The same definition makes the same bytes.
func Generate(d *Definition) ([]File, error) {
	t := &tree{}
	ours := kinds()
	t.packages("base", ours)
	t.apis("base", d, ours)
	t.add("base/apis/roles.yaml", "Who may do what.", roles(d, ours)...)
	t.add("base/apis/password-generator.yaml", "Passwords for those who cannot log in without one; needs External Secrets.", generator())
	for i := range d.Environments {
		t.environment(d, &d.Environments[i], ours)
	}
	if d.hasClusters() {
		t.management(d)
	}
	t.examples(d, ours)
	t.page("README.md", readme(d))
	slices.SortFunc(t.files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return t.files, t.err
}

// tree collects files.
type tree struct {
	files []File
	err   error
}

// add writes objects into a file, with what they are for.
func (t *tree) add(path, why string, objects ...map[string]any) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n# %s\n", Mark, why)
	for i, o := range objects {
		if i > 0 {
			b.WriteString("---\n")
		}
		text, err := yaml.Marshal(o)
		if err != nil {
			t.err = cmp.Or(t.err, fmt.Errorf("write %s: %w", path, err))
		}
		b.Write(text)
	}
	t.files = append(t.files, File{path, b.Bytes(), objects})
}

func (t *tree) page(path, text string) {
	t.files = append(t.files, File{Path: path, Text: []byte(text)})
}

func (t *tree) packages(folder string, kinds []kind) {
	t.add(folder+"/packages/providers.yaml", "The providers, one for each service that is used.", providers(kinds)...)
	t.add(folder+"/packages/functions.yaml", "The two functions of the compositions.", functions()...)
	t.add(folder+"/packages/activation.yaml", "Exactly the managed resources that are used: each other one would cost the API server memory.", activation(kinds))
}

func (t *tree) apis(folder string, d *Definition, kinds []kind) {
	for i := range kinds {
		k := &kinds[i]
		t.add(folder+"/apis/"+k.plural+".yaml", k.what, k.definition(d))
	}
	t.add(folder+"/apis/admission.yaml", "Only who may adopt says what something is called on Google Cloud.", admission(d)...)
}

func (t *tree) compositions(folder string, d *Definition, e *Environment, kinds []kind) {
	for i := range kinds {
		k := &kinds[i]
		var objects []map[string]any
		for _, c := range k.compositions(e, d) {
			objects = append(objects, c.object(k, d))
		}
		t.add(folder+"/compositions/"+k.plural+".yaml", k.what, objects...)
	}
}

func (t *tree) environment(d *Definition, e *Environment, kinds []kind) {
	folder := "environments/" + e.Name
	config := []map[string]any{providerConfig("default", e.Project)}
	for _, n := range e.namespaces() {
		config = append(config, object{"apiVersion": "v1", "kind": "Namespace", "metadata": meta(n)})
		if len(d.Developers) > 0 {
			config = append(config, binding(d, n))
		}
	}
	t.add(folder+"/config/config.yaml", "The project, the namespaces, and who may ask in them.", config...)
	t.compositions(folder, d, e, kinds)
	t.objects(folder, e.existing(d))
}

// objects writes one file for each object: one is promoted at a time, by a change that somebody reviews.
func (t *tree) objects(folder string, objects []object) {
	for _, o := range objects {
		k, _ := byName(o["kind"].(string))
		m := o["metadata"].(object)
		t.add(fmt.Sprintf("%s/objects/%s-%s.yaml", folder, strings.ToLower(k.name), m["name"]), "Stands for what exists already; see README.md before adopt is changed.", o)
	}
}

func (t *tree) management(d *Definition) {
	ks := []kind{gke()}
	t.packages("management", ks)
	t.apis("management", d, ks)
	t.add("management/apis/roles.yaml", "Who may do what.", adopter(d, ks))
	t.compositions("management", d, &Environment{}, ks)
	config := []map[string]any{{"apiVersion": "v1", "kind": "Namespace", "metadata": meta(clustersNamespace)}}
	for i := range d.Environments {
		e := &d.Environments[i]
		if e.Cluster == "" {
			continue
		}
		config = append(config, providerConfig(e.Name, e.Project))
		t.add("management/objects/gkecluster-"+e.Cluster+".yaml", "The cluster of environment "+e.Name+".", e.clusterObject(d))
	}
	t.add("management/config/config.yaml", "The projects in which clusters are made.", config...)
}

// examples are what a developer writes, whole.
func (t *tree) examples(d *Definition, kinds []kind) {
	namespace := "shop"
	if len(d.Environments) > 0 {
		namespace = d.Environments[0].Namespace
	}
	for _, k := range kinds {
		t.add("examples/"+strings.ToLower(k.name)+".yaml", k.what, asked(d, k.name, namespace, k.example.name, k.example.spec))
	}
}
