package dependency

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

// secret notes that a workload uses a Secret, and visits those of its values that the manifests hold: hosts are found in them, and nothing else of them is
// kept. A variable that says where something is, and whose value nobody knows here, names it at least by its Secret.
func (r *reading) secret(w *worker, name, only, variable string, at Evidence, visit func(k, value string, found Evidence)) {
	k := key{"Secret", w.namespace(), name}
	n := r.node(Secret, w.namespace()+"/"+name)
	r.edge(w.node, n, Declared, false, at)
	filled := r.external[k]
	remote := ""
	if filled != nil {
		remote = remoteKey(filled, only)
		n.Note = "filled by " + filled.String()
		if all := remoteKey(filled, ""); all != "" {
			n.Note += ", from " + all
		}
	}
	known := false
	o := r.index[k]
	if o != nil {
		for _, part := range []string{"stringData", "data"} {
			data, _ := o.Value[part].(map[string]any)
			for _, d := range slices.Sorted(maps.Keys(data)) {
				if only != "" && d != only {
					continue
				}
				value := manifest.Scalar(data[d])
				if part == "data" {
					if text, err := base64.StdEncoding.DecodeString(value); err == nil {
						value = string(text)
					}
				}
				known = known || len(guardedRefs(cmp.Or(variable, d), value)) > 0
				visit(d, value, evidence(o, part, d))
			}
		}
	} else if filled == nil {
		r.missing(w, "Secret "+w.namespace()+"/"+name+" is not in the manifests ("+at.Path+")")
	}
	if kind := hint(variable); !known && kind != "" && located.MatchString(variable) {
		from := "secret " + w.namespace() + "/" + name
		if remote != "" {
			from = remote
		}
		r.edge(w.node, r.node(kind, "of "+from), Naming, readOnly.MatchString(variable), at)
	}
}

// remoteKey is where an ExternalSecret takes a key of its Secret from, or all of them.
func remoteKey(o *manifest.Object, only string) string {
	var all []string
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	data, _ := translate.At(o.Value, "spec", "data").([]any)
	for i := range data {
		if only == "" || translate.Text(data[i], "secretKey") == only {
			add(translate.Text(data[i], "remoteRef", "key"))
		}
	}
	from, _ := translate.At(o.Value, "spec", "dataFrom").([]any)
	if only == "" || len(all) == 0 {
		for i := range from {
			add(translate.Text(from[i], "extract", "key"))
		}
	}
	return strings.Join(all, ", ")
}

// volumes notes what a workload mounts.
func (r *reading) volumes(w *worker) {
	all, _ := translate.At(w.Value, steps(w.spec, "volumes")...).([]any)
	for i, v := range all {
		path := steps(w.spec, "volumes", strconv.Itoa(i))
		at := evidence(w.Object, path...)
		if name := translate.Text(v, "configMap", "name"); name != "" {
			r.files(w, name, at)
		}
		if name := translate.Text(v, "secret", "secretName"); name != "" {
			r.secretFiles(w, name, at)
		}
		if name := translate.Text(v, "persistentVolumeClaim", "claimName"); name != "" {
			reads, _ := translate.At(v, "persistentVolumeClaim", "readOnly").(bool)
			r.edge(w.node, r.node(Volume, w.namespace()+"/"+name), Declared, reads, at)
		}
		if class := translate.Text(v, "csi", "volumeAttributes", "secretProviderClass"); class != "" {
			r.providerClass(w, class, at)
		}
		sources, _ := translate.At(v, "projected", "sources").([]any)
		for j, s := range sources {
			at := evidence(w.Object, steps(path, "projected", "sources", strconv.Itoa(j))...)
			if name := translate.Text(s, "configMap", "name"); name != "" {
				r.files(w, name, at)
			}
			if name := translate.Text(s, "secret", "name"); name != "" {
				r.secretFiles(w, name, at)
			}
		}
	}
}

// files looks through the files that a ConfigMap holds, line by line where lines have names: the name says what a plain value is.
func (r *reading) files(w *worker, name string, at Evidence) {
	r.configMap(w, name, "", at, func(k, value string, found Evidence) { r.file(w, variable{k, value, found, false}) })
}

func (r *reading) file(w *worker, v variable) {
	text := v.value[:min(len(v.value), longest)]
	if !strings.Contains(text, "\n") {
		r.value(w, v)
		return
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		v.name, v.value = assignment(line)
		r.value(w, v)
	}
}

// assignment cuts a line at its first = or colon: host: db.example, "host": "db.example", db.host=db.example.
func assignment(line string) (name, value string) {
	i := strings.IndexAny(line, "=:")
	if i <= 0 || strings.HasPrefix(line[i:], "://") {
		return "", line
	}
	name = strings.Trim(line[:i], " \t\"'-")
	if strings.ContainsAny(name, " \t{}()") {
		return "", line
	}
	return strings.ReplaceAll(name, "-", "_"), strings.Trim(strings.TrimSuffix(strings.TrimSpace(line[i+1:]), ","), "\"' ")
}

func (r *reading) secretFiles(w *worker, name string, at Evidence) {
	r.secret(w, name, "", "", at, func(k, value string, found Evidence) { r.file(w, variable{k, value, found, true}) })
}

// providerClass notes the secrets that a SecretProviderClass mounts.
func (r *reading) providerClass(w *worker, name string, at Evidence) {
	o := r.index[key{"SecretProviderClass", w.namespace(), name}]
	if o == nil {
		r.missing(w, "SecretProviderClass "+w.namespace()+"/"+name+" is not in the manifests ("+at.Path+")")
		return
	}
	for line := range strings.Lines(translate.Text(o.Value, "spec", "parameters", "objects")) {
		called, value := assignment(strings.TrimSpace(line))
		if called != "objectName" || value == "" {
			continue
		}
		found := evidence(o, "spec", "parameters", "objects")
		if all := refs("", value); len(all) > 0 {
			r.edge(w.node, r.node(all[0].kind, all[0].name), Declared, false, found)
		} else {
			r.edge(w.node, r.node(Secret, value), Declared, false, found)
		}
	}
}
