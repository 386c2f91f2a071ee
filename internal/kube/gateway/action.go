package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// action is what the ALB does with a request.
type action struct {
	kind     actionKind
	targets  []target
	redirect *redirect
	// key tells actions apart; two with the same key do the same.
	key string
}

type actionKind int

const (
	forward actionKind = iota
	redirecting
	// fixed is a fixed response: a route to a Service that somebody has to make.
	fixed
)

// target is a port of a Service, and its share where there are several.
type target struct {
	service string
	port    int64
	weight  *int64
	// before is the Service that it stands before: one that authenticates, or, when closed, one that does not exist yet.
	before *target
	closed bool
}

// serving are the Services whose policies matter for a target, whether requests reach them yet or not.
func (t *target) serving() []target {
	switch {
	case t.before == nil:
		return []target{*t}
	case t.closed:
		return []target{*t.before}
	}
	return []target{*t, *t.before}
}

// serving are the Services of all targets.
func (a *action) serving() []target {
	var out []target
	for i := range a.targets {
		out = append(out, a.targets[i].serving()...)
	}
	return out
}

// rawAction is the JSON of an annotation actions.NAME.
type rawAction struct {
	Type           string       `json:"type"`
	TargetGroupARN string       `json:"targetGroupARN"`
	RedirectConfig *redirect    `json:"redirectConfig"`
	ForwardConfig  *rawForward  `json:"forwardConfig"`
	Fixed          *rawResponse `json:"fixedResponseConfig"`
}

type rawForward struct {
	TargetGroups []struct {
		TargetGroupARN  string `json:"targetGroupARN"`
		TargetGroupName string `json:"targetGroupName"`
		ServiceName     string `json:"serviceName"`
		ServicePort     any    `json:"servicePort"`
		Weight          *int64 `json:"weight"`
	} `json:"targetGroups"`
	Stickiness *struct {
		Enabled bool `json:"enabled"`
	} `json:"targetGroupStickinessConfig"`
}

type rawResponse struct {
	StatusCode  string `json:"statusCode"`
	ContentType string `json:"contentType"`
	MessageBody string `json:"messageBody"`
}

type redirect struct {
	Host       string `json:"host"`
	Path       string `json:"path"`
	Port       string `json:"port"`
	Protocol   string `json:"protocol"`
	Query      string `json:"query"`
	StatusCode string `json:"statusCode"`
}

// decode reads JSON with numbers as they are written.
func decode(text string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("something stands behind its end")
	}
	return nil
}

// actionOf reads a backend: a Service, or the action of an annotation. There is none, with a finding, where it cannot be said.
func (w *world) actionOf(m *member, b *backend) *action {
	if b.resource || b.service == "" {
		w.notes.about(m.in.o, remark{verdict: None, code: "backend-resource", row: "paths", what: "A backend is no Service; the ALB controller refuses it too.", do: "Name a Service."})
		return nil
	}
	if b.portName != "use-annotation" {
		port, ok := w.port(m, b.service, b.number, b.portName)
		if !ok {
			return nil
		}
		return newAction(m, action{targets: []target{{service: b.service, port: port}}})
	}
	key := ingressPrefix + "actions." + b.service
	said, ok := m.in.annotations[key]
	if !ok {
		w.notes.about(m.in.o, remark{
			verdict: None, code: "action-missing", row: "fixed-response",
			what: fmt.Sprintf("The action %q is not defined: the ALB answers 503.", b.service), do: "Define the action, or remove the path.",
		})
		return newAction(m, action{kind: fixed, targets: []target{{service: b.service, port: 80}}})
	}
	var raw rawAction
	if err := decode(said, &raw); err != nil {
		w.notes.on(m.in.o, key, remark{verdict: None, code: "annotation-invalid", what: "It is no JSON that the controller reads: " + err.Error(), do: "Mend it at the source."})
		return nil
	}
	return w.annotated(m, key, b.service, &raw)
}

func (w *world) annotated(m *member, key, name string, raw *rawAction) *action {
	switch {
	case raw.Type == "forward" && raw.ForwardConfig != nil:
		return w.forwarded(m, key, raw.ForwardConfig)
	case raw.Type == "forward":
		return w.external(m, key, name)
	case raw.Type == "redirect" && raw.RedirectConfig != nil:
		return w.redirected(m, key, raw.RedirectConfig)
	case raw.Type == "fixed-response" && raw.Fixed != nil:
		w.notes.on(m.in.o, key, remark{
			verdict: None, code: "action-fixed-response", row: "fixed-response",
			what:     fmt.Sprintf("The ALB answers %s itself; a Gateway cannot. The route names a Service %s/%s, port 80, that does not exist yet: until it does, such requests fail.", raw.Fixed.StatusCode, namespaceOf(m.in.o), name),
			do:       "Create a small responder under that name, or change the path's backend.",
			evidence: []string{"content type: " + cmp.Or(raw.Fixed.ContentType, "text/plain"), "body: " + strconv.Quote(raw.Fixed.MessageBody)},
		})
		return newAction(m, action{kind: fixed, targets: []target{{service: name, port: 80}}})
	}
	w.notes.on(m.in.o, key, remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("An action of type %q, or without its configuration, is none that the controller knows.", raw.Type), do: "Mend it at the source."})
	return nil
}

