package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/plain"
	"github.com/bascule/bascule/internal/kube/translate"
)

// state says what an object was held to.
type state int

const (
	// unknown: there is no schema of its kind at hand.
	unknown state = iota
	// settled: it was held to a schema, or no server would take it in any form.
	settled
)

// schema holds an object to the schema of its kind, if the target has such a kind.
func (r *run) schema(ctx context.Context, l *log) state {
	o := l.o
	if gone := r.Profile.RemovedIn(o.APIVersion(), o.Kind, r.Version); gone != nil {
		what := gone.Gone() + ": " + gone.Instead() + " stands in its place."
		do := "write it for " + gone.Instead()
		if gone.Now == "" {
			do = "remove it"
		}
		if gone.Note != "" {
			do += ": " + gone.Note
		}
		l.add("api-removed", finding.Blocker, []string{"apiVersion"}, what, do, application)
		return settled
	}
	if found, served := r.Kinds.Check(o.Group, o.Version, o.Kind, o.Value); served {
		for _, p := range found {
			code, severity := codeOf(p.What), finding.Blocker
			if p.Tolerated {
				code, severity = "schema-duplicate", finding.Warning
			}
			l.add(code, severity, p.Path, dotted(p.Path)+": "+p.What+".", "kubectl explain "+explained(o.Kind, p.Path)+" says what Kubernetes takes", application)
		}
		if strings.Contains(o.Version, "alpha") {
			l.add("api-alpha", finding.Warning, []string{"apiVersion"}, "GKE serves "+o.APIVersion()+" in alpha clusters only, which live for 30 days.", "use a beta or stable version of the API, or do without", application)
		}
		l.selector()
		return settled
	}
	if r.Kinds.Group(o.Group) {
		l.add("api-not-served", finding.Blocker, []string{"kind"}, fmt.Sprintf("Kubernetes %s has no %s in %s.", r.Kinds.Minor, o.Kind, o.APIVersion()), "look for a misspelling, or for the version that has it: kubectl api-resources", application)
		return settled
	}
	if translate.AWSGroup(o.Group) {
		l.add("leftover-api", finding.Blocker, []string{"apiVersion"}, "Nothing on GKE reads "+o.APIVersion()+".", "remove it, or write what is to stand for it", operator)
	}
	return r.custom(ctx, l)
}

// custom holds an object to its definition, if that is at hand.
func (r *run) custom(ctx context.Context, l *log) state {
	v, err := r.Definitions.Check(ctx, "", l.o.Value)
	if err != nil {
		l.add("schema-broken", finding.Warning, []string{"kind"}, "It cannot be checked: "+err.Error()+".", "mend the definition", operator)
		return unknown
	}
	if !v.Checked {
		return unknown
	}
	for _, p := range v.Problems {
		path := steps(p.Path)
		what := p.Bare + "."
		if p.Path != "" {
			what = p.Path + ": " + what
		}
		l.add(codeOf(p.What), finding.Blocker, path, what, "kubectl explain "+explained(l.o.Kind, path)+", on a cluster that has it, says what it takes", application)
	}
	return settled
}

func codeOf(what string) finding.Code {
	switch {
	case strings.HasPrefix(what, "unknown field"):
		return "schema-unknown-field"
	case strings.HasPrefix(what, "it is required"), strings.HasPrefix(what, "Required value"):
		return "schema-required"
	case strings.HasPrefix(what, "another element"), strings.HasPrefix(what, "the element stands twice"), strings.HasPrefix(what, "Duplicate value"):
		return "schema-duplicate"
	}
	return "schema-invalid"
}

// selector holds the selector of a workload to the labels of its pods: a server refuses what does not select its own.
func (l *log) selector() {
	spec := mapping(l.o.Value, "spec")
	if spec["template"] == nil || l.o.Group != "apps" {
		return
	}
	labels := mapping(spec, "template", "metadata", "labels")
	if sel := mapping(spec, "selector"); sel != nil && !plain.Selects(sel, texts(labels)) {
		l.add("selector-mismatch", finding.Blocker, []string{"spec", "selector"}, "Its selector does not select its own pods: a server refuses it.", "give spec.template.metadata.labels what spec.selector asks for", application)
	}
}

// dotted writes a path as people do: spec.containers[0].image.
func dotted(path []string) string {
	var b strings.Builder
	for i, s := range path {
		switch {
		case number(s) && i > 0:
			b.WriteString("[" + s + "]")
		case strings.ContainsAny(s, "./"):
			b.WriteString("[" + s + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

func number(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// explained is what kubectl explain takes: the path to what holds the place, without indexes.
func explained(kind string, path []string) string {
	out := []string{strings.ToLower(kind)}
	for i, s := range path {
		if i == len(path)-1 && i > 0 || strings.ContainsAny(s, "./") {
			break
		}
		if !number(s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, ".")
}

// steps reads a path such as spec.labels[0].text, or metadata.annotations[a.b/c].
func steps(path string) []string {
	var out []string
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			inner, rest, ok := strings.Cut(path[1:], "]")
			if !ok {
				return append(out, path)
			}
			out, path = append(out, inner), rest
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			out, path = append(out, path[:end]), path[end:]
		}
	}
	return out
}
