package translate

import (
	"slices"

	"github.com/bascule/bascule/internal/kube/calico"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// fence works out what becomes of the policies of Calico, all together, for their order decides which of them is asked first.
func (in *Input) fence(objects []*manifest.Object, own map[*manifest.Object]*manifest.Object) map[*manifest.Object]*calico.Outcome {
	if !slices.ContainsFunc(objects, ofCalico) {
		return nil
	}
	out := map[*manifest.Object]*calico.Outcome{}
	for o, outcome := range calico.Translate(objects) {
		if source := own[o]; source != nil {
			o = source
		}
		out[o] = outcome
	}
	return out
}

func ofCalico(o *manifest.Object) bool {
	return o.Group == "projectcalico.org" || o.Group == "crd.projectcalico.org"
}

func calicoPolicy(w *work) {
	if !ofCalico(w.Object.Object) {
		return
	}
	switch w.Kind {
	case "NetworkPolicy", "GlobalNetworkPolicy":
		w.calicoOutcome(w.in.fences[w.Object.Object])
		return
	case "NetworkSet", "GlobalNetworkSet":
		w.tell("The policies that name it by its labels have its ranges.")
	case "StagedNetworkPolicy", "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy":
		w.tell("It is staged, so it forbids nothing, and is left behind.")
	default:
		w.tell("It configures Calico, and is left behind with it.")
	}
	w.drop("Dataplane V2 does not read it")
}

func (w *work) calicoOutcome(o *calico.Outcome) {
	if o == nil { // it has no name
		return
	}
	for _, r := range o.Blocks {
		w.at(r.Path...).blocks(r.What, r.Do)
	}
	for _, r := range o.Notes {
		w.at(r.Path...).note(r.What, r.Do)
	}
	for _, policy := range o.Objects {
		w.makePolicy(policy)
	}
	switch {
	case len(o.Objects) > 0:
		w.drop("NetworkPolicies stand for it")
	case o.Left && len(o.Blocks) == 0:
		w.tell("It is what Calico keeps of a NetworkPolicy of Kubernetes, and is left behind.")
		w.drop("the NetworkPolicy says it")
	case o.Left:
		w.drop("Dataplane V2 does not read it")
	default:
		w.tell("It is about no namespace and no pods at hand, so nothing stands for it.")
		w.drop("it is about nothing at hand")
	}
}

// makePolicy makes a NetworkPolicy, and sees to its ranges and to the metadata server as to one of the source.
func (w *work) makePolicy(policy map[string]any) {
	with, ok := w.With(policy)
	if !ok {
		return
	}
	made := &work{Object: &Object{Object: with, now: policy}, in: w.in, out: w.out}
	rules := policies()
	for i := range rules {
		if rules[i].ID == "policy-network-ranges" || rules[i].ID == "policy-metadata" {
			made.rule, made.hit = &rules[i], false
			rules[i].Apply(made)
		}
	}
	w.make("it stands for "+w.String(), made.now)
}
