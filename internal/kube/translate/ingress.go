package translate

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/gateway"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// alb is before the keys of the load balancer controller's Ingresses.
const alb = "alb.ingress.kubernetes.io/"

// ingresses are the rows about Application Load Balancers. One of them may have Ingresses of several teams, so package gateway translates all of them at
// once; what it finds has codes of its own.
func ingresses() []Rule {
	return []Rule{
		{ID: "ingress-gateway", Source: "Ingresses of the class alb, with the IngressClass and IngressClassParams of their controller", Target: "Gateway, HTTPRoute, GRPCRoute and policies of GKE ([gateway.md](design/gateway.md))", Verdict: Changed, Kinds: []string{"Ingress", "IngressClass", "IngressClassParams"}, Apply: ingressGateway},
		{ID: "ingress-protocol", Source: "a Service to which an ALB speaks HTTPS, HTTP/2 or gRPC", Target: "appProtocol of its ports", Verdict: Mechanical, Kinds: []string{"Service"}, Apply: ingressProtocol},
		{ID: "ingress-service-keys", Source: alb + "* on a Service", Target: "the policies of its Gateway", Verdict: Mechanical, Kinds: []string{"Service"}, Apply: ingressServiceKeys},
		{ID: "ingress-resource", Source: "what load balancers rely on in Google Cloud: certificates, addresses, SSL policies, policies of Cloud Armor", Target: "made by people, under the names that the objects say", Verdict: Resource, Kinds: []string{"Ingress", "Service"}, Apply: func(*work) {}},
	}
}

// balancers is what Ingresses of Application Load Balancers, all together, and Services of type LoadBalancer come to.
type balancers struct {
	results  []*gateway.Result
	objects  []balanced
	replaced map[*manifest.Object]bool
	// gateways are the Gateways that stand for an Ingress, by its name for people.
	gateways map[string]string
	// protocols and services are the patches of Services, by namespace and name: of those behind Gateways, and of those with a load balancer.
	protocols, services map[string]*amended
}

// balanced is an object that stands for some of the source.
type balanced struct {
	*manifest.Object
	from []string
}

// amended is what is to be different in an object, as a merge patch (RFC 7386).
type amended struct {
	why    string
	change map[string]any
}

// written is what package gateway has written. That it cannot be read is a mistake of this program, and must not leave anything out without a word.
func written(n *yaml.Node) *manifest.Object {
	o, err := manifest.FromNode(n)
	if err != nil {
		panic(fmt.Sprintf("package gateway wrote what cannot be read: %v", err))
	}
	return o
}

func (in *Input) balance(objects []*manifest.Object, own map[*manifest.Object]*manifest.Object) *balancers {
	facts := &in.Decisions.Gateway
	routed, direct := gateway.Translate(objects, facts), gateway.Balancers(objects, facts)
	b := &balancers{
		results: []*gateway.Result{routed, direct}, replaced: map[*manifest.Object]bool{}, gateways: map[string]string{},
		protocols: patches(routed), services: patches(direct),
	}
	for _, o := range routed.Replaced {
		if source := own[o]; source != nil {
			o = source
		}
		b.replaced[o] = true
	}
	for i := range routed.Objects {
		o := balanced{written(routed.Objects[i].Node), routed.Objects[i].From}
		b.objects = append(b.objects, o)
		for _, from := range o.from {
			if o.Kind == "Gateway" {
				b.gateways[from] = o.Namespace + "/" + o.Name
			}
		}
	}
	return b
}

// harmonisedObjects are the objects with what was decided about differences between regions, for that comes before everything; and which object of the source each
// of those stands for that differ.
func (in *Input) harmonisedObjects() (objects []*manifest.Object, own map[*manifest.Object]*manifest.Object) {
	if len(in.harmonise) == 0 {
		return in.Set.Objects, nil
	}
	own = map[*manifest.Object]*manifest.Object{}
	rule := &harmonised()[0]
	for _, o := range in.Set.Objects {
		if len(in.harmonise[o.String()]) > 0 {
			w := &work{Object: &Object{Object: o, now: o.Value}, in: in, out: &Result{Verdicts: map[Verdict]int{}}, rule: rule}
			harmonise(w)
			c := *o
			c.Value = w.now
			own[&c] = o
			o = &c
		}
		objects = append(objects, o)
	}
	return objects, own
}

func patches(r *gateway.Result) map[string]*amended {
	m := make(map[string]*amended, len(r.Patches))
	for i := range r.Patches {
		p := &r.Patches[i]
		m[p.Namespace+"/"+p.Name] = &amended{p.Why, written(p.Node).Value}
	}
	return m
}

func ingressGateway(w *work) {
	if !w.in.balancers.replaced[w.Object.Object] {
		return
	}
	if w.Kind != "Ingress" {
		w.drop("only the load balancer controller of AWS reads it")
		return
	}
	if g := w.in.balancers.gateways[w.String()]; g != "" {
		w.drop("the Gateway " + g + " and its routes stand for it")
		return
	}
	w.drop("no controller on GKE reads it, and nothing could be made of it")
}

