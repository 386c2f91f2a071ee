package gateway

import (
	"fmt"
	"slices"
)

// restrict deals with rules that are for some addresses only. A route cannot say that; a Cloud Armor policy of the Service can, when all
// rules that lead to it name the same addresses. Any other such rule is not written: that leaves outsiders where the ALB leaves them.
func (t *translation) restrict(g *group, c class, rules map[*member][]*rule) {
	for _, m := range g.members {
		for _, r := range rules[m] {
			if len(r.sources) == 0 {
				continue
			}
			key := conditionKey(r)
			if r.act.kind != forward || !t.sameSources(g, rules, r) {
				r.omitted = true
				t.notes.on(m.in.o, key, remark{
					verdict: None, code: "condition-source-ip", row: "inbound-cidrs", evidence: r.sources,
					what: fmt.Sprintf("The rule %s is for some addresses only, which a route cannot say, and a policy of the Service would shut out the clients of its other rules. The rule is not written.", r.label),
					do:   "Give the restricted path a Service of its own, so that a Cloud Armor policy can guard it, or check addresses in the application.",
				})
				continue
			}
			for _, target := range r.act.serving() {
				t.guard(c, m, target.service, r)
			}
			t.notes.on(m.in.o, key, remark{
				verdict: Resource, code: "condition-source-ip", row: "inbound-cidrs", evidence: r.sources,
				what: fmt.Sprintf("The rule %s is for some addresses only: the Service's policy names a Cloud Armor policy that lets them in. Others get 403, where the ALB went on to its next rule.", r.label),
				do:   "Create the security policy before the Gateway gets traffic: without it everybody is let in.",
			})
		}
	}
}

// conditionKey is the annotation by which a rule is restricted.
func conditionKey(r *rule) string {
	return ingressPrefix + "conditions." + r.backend
}

// sameSources says whether all rules to the Services of a rule name the same addresses as it does.
func (t *translation) sameSources(g *group, rules map[*member][]*rule, r *rule) bool {
	for _, m := range g.members {
		for _, other := range rules[m] {
			if namespaceOf(m.in.o) != namespaceOf(r.m.in.o) || slices.Equal(joined(nil, other.sources), joined(nil, r.sources)) {
				continue
			}
			for _, a := range r.act.serving() {
				if slices.ContainsFunc(other.act.serving(), func(b target) bool { return a.service == b.service }) {
					return false
				}
			}
		}
	}
	return true
}

// guard has a Service's policy let in the addresses of a rule only.
func (t *translation) guard(c class, m *member, service string, r *rule) {
	u := t.use(m, service)
	u.own = &armor{name: t.armorName(u.namespace+"-"+service+"-sources", u.String()), scope: c.scope(), object: u.String(), ranges: joined(nil, r.sources)}
}

func prefixedAll(prefix string, list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, prefix+s)
	}
	return out
}

// groupPolicy is what guards a whole load balancer, or nothing.
func (t *translation) groupPolicy(g *group, c class) *armor {
	a := &armor{scope: c.scope(), object: "Gateway " + g.namespace + "/" + g.name}
	groups, _ := t.merged(g, "security-groups")
	for _, s := range []struct {
		suffix, prefix string
		into           *[]string
	}{
		{"inbound-cidrs", "", &a.ranges},
		{"security-group-prefix-lists", "the ranges of prefix list ", &a.lists},
		{"security-groups", "the sources of security group ", &a.lists},
		{"frontend-nlb-security-groups", "the sources of security group ", &a.lists},
		{"wafv2-acl-arn", "rules of ", &a.unknown},
		{"wafv2-acl-name", "rules of ", &a.unknown},
		{"waf-acl-id", "rules of ", &a.unknown},
		{"web-acl-id", "rules of ", &a.unknown},
	} {
		said, by := t.merged(g, s.suffix)
		if groups != "" && by != nil && (s.suffix == "inbound-cidrs" || s.suffix == "security-group-prefix-lists") {
			t.notes.on(by.in.o, ingressPrefix+s.suffix, remark{verdict: Same, code: "inbound-ignored", what: "The controller ignores it beside security-groups, and so does the policy."})
			continue
		}
		for _, v := range csv(said) {
			if by != nil && v != "0.0.0.0/0" && v != "::/0" && v != "none" {
				*s.into = append(*s.into, s.prefix+v)
			}
		}
		if by != nil && s.suffix == "inbound-cidrs" && len(a.ranges) == 0 {
			t.notes.on(by.in.o, ingressPrefix+s.suffix, remark{verdict: Same, code: "inbound-cidrs-open", what: "Everybody is let in, as behind a Gateway without a policy."})
		}
	}
	a.name = t.facts.SecurityPolicies[g.id]
	a.named = a.name != ""
	switch {
	case len(a.detail()) == 0 && !a.named:
		return nil
	case !a.named:
		a.name = t.armorName(g.namespace+"-"+g.name, a.object)
	}
	t.need(Need{Kind: "security-policy", Name: a.name, Scope: a.scope, For: []string{a.object}, Detail: a.detail()})
	return a
}
