package tree

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/kube/translate"
)

// What lies in a release's layer. Its order by name is that in which patches are applied: what has to be as it was, of single objects, what has to be there, what holds still whatever is
// new, and what runs all the same.
const (
	relied  = "made-from"
	patches = "patches"
	there   = "present.yaml"
	quiets  = "quiet"
	running = "running"
)

// releases is where the layers of releases lie: releases/NAMESPACE/NAME.
const releases = "releases"

// release lays out one release of Helm: components without a base, for that is what Helm renders at the time.
type release struct {
	layout
	id      string
	objects []*translate.Object
	lists   map[string]*list // of the layers that are written, by their names
}

func renderReleases(r *translate.Result, known map[string]bool) (Files, error) {
	files := Files{}
	of := map[string][]*translate.Object{}
	for _, o := range r.Objects {
		if o.Release != "" {
			of[o.Release] = append(of[o.Release], o)
		}
	}
	for id, objects := range of {
		slices.SortStableFunc(objects, func(a, b *translate.Object) int { return strings.Compare(nameOf(a), nameOf(b)) }) // their order in what Helm prints says nothing
		l := &release{layout: layout{files: files, result: r, shared: known}, id: id, objects: objects, lists: map[string]*list{}}
		for _, step := range []func() error{l.translated, l.standby, l.live, l.mirror} {
			if err := step(); err != nil {
				return nil, fmt.Errorf("release %s: %w", id, err)
			}
		}
		if f := r.Releases[id].Flux; f != "" {
			if err := l.flux(f); err != nil {
				return nil, fmt.Errorf("release %s: %w", id, err)
			}
		}
	}
	return files, nil
}

func nameOf(o *translate.Object) string { return fileName(o.Namespace, o.Group, o.Kind, o.Name) }

// layer is one layer of a release while it is written.
type layer struct {
	*release
	name, folder string
	list         *list
	present      []byte
}

func (l *release) layer(name string, on ...string) *layer {
	k := newList()
	k.APIVersion, k.Kind, k.Components = "kustomize.config.k8s.io/v1alpha1", "Component", on
	return &layer{release: l, name: name, folder: path.Join(releases, l.id, name), list: k}
}

func (l *layer) end(comment string) error {
	if len(l.present) > 0 {
		l.add("", there, append([]byte("# What the patches are for has to be there: otherwise they would change nothing, and nobody would know. A chart that has an object no longer is refused: translate again.\n"), l.present...), nil)
	}
	l.lists[l.name] = l.list
	return l.put(l.folder, comment, l.list)
}

// add adds a patch to the layer.
func (l *layer) add(folder, file string, text []byte, target map[string]string) {
	p := patch{Path: path.Join(folder, file), Target: target}
	l.files[path.Join(l.folder, p.Path)] = text
	l.list.Patches = append(l.list.Patches, p)
}

func (l *release) translated() error {
	t := l.layer(translated)
	for _, o := range l.objects {
		if o.Held != nil {
			continue
		}
		if err := t.object(o, o.APIVersion(), o.Value, o.Ops, o.Dropped, true); err != nil {
			return err
		}
	}
	return t.end("What holds in every phase, on what Helm renders for the release " + l.id + ".")
}

func (l *release) standby() error {
	s := l.layer(standby, "../"+translated)
	kept := map[string]bool{}
	for _, o := range l.objects {
		if o.Held != nil || o.Dropped != nil {
			continue
		}
		now := translate.Applied(o.Value, o.Ops)
		if err := s.object(o, o.TargetAPIVersion, now, o.Standby, o.Idle, false); err != nil {
			return err
		}
		if o.Kept {
			kept[o.Kind] = true
			if err := s.keep(o, now); err != nil {
				return err
			}
		}
	}
	for _, q := range translate.Quiet() {
		if len(q.Set) == 0 && kept[q.Kind] {
			continue // what is away cannot be brought back
		}
		if err := s.quiet(&q); err != nil {
			return err
		}
	}
	return s.end("Before the switch: nothing of the release " + l.id + " runs, consumes, or writes records, also what its chart brings along later on.")
}

func (l *release) live() error {
	return l.layer(live, "../"+translated).end("Behind the switch.")
}

func (l *release) mirror() error {
	m := l.layer(mirror)
	for _, o := range l.objects {
		if err := m.object(o, o.APIVersion(), o.Value, o.Mirror, o.Quiet, false); err != nil {
			return err
		}
	}
	return m.end("For the old side, behind the switch: it holds the release " + l.id + " still.")
}

