package helm

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/kube/translate"
)

// Offer is a file of values that could stand in place of patches.
type Offer struct {
	// Text is the file; nothing where no change could be proved to be a value.
	Text []byte
	// Keys are the values in it, and Before and After the operations of patches that the release has without and with it.
	Keys          []string
	Before, After int
}

// Again renders the release with one more file of values, and translates what it comes to with the rest of the environment.
type Again func(ctx context.Context, values string) (*translate.Result, error)

// mostTried bounds how often a chart is rendered.
const mostTried = 24

// Propose looks for changes of a release that could be values, and keeps those that it has proved: rendered with them and translated, the release comes to exactly the same
// objects, in standby and behind the switch, and each value takes the place of an operation at least: that a value is null takes a key away only if the chart itself has it. Images are left out: a value would hold an image while its team deploys the next, and say nothing; the
// patch of an image is refused then.
func (v *Values) Propose(ctx context.Context, id string, r *translate.Result, again Again) (*Offer, error) {
	t := &trial{id: id, want: final(r, id), again: again}
	all := v.candidates(r, id)
	if len(all) == 0 {
		return &Offer{}, nil
	}
	out := &Offer{Before: operations(r, id)}
	after, ok, err := t.holds(ctx, all)
	if err != nil {
		return nil, err
	}
	kept := all
	if !ok || after > out.Before-len(all) {
		kept, after = nil, out.Before
		for i, group := range together(all) {
			if i == mostTried {
				break
			}
			n, ok, err := t.holds(ctx, slices.Concat(kept, group))
			if err != nil {
				return nil, err
			}
			if ok && n <= after-len(group) {
				kept, after = slices.Concat(kept, group), n
			}
		}
	}
	if len(kept) == 0 {
		return &Offer{}, nil
	}
	out.After = after
	for _, c := range kept {
		out.Keys = append(out.Keys, c.key())
	}
	out.Text, err = overlay(kept)
	return out, err
}

// candidate is a value that could be another.
type candidate struct {
	leaf
	to any // nil removes it
}

// together are candidates by the mapping that they stand in: one key that goes is often another that comes.
func together(all []candidate) [][]candidate {
	var out [][]candidate
	for _, c := range all {
		if n := len(out); n > 0 && slices.Equal(out[n-1][0].path[:len(out[n-1][0].path)-1], c.path[:len(c.path)-1]) {
			out[n-1] = append(out[n-1], c)
			continue
		}
		out = append(out, []candidate{c})
	}
	return out
}

// candidates are the values that may be behind operations of the release's patches, each once.
func (v *Values) candidates(r *translate.Result, id string) []candidate {
	found := map[string]candidate{}
	for _, o := range r.Objects {
		if o.Release != id || o.Held != nil || o.Dropped != nil {
			continue
		}
		after := translate.Applied(o.Value, o.Ops)
		for i := range o.Ops {
			for _, c := range v.behind(o.Value, after, &o.Ops[i]) {
				if _, seen := found[c.key()]; !seen {
					found[c.key()] = c
				}
			}
		}
	}
	out := slices.Collect(maps.Values(found))
	slices.SortFunc(out, func(a, b candidate) int { return cmp.Compare(a.key(), b.key()) })
	return out
}

// behind are the values that what an operation comes to in the end may come from: a value that is the text that another takes the place of; or a mapping of values all of which stand
// in the mapping that something is added to or taken from.
func (v *Values) behind(before, after map[string]any, op *translate.Op) []candidate {
	last := op.Path[len(op.Path)-1]
	was, now := translate.At(before, op.Path...), translate.At(after, op.Path...)
	if op.Rule.ID == "image-registry" || last == "image" || was != nil && !scalar(was) || now != nil && !scalar(now) || was == now {
		return nil
	}
	var out []candidate
	parent, _ := translate.At(before, op.Path[:len(op.Path)-1]...).(map[string]any)
	for _, m := range v.mappings() {
		l, there := m.leaves[last]
		if m.in(parent) && (there || now != nil) {
			if !there {
				l = leaf{path: append(slices.Clone(m.path), last)}
			}
			out = append(out, candidate{leaf: l, to: now})
		}
	}
	if s, ok := was.(string); ok && now != nil && len(s) >= 3 {
		for _, l := range v.leaves {
			if l.value == s && !l.listed {
				out = append(out, candidate{leaf: l, to: now})
			}
		}
	}
	return out
}

func scalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any, nil:
		return false
	}
	return true
}

// mapping is a mapping of values that holds nothing but scalars.
type mapping struct {
	path   []string
	leaves map[string]leaf
}

func (v *Values) mappings() []mapping {
	at := map[string]*mapping{}
	var order []string
	inner := map[string]bool{}
	for _, l := range v.leaves {
		for i := range len(l.path) - 1 {
			inner[strings.Join(l.path[:i], "\x00")] = true
		}
		if l.listed || len(l.path) < 2 {
			continue
		}
		path := l.path[:len(l.path)-1]
		k := strings.Join(path, "\x00")
		if at[k] == nil {
			at[k] = &mapping{path: path, leaves: map[string]leaf{}}
			order = append(order, k)
		}
		at[k].leaves[l.path[len(l.path)-1]] = l
	}
	var out []mapping
	for _, k := range order {
		if !inner[k] {
			out = append(out, *at[k])
		}
	}
	return out
}

// in says whether all of it stands in a rendered mapping.
func (m *mapping) in(rendered map[string]any) bool {
	for k, l := range m.leaves {
		if was, there := rendered[k]; !there || was != l.value {
			return false
		}
	}
	return len(rendered) > 0
}

// trial renders and compares.
type trial struct {
	id    string
	want  map[string]any
	again Again
}

// holds says whether the release comes to the same with these values, and how many operations are left.
func (t *trial) holds(ctx context.Context, c []candidate) (n int, ok bool, err error) {
	text, err := overlay(c)
	if err != nil {
		return 0, false, err
	}
	f, err := os.CreateTemp("", "bascule-values-*.yaml")
	if err != nil {
		return 0, false, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, false, err
	}
	r, err := t.again(ctx, f.Name())
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	if err != nil {
		return 0, false, nil // the chart does not take it, which is an answer
	}
	return operations(r, t.id), reflect.DeepEqual(t.want, final(r, t.id)), nil
}

// final is what a release comes to: its objects behind the switch and in standby, and what was made for all.
func final(r *translate.Result, id string) map[string]any {
	out := map[string]any{}
	for _, o := range r.Objects {
		if o.Release != id {
			continue
		}
		if o.Held != nil {
			out[o.String()+" held"] = true
			continue
		}
		if o.Dropped != nil {
			continue
		}
		live := translate.Applied(o.Value, o.Ops)
		tidy(live)
		out[o.APIVersion()+" "+o.String()] = live
		if o.Idle != nil {
			out[o.String()+" idle"] = true
			continue
		}
		still := translate.Applied(live, o.Standby)
		tidy(still)
		out[o.String()+" standby"] = still
	}
	for _, m := range r.Made {
		out["made "+m.ID()] = m.Value
	}
	return out
}

// tidy takes empty labels and annotations out, which are none to a server.
func tidy(object map[string]any) {
	meta, _ := object["metadata"].(map[string]any)
	for _, k := range []string{"labels", "annotations"} {
		if m, ok := meta[k].(map[string]any); ok && len(m) == 0 {
			delete(meta, k)
		}
	}
}

// operations counts what the patches of a release do in every phase.
func operations(r *translate.Result, id string) int {
	n := 0
	for _, o := range r.Objects {
		if o.Release != id || o.Held != nil {
			continue
		}
		n += len(o.Ops)
		if o.Dropped != nil {
			n++
		}
	}
	return n
}

// overlay writes values as a file.
func overlay(all []candidate) ([]byte, error) {
	root := map[string]any{}
	for _, c := range all {
		at := root
		for _, s := range c.path[:len(c.path)-1] {
			next, ok := at[s].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[s] = next
			}
			at = next
		}
		at[c.path[len(c.path)-1]] = c.to
	}
	return yaml.Marshal(root)
}
