package calico_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/calico"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// The model of Calico. It knows nothing of the package: selectors are made as functions, with the text that means them.

type entity struct {
	namespace string // empty for what is outside
	labels    map[string]string
	ip        netip.Addr
}

func (e *entity) pod() bool { return e.namespace != "" }

var places = map[string]map[string]string{"a": {"env": "x"}, "b": {"env": "y"}}

type expression struct {
	text string
	is   func(labels map[string]string) bool
}

func randomExpression(rng *rand.Rand, keys []string, depth int) expression {
	if depth > 0 && rng.IntN(3) == 0 {
		a, b := randomExpression(rng, keys, depth-1), randomExpression(rng, keys, depth-1)
		switch rng.IntN(3) {
		case 0:
			return expression{"(" + a.text + ") && (" + b.text + ")", func(l map[string]string) bool { return a.is(l) && b.is(l) }}
		case 1:
			return expression{"(" + a.text + "||" + b.text + ")", func(l map[string]string) bool { return a.is(l) || b.is(l) }}
		default:
			return expression{"!(" + a.text + ")", func(l map[string]string) bool { return !a.is(l) }}
		}
	}
	k, v := keys[rng.IntN(len(keys))], []string{"web", "db", "x"}[rng.IntN(3)]
	switch rng.IntN(7) {
	case 0:
		return expression{"all()", func(map[string]string) bool { return true }}
	case 1:
		return expression{"has(" + k + ")", func(l map[string]string) bool { _, ok := l[k]; return ok }}
	case 2:
		return expression{k + " != '" + v + "'", func(l map[string]string) bool { return l[k] != v }}
	case 3:
		return expression{k + " in { 'web', \"" + v + "\" }", func(l map[string]string) bool { return l[k] == "web" || l[k] == v }}
	case 4:
		return expression{k + " not in {'web'}", func(l map[string]string) bool { return l[k] != "web" }}
	case 5:
		return expression{"!has( " + k + " )", func(l map[string]string) bool { _, ok := l[k]; return !ok }}
	default:
		return expression{k + "=='" + v + "'", func(l map[string]string) bool { return l[k] == v }}
	}
}

type packet struct {
	protocol string
	port     int
}

type modelRule struct {
	action, text string
	is           func(own, other *entity, p packet) bool
}

type modelPolicy struct {
	namespace, name string
	order           float64
	selects         func(*entity) bool
	rules           map[string][]modelRule // by direction; there where it limits it
}

func inAny(nets []string, a netip.Addr) bool {
	return slices.ContainsFunc(nets, func(n string) bool { return netip.MustParsePrefix(n).Contains(a) })
}

// labelsWithPlace are the labels of a pod, with what Calico adds.
func labelsWithPlace(e *entity) map[string]string {
	l := maps.Clone(e.labels)
	l["projectcalico.org/namespace"] = e.namespace
	for k, v := range places[e.namespace] {
		l["pcns."+k] = v
	}
	return l
}

var podKeys = []string{"app", "role", "app", "pcns.env", "projectcalico.org/namespace"}

