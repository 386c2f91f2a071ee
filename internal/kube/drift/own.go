package drift

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// own is one kind of what a region calls its own: how to find it, and what stands for it when regions are compared.
type own struct {
	what    string
	find    *regexp.Regexp
	replace string
}

// owns are looked for in this order: what holds others first.
var owns = []own{
	{"AWS endpoints", regexp.MustCompile(`\b([A-Za-z0-9_-]+)(?:\.[A-Za-z0-9_-]+)*\.([a-z-]+)\.amazonaws\.com(?:\.cn)?\b`), "${1}.‹endpoint›.${2}"},
	{"hosts", regexp.MustCompile(`\b[a-z0-9]{12,14}\.cloudfront\.net\b`), "‹host›"},
	{"zones", cloudZone, "‹zone›"},
	{"regions", cloudRegion, region},
	{"accounts", regexp.MustCompile(`\b\d{12}\b`), "‹account›"},
	{"resource ids", regexp.MustCompile(`\b(?:subnet|sg|vpc|vol|fs|fsap|eipalloc|eni|rtb|igw|nat|ami|acl|tgw|lt)-[0-9a-f]{8,17}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\bZ[A-Z0-9]{12,31}\b`), "‹id›"},
	{"networks", regexp.MustCompile(`\b(?:10\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01])|192\.168)(?:\.\d{1,3}){2}(/\d{1,2})?\b`), "‹network›$1"},
}

// neutralised is a text without what a region calls its own, and what that was.
type neutralised struct {
	text string
	what []string
}

// neutral puts neutral words in the place of what a region calls its own, and says what that was. Regions have the same values in many objects, so it
// remembers.
func (n *naming) neutral(s string, found map[string]bool) string {
	r, known := n.seen[s]
	if !known {
		r = n.neutralise(s)
		n.seen[s] = r
	}
	for _, w := range r.what {
		found[w] = true
	}
	return r.text
}

func (n *naming) neutralise(s string) (r neutralised) {
	if to := n.withoutHosts(s); to != s {
		r.what = append(r.what, "hosts")
		s = to
	}
	for _, o := range owns {
		if to := o.find.ReplaceAllString(s, o.replace); to != s {
			r.what = append(r.what, o.what)
			s = to
		}
	}
	if to := withoutWords(n.words, s); to != s {
		r.what = append(r.what, "names")
		s = to
	}
	r.text = s
	return r
}

// neutralValue is neutral for all texts of a value. Of a list of texts only the set of them counts: one region has three zones, another two.
func (n *naming) neutralValue(v any, found map[string]bool) any {
	switch x := v.(type) {
	case string:
		return n.neutral(x, found)
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, y := range x {
			out[n.neutral(k, found)] = n.neutralValue(y, found)
		}
		return out
	case []any:
		out := make([]any, 0, len(x))
		all := true
		for _, y := range x {
			_, isText := y.(string)
			all = all && isText
			out = append(out, n.neutralValue(y, found))
		}
		if !all {
			return out
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		return slices.Compact(out)
	}
	return v
}

// namesRegion says whether a value holds something that only makes sense in its region.
func (n *naming) namesRegion(v any) bool {
	found := map[string]bool{}
	n.neutralValue(v, found)
	return len(found) > 0
}

// canonical writes a value so that equal values are equal texts.
func canonical(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // values of manifests are those of JSON
	}
	return string(text)
}

// sizes are the keys that say how large a region is.
var sizes = map[string]bool{"replicas": true, "minReplicas": true, "maxReplicas": true, "minReplicaCount": true, "maxReplicaCount": true, "idleReplicaCount": true}

// hostFields are the keys that hold names in DNS of those who come from outside.
var hostFields = map[string]bool{
	"host": true, "hosts": true, "hostname": true, "hostnames": true, "dnsNames": true, "commonName": true,
	"external-dns.alpha.kubernetes.io/hostname": true, "external-dns.kubernetes.io/hostname": true,
}

var hostKinds = map[string]bool{"Ingress": true, "HTTPRoute": true, "GRPCRoute": true, "TLSRoute": true, "Gateway": true, "VirtualService": true, "Certificate": true, "Service": true}

// expected says why a difference is one of the regions' own names and sizes; empty where it is not.
func (c *comparison) expected(kind string, path manifest.Path, cells []Cell) string {
	last := key(path)
	if kind == "Secret" && path[0].Key != "metadata" && path[0].Key != "type" && !some(cells, func(x Cell) bool { return x.Absent }) {
		return "values of secrets"
	}
	if kind == "SealedSecret" && slices.ContainsFunc(path, func(s manifest.Step) bool { return s.Key == "encryptedData" }) && !some(cells, func(x Cell) bool { return x.Absent }) || path[0].Key == "sops" {
		return "encrypted values"
	}
	if sizes[last] && path[0].Key == "spec" {
		return "sizes"
	}
	if some(cells, func(x Cell) bool { return x.Absent }) {
		return ""
	}
	if hostFields[last] && hostKinds[kind] {
		return "hosts"
	}
	found := map[string]bool{}
	same := ""
	for i, x := range cells {
		if x.Outside {
			continue
		}
		if x.Hidden {
			found["values of secrets"] = true
			x.Value, _ = redacted(valueName(path), x.Value)
		}
		text := canonical(c.names[i].neutralValue(x.Value, found))
		if same != "" && text != same {
			return ""
		}
		same = text
	}
	var what []string
	for _, o := range append(slices.Clone(owns), own{what: "names"}, own{what: "values of secrets"}) {
		if found[o.what] && !slices.Contains(what, o.what) {
			what = append(what, o.what)
		}
	}
	return strings.Join(what, ", ")
}

// key is the last key of a mapping in a path.
func key(path manifest.Path) string {
	for _, s := range slices.Backward(path) {
		if !s.Listed() {
			return s.Key
		}
	}
	return ""
}

func some(cells []Cell, is func(Cell) bool) bool { return slices.ContainsFunc(cells, is) }
