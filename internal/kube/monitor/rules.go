package monitor

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/bascule/bascule/internal/kube/plain"
)

// scoped are the labels by which Managed Prometheus holds rules to their cluster. A rule that asks for another value of one is refused (its operator).
var scoped = []string{"project_id", "location", "cluster"}

// rules carries the groups of a PrometheusRule over. Rules see the series of their own namespace only, so they are written only where all expressions ask
// for no other; ClusterRules see those of the cluster, as Prometheus did.
func (m *making) rules() {
	m.unknown(plain.Mapping(m.o.Value, "spec"), []string{"spec"}, "groups")
	var groups []any
	own, alerts := m.o.Namespace != "", false
	for i, g := range plain.List(m.o.Value, "spec", "groups") {
		path := []string{"spec", "groups", strconv.Itoa(i)}
		group, _ := g.(map[string]any)
		m.unknown(group, path, "name interval rules labels partial_response_strategy")
		interval := plain.Text(group, "interval")
		if interval == "" {
			interval = m.evaluation
		}
		var rules []any
		for j, r := range plain.List(group, "rules") {
			rule, _ := r.(map[string]any)
			in := append(slices.Clone(path), "rules", strconv.Itoa(j))
			to := m.rule(rule, plain.Mapping(group, "labels"), in)
			rules = append(rules, to)
			alerts = alerts || to["alert"] != nil
			own = own && within(plain.Text(to, "expr"), m.o.Namespace) && plain.Mapping(to, "labels")["namespace"] == nil
		}
		if len(rules) > 0 {
			groups = append(groups, map[string]any{"name": plain.Text(group, "name"), "interval": interval, "rules": rules})
		}
	}
	if len(groups) == 0 {
		m.block([]string{"spec"}, "It has no rules.", "remove it in the source")
		return
	}
	kind, namespace, name := "ClusterRules", "", m.o.Name
	if own {
		kind, namespace = "Rules", m.o.Namespace
	} else if m.o.Namespace != "" {
		name = m.o.Namespace + "-" + name
	}
	m.make(kind, namespace, name, map[string]any{"groups": groups})
	if kind == "ClusterRules" {
		m.note(nil, "ClusterRules "+name+" stands for it, for Rules would see the series of its namespace only. Its series and alerts have the labels project_id, location and cluster besides.",
			"where it is about its own namespace alone, write namespace=\""+m.o.Namespace+"\" into every selector, and it becomes Rules that its team may change")
	} else {
		m.note(nil, "Rules of the same name stand for it. Their series and alerts have the labels project_id, location, cluster and namespace besides.", "see that the routes of Alertmanager do not mind")
	}
	if alerts {
		m.need("Alerts of Managed Prometheus go to the Alertmanager that its OperatorConfig names, and to none as long as it names none.", "kubectl -n gmp-public edit operatorconfig config: rules.alerting.alertmanagers, or managedAlertmanager with its configuration")
	}
}

func (m *making) rule(r, shared map[string]any, path []string) map[string]any {
	to := map[string]any{"expr": fmt.Sprint(plain.At(r, "expr"))}
	for _, k := range []string{"alert", "record", "for", "annotations"} {
		if x := plain.At(r, k); x != nil && x != "" {
			to[k] = x
		}
	}
	labels := maps.Clone(shared)
	if labels == nil {
		labels = map[string]any{}
	}
	maps.Copy(labels, plain.Mapping(r, "labels"))
	if len(labels) > 0 {
		to["labels"] = labels
	}
	name := plain.Text(r, "alert") + plain.Text(r, "record")
	if x := plain.Text(r, "keep_firing_for"); x != "" {
		m.note(append(slices.Clone(path), "keep_firing_for"), fmt.Sprintf("%s goes on firing for %s once its cause is gone (keep_firing_for); that is lost, so it may come and go.", name, x), "give its expression a longer range, such as max_over_time")
	}
	m.unknown(r, path, "alert record expr for labels annotations keep_firing_for")
	for _, l := range scoped {
		if _, there := labels[l]; there || matcher(l).MatchString(plain.Text(to, "expr")) {
			m.block(path, name+" says the label "+l+", which Managed Prometheus sets itself: it refuses the rule.", "take the label out of the rule in the source, or write GlobalRules into overrides/")
		}
	}
	for _, l := range []string{"service", "endpoint", "instance"} {
		if matcher(l).MatchString(plain.Text(to, "expr")) {
			m.note(path, name+" asks for the label "+l+", which series of Managed Prometheus do not have as before: it may never fire.", "ask for job, pod or namespace instead, in the source")
		}
	}
	return to
}

// matcher finds a label in braces of an expression.
func matcher(label string) *regexp.Regexp {
	return regexp.MustCompile(`[{,]\s*` + label + `\s*(=|!=|=~|!~)`)
}

// words are the ones of PromQL that stand for no series, with those that take labels in parentheses.
var words = fields(`and or unless bool offset on ignoring group_left group_right by without start end inf nan atan2 sum avg min max count stddev stdvar group
topk bottomk quantile count_values limitk limit_ratio`)

var (
	token     = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|\\{[^{}]*\\}|\\[[^\\]]*\\]|[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9][0-9a-zA-Z.]*|[()]|\\s+|.")
	labelList = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)`)
	oneName   = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
)

// within says whether all series that an expression asks for are of one namespace by what it says itself. It says false where it cannot tell.
func within(expr, namespace string) bool {
	expr = labelList.ReplaceAllString(expr, "$1")
	own := regexp.MustCompile(`[{,]\s*namespace\s*=\s*"` + regexp.QuoteMeta(namespace) + `"\s*[,}]`)
	tokens := token.FindAllString(expr, -1)
	tokens = slices.DeleteFunc(tokens, func(t string) bool { return t[0] == ' ' || t[0] == '\n' || t[0] == '\t' || t[0] == '\r' })
	for i, t := range tokens {
		next := ""
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		switch {
		case t[0] == '{':
			if !own.MatchString(t) {
				return false
			}
		case t == "#", t == "}":
			return false // a comment, or braces within a text: not worth reading
		case oneName.MatchString(t) && next != "(" && (next == "" || next[0] != '{') && !words[t]:
			return false // a series without braces
		}
	}
	return true
}