func ingressProtocol(w *work) {
	p := w.in.balancers.protocols[w.Namespace+"/"+w.Name]
	if p == nil {
		return
	}
	wanted, _ := at(p.change, []string{"spec", "ports"}).([]any)
	for i, port := range w.list("spec", "ports") {
		for _, to := range wanted {
			if at(port, []string{"port"}) == at(to, []string{"port"}) {
				w.set(p.why, text(to, "appProtocol"), "spec", "ports", fmt.Sprint(i), "appProtocol")
			}
		}
	}
}

// ingressServiceKeys takes the keys away: package gateway has accounted for each of them, if an Ingress leads to the Service or not.
func ingressServiceKeys(w *work) {
	var found []string
	for _, k := range keys(w.mapping(annotations...)) {
		if strings.HasPrefix(k, alb) {
			found = append(found, k)
		}
	}
	w.take("the policies of its Gateway say it", found)
}

// ingressRow is the row of that code.
func ingressRow(id finding.Code) *Rule {
	rules := ingresses()
	return &rules[slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })]
}

// balance adds the objects, the findings and the needs of all load balancers to the result.
func (out *Result) balance(in *Input) {
	row, need := ingressRow("ingress-gateway"), ingressRow("ingress-resource")
	taken, source := map[string]bool{}, map[string]*manifest.Object{}
	for _, o := range in.Set.Objects {
		source[o.String()] = o
		if !in.balancers.replaced[o] {
			taken[(&Made{Value: o.Value}).ID()] = true
		}
	}
	for _, o := range in.balancers.objects {
		m := &Made{Value: o.Value, Reason: Reason{Rule: row, Why: "it stands for an Application Load Balancer"}, For: strings.Join(o.from, ", ")}
		if len(o.from) > 0 {
			m.source = source[o.from[0]]
		}
		if len(o.from) > 1 { // whoever joins the others is no change of what they share
			m.For = "the Ingresses of one load balancer"
		}
		say := func(what, do string) {
			out.Findings = append(out.Findings, finding.Finding{Code: row.ID, Kind: finding.Problem, Severity: finding.Blocker, Object: o.String(), What: what, Do: do, Owner: "operator", Evidence: o.from})
		}
		switch {
		case taken[m.ID()]:
			say("The source has an object of this name already, so what is to stand for the Ingress is left out.", "rename the one of the source, or put what bascule kube gateway prints into overrides/, by another name")
		case secretsIn(o.Value):
			say("It would carry what looks like the value of a secret, so it is left out.", "take the value out of the annotations of the Ingress")
		default:
			out.addMade(m)
		}
	}
	out.fewer(in, row)
	for _, r := range in.balancers.results {
		out.told(in, r, need)
	}
}

// fewer says which load balancers could be one: an ALB took Ingresses of a group, and groups were made for its limits as often as for a reason.
func (out *Result) fewer(in *Input, row *Rule) {
	classes := map[string][]string{}
	for _, o := range in.balancers.objects {
		if o.Kind == "Gateway" {
			class := text(o.Value, "spec", "gatewayClassName")
			classes[class] = append(classes[class], o.Namespace+"/"+o.Name)
		}
	}
	for _, class := range keys(classes) {
		if all := classes[class]; len(all) > 1 {
			out.Findings = append(out.Findings, finding.Finding{
				Code: row.ID, Kind: finding.Opportunity, Severity: finding.Info, Object: "GatewayClass " + class, Count: int64(len(all)), Evidence: all, Owner: "operator",
				What: fmt.Sprintf("There are %d Gateways of it. Routes of all namespaces can share one: one address, one place for certificates.", len(all)),
				Do:   "group their Ingresses by alb.ingress.kubernetes.io/group.name in the source, or write one Gateway in overrides/ and let the routes name it",
			})
		}
	}
}

// told adds what package gateway has to say.
func (out *Result) told(in *Input, r *gateway.Result, need *Rule) {
	met := map[string]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		if k := f.Object + " " + f.Row; !met[k] {
			met[k] = true
			out.Verdicts[Verdict(f.Verdict)]++
		}
		if f.Verdict != gateway.Same {
			out.Findings = append(out.Findings, in.settled(f, of(f)))
		}
	}
	for _, n := range r.Needs {
		out.Verdicts[Resource]++
		out.Findings = append(out.Findings, finding.Finding{
			Code: need.ID, Kind: finding.Problem, Severity: finding.Warning, Object: n.Kind + " " + n.Name,
			What: fmt.Sprintf("A load balancer relies on the %s %s (%s) in Google Cloud.", strings.ReplaceAll(n.Kind, "-", " "), n.Name, n.Scope),
			Do:   strings.Join(append([]string{"make it before the objects are applied"}, n.Detail...), "\n"), Owner: "operator", Evidence: n.For,
		})
	}
}

// of is a finding of package gateway as this package tells it.
func of(f *gateway.Finding) finding.Finding {
	g := f.Finding
	if f.Annotation != "" {
		g.What = f.Annotation + ": " + g.What
	}
	if f.Where != "" {
		g.Evidence = slices.Concat([]string{f.Where}, g.Evidence)
	}
	return g
}

// secretsIn says whether something looks like the value of a secret, by its form alone.
func secretsIn(v any) bool {
	found := false
	walk(v, nil, func(_ []string, v any) bool {
		s, ok := v.(string)
		found = found || ok && secretText.MatchString(s)
		return !found
	})
	return found
}
