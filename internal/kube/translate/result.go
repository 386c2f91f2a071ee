package translate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/calico"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/parts"
	"github.com/bascule/bascule/internal/kube/profile"
)

// Input is what a translation is made from.
type Input struct {
	// Environment names the environment.
	Environment string
	Set         *manifest.Set
	Decisions   *decision.Decisions
	// File is where decisions are written down, for questions.
	File    string
	Profile *profile.Profile
	Images  Images

	index map[objectKey]*manifest.Object
	// roles are the roles of AWS that pods have by their service account, or by kube2iam and kiam, by namespace and account.
	roles map[objectKey][]string
	// accounts are the roles that service accounts have by themselves.
	accounts map[objectKey]string
	// dns is what is known of the source's own external-dns.
	dns recorder
	// proxied says that a Service asked for the PROXY protocol, awaited that a ConfigMap has somebody wait for it.
	proxied, awaited bool
	// balancers are the load balancers of the Ingresses.
	balancers *balancers
	// watchers are what becomes of monitors and rules.
	watchers *watchers
	// fences are what becomes of policies of Calico.
	fences map[*manifest.Object]*calico.Outcome
	// classes are the SecretProviderClasses of AWS, by namespace and name.
	classes map[objectKey]*class
	// harmonise is what was decided about differences between regions, by the object.
	harmonise map[string][]*decision.Difference
}

type objectKey struct{ kind, namespace, name string }

// Result is what a translation comes to. It is the same for the same input, in content and order.
type Result struct {
	Environment string
	Objects     []*Object
	// Made are objects that the source does not have.
	Made     []*Made
	Findings []finding.Finding
	// Verdicts counts, for each verdict, the rows that objects met.
	Verdicts map[Verdict]int
	// Releases are what is known of the releases of Helm among the objects, by NAMESPACE/NAME.
	Releases map[string]decision.Release

	made map[string]*Made
}

// Object is what becomes of one object.
type Object struct {
	*manifest.Object
	// Ops is the patch that holds in every phase; Standby comes on top of it in standby; Mirror is for the object as the source has it.
	Ops, Standby, Mirror []Op
	// Dropped says why the target does not get it; Held why its text stays out of the tree altogether. What is held of a release of Helm stays as its chart renders it.
	Dropped, Held *Reason
	// Idle says why it is not there in standby, Quiet why not on the quiet old side.
	Idle, Quiet *Reason
	// Kept says that people let it run in standby.
	Kept bool

	// TargetAPIVersion is the object's apiVersion once it is translated.
	TargetAPIVersion string

	// What rules work with, and nobody behind them: it is let go, for a translation may have many objects.
	now    map[string]any
	owned  bool // now is no longer the value of the manifest
	known  map[string]bool
	places *manifest.Places
	specs  [][]string
	looked bool // for specs
}

// Reason is a rule and why it did what it did.
type Reason struct {
	Rule *Rule
	Why  string
}

func text(v any, path ...string) string { s, _ := at(v, path).(string); return s }

// Translate applies all rules to all objects.
func Translate(in Input) *Result { return translateBy(in, Topics(), Phases().Rules) }