func randomRule(rng *rand.Rand, policyNamespace, direction string) modelRule {
	action := []string{"Allow", "Allow", "Allow", "Deny", "Log"}[rng.IntN(5)]
	text := "action: " + action
	is := func(*entity, *entity, packet) bool { return true }
	also := func(f func(own, other *entity, p packet) bool) {
		before := is
		is = func(own, other *entity, p packet) bool { return before(own, other, p) && f(own, other, p) }
	}
	own, other, receiver := []string{}, []string{}, []string{}
	if rng.IntN(2) == 0 {
		protocol := []string{"TCP", "UDP"}[rng.IntN(2)]
		text += ", protocol: " + protocol
		also(func(_, _ *entity, p packet) bool { return p.protocol == protocol })
		switch rng.IntN(4) {
		case 0:
			receiver = append(receiver, "ports: [80, '90:100']")
			also(func(_, _ *entity, p packet) bool { return p.port == 80 || p.port >= 90 && p.port <= 100 })
		case 1:
			receiver = append(receiver, "notPorts: [80, 443]")
			also(func(_, _ *entity, p packet) bool { return p.port != 80 && p.port != 443 })
		}
	}
	switch rng.IntN(5) {
	case 0:
		nets := [][]string{{"203.0.113.0/24"}, {"10.0.0.0/8"}, {"0.0.0.0/0"}, {"203.0.113.7/32", "198.51.100.0/24"}}[rng.IntN(4)]
		other = append(other, "nets: ['"+strings.Join(nets, "', '")+"']")
		also(func(_, e *entity, _ packet) bool { return inAny(nets, e.ip) })
		if rng.IntN(3) == 0 {
			other = append(other, "notNets: [203.0.113.7/32]")
			also(func(_, e *entity, _ packet) bool { return !inAny([]string{"203.0.113.7/32"}, e.ip) })
		}
	case 1, 2:
		s := randomExpression(rng, podKeys, 2)
		other = append(other, "selector: "+fmt.Sprintf("%q", s.text))
		where := func(e *entity) bool { return policyNamespace == "" || e.namespace == policyNamespace }
		if rng.IntN(3) == 0 {
			n := randomExpression(rng, []string{"env"}, 1)
			other = append(other, "namespaceSelector: "+fmt.Sprintf("%q", n.text))
			where = func(e *entity) bool { return n.is(places[e.namespace]) }
		}
		also(func(_, e *entity, _ packet) bool { return e.pod() && where(e) && s.is(labelsWithPlace(e)) })
	}
	if rng.IntN(8) == 0 {
		s := randomExpression(rng, []string{"role"}, 0)
		own = append(own, "selector: "+fmt.Sprintf("%q", s.text))
		also(func(e, _ *entity, _ packet) bool { return s.is(labelsWithPlace(e)) })
	}
	from, to := other, slices.Concat(own, receiver)
	if direction == "Egress" {
		from, to = own, slices.Concat(other, receiver)
	}
	return modelRule{action, "{" + text + ", source: {" + strings.Join(from, ", ") + "}, destination: {" + strings.Join(to, ", ") + "}}", is}
}

func randomPolicy(rng *rand.Rand, i int) (modelPolicy, string) {
	p := modelPolicy{name: fmt.Sprintf("p%d", i), order: math.Inf(1), rules: map[string][]modelRule{}}
	s := randomExpression(rng, podKeys, 2)
	p.selects = func(e *entity) bool { return s.is(labelsWithPlace(e)) }
	kind, spec := "GlobalNetworkPolicy", fmt.Sprintf("selector: %q", s.text)
	if rng.IntN(2) == 0 {
		kind, p.namespace = "NetworkPolicy", []string{"a", "b"}[rng.IntN(2)]
		p.selects = func(e *entity) bool { return e.namespace == p.namespace && s.is(labelsWithPlace(e)) }
	} else if rng.IntN(3) == 0 {
		n := randomExpression(rng, []string{"env"}, 1)
		spec += fmt.Sprintf(", namespaceSelector: %q", n.text)
		p.selects = func(e *entity) bool { return n.is(places[e.namespace]) && s.is(labelsWithPlace(e)) }
	}
	if n := rng.IntN(5); n < 4 {
		p.order = []float64{10, 20, 500, 2000}[n]
		spec += fmt.Sprintf(", order: %v", p.order)
	}
	var types []string
	for _, d := range []string{"Ingress", "Egress"} {
		if rng.IntN(3) == 0 {
			continue
		}
		types = append(types, d)
		var texts []string
		p.rules[d] = []modelRule{}
		for range rng.IntN(4) {
			r := randomRule(rng, p.namespace, d)
			p.rules[d] = append(p.rules[d], r)
			texts = append(texts, r.text)
		}
		spec += ", " + strings.ToLower(d) + ": [" + strings.Join(texts, ", ") + "]"
	}
	if len(types) == 0 {
		types, p.rules["Ingress"] = []string{"Ingress"}, []modelRule{}
	}
	spec += ", types: [" + strings.Join(types, ", ") + "]"
	return p, fmt.Sprintf("apiVersion: projectcalico.org/v3\nkind: %s\nmetadata: {name: %s, namespace: %q}\nspec: {%s}\n---\n", kind, p.name, p.namespace, spec)
}

// calicoAllows asks policies in their order, the rules of each in theirs.
func calicoAllows(policies []modelPolicy, own, other *entity, direction string, p packet) bool {
	limited := false
	for _, policy := range policies {
		rules, limits := policy.rules[direction]
		if !limits || !policy.selects(own) {
			continue
		}
		limited = true
		for _, r := range rules {
			if r.is(own, other, p) && r.action != "Log" {
				return r.action == "Allow"
			}
		}
	}
	return !limited
}

