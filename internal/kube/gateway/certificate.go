package gateway

import (
	"cmp"
	"fmt"
	"strings"
)

// tls says how an HTTPS listener gets its certificates, and whether it is by a map. A map serves global classes only: on a regional or
// internal one such a Gateway is valid and serves no TLS.
func (t *translation) tls(g *group, c class) (tls fields, byMap bool) {
	tls = mapping()
	var names []string
	var secrets []any
	var missing []string
	for _, key := range g.certificates() {
		cert := t.facts.Certificates[key]
		switch {
		case cert.Secret != "":
			secrets = append(secrets, t.secretRef(g, cert.Secret))
		case !c.global && cert.Name != "":
			names = append(names, cert.Name)
		default:
			missing = append(missing, key)
		}
	}
	gateway := "Gateway " + g.namespace + "/" + g.name
	switch {
	case c.global && (len(missing) > 0 || len(secrets) == 0):
		byMap = t.certificateMap(g) != ""
		t.certificateNotes(g, byMap, missing, fmt.Sprintf("certificate-maps: {%q: NAME}", g.id))
		if byMap {
			t.need(Need{Kind: "certificate-map", Name: t.certificateMap(g), Scope: "global", For: []string{gateway}, Detail: g.certificates()})
		}
	case len(missing) > 0 || len(secrets)+len(names) == 0:
		t.certificateNotes(g, false, missing, fmt.Sprintf("certificates: {%q: {name: NAME}}", strings.Join(missing, ", ")))
	default:
		t.certificateNotes(g, true, nil, "")
	}
	for _, n := range names {
		t.need(Need{Kind: "certificate", Name: n, Scope: "regional", For: []string{gateway}})
	}
	if len(names)+len(secrets) > 0 && !byMap {
		tls.set("mode", "Terminate").set("certificateRefs", secrets)
	}
	if len(names) > 0 {
		tls.set("options", mapping().set("networking.gke.io/cert-manager-certs", strings.Join(names, ",")))
	}
	return tls, byMap
}

func (t *translation) certificateMap(g *group) string {
	return cmp.Or(t.facts.CertificateMaps[g.id], t.facts.CertificateMaps["*"])
}

// certificateNotes says of each member that serves HTTPS whether its certificates are known.
func (t *translation) certificateNotes(g *group, answered bool, missing []string, fact string) {
	for _, m := range g.members {
		annotation := ""
		for _, suffix := range []string{"certificate-arn", "create-acm-cert", "listen-ports"} {
			if _, said := m.in.annotations[ingressPrefix+suffix]; said {
				annotation = ingressPrefix + suffix
				break
			}
		}
		r := remark{verdict: Resource, code: "certificate", row: "certificate"}
		if !answered {
			r.verdict, r.kind, r.code = None, "question", "certificate-unanswered"
			r.what = "Nobody has said which certificate in Google Cloud replaces the ALB's; the listener would serve no TLS."
			r.do = "Issue it with DNS authorization, and add to the facts " + fact
			r.evidence = missing
		}
		if annotation != "" && (answered && annotation == ingressPrefix+"listen-ports") {
			continue
		}
		r = t.notes.filled(annotation, r)
		r.what = cmp.Or(r.what, "Keys that ACM has issued cannot be exported, so the certificates have to be issued anew before the cutover.")
		t.notes.add(m.in.o, annotation, r)
	}
}

// secretRef refers to a Secret, and grants the Gateway that reference where it crosses namespaces.
func (t *translation) secretRef(g *group, secret string) fields {
	namespace, name, _ := strings.Cut(secret, "/")
	ref := mapping().set("name", name)
	if namespace == g.namespace {
		return ref
	}
	from := mapping().set("group", "gateway.networking.k8s.io").set("kind", "Gateway").set("namespace", g.namespace)
	to := mapping().set("group", core{}).set("kind", "Secret").set("name", name)
	spec := mapping().set("from", []any{from}).set("to", []any{to})
	grant := object(grantAPI, "ReferenceGrant", namespace, g.name+"-"+name, mapping(), spec, g.sources()...)
	for i := range t.result.Objects {
		if o := &t.result.Objects[i]; o.Kind == grant.Kind && o.Namespace == grant.Namespace && o.Name == grant.Name {
			return ref.set("namespace", namespace)
		}
	}
	t.result.Objects = append(t.result.Objects, grant)
	return ref.set("namespace", namespace)
}
