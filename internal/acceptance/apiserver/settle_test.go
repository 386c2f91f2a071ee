package apiserver

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

// tally counts what was seen of sets of objects.
type tally struct {
	objects, standIns, sourceRefused, created int
	// filledIn counts objects that the server wrote once more by itself.
	filledIn int
	// fields counts those that differ by phase, by the kind and the field.
	fields map[string]int
	// once is how long it took to apply objects that were not there as they are, again to apply them once more.
	once, again time.Duration
}

// String writes the counts for people.
func (c *tally) String() string {
	differ := 0
	for _, n := range c.fields {
		differ += n
	}
	return fmt.Sprintf("%d objects, of which %d of kinds without a definition (and %d more that the server refuses in the source too); applied in %.1f s, once more, without a difference, in %.1f s (of %d objects the server filled in the status of its own); by phase %d fields and %d objects differ",
		c.objects, c.standIns, c.sourceRefused, c.once.Seconds(), c.again.Seconds(), c.filledIn, differ, c.created)
}

// namespaces makes the namespaces that objects are in and do not bring.
func (d *definitions) namespaces(t *testing.T, objects []object) (made []object) {
	t.Helper()
	there := map[string]bool{"": true, "default": true}
	for _, o := range objects {
		if word(o, "kind") == "Namespace" {
			there[word(o, "metadata", "name")] = true
		}
	}
	for _, o := range objects {
		name := word(o, "metadata", "namespace")
		if there[name] {
			continue
		}
		there[name] = true
		n := object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}}
		if _, err := d.apply(t.Context(), n, false); err != nil {
			t.Fatalf("%s: %v", title(n), err)
		}
		made = append(made, n)
	}
	return made
}

// settle applies objects, and applies them once more, after which every one must be as it was. It returns what the server keeps, by key. What the
// server refuses is an error, unless excused says that it is none of the program's.
func (d *definitions) settle(t *testing.T, objects []object, seen *tally, excused func(object, error) bool) map[string]object {
	t.Helper()
	kept := map[string]object{}
	began := time.Now()
	for _, o := range objects {
		now, err := d.apply(t.Context(), o, false)
		if err != nil {
			if excused == nil || !excused(o, err) {
				t.Errorf("%s: %v", title(o), err)
			}
			continue
		}
		if _, twice := kept[key(o)]; twice {
			t.Errorf("%s is there twice", title(o))
		}
		kept[key(o)] = now
	}
	seen.once += time.Since(began)
	began = time.Now()
	for _, o := range objects {
		before, ok := kept[key(o)]
		if !ok {
			continue
		}
		d.unchanged(t, o, before, seen)
	}
	seen.again += time.Since(began)
	return kept
}

// unchanged applies an object once more, and once more again where the server itself had something to fill in: the defaults of a status, which it
// leaves out when it makes an object of some kinds and writes down when next it is written. No field may change, and the last time nothing is written.
func (d *definitions) unchanged(t *testing.T, o, before object, seen *tally) {
	t.Helper()
	for again := range 2 {
		now, err := d.apply(t.Context(), o, false)
		if err != nil {
			t.Errorf("%s, once more: %v", title(o), err)
			return
		}
		same := word(now, "metadata", "resourceVersion") == word(before, "metadata", "resourceVersion")
		if changed := paths(before, now); len(changed) > 0 || !same && again > 0 {
			t.Errorf("%s: applied once more, it changes: %v", title(o), changed)
			return
		}
		if same {
			return
		}
		seen.filledIn++
		before = now
	}
}

// removeAll removes objects, last first, but not namespaces: only a controller could.
func (d *definitions) removeAll(t *testing.T, objects []object) {
	t.Helper()
	for _, o := range slices.Backward(objects) {
		if word(o, "kind") == "Namespace" {
			continue
		}
		if err := d.remove(t.Context(), o); err != nil {
			t.Errorf("remove %s: %v", title(o), err)
		}
	}
}

// phases applies a translation as it is before the switch, twice; sees that what is behind the switch would then change the fields in which the
// phases differ and no others; applies that, twice; sees that there is a way back; and removes it all.
func (d *definitions) phases(t *testing.T, source, standby, live []object, seen *tally) {
	t.Helper()
	standby, live = inOrder(standby), inOrder(live)
	all := append(slices.Clone(live), standby...)
	seen.objects += len(live)
	seen.standIns += d.standIn(t, live)
	d.standIn(t, standby)
	d.namespaces(t, all)
	before := d.settle(t, standby, seen, d.refusedToo(t, source, seen))
	d.changes(t, standby, live, before, seen)
	after := d.settle(t, live, seen, func(o object, err error) bool {
		// One that was there before the switch is refused because of the switch.
		return before[key(o)] == nil && d.refusedToo(t, source, &tally{})(o, err)
	})
	for _, o := range standby {
		if after[key(o)] == nil {
			continue
		}
		if _, err := d.apply(t.Context(), o, true); err != nil {
			t.Errorf("%s, back before the switch: %v", title(o), err)
		}
	}
	d.removeAll(t, inOrder(live))
	d.removeAll(t, standby)
}