// The model of NetworkPolicies of Kubernetes.

func matches(selector any, labels map[string]string) bool {
	m, _ := selector.(map[string]any)
	want, _ := m["matchLabels"].(map[string]any)
	for k, v := range want {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	expressions, _ := m["matchExpressions"].([]any)
	for _, x := range expressions {
		e := x.(map[string]any)
		have, ok := labels[e["key"].(string)]
		values, _ := e["values"].([]any)
		in := ok && slices.Contains(values, any(have))
		switch e["operator"] {
		case "In":
			ok = in
		case "NotIn":
			ok = !in
		case "DoesNotExist":
			ok = !ok
		case "Exists":
		default:
			panic(e["operator"])
		}
		if !ok {
			return false
		}
	}
	return true
}

func namespaceLabels(name string) map[string]string {
	l := maps.Clone(places[name])
	l["kubernetes.io/metadata.name"] = name
	return l
}

func peerIs(v any, policyNamespace string, e *entity, podsHaveAddresses bool) bool {
	m := v.(map[string]any)
	if block, ok := m["ipBlock"].(map[string]any); ok {
		except, _ := block["except"].([]any)
		return (podsHaveAddresses || !e.pod()) && netip.MustParsePrefix(block["cidr"].(string)).Contains(e.ip) && !slices.ContainsFunc(except, func(x any) bool { return netip.MustParsePrefix(x.(string)).Contains(e.ip) })
	}
	if !e.pod() {
		return false
	}
	if n, ok := m["namespaceSelector"]; ok {
		if !matches(n, namespaceLabels(e.namespace)) {
			return false
		}
	} else if e.namespace != policyNamespace {
		return false
	}
	return matches(m["podSelector"], e.labels)
}

func portIs(v any, p packet) bool {
	m := v.(map[string]any)
	if m["protocol"] != p.protocol {
		return false
	}
	first, ok := m["port"].(int64)
	if !ok {
		return true
	}
	last, ok := m["endPort"].(int64)
	if !ok {
		last = first
	}
	return int64(p.port) >= first && int64(p.port) <= last
}

func kubernetesAllows(policies []map[string]any, own, other *entity, direction string, p packet, podsHaveAddresses bool) bool {
	limited := false
	for _, o := range policies {
		namespace, spec := o["metadata"].(map[string]any)["namespace"].(string), o["spec"].(map[string]any)
		if namespace != own.namespace || !matches(spec["podSelector"], own.labels) || !slices.Contains(spec["policyTypes"].([]any), any(direction)) {
			continue
		}
		limited = true
		rules, _ := spec[strings.ToLower(direction)].([]any)
		for _, r := range rules {
			m := r.(map[string]any)
			peers, limitsPeers := m[map[string]string{"Ingress": "from", "Egress": "to"}[direction]].([]any)
			ports, limitsPorts := m["ports"].([]any)
			if (!limitsPeers || slices.ContainsFunc(peers, func(v any) bool { return peerIs(v, namespace, other, podsHaveAddresses) })) &&
				(!limitsPorts || slices.ContainsFunc(ports, func(v any) bool { return portIs(v, p) })) {
				return true
			}
		}
	}
	return !limited
}

// world is pods and what is outside.
func world() []*entity {
	var out []*entity
	add := func(namespace, ip string, labels map[string]string) {
		out = append(out, &entity{namespace, labels, netip.MustParseAddr(ip)})
	}
	i := 0
	for _, n := range []string{"a", "b"} {
		for _, app := range []string{"", "web", "db"} {
			for _, role := range []string{"", "x"} {
				l := map[string]string{}
				if app != "" {
					l["app"] = app
				}
				if role != "" {
					l["role"] = role
				}
				i++
				add(n, fmt.Sprintf("10.1.0.%d", i), l)
			}
		}
	}
	for _, ip := range []string{"203.0.113.7", "203.0.113.8", "198.51.100.1", "10.9.9.9", "8.8.8.8"} {
		add("", ip, nil)
	}
	return out
}

const namespaceObjects = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {env: x}}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b, labels: {env: 'y'}}\n---\n"

