package translate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	computeClass = "cloud.google.com/compute-class"
	spotKey      = "cloud.google.com/gke-spot"
	zoneKey      = "topology.kubernetes.io/zone"
	regionKey    = "topology.kubernetes.io/region"
)

// nodes are the rows about where pods run.
func nodes() []Rule {
	return []Rule{
		{ID: "node-legacy-labels", Source: "beta.kubernetes.io/{arch,os,instance-type}, failure-domain.beta.kubernetes.io/{zone,region}", Target: "kubernetes.io/{arch,os}, node.kubernetes.io/instance-type, topology.kubernetes.io/{zone,region}", Verdict: Mechanical, Apply: legacyLabels},
		{ID: "node-group", Source: "eks.amazonaws.com/nodegroup, kops.k8s.io/instancegroup, karpenter.sh/nodepool, karpenter.sh/provisioner-name", Target: computeClass, Verdict: Resource, Apply: nodeGroup},
		{ID: "node-spot", Source: "eks.amazonaws.com/capacityType, karpenter.sh/capacity-type", Target: spotKey + " and its toleration", Verdict: Mechanical, Apply: nodeSpot},
		{ID: "node-machine-family", Source: "karpenter.k8s.aws/instance-family", Target: "cloud.google.com/machine-family", Verdict: Changed, Apply: machineFamily},
		{ID: "node-properties", Source: "karpenter.k8s.aws/instance-*, topology.k8s.aws/zone-id, vpc.amazonaws.com/*", Target: "none", Verdict: None, Apply: nodeProperties},
		{ID: "node-instance-type", Source: "node.kubernetes.io/instance-type", Target: "a machine type of Google", Verdict: Changed, Apply: instanceType},
		{ID: "node-role", Source: "node-role.kubernetes.io/{master,control-plane,node,spot-worker}", Target: "none: the control plane is Google's", Verdict: None, Apply: nodeRole},
		{ID: "node-tolerations", Source: "tolerations of karpenter.sh/*, eks.amazonaws.com/*, kops.k8s.io/*", Target: "dropped; others stay", Verdict: Mechanical, Apply: tolerations},
		{ID: "node-architecture", Source: "kubernetes.io/arch: arm64 (Graviton)", Target: "C4A, N4A", Verdict: Resource, Apply: architecture},
		{ID: "node-zones", Source: "topology.kubernetes.io/{zone,region} with names of AWS", Target: "zones that zones names", Verdict: Changed, Apply: nodeZones},
	}
}

// term is one condition about a node's labels.
type term struct {
	key    string
	values []string
	path   []string // of the condition: the key in a nodeSelector, the element of matchExpressions, the topologyKey
	// within is the part that goes where its last condition goes; nil in a nodeSelector.
	within []string
	kind   termKind
}

type termKind int

const (
	selector termKind = iota
	expression
	topology
)