// changes asks the server, without having it do so, what the phase live would change, and holds that to the difference of what is applied.
func (d *definitions) changes(t *testing.T, standby, live []object, kept map[string]object, seen *tally) {
	t.Helper()
	applied := map[string]object{}
	for _, o := range standby {
		applied[key(o)] = o
	}
	for _, o := range live {
		before, ok := kept[key(o)]
		if !ok {
			if applied[key(o)] == nil {
				seen.created++
			}
			continue
		}
		delete(applied, key(o))
		now, err := d.apply(t.Context(), o, true)
		if err != nil {
			t.Errorf("%s, behind the switch: %v", title(o), err)
			continue
		}
		want, got := paths(find(standby, o), o), paths(before, now)
		for _, path := range got {
			seen.fields[word(o, "kind")+" "+path]++
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: the phases differ in %v, and the server would change %v", title(o), want, got)
		}
	}
	for k := range applied {
		if kept[k] != nil {
			t.Errorf("%s is there only before the switch, and nothing takes it away", k)
		}
	}
}

// refusedToo tells whether the server refuses an object for what is wrong in the source already.
func (d *definitions) refusedToo(t *testing.T, source []object, seen *tally) func(object, error) bool {
	t.Helper()
	return func(o object, err error) bool {
		t.Helper()
		was := find(source, o)
		if was == nil {
			return false
		}
		as := maps.Clone(was)
		as["apiVersion"] = o["apiVersion"]
		for _, s := range []object{was, as} {
			if _, then := d.apply(t.Context(), s, true); then != nil && within(err, then) {
				t.Logf("%s is refused in the source too: %v", title(o), err)
				seen.objects--
				seen.sourceRefused++
				return true
			}
		}
		return false
	}
}

// within reports whether everything that one refusal is about is what another is about too.
func within(refused, other error) bool {
	r, ok := errors.AsType[*refusal](refused)
	then, too := errors.AsType[*refusal](other)
	if !ok || !too || len(r.Details.Causes) == 0 {
		return refused.Error() == other.Error()
	}
	for _, c := range r.Details.Causes {
		if !slices.Contains(then.Details.Causes, c) {
			return false
		}
	}
	return true
}

// find returns the object of others that is the same one.
func find(others []object, o object) object {
	i := slices.IndexFunc(others, func(x object) bool { return key(x) == key(o) })
	if i < 0 {
		i = slices.IndexFunc(others, func(x object) bool { // its group may have changed with its version
			return word(x, "kind") == word(o, "kind") && at(x, "metadata", "name") == at(o, "metadata", "name") && at(x, "metadata", "namespace") == at(o, "metadata", "namespace")
		})
	}
	if i < 0 {
		return nil
	}
	return others[i]
}

// bookkeeping are fields that the server writes for itself, or counts.
var bookkeeping = []string{"metadata.annotations.deprecated.daemonset.template.generation", "metadata.creationTimestamp", "metadata.generation", "metadata.managedFields", "metadata.resourceVersion", "metadata.uid"}

// paths returns the fields in which two objects differ, those of the server's own left out.
func paths(a, b object) []string {
	out := map[string]bool{}
	differ(a, b, "", out)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(out)), func(p string) bool { return slices.Contains(bookkeeping, p) })
}

func differ(a, b any, path string, out map[string]bool) {
	left, isMap := a.(object)
	right, both := b.(object)
	if isMap && (both || b == nil) || both && a == nil {
		names := maps.Clone(left)
		if names == nil {
			names = object{}
		}
		maps.Copy(names, right)
		for name := range names {
			next := name
			if path != "" {
				next = path + "." + name
			}
			if slices.Contains(bookkeeping, next) {
				continue
			}
			differ(left[name], right[name], next, out)
		}
		return
	}
	from, isList := a.([]any)
	to, both := b.([]any)
	if isList && both && len(from) == len(to) {
		for i := range from {
			differ(from[i], to[i], path+"["+strconv.Itoa(i)+"]", out)
		}
		return
	}
	if !reflect.DeepEqual(a, b) {
		out[path] = true
	}
}