// object writes the patches of one object. What depends on a value of the chart is guarded, so that a chart that renders something else is refused and not mended
// wrongly; strict says that all of it does. One that is gone is refused as well, unless it is a hook, which some send and some do not, or goes anyway.
func (l *layer) object(o *translate.Object, apiVersion string, now map[string]any, ops []translate.Op, dropped *translate.Reason, strict bool) error {
	if dropped == nil && len(ops) == 0 || o.Name == "" {
		return nil
	}
	file, target := nameOf(o), l.target(o.Object, apiVersion)
	if dropped != nil {
		if tests := madeFrom(now, dropped); strict && len(tests) > 0 {
			text, err := operations(o.Object, tests)
			if err != nil {
				return err
			}
			l.add(relied, file, append([]byte("# It goes, and what stands for it was made from this. A test that fails says that the chart renders something else by now: translate again.\n"), text...), target)
		}
		text, err := deletion(o.Object, apiVersion, dropped)
		l.add(patches, file, text, target)
		return err
	}
	g := &guard{now: now, strict: strict}
	for i := range ops {
		g.op(&ops[i])
	}
	text, err := operations(o.Object, g.ops)
	if err != nil {
		return fmt.Errorf("write the patch of %s: %w", o, err)
	}
	if slices.ContainsFunc(g.ops, func(op translate.Op) bool { return op.Do == "test" }) {
		text = append([]byte("# A test that fails says that the chart renders something else by now: translate again.\n"), text...)
	}
	l.add(patches, file, text, target)
	if l.name == standby || o.Hook() != "" || !mergeable(g.now) {
		return nil
	}
	after, _ := g.now["apiVersion"].(string)
	text, err = present(o.Object, after)
	if len(l.present) > 0 {
		l.present = append(l.present, "---\n"...)
	}
	l.present = append(l.present, text...)
	return err
}

// keep takes back what holds all objects of its kind still.
func (l *layer) keep(o *translate.Object, now map[string]any) error {
	var ops []translate.Op
	for _, q := range translate.Quiet() {
		if q.Group != o.Group || q.Kind != o.Kind {
			continue
		}
		for _, s := range q.Set {
			op := translate.Op{Do: "remove", Path: s.Path, Rule: q.Rule, Why: "it runs in standby, as people have declared"}
			if was := translate.At(now, s.Path...); was != nil {
				op.Do, op.Value = "add", was
			}
			ops = append(ops, op)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	text, err := operations(o.Object, ops)
	l.add(running, nameOf(o), text, l.target(o.Object, o.TargetAPIVersion))
	return err
}

// quiet writes a patch for all objects of a kind.
func (l *layer) quiet(q *translate.Quieted) error {
	target := map[string]string{"kind": q.Kind, "group": "()"}
	file := strings.ToLower(q.Kind) + ".yaml"
	if q.Group != "" {
		target["group"] = regexp.QuoteMeta(q.Group)
	}
	if q.Hook != "" {
		target["annotationSelector"] = q.Hook
		file = "hook-" + safe(q.Hook) + ".yaml"
	}
	var body any = map[string]any{"apiVersion": "any/v1", "kind": q.Kind, "metadata": map[string]any{"name": "any"}, "$patch": "delete"}
	if len(q.Set) > 0 {
		var ops []any
		for _, s := range q.Set {
			ops = append(ops, &operationWithValue{Op: "add", Path: pointer(s.Path), Value: s.Value})
		}
		body = ops
	}
	text, err := yaml.Marshal(body)
	l.add(quiets, file, append([]byte("# Every "+q.Kind+" of the release, also one that is new in its chart.\n"+reason(q.Rule, q.Why)), text...), target)
	return err
}

// OfferValues adds a file of values that was proved to take the place of patches.
func (f Files) OfferValues(id string, text []byte, before, after int) {
	head := fmt.Sprintf("# Written by bascule kube translate, which writes it anew. An offer: with these values on top of the others the chart renders by itself what its patches do otherwise:\n"+
		"# %d operations in place of %d, and the same objects, which rendering it once more has proved. To take it, copy it, name the copy last among the values of the release,\n"+
		"# for the new side alone, and translate again.\n", after, before)
	f[path.Join(releases, id, "values-gcp.yaml")] = append([]byte(head), text...)
}