// terms visits all conditions of all pods about nodes, the last of a list first, so that one may be removed.
func (w *work) terms(visit func(t term)) {
	for _, spec := range w.pods() {
		for _, k := range keys(w.mapping(join(spec, "nodeSelector")...)) {
			path := join(spec, "nodeSelector", k)
			visit(term{key: k, values: []string{w.text(path...)}, path: path, kind: selector})
		}
		required := join(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
		for i := range slices.Backward(w.list(join(required, "nodeSelectorTerms")...)) {
			w.expressions(join(required, "nodeSelectorTerms", strconv.Itoa(i)), required, visit)
		}
		preferred := join(spec, "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
		for i := range slices.Backward(w.list(preferred...)) {
			w.expressions(join(preferred, strconv.Itoa(i), "preference"), join(preferred, strconv.Itoa(i)), visit)
		}
		w.topologies(spec, visit)
	}
}

func (w *work) expressions(in, within []string, visit func(t term)) {
	for j := range slices.Backward(w.list(join(in, "matchExpressions")...)) {
		path := join(in, "matchExpressions", strconv.Itoa(j))
		t := term{key: w.text(join(path, "key")...), path: path, within: within, kind: expression}
		for _, v := range w.list(join(path, "values")...) {
			s, _ := v.(string)
			t.values = append(t.values, s)
		}
		visit(t)
	}
}

func (w *work) topologies(spec []string, visit func(t term)) {
	for i := range w.list(join(spec, "topologySpreadConstraints")...) {
		path := join(spec, "topologySpreadConstraints", strconv.Itoa(i), "topologyKey")
		visit(term{key: w.text(path...), path: path, kind: topology})
	}
	for _, kind := range []string{"podAffinity", "podAntiAffinity"} {
		for _, list := range []struct{ name, within string }{{"requiredDuringSchedulingIgnoredDuringExecution", ""}, {"preferredDuringSchedulingIgnoredDuringExecution", "podAffinityTerm"}} {
			for i := range w.list(join(spec, "affinity", kind, list.name)...) {
				path := join(spec, "affinity", kind, list.name, strconv.Itoa(i))
				if list.within != "" {
					path = join(path, list.within)
				}
				path = join(path, "topologyKey")
				if key := w.text(path...); key != "" {
					visit(term{key: key, path: path, kind: topology})
				}
			}
		}
	}
}

// become puts another condition in the place of one.
func (w *work) become(t term, why, key string, values ...string) {
	switch t.kind {
	case selector:
		w.remove(why, t.path...)
		w.set(why, values[0], join(t.path[:len(t.path)-1], key)...)
	case expression:
		if key != t.key {
			w.set(why, key, join(t.path, "key")...)
		}
		if t.values != nil && !slices.Equal(values, t.values) {
			w.set(why, anys(values), join(t.path, "values")...)
		}
	case topology:
		w.set(why, key, t.path...)
	}
}

func anys(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// forget takes a condition away. A term without conditions would match no node, so what holds the last one goes with it.
func (w *work) forget(t term, why string) {
	if t.kind == expression && len(w.list(t.path[:len(t.path)-1]...)) == 1 && w.value(join(t.path[:len(t.path)-2], "matchFields")...) == nil {
		w.remove(why, t.within...)
		return
	}
	w.remove(why, t.path...)
}

func legacyLabels(w *work) {
	today := map[string]string{
		"beta.kubernetes.io/arch": "kubernetes.io/arch", "beta.kubernetes.io/os": "kubernetes.io/os", "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
		"failure-domain.beta.kubernetes.io/zone": zoneKey, "failure-domain.beta.kubernetes.io/region": regionKey, "topology.ebs.csi.aws.com/zone": zoneKey,
	}
	w.terms(func(t term) {
		if to := today[t.key]; to != "" {
			w.become(t, t.key+" is called otherwise today", to, t.values...)
		}
	})
}

var groupKeys = []string{"eks.amazonaws.com/nodegroup", "alpha.eksctl.io/nodegroup-name", "kops.k8s.io/instancegroup", "karpenter.sh/nodepool", "karpenter.sh/provisioner-name"}

func nodeGroup(w *work) {
	named := map[string]bool{}
	w.terms(func(t term) {
		if !slices.Contains(groupKeys, t.key) {
			return
		}
		if t.kind == topology || len(t.values) == 0 {
			w.at(t.path...).blocks("It spreads over, or asks for any, "+t.key+", and compute classes are no topology.", "spread over "+zoneKey+" or kubernetes.io/hostname")
			w.recognise(t.key)
			return
		}
		for _, v := range t.values {
			named[v] = true
		}
		w.become(t, "a compute class stands for a group of nodes", computeClass, t.values...)
	})
	for _, name := range keys(named) {
		if w.in.find("NodePool", "", name) == nil && w.in.find("Provisioner", "", name) == nil {
			w.needs("It asks for the compute class "+name+", which stands for the group of nodes of that name; no Karpenter NodePool says what it was.", "write a ComputeClass named "+name+", into overrides/")
		}
	}
}

func nodeSpot(w *work) {
	spot := false
	w.terms(func(t term) {
		if t.key != "eks.amazonaws.com/capacityType" && t.key != "karpenter.sh/capacity-type" {
			return
		}
		if t.kind == topology {
			w.at(t.path...).blocks("It spreads over kinds of capacity, which is no topology on GKE.", "spread over "+zoneKey+", or let a ComputeClass mix spot and regular nodes")
			return
		}
		both, asked := true, false
		for _, v := range t.values {
			is := strings.EqualFold(v, "spot")
			asked, both = asked || is, both && is
		}
		switch {
		case asked && both:
			spot = true
			w.become(t, "spot nodes have this label", spotKey, "true")
		case asked:
			w.forget(t, "spot and regular nodes alike: no condition says that")
		default:
			w.forget(t, "regular nodes are what pods get that do not tolerate spot")
		}
	})
	if !spot {
		return
	}
	for _, spec := range w.pods() {
		w.add("spot nodes repel pods that do not say this", map[string]any{"key": spotKey, "operator": "Equal", "value": "true", "effect": "NoSchedule"}, join(spec, "tolerations")...)
	}
}

func machineFamily(w *work) {
	w.terms(func(t term) {
		if t.key != "karpenter.k8s.aws/instance-family" || t.kind == topology {
			return
		}
		var to []string
		for _, v := range t.values {
			if f := w.in.Profile.Family(v); f != nil && !slices.Contains(to, f.To) {
				to = append(to, f.To)
			}
		}
		if len(to) == 0 {
			return // one of the properties that have no counterpart
		}
		w.become(t, strings.Join(t.values, ", ")+" by the profile of "+w.in.Profile.Machines.Date, "cloud.google.com/machine-family", to...)
		w.note("Machines of "+strings.Join(to, ", ")+" stand for "+strings.Join(t.values, ", ")+"; they attach Hyperdisk, not Persistent Disk, where they are of generation 4.", "see that the classes of its volumes fit; bascule kube profile show lists both generations")
	})
}

func nodeProperties(w *work) {
	w.terms(func(t term) {
		if !strings.HasPrefix(t.key, "karpenter.k8s.aws/") && t.key != "topology.k8s.aws/zone-id" && !strings.HasPrefix(t.key, "vpc.amazonaws.com/") && !strings.HasPrefix(t.key, "topology.k8s.aws/") {
			return
		}
		w.at(t.path...).blocks("No node on GKE has the label "+t.key+"; with the condition "+strings.Join(t.values, ", ")+" pods would wait for ever, so it is taken away.", "say it in a ComputeClass (minCores, minMemoryGb, machineFamily, gpu), and select that")
		w.recognise(t.key)
		w.forget(t, "no node on GKE has this label")
	})
	w.containers(func(path []string, _ map[string]any) {
		for _, part := range []string{"requests", "limits"} {
			for _, k := range keys(w.mapping(join(path, "resources", part)...)) {
				if strings.HasPrefix(k, "vpc.amazonaws.com/") {
					w.at(join(path, "resources", part, k)...).blocks("No node on GKE has the resource "+k+", so the request is taken away.", "security groups for pods become NetworkPolicies; addresses are not counted")
					w.remove("no node on GKE has this resource", join(path, "resources", part, k)...)
				}
			}
		}
	})
}

func instanceType(w *work) {
	w.terms(func(t term) {
		if t.key != "node.kubernetes.io/instance-type" || t.kind == topology {
			return
		}
		var to []string
		for _, v := range t.values {
			if !strings.Contains(v, ".") {
				return // a name of Google
			}
			m := orWord(w.in.Decisions.Machines[v], w.in.Profile.MachineType(v))
			if m == "" {
				w.at(t.path...).asks("Which machine type stands for "+v+"?", fmt.Sprintf("machines: {%q: TYPE}", v))
				w.forget(t, "no node on GKE is of this type")
				return
			}
			if !slices.Contains(to, m) {
				to = append(to, m)
			}
		}
		if len(to) > 0 {
			w.become(t, strings.Join(t.values, ", ")+" by machines, or the profile of "+w.in.Profile.Machines.Date, t.key, to...)
			w.note("It asks for "+strings.Join(to, ", ")+" where it asked for "+strings.Join(t.values, ", ")+": as many CPUs, other ones.", "drop the condition where requests of CPU and memory say enough")
		}
	})
}

func nodeRole(w *work) {
	w.terms(func(t term) {
		switch t.key {
		case "node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane":
			w.at(t.path...).blocks("It runs on the nodes of the control plane, which is Google's.", "leave it behind, or let it run anywhere if it is about more than the control plane")
			if w.Kind == "DaemonSet" {
				w.drop("there are no such nodes")
				return
			}
			w.forget(t, "there are no such nodes")
		case "node-role.kubernetes.io/spot-worker":
			w.become(t, "spot nodes have this label", spotKey, "true")
			for _, spec := range w.pods() {
				w.add("spot nodes repel pods that do not say this", map[string]any{"key": spotKey, "operator": "Equal", "value": "true", "effect": "NoSchedule"}, join(spec, "tolerations")...)
			}
		case "node-role.kubernetes.io/node", "node-role.kubernetes.io/worker", "kubernetes.io/role":
			w.forget(t, "all nodes are such, and GKE does not say it")
		}
	})
}

func tolerations(w *work) {
	for _, spec := range w.pods() {
		list := join(spec, "tolerations")
		for i := range slices.Backward(w.list(list...)) {
			path := join(list, strconv.Itoa(i))
			key := w.text(join(path, "key")...)
			if awsKey(key) {
				w.remove("no node on GKE has this taint", path...)
			}
		}
	}
}

func architecture(w *work) {
	w.terms(func(t term) {
		if t.key == "kubernetes.io/arch" && slices.Contains(t.values, "arm64") {
			w.at(t.path...).needs("It runs on arm64 (Graviton).", "a ComputeClass with machineFamily c4a or n4a, and an image for arm64 in the new registry")
		}
	})
}

var (
	awsZone   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d[a-z]$`)
	awsRegion = regexp.MustCompile(`^(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d$`)
)

func nodeZones(w *work) {
	w.terms(func(t term) {
		switch {
		case t.kind == selector && t.key == zoneKey && awsZone.MatchString(t.values[0]):
			if to := w.zone(t.values[0], t.path); to != "" {
				w.become(t, "by zones", t.key, to)
			}
		case t.kind == expression && t.key == zoneKey:
			w.zones(join(t.path, "values"))
		case t.kind != topology && t.key == regionKey && slices.ContainsFunc(t.values, awsRegion.MatchString):
			if w.in.Decisions.Region == "" {
				w.at(t.path...).asks("Which region stands for "+strings.Join(t.values, ", ")+"?", "region: REGION")
				return
			}
			w.become(t, "the cluster's region", t.key, w.in.Decisions.Region)
		}
	})
}

// zones translates a list of zones.
func (w *work) zones(path []string) {
	var to []string
	changed, open := false, false
	for _, v := range w.list(path...) {
		s, _ := v.(string)
		if awsZone.MatchString(s) {
			changed = true
			s = w.zone(s, path)
			open = open || s == ""
		}
		if s != "" && !slices.Contains(to, s) {
			to = append(to, s)
		}
	}
	if changed && !open {
		w.set("by zones", anys(to), path...)
		w.note("Its zones are "+strings.Join(to, ", ")+" now. Zones do not match by their letters.", "where it only wanted to be spread, say so: topologySpreadConstraints over "+zoneKey)
	}
}

// zone translates one zone, or asks.
func (w *work) zone(from string, path []string) string {
	if to := w.in.Decisions.Zones[from]; to != "" {
		return to
	}
	near := "ZONE"
	for _, r := range w.in.Profile.Regions.Entries {
		if strings.HasPrefix(from, r.From) {
			near = strings.Join(r.Zones, " | ")
		}
	}
	w.at(path...).asks("Which zone stands for "+from+"? AWS gives each account letters of its own, so none follows from the name.", fmt.Sprintf("zones: {%q: %s}", from, near))
	return ""
}