func translateBy(in Input, topics []Topic, still []Rule) *Result {
	if in.Decisions == nil {
		in.Decisions = &decision.Decisions{}
	}
	in.learn()
	objects, own := in.harmonisedObjects()
	in.balancers, in.watchers = in.balance(objects, own), in.watch(objects, own)
	in.fences, in.classes = in.fence(objects, own), in.readClasses(objects)
	out := &Result{Environment: in.Environment, Verdicts: map[Verdict]int{}}
	var rules []*Rule
	for _, t := range topics {
		for i := range t.Rules {
			rules = append(rules, &t.Rules[i])
		}
	}
	for _, part := range parts.Of(len(in.Set.Objects), func(from, to int) *Result {
		part := &Result{Verdicts: map[Verdict]int{}}
		for _, o := range in.Set.Objects[from:to] {
			w := &work{Object: &Object{Object: o, now: o.Value}, in: &in, out: part}
			w.run(rules)
			w.still(still)
			w.TargetAPIVersion = text(w.now, "apiVersion")
			w.now, w.known, w.places, w.specs = nil, nil, nil, nil
			part.Objects = append(part.Objects, w.Object)
		}
		return part
	}) {
		out.add(part)
	}
	out.balance(&in)
	out.settleMade()
	for _, m := range out.Made {
		m.Standby, m.Idle = (&work{Object: &Object{Object: m.placed(), now: m.Value}, in: &in, out: out}).held(standby, m.Value, still)
	}
	for _, a := range in.Set.Aside {
		out.Findings = append(out.Findings, finding.Finding{Code: "not-an-object", Kind: finding.Problem, Severity: finding.Warning, Object: a.Where, What: "It is left out: " + a.What + ".", Owner: "operator"})
	}
	out.Findings = gathered(out.Findings)
	out.releases(&in)
	slices.SortStableFunc(out.Made, func(a, b *Made) int { return cmp.Compare(a.ID(), b.ID()) })
	return out
}

// add adds what came of further objects.
func (out *Result) add(part *Result) {
	out.Objects = append(out.Objects, part.Objects...)
	out.Findings = append(out.Findings, part.Findings...)
	for v, n := range part.Verdicts {
		out.Verdicts[v] += n
	}
	for _, m := range part.Made {
		for _, m := range m.variants() {
			out.addMade(m)
		}
	}
}

// mostPlaces is how many places one finding names.
const mostPlaces = 5

// gathered makes one finding of those that say the same of several objects: a zone that two hundred objects name is one question.
func gathered(all []finding.Finding) []finding.Finding {
	type same struct{ code, what, do string }
	at := map[same]int{}
	var out []finding.Finding
	for _, f := range all {
		k := same{string(f.Code), f.What, f.Do}
		i, seen := at[k]
		if !seen {
			at[k] = len(out)
			f.Count = 1
			out = append(out, f)
			continue
		}
		g := &out[i]
		g.Count++
		if len(g.Evidence) < mostPlaces {
			g.Evidence = append(g.Evidence, strings.Join(append([]string{f.Object}, f.Evidence...), ", "))
		}
	}
	for i := range out {
		if out[i].Count == 1 {
			out[i].Count = 0 // nothing to count
		}
	}
	return out
}

func (w *work) run(rules []*Rule) {
	for _, r := range rules {
		if !r.looksAt(w.Kind) {
			continue
		}
		w.rule, w.hit, w.where = r, false, nil
		r.Apply(w)
		if w.Dropped != nil || w.Held != nil {
			return
		}
	}
}

// learn looks at all objects once, for what rules have to know about others.
func (in *Input) learn() {
	in.index = make(map[objectKey]*manifest.Object, len(in.Set.Objects))
	in.roles, in.accounts = map[objectKey][]string{}, map[objectKey]string{}
	in.harmonise = map[string][]*decision.Difference{}
	if in.Decisions != nil {
		for i := range in.Decisions.Harmonise.Differences {
			d := &in.Decisions.Harmonise.Differences[i]
			for _, o := range d.Objects {
				in.harmonise[o] = append(in.harmonise[o], d)
			}
		}
	}
	for _, o := range in.Set.Objects {
		in.index[objectKey{o.Kind, o.Namespace, o.Name}] = o
		in.learnProxy(o)
		if role := text(o.Value, "metadata", "annotations", roleARN); o.Kind == "ServiceAccount" && role != "" {
			k := objectKey{"ServiceAccount", o.Namespace, o.Name}
			in.roles[k], in.accounts[k] = append(in.roles[k], role), role
		}
		for _, path := range podSpecs(o.Value) {
			in.dns.learn(at(o.Value, path))
			role := text(o.Value, join(podMeta(path), "annotations", podRole)...)
			k := objectKey{"ServiceAccount", o.Namespace, cmp.Or(text(o.Value, join(path, "serviceAccountName")...), "default")}
			if role != "" && !slices.Contains(in.roles[k], role) {
				in.roles[k] = append(in.roles[k], role)
			}
		}
	}
}
