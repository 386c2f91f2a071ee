package translate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// csiDriver mounts secrets of a store as files.
const csiDriver = "secrets-store.csi.k8s.io"

// class is a SecretProviderClass with the provider of AWS.
type class struct {
	files []secretFile
	// parts says that files hold parts of a secret, which the provider of Google cannot pick: then External Secrets reads it.
	parts bool
	// wrong says why it cannot be translated, and what to do; nothing where it can.
	wrong, do string
	// synced are the Secrets that the driver made of its files.
	synced []string
	// secret is what the Secret is called that holds the files.
	secret string
}

// secretFile is one file that pods find.
type secretFile struct {
	path string
	// name is what AWS calls the secret; property is the part of it that the file holds, as External Secrets names it; empty for all of it.
	name, property string
	// mode is the file's permissions, as the class writes them.
	mode string
}

// key is what a Secret calls the file.
func (f *secretFile) key() string { return notInKey.ReplaceAllString(f.path, "_") }

var notInKey = regexp.MustCompile(`[^-._a-zA-Z0-9]`)

// An awsObject is one secret of a class, as the provider of AWS reads it.
type awsObject struct {
	Name    string    `yaml:"objectName"`
	Alias   string    `yaml:"objectAlias"`
	Version string    `yaml:"objectVersion"`
	Label   string    `yaml:"objectVersionLabel"`
	Mode    string    `yaml:"filePermission"`
	Parts   []awsPart `yaml:"jmesPath"`
}

type awsPart struct {
	Path  string `yaml:"path"`
	Alias string `yaml:"objectAlias"`
	Mode  string `yaml:"filePermission"`
}

// readClasses reads all classes before any object is translated, for pods that mount one change with it.
func (in *Input) readClasses(objects []*manifest.Object) map[objectKey]*class {
	out := map[objectKey]*class{}
	for _, o := range objects {
		if o.Kind != "SecretProviderClass" || text(o.Value, "spec", "provider") != "aws" {
			continue
		}
		c := readClass(o)
		made, _ := at(o.Value, []string{"spec", "secretObjects"}).([]any)
		for _, v := range made {
			c.synced = append(c.synced, text(v, "secretName"))
		}
		c.secret = o.Name
		if in.find("Secret", o.Namespace, o.Name) != nil || in.find("ExternalSecret", o.Namespace, o.Name) != nil || slices.Contains(c.synced, o.Name) {
			c.secret += "-files"
		}
		out[objectKey{"", o.Namespace, o.Name}] = c
	}
	in.contested(out)
	return out
}

// contested refuses classes that would fill a Secret which something else fills too: what the driver wrote first won, and nobody can tell which that was.
func (in *Input) contested(classes map[objectKey]*class) {
	fills := map[objectKey]int{}
	each := func(do func(c *class, secret objectKey)) {
		for k, c := range classes {
			for _, name := range append(slices.Clone(c.synced), c.secret) {
				if c.parts {
					do(c, objectKey{"Secret", k.namespace, name})
				}
			}
		}
	}
	each(func(_ *class, s objectKey) { fills[s]++ })
	each(func(c *class, s objectKey) {
		if fills[s] > 1 || in.find("Secret", s.namespace, s.name) != nil || in.find("ExternalSecret", s.namespace, s.name) != nil {
			c.wrong, c.do = "It fills the Secret "+s.name+", and so does something else.", "give each its own Secret, in the source"
		}
	})
}

func readClass(o *manifest.Object) *class {
	c := &class{}
	var objects []awsObject
	if err := yaml.Unmarshal([]byte(text(o.Value, "spec", "parameters", "objects")), &objects); err != nil || len(objects) == 0 {
		c.wrong, c.do = "Its objects cannot be read.", "write parameters.secrets for the provider gcp"
		return c
	}
	c.unknownKeys(text(o.Value, "spec", "parameters", "objects"))
	translation := text(o.Value, "spec", "parameters", "pathTranslation")
	for _, a := range objects {
		if a.Version != "" || a.Label != "" && a.Label != "AWSCURRENT" {
			c.wrong, c.do = "It reads the version "+cmp.Or(a.Label, a.Version)+" of "+awsName(a.Name)+", which Secret Manager does not have.", "store that version under a name of its own, and name it"
		}
		c.add(secretFile{path: fileName(cmp.Or(a.Alias, a.Name), translation), name: a.Name, mode: a.Mode})
		for _, p := range a.Parts {
			c.parts = true
			property, err := propertyOf(p.Path)
			if err != nil {
				c.wrong = "It takes the part " + p.Path + " out of " + awsName(a.Name) + " by jmesPath, and " + err.Error() + "."
				c.do = "store that part as a secret of its own, or under a plain name of the JSON object"
			}
			c.add(secretFile{path: fileName(p.Alias, translation), name: a.Name, property: property, mode: cmp.Or(p.Mode, a.Mode)})
		}
	}
	return c
}

