package monitor

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/plain"
)

// protected are the labels that Managed Prometheus sets itself, and lets nobody change (its definitions and its operator).
var protected = []string{"project_id", "location", "cluster", "namespace", "job", "instance", "top_level_controller", "top_level_controller_type", "__address__"}

// addressing are the labels by which relabelings change what is scraped.
var addressing = regexp.MustCompile(`^__(address__|scheme__|metrics_path__|param_.*|scrape_interval__|scrape_timeout__)$`)

// metricLabel is a label's name as definitions take it.
var metricLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

const podMeta = "__meta_kubernetes_pod_label_"

// A step is one relabeling, with what Prometheus takes where nothing is said.
type step struct {
	action, separator, target, replacement string
	regex                                  string
	sources                                []string
	plain                                  bool // it only copies: regex and replacement are the usual ones
}

func stepOf(v any) step {
	s := step{
		action: strings.ToLower(cmp.Or(plain.Text(v, "action"), "replace")), separator: ";", target: plain.Text(v, "targetLabel"), replacement: "$1",
		regex: cmp.Or(plain.Text(v, "regex"), "(.*)"), sources: plain.Texts(v, "sourceLabels"),
	}
	m, _ := v.(map[string]any)
	if x, there := m["separator"].(string); there {
		s.separator = x
	}
	if x, there := m["replacement"].(string); there {
		s.replacement = x
	}
	s.plain = slices.Contains([]string{"(.*)", "(.+)"}, s.regex) && slices.Contains([]string{"$1", "${1}"}, s.replacement)
	return s
}

// String says what a relabeling does, in a few words.
func (s *step) String() string {
	text := s.action
	if len(s.sources) > 0 {
		text += " by " + strings.Join(s.sources, ", ")
	} else if s.target == "" {
		text += " by " + s.regex
	}
	if s.target != "" {
		text += " into " + s.target
	}
	return text
}

// relabel sees to the relabelings of targets, which PodMonitoring does not have. Those that give a label whose value is known here, or that pods have, are written
// otherwise; those that choose pods by their labels become requirements of the selector.
func (m *making) relabel(e *endpoint) {
	for i, r := range plain.List(e.spec, "relabelings") {
		path := append(slices.Clone(e.path), "relabelings", fmt.Sprint(i))
		s := stepOf(r)
		re, err := regexp.Compile("^(?s:" + s.regex + ")$")
		if err != nil {
			m.block(path, "Its regular expression cannot be read.", "correct it in the source")
			continue
		}
		if m.relabelKnown(e, path, &s, re) || m.relabelPod(e, path, &s) {
			continue
		}
		switch {
		case addressing.MatchString(s.target):
			m.block(path, "A relabeling decides by labels of the target what is scraped ("+s.target+"). PodMonitoring has no relabeling of targets.", "say path, scheme, port and params in the endpoint itself, in the source; or let it stay with Prometheus")
		case s.action == "keep" || s.action == "keepequal":
			m.block(path, "A relabeling keeps only some targets, by "+orNothing(s.sources)+". PodMonitoring has no relabeling of targets.", "choose the pods by their labels, in the source; or let it stay with Prometheus")
		case s.action == "drop" || s.action == "dropequal":
			m.block(path, "A relabeling leaves targets out, by "+orNothing(s.sources)+". PodMonitoring has no relabeling of targets.", "choose the pods by their labels, in the source; or let it stay with Prometheus")
		case s.action == "replace" && strings.HasPrefix(s.target, "__tmp"):
			m.note(path, "A relabeling keeps something for another in "+s.target+"; that is lost.", "")
		default:
			m.note(path, "A relabeling ("+s.String()+") is lost: PodMonitoring has no relabeling of targets.", "see what reads the label, and let the application or its pods have it")
		}
	}
}

func orNothing(labels []string) string { return cmp.Or(strings.Join(labels, ", "), "nothing") }

// relabelKnown works out a relabeling whose sources have one value for all pods. It says false for others.
func (m *making) relabelKnown(e *endpoint, path []string, s *step, re *regexp.Regexp) bool {
	var values []string
	for _, l := range s.sources {
		v, known := e.known[l]
		if !known && strings.HasPrefix(l, "__meta_kubernetes_service_") && e.known["service"] != "" {
			known = true // the Service has no such label: it is empty
		}
		if !known {
			return false
		}
		values = append(values, v)
	}
	value := strings.Join(values, s.separator)
	at := re.FindStringSubmatchIndex(value)
	switch s.action {
	case "keep":
		e.gone = e.gone || at == nil
	case "drop":
		e.gone = e.gone || at != nil
	case "replace":
		if addressing.MatchString(s.target) {
			return false
		}
		if at != nil {
			m.constant(e, path, s.target, string(re.ExpandString(nil, s.replacement, value, at)))
		}
	default:
		return false
	}
	return true
}

