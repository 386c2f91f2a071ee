package check

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
)

// View is a set of objects that are applied together: a folder, or one phase of an environment.
type View struct {
	// Name is as people see it: preprod live. It is empty where there is one view only.
	Name    string
	Objects []*manifest.Object
	Aside   []manifest.Aside
	// Standby says that it is what runs before the switch, from which issuers of certificates are left out on purpose.
	Standby bool
	// NotApplied says why what people changed in it is not part of Objects; Build is the command that prints it with their changes.
	NotApplied, Build string
	// Idle are patches of people that change nothing.
	Idle []Override
	// NotRendered are releases of Helm whose objects are not among Objects, for a tree has only patches for them.
	NotRendered []string
	// Changed are files that should be as bascule wrote them, and are not.
	Changed []string
}

// Override is a patch of people: the file where it stands, what it is for as it says it, and whether that is an object by its name.
type Override struct {
	File, Target string
	Named        bool
}

// Finding says that a patch changes nothing.
func (o Override) Finding() finding.Finding {
	f := finding.Finding{
		Code: "override-without-object", Kind: finding.Problem, Severity: finding.Blocker, Object: o.File, Evidence: []string{o.File}, Owner: operator,
		What: "No object is what this patch is for (" + o.Target + "), so what people have changed by it is lost.",
		Do:   "name the object that has taken the place of the one that it was for, or take the patch out; one for what a release of Helm renders stands in overrides/ENVIRONMENT/releases/NAMESPACE/NAME/all",
	}
	if !o.Named {
		f.Severity = finding.Warning
	}
	return f
}

// Input is what is checked, and by what.
type Input struct {
	Views   []View
	Profile *profile.Profile
	// Kinds are Kubernetes' own, of the target's version.
	Kinds *builtin.Set
	// Version is the target's, as 1.36: for APIs that are no more.
	Version string
	// Definitions are the custom kinds of which schemas are at hand. Those that the views define are added.
	Definitions *crd.Set
	// Exists are objects that are made elsewhere: "Secret shop/db", "ClusterSecretStore gcp".
	Exists []string
}

// Result is what a check came to. It is the same for the same input, in content and order.
type Result struct {
	// Objects is how many were looked at, Checked how many of them were held to a schema. An object that is in several views counts once.
	Objects, Checked int
	// NotChecked counts, by kind, those without a schema at hand.
	NotChecked map[string]int
	Findings   []finding.Finding
}

// Run checks all views. An error is about definitions that no server would take, or about ctx.
func Run(ctx context.Context, in *Input) (*Result, error) {
	r := &run{Input: in, result: &Result{NotChecked: map[string]int{}}, exists: map[string]bool{}}
	for _, e := range in.Exists {
		r.exists[e] = true
	}
	if err := r.define(); err != nil {
		return nil, err
	}
	singles, err := r.singles(ctx)
	if err != nil {
		return nil, err
	}
	m := newMerger(len(in.Views))
	for i := range in.Views {
		v := &in.Views[i]
		for _, o := range v.Objects {
			m.add(i, v.Name, singles[o])
		}
		m.add(i, v.Name, r.view(v))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	r.result.Findings = append(m.findings(), r.unchecked()...)
	return r.result, nil
}

type run struct {
	*Input
	result *Result
	exists map[string]bool
}

// define adds the kinds that the objects themselves define.
func (r *run) define() error {
	seen := map[*manifest.Object]bool{}
	for _, v := range r.Views {
		for _, o := range v.Objects {
			if o.Kind != "CustomResourceDefinition" || seen[o] {
				continue
			}
			seen[o] = true
			if err := r.Definitions.Add(o.Where(), o.Text); err != nil {
				return fmt.Errorf("read the definition %s: %w", o.Name, err)
			}
		}
	}
	return nil
}

// singles checks each object by itself, several at a time.
func (r *run) singles(ctx context.Context) (map[*manifest.Object][]note, error) {
	var all []*manifest.Object
	out := map[*manifest.Object][]note{}
	for _, v := range r.Views {
		for _, o := range v.Objects {
			if _, seen := out[o]; !seen {
				out[o] = nil
				all = append(all, o)
			}
		}
	}
	notes := make([][]note, len(all))
	states := make([]state, len(all))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) || ctx.Err() != nil {
					return
				}
				notes[i], states[i] = r.single(ctx, all[i])
			}
		})
	}
	wg.Wait()
	for i, o := range all {
		out[o] = notes[i]
		r.result.Objects++
		if states[i] == unknown {
			r.result.NotChecked[kindOf(o)]++
		} else {
			r.result.Checked++
		}
	}
	return out, ctx.Err()
}

func kindOf(o *manifest.Object) string {
	if o.Group == "" {
		return o.Kind + " " + o.Version
	}
	return o.Kind + " " + o.Group + "/" + o.Version
}

// single checks one object by itself.
func (r *run) single(ctx context.Context, o *manifest.Object) ([]note, state) {
	l := &log{o: o}
	s := r.schema(ctx, l)
	leftovers(l)
	return l.notes, s
}

// unchecked is what nobody can vouch for.
func (r *run) unchecked() []finding.Finding {
	var out []finding.Finding
	for _, kind := range slices.Sorted(maps.Keys(r.result.NotChecked)) {
		out = append(out, finding.Finding{
			Code: "not-checked", Kind: finding.Problem, Severity: finding.Warning, Object: kind, Count: int64(r.result.NotChecked[kind]), Owner: operator,
			What: "No schema of this kind is at hand, so nobody has checked its objects.", Do: "kubectl get crd -o yaml > FOLDER/crds.yaml on a cluster that has it, and --crds FOLDER",
		})
	}
	return out
}

// view checks what objects say of one another.
func (r *run) view(v *View) []note {
	w := newWorld(r, v)
	w.references()
	w.selectors()
	w.routes()
	w.hosts()
	w.policies()
	for _, a := range v.Aside {
		w.aside(a)
	}
	if v.NotApplied != "" {
		w.notes = append(w.notes, note{
			code: "override-not-checked", severity: finding.Blocker, where: "overrides", object: v.Name, owner: operator,
			what: "What people change in it is not checked, for its result is not known here: " + v.NotApplied + ".", do: v.Build + " | bascule kube check -",
		})
	}
	for _, o := range v.Idle {
		f := o.Finding()
		w.notes = append(w.notes, note{code: f.Code, severity: f.Severity, where: o.File, object: f.Object, owner: f.Owner, what: f.What, do: f.Do})
	}
	for _, id := range v.NotRendered {
		namespace, name, _ := strings.Cut(id, "/")
		w.notes = append(w.notes, note{
			code: "release-not-checked", severity: finding.Blocker, where: "releases/" + id, object: v.Name, owner: operator,
			what: "The release " + id + " is not checked, and what refers to its objects finds nothing: the tree has only patches for what Helm renders.",
			do:   "helm template " + name + " CHART --namespace " + namespace + " > FILE, with the values of the new side, and --release " + id + "=FILE",
		})
	}
	for _, name := range v.Changed {
		w.notes = append(w.notes, note{
			code: "tree-changed", severity: finding.Warning, where: name, object: name, owner: operator,
			what: "It is not as bascule has written it; the next translation refuses to write over it.", do: "take the change into overrides/, and translate again",
		})
	}
	return w.notes
}
