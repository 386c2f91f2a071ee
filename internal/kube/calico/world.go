package calico

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
)

// groups are the APIs that policies of Calico have, by its own server and without one.
var groups = []string{"projectcalico.org", "crd.projectcalico.org"}

// nameLabel is how Kubernetes labels each namespace with its name.
const nameLabel = "kubernetes.io/metadata.name"

// A namespace, and what is known of its labels.
type namespace struct {
	name   string
	labels map[string]string
	known  bool // its labels are at hand
}

// label looks a label of the namespace up, as Calico has it.
func (n *namespace) label(key string) (string, truth) {
	if key == "projectcalico.org/name" || key == nameLabel {
		return n.name, yes
	}
	v, there := n.labels[key]
	switch {
	case there:
		return v, yes
	case n.known:
		return "", no
	}
	return "", maybe
}

// world is what policies are about.
type world struct {
	namespaces []*namespace
	services   map[string]*manifest.Object // by namespace/name
	sets       []*networkSet
	policies   []*policy          // those that are asked first stand first
	denying    []*policy          // those of them that deny something
	others     []*manifest.Object // NetworkPolicies of Kubernetes
	taken      map[string]bool    // names of NetworkPolicies, by namespace/name
}

// A networkSet names ranges of addresses by labels.
type networkSet struct {
	namespace string // empty for one of the whole cluster
	labels    map[string]string
	nets      []netip.Prefix
	names     bool // it has names of hosts, or ranges that cannot be read
}

func look(objects []*manifest.Object) *world {
	w := &world{services: map[string]*manifest.Object{}, taken: map[string]bool{}}
	found := map[string]*namespace{}
	at := func(name string) *namespace {
		if found[name] == nil {
			found[name] = &namespace{name: name, labels: map[string]string{}}
		}
		return found[name]
	}
	for _, o := range objects {
		switch {
		case o.Kind == "Namespace" && o.Group == "":
			n := at(o.Name)
			n.labels, n.known = plain.Labels(o.Value, "metadata", "labels"), true
		case o.Namespace != "" || o.Kind == "NetworkPolicy":
			at(o.Namespace)
		}
		switch {
		case o.Kind == "Service" && o.Group == "":
			w.services[o.Namespace+"/"+o.Name] = o
		case o.Kind == "NetworkPolicy" && !slices.Contains(groups, o.Group):
			w.others = append(w.others, o)
			w.taken[o.Namespace+"/"+o.Name] = true
		case slices.Contains(groups, o.Group) && (o.Kind == "NetworkSet" || o.Kind == "GlobalNetworkSet"):
			w.sets = append(w.sets, setOf(o))
		}
	}
	for _, name := range sorted(found) {
		w.namespaces = append(w.namespaces, found[name])
	}
	return w
}

func setOf(o *manifest.Object) *networkSet {
	s := &networkSet{namespace: o.Namespace, labels: plain.Labels(o.Value, "metadata", "labels"), names: len(plain.List(o.Value, "spec", "allowedEgressDomains")) > 0}
	for _, text := range plain.Texts(o.Value, "spec", "nets") {
		if p, ok := prefix(text); ok {
			s.nets = append(s.nets, p)
		} else {
			s.names = true
		}
	}
	return s
}

// prefix reads a range, or an address alone.
func prefix(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}

// system are namespaces that belong to a cluster's maker: what stands there on GKE is Google's, and what stood there on the old side stays behind.
func system(name string) bool {
	return slices.Contains([]string{"kube-system", "kube-public", "kube-node-lease", "calico-system", "calico-apiserver", "tigera-operator"}, name) || strings.HasPrefix(name, "gke-") || strings.HasPrefix(name, "gmp-")
}

var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
}

// outside says whether no pod has an address of a range: pods are in private networks.
func outside(p netip.Prefix) bool {
	return !slices.ContainsFunc(private, p.Overlaps)
}

func overlap(a, b []netip.Prefix) bool {
	return slices.ContainsFunc(a, func(p netip.Prefix) bool { return slices.ContainsFunc(b, p.Overlaps) })
}