// constant gives all series of an endpoint a label of one value. It is done to the series, for nothing is done to targets.
func (m *making) constant(e *endpoint, path []string, label, value string) {
	switch {
	case slices.Contains(protected, label) || strings.HasPrefix(label, "__") || !metricLabel.MatchString(label):
		if label != "namespace" || value != e.known["namespace"] {
			m.note(path, "It sets the label "+label+", which Managed Prometheus sets itself; that is lost.", "look for it in rules and on dashboards")
		}
	case value == "" && !e.has(label):
	default:
		rule := map[string]any{"action": "replace", "targetLabel": label}
		if value != "" { // without a value the label is taken away
			rule["replacement"] = strings.ReplaceAll(value, "$", "$$")
		}
		m.addMetric(e, rule)
		e.known[label], e.given[label] = value, true
		m.note(nil, "Labels that were the target's are given to its series one by one: up and scrape_* are without them.", "")
	}
}

// has says whether a target may have a label before its relabelings, or by those before this one.
func (e *endpoint) has(label string) bool {
	return e.given[label] || label == "pod" || label == "container" || label == "node" && slices.Contains(e.metadata, "node")
}

func (m *making) addMetric(e *endpoint, rule map[string]any) {
	rules, _ := e.written()["metricRelabeling"].([]any)
	e.value["metricRelabeling"] = append(rules, rule)
}

// relabelPod sees to a relabeling by one label of the pods, or by what else PodMonitoring can tell of them.
func (m *making) relabelPod(e *endpoint, path []string, s *step) bool {
	if len(s.sources) != 1 {
		return false
	}
	source := s.sources[0]
	label, ofPod := strings.CutPrefix(source, podMeta)
	switch {
	case s.action == "replace" && s.plain && ofPod:
		if e.has(s.target) {
			return false
		}
		m.podLabel(e, path, m.podKey(e, label), s.target)
		return true
	case s.action == "replace" && s.plain:
		return m.podPlace(e, source, s.target)
	case (s.action == "keep" || s.action == "drop") && ofPod && literal.MatchString(s.regex):
		key := m.podKey(e, label)
		if key != label || !strings.Contains(label, "_") { // otherwise nobody knows how it is written
			e.keep = append(e.keep, map[string]any{"key": key, "operator": map[string]string{"keep": "In", "drop": "NotIn"}[s.action], "values": anys(strings.Split(strings.Trim(s.regex, "()"), "|"))})
			return true
		}
	}
	return false
}

// literal is a regular expression that is a choice of words.
var literal = regexp.MustCompile(`^(\([A-Za-z0-9_-]+(\|[A-Za-z0-9_-]+)*\)|[A-Za-z0-9_-]+(\|[A-Za-z0-9_-]+)*)$`)

// podKey is how a label of pods is written, of which Prometheus knows only what is left of it as a name; that name, where no pod at hand has it.
func (m *making) podKey(e *endpoint, name string) string {
	found := ""
	for _, n := range sorted(m.pods) {
		if own := e.known["namespace"]; own != "" && own != n {
			continue
		}
		for _, p := range m.pods[n] {
			for _, k := range sorted(p.labels) {
				if labelName(k) == name {
					if found != "" && found != k {
						return name
					}
					found = k
				}
			}
		}
	}
	return cmp.Or(found, name)
}

// podLabel lets series have a label of their pod.
func (m *making) podLabel(e *endpoint, path []string, from, to string) {
	if slices.Contains(protected, to) || strings.HasPrefix(to, "__") || !metricLabel.MatchString(to) {
		m.note(path, "It sets the label "+to+", which Managed Prometheus sets itself; that is lost.", "look for it in rules and on dashboards")
		return
	}
	e.fromPod = append(e.fromPod, map[string]any{"from": from, "to": to})
	e.written()
	e.given[to] = true
	delete(e.known, to)
}

