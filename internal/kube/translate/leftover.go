package translate

import (
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
)

// leftovers are the rows about what no other rule has seen to.
func leftovers() []Rule {
	return []Rule{
		{ID: "ingress-nginx", Source: "ingress-nginx", Target: "unchanged", Verdict: Changed, Kinds: []string{"Deployment", "DaemonSet", "IngressClass"}, Apply: ingressNginx},
		{ID: "leftover-address", Source: "ARNs, *.amazonaws.com, s3://, cloudfront.net in env, arguments, ConfigMaps", Target: "a value for each phase", Verdict: Changed, Apply: addresses},
		{ID: "api-unknown", Source: "objects whose API only AWS, kops or Karpenter has", Target: "left out", Verdict: None, Apply: unknownAPI},
		{ID: "key-unknown", Source: "labels, annotations, taints, resources of *.amazonaws.com, *.k8s.aws, kops.k8s.io, karpenter.* that no rule recognised", Target: "none", Verdict: None, Apply: unknownKey},
	}
}

func coredns(w *work) {
	if w.Namespace != "kube-system" || !strings.HasPrefix(w.Name, "coredns") && !strings.HasPrefix(w.Name, "node-local-dns") {
		return
	}
	w.blocks("GKE has no CoreDNS of its own, so what this says would be lost.", "stub domains: ConfigMap kube-system/kube-dns, or a forwarding zone of Cloud DNS; rewrites and static hosts: a CoreDNS of your own, as a stub domain's server")
	w.drop("GKE has no CoreDNS")
}

func ingressNginx(w *work) {
	if w.Kind == "IngressClass" {
		if w.text("spec", "controller") != "k8s.io/ingress-nginx" {
			return
		}
	} else {
		is := false
		w.containers(func(_ []string, c map[string]any) {
			image, _ := c["image"].(string)
			is = is || strings.Contains(image, "ingress-nginx/controller")
		})
		if !is {
			return
		}
	}
	w.note("ingress-nginx stays as it is, and moves first, by its Service alone; but it was retired in March 2026, and gets no fixes of security.", "move to a Gateway of GKE after the platform has moved, or take another controller that is looked after")
}

// address finds what only makes sense on AWS. Values are never told whole, for they may hold passwords: only what matches.
var address = regexp.MustCompile(`\barn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d*:[A-Za-z0-9/_.*:-]*|\b[A-Za-z0-9._-]+\.amazonaws\.com(\.cn)?\b|\bs3[an]?://[A-Za-z0-9._-]+|\b[a-z0-9]+\.cloudfront\.net\b|\b[A-Za-z0-9-]+\.awsapps\.com\b`)

func addresses(w *work) {
	if w.Kind == "CustomResourceDefinition" {
		return
	}
	found := map[string][]string{} // what, and where first
	walk(w.now, nil, func(path []string, v any) bool {
		s, ok := v.(string)
		if !ok || path[0] == "metadata" || w.asked(s) {
			return true
		}
		for _, m := range Addresses(s) {
			if _, seen := found[m]; !seen && !strings.Contains(m, ".dkr.ecr") && m != awsToken && !w.ours(path) {
				found[m] = join(path)
			}
		}
		return true
	})
	for _, m := range keys(found) {
		w.at(found[m]...).note("/"+strings.Join(found[m], "/")+" names "+m+", "+service(m)+".", "give it a value for each phase, in overrides/: the old one, through the network between the clouds, while it is there; the new one once it has moved")
	}
}

// ours says whether bascule itself put the value there.
func (w *work) ours(path []string) bool {
	return slices.ContainsFunc(w.Ops, func(op Op) bool {
		return len(op.Path) <= len(path) && slices.Equal(op.Path, path[:len(op.Path)]) || op.Rule.ID == "identity-interim-aws"
	})
}

// asked says whether another rule has asked about the value already.
func (w *work) asked(value string) bool { return strings.Contains(value, ".dkr.ecr.") }

// service says what an address belongs to, as far as it tells.
func service(address string) string {
	for _, s := range []struct{ part, what string }{
		{".rds.", "a database, which bascule db moves"},
		{".cache.", "a cache, which moves with its round"},
		{"sqs", "a queue"},
		{"sns", "a topic"},
		{"s3", "a bucket"},
		{".elb.", "a load balancer"},
		{"cloudfront", "a distribution"},
		{".es.", "a search domain"},
		{"kafka", "a stream"},
	} {
		if strings.Contains(address, s.part) {
			return s.what
		}
	}
	return "which is on AWS"
}

var foreignAPI = regexp.MustCompile(`(^|\.)(k8s\.aws|amazonaws\.com|kops\.k8s\.io)$|^karpenter\.|^metrics\.aws$|^eksctl\.io$`)

func unknownAPI(w *work) {
	if foreignAPI.MatchString(w.Group) {
		w.at("apiVersion").blocks("Nothing on GKE reads "+w.APIVersion()+", so it is left out; no rule knows what stands for it.", "write what is to stand for it into overrides/, or remove it in the source")
		w.drop("nothing on GKE reads " + w.APIVersion())
	}
}

var foreignKey = regexp.MustCompile(`^([A-Za-z0-9-]+\.)*(amazonaws\.com|k8s\.aws|kops\.k8s\.io)/|^karpenter\.[a-z0-9.-]+/|^alb\.ingress\.kubernetes\.io/|^service(\.beta)?\.kubernetes\.io/aws-|^kubernetes\.io/aws-|^k8s\.amazonaws\.com/|^alpha\.eksctl\.io/`)

// awsKey says whether a label, an annotation, a taint or a resource belongs to AWS, kops or Karpenter.
func awsKey(key string) bool { return strings.Contains(key, "/") && foreignKey.MatchString(key) }

// unknownKey reports every key of AWS that is still there: as the key of a mapping, or as a value that names one.
func unknownKey(w *work) {
	found := map[string][]string{}
	note := func(key string, path []string) {
		if _, seen := found[key]; !seen && awsKey(key) && !w.known[key] {
			found[key] = join(path)
		}
	}
	walk(w.now, nil, func(path []string, v any) bool {
		switch x := v.(type) {
		case map[string]any:
			for k := range x {
				note(k, join(path, k))
			}
		case string:
			if !strings.Contains(x, ".dkr.ecr.") {
				note(x, path)
			}
		}
		return true
	})
	for _, k := range keys(found) {
		w.at(found[k]...).say(finding.Problem, finding.Blocker, "No rule recognises "+k+"; it stays as it is.", "find out what it did; remove it in overrides/, or put there what is to stand for it", "operator")
	}
}
