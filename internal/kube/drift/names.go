package drift

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

// naming knows what a region calls its own.
type naming struct {
	// declared are words that people have said mean the region; words are those and the ones that its manifests and its own name suggest.
	declared, words *regexp.Regexp
	// candidates are the words that are only suggested.
	candidates []string
	// hosts are its own names in DNS, and domains are those that no other region has.
	hosts, domains map[string]bool
	// seen remembers texts.
	seen map[string]neutralised
}

var (
	awsRegion   = regexp.MustCompile(`\b(?:us|eu|ap|sa|ca|me|af|il|mx)(?:-gov)?-(?:north|south|east|west|central|northeast|southeast|northwest|southwest)-\d\b`)
	cloudZone   = regexp.MustCompile(`\b(?:(?:us|eu|ap|sa|ca|me|af|il|mx)(?:-gov)?-(?:north|south|east|west|central|northeast|southeast|northwest|southwest)-\d[a-f]|(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+\d+-[a-f])\b`)
	cloudRegion = regexp.MustCompile(`\b(?:(?:us|eu|ap|sa|ca|me|af|il|mx)(?:-gov)?-(?:north|south|east|west|central|northeast|southeast|northwest|southwest)-\d|(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+\d+)\b`)
	segment     = regexp.MustCompile(`[A-Za-z0-9]+`)
)

// region stands for a region's own word in a name.
const region = "‹region›"

// learnNames works out what each region calls its own.
func learnNames(regions []Region, declared map[string][]string) []*naming {
	out := make([]*naming, len(regions))
	labels := make([]map[string]bool, len(regions))
	mentioned := make([]map[string]int, len(regions))
	hosts := make([]map[string]bool, len(regions))
	for i, r := range regions {
		labels[i] = set(segment.FindAllString(strings.ToLower(r.Name), -1))
		mentioned[i], hosts[i] = mentions(r)
	}
	for i, r := range regions {
		n := &naming{declared: anyWord(declared[r.Name]), seen: map[string]neutralised{}}
		candidates := map[string]bool{}
		if len(segment.FindAllString(r.Name, -1)) > 1 {
			candidates[strings.ToLower(r.Name)] = true
		}
		for s := range labels[i] {
			if len(s) > 1 && !others(labels, i, s) && strings.Trim(s, "0123456789") != "" {
				candidates[s] = true
			}
		}
		for s := range mentioned[i] {
			if !others(mentioned, i, s) {
				candidates[s] = true
				candidates[shortRegion(s)] = true
			}
		}
		n.candidates = slices.Sorted(maps.Keys(candidates))
		n.words = anyWord(append(slices.Clone(declared[r.Name]), n.candidates...))
		n.hosts, n.domains = ownHosts(hosts, i)
		out[i] = n
	}
	return out
}

func others[V any](sets []map[string]V, but int, s string) bool {
	for i := range sets {
		if _, there := sets[i][s]; there && i != but {
			return true
		}
	}
	return false
}

func set(list []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
}

// shortRegion is how people shorten a region of AWS: euw1 for eu-west-1, apne1 for ap-northeast-1.
func shortRegion(name string) string {
	parts := strings.Split(name, "-")
	middle := parts[len(parts)-2]
	second := ""
	for _, s := range []string{"east", "west"} {
		if rest, ok := strings.CutSuffix(middle, s); ok && rest != "" {
			second = s[:1]
		}
	}
	return parts[0] + middle[:1] + second + parts[len(parts)-1]
}

// anyWord matches any of the words where it stands alone between other characters. It is nil for none.
func anyWord(words []string) *regexp.Regexp {
	var quoted []string
	for _, w := range words {
		if w != "" {
			quoted = append(quoted, regexp.QuoteMeta(w))
		}
	}
	if len(quoted) == 0 {
		return nil
	}
	slices.SortFunc(quoted, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) }) // eu-west-1 before eu
	return regexp.MustCompile(`(?i)(^|[^a-z0-9])(` + strings.Join(quoted, "|") + `)($|[^a-z0-9])`)
}

// withoutWords puts a neutral word in the place of a region's own.
func withoutWords(words *regexp.Regexp, s string) string {
	if words == nil || !words.MatchString(s) {
		return s
	}
	for range 2 { // what follows a word may begin the next one
		s = words.ReplaceAllString(s, "${1}"+region+"${3}")
	}
	return s
}

