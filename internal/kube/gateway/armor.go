package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// armor is what a Cloud Armor policy must contain, as far as the sources tell.
type armor struct {
	name   string
	scope  string
	object string // that it is for
	// ranges and lists are alternatives: whoever is in none of them is shut out, unless both are empty.
	ranges, lists []string
	// unknown are rules that only people can read, such as those of a web ACL.
	unknown []string
	// named says that it is there already, by a name of the facts: it may contain more.
	named bool
}

func (a *armor) restricts() bool { return len(a.ranges)+len(a.lists) > 0 }

// detail is what a policy for this alone must contain.
func (a *armor) detail() []string {
	return slices.Concat(prefixedAll("allow ", a.ranges), prefixedAll("allow ", a.lists), a.unknown)
}

// guardedBy finds the one policy of a Service that is as strict as everything that guards it on AWS. A GCPBackendPolicy names one policy, and
// on AWS a request passes the load balancer's and the rule's own.
func (t *translation) guardedBy(u *use) string {
	all, alike := t.armors(u)
	named := t.facts.ServiceSecurityPolicies[u.namespace+"/"+u.name]
	name := named
	switch {
	case len(all) > 1:
		name = t.combined(u, all, named)
	case len(all) == 1:
		name = cmp.Or(named, all[0].name)
		t.need(Need{Kind: "security-policy", Name: name, Scope: all[0].scope, For: []string{all[0].object}, Detail: all[0].detail()})
	case named != "":
		t.need(Need{Kind: "security-policy", Name: name, Scope: u.scope, For: []string{u.String()}})
	}
	if !alike {
		t.notes.about(u.m.in.o, remark{
			verdict: None, code: "security-policy-shared", row: "inbound-cidrs", kind: "question",
			what: fmt.Sprintf("%s is behind several Ingresses, which let different clients in. The ALB has a target group for each; on GKE the policy belongs to the Service, and %s guards it for all of them: some clients of today are shut out.", u, name),
			do:   "Make them agree, or give each a Service of its own with the same selector.",
		})
	}
	return name
}

// armors are all that guards a Service, and whether it is the same for every Ingress before it.
func (t *translation) armors(u *use) (all []*armor, alike bool) {
	alike = true
	var first []*armor
	seen := false
	for _, other := range t.uses {
		if len(other.ports) == 0 || other.String() != u.String() {
			continue
		}
		var here []*armor
		for _, a := range []*armor{other.own, other.armor} {
			if a != nil {
				here = append(here, a)
			}
		}
		if !seen {
			first, seen = here, true
		}
		alike = alike && slices.EqualFunc(first, here, (*armor).same)
		for _, a := range here {
			if !slices.ContainsFunc(all, a.same) {
				all = append(all, a)
			}
		}
	}
	return all, alike
}

// same says whether two guard alike; one that the facts name is like itself only.
func (a *armor) same(b *armor) bool {
	return a.scope == b.scope && slices.Equal(a.detail(), b.detail()) && (a.name == b.name || !a.named && !b.named)
}

// combined asks for one policy in the place of several.
func (t *translation) combined(u *use, all []*armor, named string) string {
	detail, unknown := conjunction(all)
	var scopes []string
	for _, a := range all {
		scopes = append(scopes, a.scope)
	}
	contents, name := joined(detail, unknown), cmp.Or(named, t.armorName(u.namespace+"-"+u.name+"-combined", u.String()))
	if named != "" || len(unknown) == 0 {
		t.notes.about(u.m.in.o, remark{
			verdict: Resource, code: "security-policy-combined", row: "inbound-cidrs", evidence: contents,
			what: fmt.Sprintf("%s is guarded by more than one thing on AWS, and its policy on GKE names one Cloud Armor policy: %s, which must combine them.", u, name),
			do:   "Create the security policy as the list of resources says before the Gateway gets traffic: without it everybody is let in.",
		})
	} else {
		name, contents = t.armorName(u.namespace+"-"+u.name+"-sources", u.String()), detail
		if len(detail) == 0 {
			name, contents = all[0].name, all[0].detail()
		}
		t.uncombined(u, name, unknown)
	}
	for _, scope := range joined(nil, scopes) {
		t.need(Need{Kind: "security-policy", Name: name, Scope: scope, For: []string{u.String()}, Detail: contents})
	}
	return name
}

// armorName makes a name of a policy that no other owner has: namespaces and names may end and begin alike.
func (t *translation) armorName(name, owner string) string {
	name = strings.ReplaceAll(name, ".", "-")
	base := name
	for n := 2; t.armorNames[name] != "" && t.armorNames[name] != owner; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	if t.armorNames == nil {
		t.armorNames = map[string]string{}
	}
	t.armorNames[name] = owner
	return name
}

// uncombined notes that a policy lacks rules that nobody can read here.
func (t *translation) uncombined(u *use, name string, unknown []string) {
	key := u.namespace + "/" + u.name
	t.notes.about(u.m.in.o, remark{
		verdict: None, code: "security-policy-uncombined", row: "waf", evidence: unknown,
		what: fmt.Sprintf("%s is guarded by more than one thing on AWS, and its policy on GKE names one Cloud Armor policy. They cannot be combined here, for some of their rules are not known. It names %s, the strictest that is known, which lacks rules of the others.", u, name),
		do:   fmt.Sprintf("Write one policy that denies by those rules first and then lets in what the list of resources says of %s, and name it in the facts, as service-security-policies: {%q: …}; or give each path that is guarded by itself a load balancer without the others.", name, key),
	})
}

// conjunction says what a policy contains that lets in only what all of some let in: ranges are intersected; lists that are known by their name only are
// told as conditions, and rules that nobody can read are returned beside.
func conjunction(all []*armor) (detail, unknown []string) {
	var ranges []string
	var also []string
	restricted := false
	for _, a := range all {
		unknown = append(unknown, a.unknown...)
		if a.named {
			unknown = append(unknown, "rules of the policy "+a.name)
		}
		switch {
		case !a.restricts():
		case len(a.lists) > 0:
			also = append(also, "of those that are let in, only what is also in: "+strings.Join(joined(a.ranges, a.lists), ", "))
		case !restricted:
			ranges, restricted = a.ranges, true
		default:
			ranges = intersection(ranges, a.ranges)
		}
	}
	switch {
	case restricted && len(ranges) > 0:
		detail = prefixedAll("allow ", ranges)
	case restricted:
		detail, also = []string{"allow nobody: the ranges have no address in common"}, nil
	case len(also) == 0:
		return nil, joined(nil, unknown)
	}
	return joined(append(detail, "deny all others"), also), joined(nil, unknown)
}

// intersection is what two lists of ranges have in common. What is no range is in common with itself.
func intersection(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			p, err1 := netip.ParsePrefix(x)
			q, err2 := netip.ParsePrefix(y)
			switch {
			case x == y:
				out = append(out, x)
			case err1 != nil || err2 != nil || !p.Overlaps(q):
			case p.Bits() >= q.Bits():
				out = append(out, x)
			default:
				out = append(out, y)
			}
		}
	}
	return joined(nil, out)
}