func (w *world) forwarded(m *member, key string, raw *rawForward) *action {
	a := action{}
	for _, g := range raw.TargetGroups {
		if g.ServiceName == "" {
			return w.external(m, key, strings.TrimPrefix(key, ingressPrefix+"actions."))
		}
		t := target{service: g.ServiceName, weight: g.Weight}
		number, name := int64(0), ""
		switch p := g.ServicePort.(type) {
		case json.Number:
			number, _ = p.Int64()
		case string:
			if n, err := strconv.ParseInt(p, 10, 64); err == nil {
				number = n
			} else {
				name = p
			}
		}
		var ok bool
		if t.port, ok = w.port(m, t.service, number, name); !ok {
			return nil
		}
		a.targets = append(a.targets, t)
	}
	if raw.Stickiness != nil && raw.Stickiness.Enabled && len(a.targets) > 1 {
		w.notes.on(m.in.o, key, remark{
			verdict: Changed, code: "action-forward-sticky",
			what: "The ALB keeps a client with the Service that it met first; a Gateway draws lots for every request.",
			do:   "Split by a header or a cookie of the application where a client must not change sides.",
		})
	}
	return newAction(m, a)
}

// external is a target group that the cluster does not manage. Its Service gets the policies of any other, for one day it exists.
func (w *world) external(m *member, key, name string) *action {
	w.notes.on(m.in.o, key, remark{
		verdict: None, code: "action-target-group", what: fmt.Sprintf("It sends to a target group of AWS that no Service stands for. A Service %s/%s, port 80, is to stand for it, and does not exist yet.", namespaceOf(m.in.o), name),
		do: "Create a Service under that name for what is behind the target group (a Service without selector with EndpointSlices, or a workload that moves).",
	})
	return newAction(m, action{targets: []target{{service: name, port: 80}}})
}

var plainPath = regexp.MustCompile(`^/[^#{}]*$`)

// redirected reads a redirect; what cannot be said by a RequestRedirect is a finding, and no action.
func (w *world) redirected(m *member, key string, r *redirect) *action {
	bad := ""
	switch {
	case r.Query != "" && r.Query != "#{query}":
		bad = "query"
	case r.Path != "" && r.Path != "/#{path}" && !plainPath.MatchString(r.Path):
		bad = "path"
	case r.Host != "" && r.Host != "#{host}" && (!hostName.MatchString(strings.ToLower(r.Host)) || strings.HasPrefix(r.Host, "*")):
		bad = "host"
	}
	if bad != "" {
		w.notes.on(m.in.o, key, remark{
			verdict: None, code: "redirect-template", row: "redirect", what: fmt.Sprintf("The redirect computes its %s from the request, which a RequestRedirect cannot. The rule is not written.", bad),
			do: "Redirect in the application, or write one route per host or path.",
		})
		return nil
	}
	w.notes.on(m.in.o, key, remark{verdict: Same, code: "action-redirect", row: "redirect", what: "The redirect becomes a RequestRedirect filter."})
	return newAction(m, action{kind: redirecting, redirect: r})
}

func newAction(m *member, a action) *action {
	var b strings.Builder
	if a.redirect != nil {
		fmt.Fprintf(&b, "redirect %+v", *a.redirect)
	} else {
		b.WriteString(namespaceOf(m.in.o))
	}
	for _, t := range a.targets {
		fmt.Fprintf(&b, " %s:%d", t.service, t.port)
		if t.weight != nil && len(a.targets) > 1 {
			fmt.Fprintf(&b, "*%d", *t.weight)
		}
	}
	a.key = b.String()
	return &a
}

// loops says whether a redirect would send a request of this listener to itself: the controller leaves such a rule out there, which is
// how one Ingress may redirect from HTTP to HTTPS and serve both.
func (r *redirect) loops(rl *rule, l listener) bool {
	var paths []string
	for _, m := range rl.matches {
		paths = append(paths, m.path)
	}
	same := func(said, template string, own ...string) bool {
		return said == "" || said == template || slices.Contains(own, said)
	}
	return same(r.Host, "#{host}", rl.hosts...) && same(r.Path, "/#{path}", paths...) &&
		same(r.Port, "#{port}", strconv.FormatInt(l.port, 10)) && same(r.Protocol, "#{protocol}", l.protocol) && same(r.Query, "#{query}")
}