// awsKeys are what an object of a class may say. Without failoverObject nothing changes: Secret Manager is in several regions by itself.
var awsKeys = []string{"objectName", "objectType", "objectAlias", "objectVersion", "objectVersionLabel", "jmesPath", "failoverObject", "filePermission"}

// unknownKeys refuses a class that says more than is read here.
func (c *class) unknownKeys(objects string) {
	var all []map[string]any
	if yaml.Unmarshal([]byte(objects), &all) != nil {
		return
	}
	for _, o := range all {
		for _, k := range keys(o) {
			if !slices.Contains(awsKeys, k) {
				c.wrong, c.do = "Nobody here knows "+k+" of its objects.", "say what the files hold without it, in the source"
			}
		}
	}
}

func (c *class) add(f secretFile) {
	if f.path == "" {
		c.wrong, c.do = "One of its files has no name.", "give each part an objectAlias, in the source"
	}
	if slices.ContainsFunc(c.files, func(g secretFile) bool { return g.path == f.path || g.key() == f.key() }) {
		c.wrong, c.do = "Two of its files are called "+f.path+".", "give them different names (objectAlias), in the source"
	}
	c.files = append(c.files, f)
}

// fileName is what the provider of AWS calls a file: / is _ unless pathTranslation says another sign, or False.
func fileName(name, translation string) string {
	if strings.EqualFold(translation, "false") {
		return strings.TrimPrefix(name, "/")
	}
	return strings.ReplaceAll(name, "/", cmp.Or(translation, "_"))
}

var (
	arnOfSecret = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:[^:]*:\d*:secret:(.+?)(-[A-Za-z0-9]{6})?$`)
	arnOfParam  = regexp.MustCompile(`^arn:aws[a-z-]*:ssm:[^:]*:\d*:parameter/?(.+)$`)
)

// awsName is a secret's name where a class has it by its ARN, which ends with six letters of AWS's own.
func awsName(name string) string {
	for _, form := range []*regexp.Regexp{arnOfSecret, arnOfParam} {
		if m := form.FindStringSubmatch(name); m != nil {
			return m[1]
		}
	}
	return name
}

var (
	// A name of a JSON object that means itself, as a step of a path of JMESPath and of External Secrets; and one that JMESPath wants in quotes.
	plainStep = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	quotedKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
)

// propertyOf writes a path of JMESPath as External Secrets reads it, in the syntax of gjson: names with points between them mean the same in both.
func propertyOf(path string) (string, error) {
	var steps []string
	rest := strings.TrimSpace(path)
	for {
		var step string
		if strings.HasPrefix(rest, `"`) {
			end := strings.Index(rest[1:], `"`)
			if end < 0 || json.Unmarshal([]byte(rest[:end+2]), &step) != nil || !quotedKey.MatchString(step) {
				return "", errors.New("that is no plain name")
			}
			rest = rest[end+2:]
		} else {
			step, rest = rest, ""
			if i := strings.IndexByte(step, '.'); i >= 0 {
				step, rest = step[:i], step[i:]
			}
			if !plainStep.MatchString(step) {
				return "", errors.New("that is no plain name")
			}
		}
		steps = append(steps, step)
		if rest == "" {
			return strings.Join(steps, "."), nil
		}
		if rest[0] != '.' {
			return "", errors.New("that is no plain name")
		}
		rest = rest[1:]
	}
}

// secretFiles sees to classes, and to the pods that mount one whose files come from a Secret from now on.
func secretFiles(w *work) {
	if w.Kind == "SecretProviderClass" {
		if c := w.in.classes[objectKey{"", w.Namespace, w.Name}]; c != nil {
			w.providerClass(c)
		}
		return
	}
	for _, spec := range w.pods() {
		for i, v := range w.list(join(spec, "volumes")...) {
			if text(v, "csi", "driver") != csiDriver {
				continue
			}
			c := w.in.classes[objectKey{"", w.Namespace, text(v, "csi", "volumeAttributes", "secretProviderClass")}]
			if c != nil && c.parts && c.wrong == "" && w.in.Decisions.Store != "" {
				w.set("an ExternalSecret fills the Secret "+c.secret+", and its files have the names that they had", c.volume(text(v, "name")), join(spec, "volumes", strconv.Itoa(i))...)
			}
		}
	}
}

// volume holds the files of a class as those of a Secret.
func (c *class) volume(name string) map[string]any {
	var items []any
	for i := range c.files {
		f := &c.files[i]
		item := map[string]any{"key": f.key(), "path": f.path}
		if mode, err := strconv.ParseInt(f.mode, 8, 32); err == nil {
			item["mode"] = mode
		}
		items = append(items, item)
	}
	return map[string]any{"name": name, "secret": map[string]any{"secretName": c.secret, "items": items}}
}

