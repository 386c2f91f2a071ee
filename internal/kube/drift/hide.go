package drift

import (
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

// hide takes the values of secrets out of cells.
func (c *comparison) hide(kind string, names Object, f found) []Cell {
	secret := kind == "Secret" && (f.path[0].Key == "data" || f.path[0].Key == "stringData") || kind == "SealedSecret" || f.path[0].Key == "sops"
	name := valueName(f.path)
	out := slices.Clone(f.cells)
	for i, x := range f.cells {
		if x.Absent || x.Outside {
			continue
		}
		if secret || !slices.Contains(c.plain, names.Names[i]+" "+name) && holdsSecret(name, x.Value) {
			secret = true
			break
		}
	}
	for i := range out {
		if secret && !out[i].Absent && !out[i].Outside {
			out[i].Hidden = true
		}
	}
	return out
}

// valueName is what a value is called: the key, the flag, or the variable whose value it is.
func valueName(path manifest.Path) string {
	last := path[len(path)-1]
	if last.Key == "value" && len(path) > 1 && path[len(path)-2].Listed() {
		last = path[len(path)-2]
	}
	return last.Name()
}

var assignment = regexp.MustCompile(`^[\s"'-]*([A-Za-z0-9_.-]{3,80})["']?\s*[:=]\s*["']?(.*?)["',;]*\s*$`)

// secretPart stands for the value of a secret.
const secretPart = "‹secret›" //nolint:gosec // what stands for one, and none

// holdsSecret says whether a value, a part of it or one of its lines looks like a secret.
func holdsSecret(name string, v any) bool {
	_, found := redacted(name, v)
	return found
}

// answersSecret says whether the value of an answer looks like a secret: people may write one where none belongs.
func answersSecret(d *decision.Difference) bool {
	path, err := manifest.ParsePath(d.Path)
	return err != nil || len(path) == 0 || holdsSecret(valueName(path), d.Value)
}

// redacted returns a value without its parts that look like secrets, and whether there are any.
func redacted(name string, v any) (out any, found bool) {
	switch x := v.(type) {
	case string:
		return redactedText(name, x)
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, y := range x {
			called := k
			if k == "value" && x["name"] != nil {
				called = manifest.Scalar(x["name"])
			}
			part, secret := redacted(called, y)
			m[k], found = part, found || secret
		}
		return m, found
	case []any:
		l := make([]any, len(x))
		before := name
		for i, y := range x {
			part, secret := redacted(strings.TrimLeft(before, "-"), y)
			l[i], found = part, found || secret
			before, _ = y.(string)
		}
		return l, found
	}
	return v, false
}

func redactedText(name, text string) (string, bool) {
	formed := translate.SecretByForm(text)
	if !strings.Contains(text, "\n") {
		m := assignment.FindStringSubmatch(text)
		if formed || translate.SecretByName(name, text) || m != nil && translate.SecretByName(m[1], m[2]) {
			return secretPart, true
		}
		return text, false
	}
	var b strings.Builder
	found := false
	for line := range strings.Lines(text) {
		m := assignment.FindStringSubmatch(line)
		if m != nil && translate.SecretByName(m[1], m[2]) || formed && translate.SecretByForm(line) {
			line, found = secretPart+"\n", true
		}
		b.WriteString(line)
	}
	if !found && (formed || translate.SecretByName(name, text)) { // over several lines
		return secretPart, true
	}
	return b.String(), found
}