// mentions collects regions of AWS that stand in a region's values, and the names in DNS that it declares.
func mentions(r Region) (aws map[string]int, hosts map[string]bool) {
	aws, hosts = map[string]int{}, set(r.Hosts)
	for _, o := range r.Set.Objects {
		texts(o.Value, func(s string) {
			if strings.Contains(s, "-") {
				for _, m := range awsRegion.FindAllString(s, -1) {
					aws[m]++
				}
			}
		})
		for _, h := range declaredHosts(o) {
			hosts[h] = true
		}
	}
	return aws, hosts
}

// texts visits all texts in a value.
func texts(v any, visit func(string)) {
	switch x := v.(type) {
	case string:
		visit(x)
	case map[string]any:
		for _, y := range x {
			texts(y, visit)
		}
	case []any:
		for _, y := range x {
			texts(y, visit)
		}
	}
}

// declaredHosts are the names in DNS that an object declares for those who come from outside.
func declaredHosts(o *manifest.Object) []string {
	var out []string
	add := func(v any) {
		switch x := v.(type) {
		case string:
			out = append(out, x)
		case []any:
			for _, y := range x {
				if s, ok := y.(string); ok {
					out = append(out, s)
				}
			}
		}
	}
	for _, k := range []string{"external-dns.alpha.kubernetes.io/hostname", "external-dns.kubernetes.io/hostname"} {
		for h := range strings.SplitSeq(translate.Text(o.Value, "metadata", "annotations", k), ",") {
			add(strings.TrimSpace(h))
		}
	}
	each := func(visit func(any), path ...string) {
		list, _ := translate.At(o.Value, path...).([]any)
		for _, x := range list {
			visit(x)
		}
	}
	switch o.Kind {
	case "Ingress":
		each(func(x any) { add(translate.At(x, "host")) }, "spec", "rules")
		each(func(x any) { add(translate.At(x, "hosts")) }, "spec", "tls")
	case "HTTPRoute", "GRPCRoute", "TLSRoute":
		add(translate.At(o.Value, "spec", "hostnames"))
	case "Gateway":
		each(func(x any) { add(translate.At(x, "hostname")) }, "spec", "listeners")
		each(func(x any) { add(translate.At(x, "hosts")) }, "spec", "servers")
	case "VirtualService":
		add(translate.At(o.Value, "spec", "hosts"))
	case "Certificate":
		add(translate.At(o.Value, "spec", "dnsNames"))
	}
	for i := range out {
		out[i] = strings.TrimPrefix(out[i], "*.")
	}
	return slices.DeleteFunc(out, func(h string) bool { return !strings.Contains(h, ".") })
}

// ownHosts are the names in DNS that only one region has, and the domains that only it has names in.
func ownHosts(hosts []map[string]bool, i int) (names, domains map[string]bool) {
	all := make([]map[string]bool, len(hosts))
	for j := range hosts {
		all[j] = map[string]bool{}
		for h := range hosts[j] {
			all[j][domain(h)] = true
		}
	}
	only := func(sets []map[string]bool) map[string]bool {
		out := map[string]bool{}
		for s := range sets[i] {
			if !others(sets, i, s) {
				out[s] = true
			}
		}
		return out
	}
	return only(hosts), only(all)
}

var hostName = regexp.MustCompile(`[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)

// withoutHosts puts a neutral word in the place of a region's own names in DNS, and of its domains.
func (n *naming) withoutHosts(s string) string {
	if len(n.hosts) == 0 || !strings.Contains(s, ".") {
		return s
	}
	return hostName.ReplaceAllStringFunc(s, func(h string) string {
		d := domain(h)
		switch {
		case n.hosts[h]:
			return "‹host›"
		case n.domains[d]:
			return strings.TrimSuffix(h, d) + "‹host›"
		}
		return h
	})
}

// domain is the part of a name that somebody has registered, as far as its form tells: two labels, or three below the likes of co.uk.
func domain(host string) string {
	labels := strings.Split(host, ".")
	n := 2
	if len(labels) > 2 && len(labels[len(labels)-1]) == 2 && len(labels[len(labels)-2]) <= 3 {
		n = 3
	}
	return strings.Join(labels[max(len(labels)-n, 0):], ".")
}