func (w *work) providerClass(c *class) {
	switch {
	case c.wrong != "":
		w.at("spec", "parameters", "objects").blocks(c.wrong, c.do)
	case c.parts:
		w.externalFiles(c)
	case w.in.Decisions.Project == "":
		w.at("spec", "provider").asks("In which project is Secret Manager?", "project: NAME")
	default:
		w.googleFiles(c)
	}
}

// googleFiles lets the provider of Google mount whole secrets.
func (w *work) googleFiles(c *class) {
	var secrets strings.Builder
	for _, f := range c.files {
		fmt.Fprintf(&secrets, "- resourceName: \"projects/%s/secrets/%s/versions/latest\"\n  path: %q\n", w.in.Decisions.Project, w.awsSecret(f.name), f.path)
		if mode, err := strconv.ParseInt(f.mode, 8, 32); err == nil {
			fmt.Fprintf(&secrets, "  mode: 0%o\n", mode)
		}
	}
	w.set("secrets are in Secret Manager", "gcp", "spec", "provider")
	w.set("as the provider gcp reads them", map[string]any{"secrets": secrets.String()}, "spec", "parameters")
	w.note("It reads Secret Manager; its files have the names that they had.", "copy the secrets before it is applied; the pods' service accounts need roles/secretmanager.secretAccessor")
}

// awsSecret is what a secret of AWS is called in Secret Manager.
func (w *work) awsSecret(name string) string {
	if to := w.in.Decisions.Secrets[name]; to != "" {
		return to
	}
	return w.secretName(strings.TrimPrefix(awsName(name), "/"))
}

const byParts = "External Secrets picks parts, which jmesPath did"

// externalFiles lets External Secrets read the parts of secrets into the Secrets that pods mount or name.
func (w *work) externalFiles(c *class) {
	if w.in.Decisions.Store == "" {
		w.at("spec", "parameters", "objects").asks("It takes parts out of secrets by jmesPath, which the provider gcp cannot and External Secrets can: from which ClusterSecretStore?", "secret-store: NAME")
		return
	}
	var refs []any
	for i := range c.files {
		refs = append(refs, w.fileRef(&c.files[i], c.files[i].key()))
	}
	w.makeExternal(byParts, c.secret, "Opaque", nil, refs)
	for i, v := range w.list("spec", "secretObjects") {
		w.syncedSecret(c, v, i)
	}
	w.note("External Secrets reads it, for it takes parts out of secrets by jmesPath. Its files have the names that they had, and stand in the Secret "+c.secret+" from now on, which who may read Secrets of the namespace may read; a new value arrives within the hour (refreshInterval), and not at the driver's pace.",
		"copy the secrets before it is applied, as the JSON objects that they are; the store's service account needs roles/secretmanager.secretAccessor")
	w.drop("an ExternalSecret stands for it")
}

func (w *work) fileRef(f *secretFile, key string) map[string]any {
	remote := map[string]any{"key": w.awsSecret(f.name)}
	if f.property != "" {
		remote["property"] = f.property
	}
	return map[string]any{"secretKey": key, "remoteRef": remote}
}

// syncedSecret makes the Secret that the driver made of files while a pod mounted them.
func (w *work) syncedSecret(c *class, v any, i int) {
	var refs []any
	data, _ := at(v, []string{"data"}).([]any)
	for _, d := range data {
		f := slices.IndexFunc(c.files, func(f secretFile) bool {
			return f.path == text(d, "objectName") || fileName(f.path, "") == text(d, "objectName")
		})
		if f < 0 {
			w.at("spec", "secretObjects", strconv.Itoa(i)).blocks("The key "+text(d, "key")+" of the Secret "+text(v, "secretName")+" comes from "+text(d, "objectName")+", which is none of its files.", "name one of them, in the source")
			continue
		}
		refs = append(refs, w.fileRef(&c.files[f], text(d, "key")))
	}
	if len(refs) == 0 {
		return
	}
	meta := map[string]any{}
	for _, k := range []string{"labels", "annotations"} {
		if m, ok := at(v, []string{k}).(map[string]any); ok && len(m) > 0 {
			meta[k] = m
		}
	}
	w.makeExternal(byParts, text(v, "secretName"), orOpaque(text(v, "type")), meta, refs)
}

// makeExternal makes an ExternalSecret that fills a Secret of the same name.
func (w *work) makeExternal(why, name, kind string, labels map[string]any, refs []any) {
	meta := map[string]any{"name": name}
	if w.Namespace != "" {
		meta["namespace"] = w.Namespace
	}
	template := map[string]any{"type": kind}
	if len(labels) > 0 {
		template["metadata"] = labels
	}
	w.make(why, map[string]any{
		"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": meta,
		"spec": map[string]any{
			"secretStoreRef": map[string]any{"kind": "ClusterSecretStore", "name": w.in.Decisions.Store},
			"target":         map[string]any{"name": name, "template": template},
			"data":           refs,
		},
	})
}
