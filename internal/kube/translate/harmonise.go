package translate

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// harmonised is the row about what regions have differently. It comes first: what it sets is then translated like all else.
func harmonised() []Rule {
	return []Rule{
		{ID: "harmonise", Source: "values that differ between regions", Target: "what harmonise of the decisions says", Verdict: Changed, Apply: harmonise},
	}
}

// harmonise follows what was decided about differences between regions (bascule kube drift).
func harmonise(w *work) {
	for _, d := range w.in.harmonise[w.String()] {
		path, err := manifest.ParsePath(d.Path)
		if err != nil {
			continue // the decisions were checked when they were read
		}
		steps, found := path.Find(w.now)
		there := found == len(path)
		switch {
		case d.Open() && d.Path != "":
			w.at(steps...).say(finding.Question, finding.Warning, "Regions differ in "+d.Path+", and nobody has decided.",
				"# answer it in "+w.in.File+", under harmonise, where the question stands:\nvalue: ..., tag: ..., remove: true, or keep: WHY", "operator")
		case d.Keep != "" || d.Path == "" || d.Remove && !there:
		case d.Remove:
			w.remove(because(d), steps...)
		case d.Tag != "":
			if image, ok := path.Value(w.now); ok {
				w.tag(d, steps, image)
			}
		case there:
			if now := at(w.now, steps); !equal(now, d.Value) {
				w.set(because(d), clone(d.Value), steps...)
			}
		default:
			w.create(d, path, steps, found)
		}
	}
}

func because(d *decision.Difference) string {
	return "harmonised: " + cmp.Or(d.Reason, "so it was decided")
}

// equal compares values as JSON has them, where 1 and 1.0 are one number.
func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// tag replaces the tag of an image, and a digest with it; the registry is each region's own.
func (w *work) tag(d *decision.Difference, steps []string, image any) {
	now, _ := image.(string)
	if now == "" {
		return
	}
	if to := WithTag(now, d.Tag); to != now {
		w.set(because(d), to, steps...)
	}
}

// WithTag gives an image another tag, and no digest.
func WithTag(image, tag string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image + ":" + tag
}

// create puts a value where there is none: into a mapping, or as the last element of a list.
func (w *work) create(d *decision.Difference, path manifest.Path, steps []string, found int) {
	value := clone(d.Value)
	for i := len(path) - 1; i >= found; i-- {
		switch {
		case !path[i].Listed() && i > found:
			value = map[string]any{path[i].Key: value}
		case path[i].Listed() && i == len(path)-1 && i > found:
			value = []any{value}
		case path[i].Listed() && i != len(path)-1:
			w.tell("It has no " + path[:found+1].String() + ", so " + d.Path + " is not harmonised.")
			return
		}
	}
	last := "-"
	if !path[found].Listed() {
		last = path[found].Key
	} else if w.list(steps...) == nil {
		w.tell("It has no list at " + path[:found].String() + ", so " + d.Path + " is not harmonised.")
		return
	}
	if _, isMap := at(w.now, steps).(map[string]any); !isMap && last != "-" {
		w.tell("It has no mapping at " + path[:found].String() + ", so " + d.Path + " is not harmonised.")
		return
	}
	w.set(because(d), value, join(steps, last)...)
}
