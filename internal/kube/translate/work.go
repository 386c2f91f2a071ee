package translate

import (
	"maps"
	"slices"
	"strconv"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// Op is one operation of a JSON Patch (RFC 6902), with its reason.
type Op struct {
	// Do is add, replace or remove.
	Do    string
	Path  []string
	Value any
	Rule  *Rule
	Why   string
}

// work is one rule at one object: what it may see and do. Operations take effect at once, so that every rule sees what those
// before it have done, and the list of them is a patch.
type work struct {
	*Object
	in    *Input
	out   *Result
	rule  *Rule
	phase phase
	where []string // what the finding that comes next is about
	hit   bool
}

// value returns what stands at a path.
func (w *work) value(path ...string) any { return at(w.now, path) }

func at(v any, path []string) any {
	for _, step := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (w *work) text(path ...string) string { s, _ := w.value(path...).(string); return s }
func (w *work) mapping(path ...string) map[string]any {
	m, _ := w.value(path...).(map[string]any)
	return m
}
func (w *work) list(path ...string) []any { l, _ := w.value(path...).([]any); return l }

// join makes a path of its own: appending to a shared one would change it for others.
func join(path []string, steps ...string) []string { return append(slices.Clone(path), steps...) }

// set puts a value at a path, with what has to stand above it.
func (w *work) set(why string, value any, path ...string) {
	missing := len(path)
	for i := range path {
		if at(w.now, path[:i+1]) == nil {
			missing = i + 1
			break
		}
	}
	for i := len(path) - 1; i >= missing; i-- {
		value = map[string]any{path[i]: value}
	}
	path = slices.Clone(path[:missing])
	do := "replace"
	if parent, ok := at(w.now, path[:len(path)-1]).(map[string]any); ok {
		if _, there := parent[path[len(path)-1]]; !there {
			do = "add"
		}
	} else if path[len(path)-1] == "-" {
		do = "add"
	}
	w.apply(Op{Do: do, Path: path, Value: value, Rule: w.rule, Why: why})
}

// remove takes away what stands at a path, if anything does.
func (w *work) remove(why string, path ...string) {
	parent, last := at(w.now, path[:len(path)-1]), path[len(path)-1]
	switch p := parent.(type) {
	case map[string]any:
		if _, there := p[last]; !there {
			return
		}
	case []any:
		if at(p, []string{last}) == nil {
			return
		}
	default:
		return
	}
	w.apply(Op{Do: "remove", Path: slices.Clone(path), Rule: w.rule, Why: why})
}

func (w *work) apply(op Op) {
	w.touch()
	if !w.owned {
		w.now, w.owned = clone(w.now).(map[string]any), true
	}
	w.now, _ = patched(w.now, op.Path, op).(map[string]any)
	w.Ops = append(w.Ops, op)
}

// patched returns v with an operation done at a path in it.
func patched(v any, path []string, op Op) any {
	last := len(path) == 1
	switch x := v.(type) {
	case map[string]any:
		switch {
		case last && op.Do == "remove":
			delete(x, path[0])
		case last:
			x[path[0]] = clone(op.Value)
		default:
			x[path[0]] = patched(x[path[0]], path[1:], op)
		}
		return x
	case []any:
		if last && path[0] == "-" {
			return append(x, clone(op.Value))
		}
		i, _ := strconv.Atoi(path[0]) // set and remove have looked
		switch {
		case last && op.Do == "remove":
			return slices.Delete(x, i, i+1)
		case last:
			x[i] = clone(op.Value)
		default:
			x[i] = patched(x[i], path[1:], op)
		}
		return x
	}
	return v
}

func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[k] = clone(v)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, v := range x {
			l[i] = clone(v)
		}
		return l
	}
	return v
}

// touch counts the rule as one that had something to do with the object.
func (w *work) touch() {
	if !w.hit {
		w.hit = true
		w.out.Verdicts[w.rule.Verdict]++
	}
}

// drop leaves the object out of the translation, by a patch that says why. Rules that come later do not see it.
func (w *work) drop(why string) {
	w.touch()
	w.Dropped = &Reason{Rule: w.rule, Why: why}
}

// hold keeps the object's text out of the tree.
func (w *work) hold(why string) {
	w.touch()
	w.Held = &Reason{Rule: w.rule, Why: why}
}

// make adds an object of bascule's own; what several objects want is made once, for the first of them by name: in which order they stand says nothing.
func (w *work) make(why string, object map[string]any) {
	w.touch()
	w.out.addMade(&Made{Value: object, Reason: Reason{Rule: w.rule, Why: why}, For: w.String(), source: w.Object.Object})
}

// at names the place that the finding which comes next is about.
func (w *work) at(path ...string) *work {
	w.where = path
	return w
}

func (w *work) say(kind finding.Kind, severity finding.Severity, what, do, owner string) {
	w.touch()
	place := w.Where()
	if len(w.where) > 0 {
		if w.places == nil {
			w.places = w.Places()
		}
		place = w.places.Of(w.where...)
		w.recognise(w.where[len(w.where)-1])
	}
	w.where = nil
	if from := w.Template(); w.Release != "" && from != "" {
		place += " (" + from + ")" // which is where people mend it
	}
	f := finding.Finding{Code: w.rule.ID, Kind: kind, Severity: severity, Object: w.String(), What: what, Do: do, Owner: owner}
	if w.File != "" { // what was made for nothing of the source stands nowhere
		f.Evidence = []string{place}
	}
	w.out.Findings = append(w.out.Findings, f)
}

// note says what means something else from now on.
func (w *work) note(what, do string) {
	w.say(finding.Problem, finding.Warning, what, do, "application")
}

// tell says something that asks for nothing.
func (w *work) tell(what string) { w.say(finding.Problem, finding.Info, what, "", "") }

// better says what the new platform does better.
func (w *work) better(what, do string) {
	w.say(finding.Opportunity, finding.Info, what, do, "operator")
}

// needs says what has to be made in the cloud.
func (w *work) needs(what, do string) { w.say(finding.Problem, finding.Warning, what, do, "operator") }

// blocks says what has no equivalent, and the options.
func (w *work) blocks(what, options string) {
	w.say(finding.Problem, finding.Blocker, what, options, "application")
}

// asks says which key answers what nobody knows.
func (w *work) asks(what, key string) {
	w.say(finding.Question, finding.Blocker, what, "# in "+w.in.File+":\n"+key, "operator")
}

// recognise marks a key as known, so that it is not reported as one that nobody recognised.
func (w *work) recognise(keys ...string) {
	if w.known == nil {
		w.known = map[string]bool{}
	}
	for _, k := range keys {
		w.known[k] = true
	}
}

// annotations is where an object has its annotations.
var annotations = []string{"metadata", "annotations"}

// annotation returns an annotation of the object.
func (w *work) annotation(key string) (string, bool) {
	v, ok := w.mapping(annotations...)[key]
	s, _ := v.(string)
	return s, ok
}

// keys returns a mapping's keys in order.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// find returns an object of the input.
func (in *Input) find(kind, namespace, name string) *manifest.Object {
	return in.index[objectKey{kind, namespace, name}]
}