// TestNeverMore holds what is written to what the policies meant, over random policies, pods, addresses and ports, on data planes that count pods among addresses and
// on those that do not. What was denied stays denied unless a blocker says what would be allowed; what was allowed stays allowed unless something says what is cut.
func TestNeverMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	all := world()
	silent, exact := 0, 0
	known, err := builtin.Load(builtin.Versions()[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 1500 {
		var policies []modelPolicy
		text := namespaceObjects
		for i := range 1 + rng.IntN(4) {
			p, one := randomPolicy(rng, i)
			policies = append(policies, p)
			text += one
		}
		slices.SortStableFunc(policies, func(a, b modelPolicy) int {
			return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.name, b.name))
		})
		set, err := manifest.Read(strings.NewReader(text), "-")
		if err != nil {
			t.Fatal(err)
		}
		var written []map[string]any
		opened, cut := false, false
		var said []string
		for _, o := range calico.Translate(set.Objects) {
			written = append(written, o.Objects...)
			valid(t, known, o.Objects)
			for _, r := range o.Blocks {
				said = append(said, r.What)
				opened = opened || strings.Contains(r.What, "would be allowed")
				cut = true
			}
			for _, r := range o.Notes {
				cut = cut || strings.Contains(r.What, "Dataplane V2")
			}
		}
		if !cut {
			silent++
		}
		for range 120 {
			own, other := all[rng.IntN(12)], all[rng.IntN(len(all))]
			p := packet{[]string{"TCP", "UDP"}[rng.IntN(2)], []int{80, 95, 443, 8080}[rng.IntN(4)]}
			for _, direction := range []string{"Ingress", "Egress"} {
				was := calicoAllows(policies, own, other, direction, p)
				for _, addresses := range []bool{true, false} {
					is := kubernetesAllows(written, own, other, direction, p, addresses)
					switch {
					case is && !was && !opened, was && !is && !cut:
						t.Fatalf("%s of %v with %v, %v: was %t, is %t\n%s\n%v\n%s", direction, own, other, p, was, is, text, said, dump(written))
					case is == was:
						exact++
					}
				}
			}
		}
	}
	if silent < 300 {
		t.Errorf("only %d of 1500 estates were translated without a word", silent)
	}
	t.Logf("%d estates without a word, %d decisions the same", silent, exact)
}

// valid holds NetworkPolicies to their schema, and to what an API server asks besides: what is left out of a range lies within it, and ranges of ports go upwards.
func valid(t *testing.T, known *builtin.Set, objects []map[string]any) {
	t.Helper()
	for _, o := range objects {
		problems, served := known.Check("networking.k8s.io", "v1", "NetworkPolicy", o)
		if len(problems) > 0 || !served {
			t.Fatal(problems, o)
		}
		spec := o["spec"].(map[string]any)
		for _, direction := range []string{"ingress", "egress"} {
			rules, _ := spec[direction].([]any)
			for _, r := range rules {
				for key, side := range map[string]string{"from": "ingress", "to": "egress"} {
					if l, there := r.(map[string]any)[key].([]any); there && (len(l) == 0 || side != direction) {
						t.Fatalf("nobody fits, which means everybody: %v", o)
					}
				}
				ranges(t, r.(map[string]any))
			}
		}
	}
}

func ranges(t *testing.T, rule map[string]any) {
	t.Helper()
	for _, side := range []string{"from", "to"} {
		peers, _ := rule[side].([]any)
		for _, v := range peers {
			block, _ := v.(map[string]any)["ipBlock"].(map[string]any)
			except, _ := block["except"].([]any)
			for _, e := range except {
				all, less := netip.MustParsePrefix(block["cidr"].(string)), netip.MustParsePrefix(e.(string))
				if less.Bits() <= all.Bits() || !all.Contains(less.Addr()) {
					t.Fatalf("%s is left out of %s", less, all)
				}
			}
		}
	}
	ports, _ := rule["ports"].([]any)
	for _, v := range ports {
		p := v.(map[string]any)
		if last, there := p["endPort"].(int64); there && last <= p["port"].(int64) {
			t.Fatalf("ports %v", p)
		}
	}
}

func dump(objects []map[string]any) string {
	var out []string
	for _, o := range objects {
		out = append(out, fmt.Sprint(o["metadata"], o["spec"]))
	}
	return strings.Join(out, "\n")
}