// podPlace lets series have what Managed Prometheus says of a pod, under the name that it has for it.
func (m *making) podPlace(e *endpoint, source, to string) bool {
	name, ok := map[string]string{
		"__meta_kubernetes_namespace": "namespace", "__meta_kubernetes_pod_name": "pod", "__meta_kubernetes_pod_container_name": "container", "__meta_kubernetes_pod_node_name": "node",
	}[source]
	switch {
	case !ok:
		return false
	case e.given[name]:
		return false // it is no longer the pod's
	case name == "node":
		m.withNode(e)
	case e.metadata != nil && !slices.Contains(e.metadata, name) && name != "namespace":
		return false // honorLabels left them out
	}
	if to != name {
		if slices.Contains(protected, to) || !metricLabel.MatchString(to) || strings.HasPrefix(to, "__") {
			return false
		}
		m.addMetric(e, map[string]any{"action": "replace", "sourceLabels": []any{name}, "targetLabel": to})
		e.given[to] = true
		delete(e.known, to)
		m.note(nil, "Labels that were the target's are given to its series one by one: up and scrape_* are without them.", "")
	}
	return true
}

// withNode asks for the label node, beside those that Managed Prometheus gives by itself.
func (m *making) withNode(e *endpoint) {
	if e.metadata == nil {
		e.metadata = []string{"container", "pod", "top_level_controller_name", "top_level_controller_type"}
		if e.known["namespace"] == "" {
			e.metadata = append(e.metadata, "namespace")
		}
	}
	if !slices.Contains(e.metadata, "node") {
		e.metadata = append(e.metadata, "node")
	}
	slices.Sort(e.metadata)
}

// mostRules is how many relabelings of series an endpoint takes (its definition).
const mostRules = 250

// metricRelabel carries the relabelings of series over, as far as Managed Prometheus takes them.
func (m *making) metricRelabel(e *endpoint) {
	for i, r := range plain.List(e.spec, "metricRelabelings") {
		path := append(slices.Clone(e.path), "metricRelabelings", fmt.Sprint(i))
		s := stepOf(r)
		re, err := regexp.Compile("^(?s:" + s.regex + ")$")
		if err != nil {
			m.block(path, "Its regular expression cannot be read.", "correct it in the source")
			continue
		}
		if why := refused(&s, re, r); why != "" {
			m.note(path, "A relabeling of series ("+s.String()+") is lost: "+why+".", "")
			continue
		}
		for _, l := range s.sources {
			switch {
			case l == "instance":
				m.note(path, "A relabeling of series goes by instance, which names the pod from now on.", "see what it is to find, and say it by pod")
			case (l == "service" || l == "endpoint") && e.known[l] != "":
				m.addMetric(e, map[string]any{"action": "replace", "targetLabel": l, "replacement": e.known[l]})
			}
		}
		to := map[string]any{}
		for _, k := range []string{"sourceLabels", "separator", "targetLabel", "regex", "modulus", "replacement"} {
			if x := plain.At(r, k); x != nil {
				to[k] = x
			}
		}
		if plain.Text(r, "action") != "" {
			to["action"] = s.action
		}
		m.addMetric(e, to)
	}
	if rules, _ := e.value["metricRelabeling"].([]any); len(rules) > mostRules {
		m.block(e.path, fmt.Sprintf("It has %d relabelings of series, and PodMonitoring takes %d.", len(rules), mostRules), "join some of them, in the source")
	}
}

// refused says why Managed Prometheus does not take a relabeling of series; nothing where it does.
func refused(s *step, re *regexp.Regexp, r any) string {
	switch s.action {
	case "labelmap":
		return "Managed Prometheus has no labelmap"
	case "labeldrop":
		if plain.At(r, "regex") == nil {
			return "labeldrop needs a regular expression"
		}
		if slices.ContainsFunc(protected, re.MatchString) {
			return "it would drop a label that Managed Prometheus sets"
		}
	case "labelkeep":
		for _, l := range []string{"project_id", "location", "cluster", "namespace", "job", "instance", "__address__"} {
			if !re.MatchString(l) {
				return "it would drop the label " + l + ", which Managed Prometheus sets"
			}
		}
	case "keep", "drop", "keepequal", "dropequal", "replace", "lowercase", "uppercase", "hashmod":
	default:
		return "its action is unknown"
	}
	if s.target != "" && (slices.Contains(protected, s.target) || !metricLabel.MatchString(s.target)) {
		return "it sets the label " + s.target + ", which Managed Prometheus sets itself"
	}
	if slices.ContainsFunc(s.sources, func(l string) bool { return !metricLabel.MatchString(l) }) {
		return "it goes by a label whose name it does not take"
	}
	return ""
}
