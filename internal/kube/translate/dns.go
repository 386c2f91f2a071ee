package translate

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dnsAndSecrets are the rows about names, certificates and secrets.
func dnsAndSecrets() []Rule {
	return []Rule{
		{ID: "dns-external-dns", Source: "external-dns with --provider=aws", Target: "--provider=google, an owner of its own, upsert-only", Verdict: Changed, Apply: externalDNS},
		{ID: "dns-record-annotations", Source: "external-dns.(alpha.)kubernetes.io/aws-*, set-identifier, alias", Target: "dropped; weights are record sets of Cloud DNS", Verdict: Changed, Apply: recordAnnotations},
		{ID: "dns-kops-records", Source: "dns.alpha.kubernetes.io/{external,internal} of kops", Target: "external-dns.alpha.kubernetes.io/hostname", Verdict: Changed, Apply: kopsRecords},
		{ID: "dns-config", Source: "dnsConfig with resolvers of AWS and of the old cluster", Target: "removed", Verdict: Mechanical, Apply: dnsConfig},
		{ID: "dns-cert-manager", Source: "cert-manager dns01 solver route53", Target: "cloudDNS", Verdict: Changed, Kinds: []string{"Issuer", "ClusterIssuer"}, Apply: issuer},
		{ID: "secret-store", Source: "SecretStore, ClusterSecretStore with provider aws", Target: "provider gcpsm", Verdict: Changed, Kinds: []string{"SecretStore", "ClusterSecretStore"}, Apply: secretStore},
		{ID: "secret-external", Source: "ExternalSecret with names of AWS", Target: "names of Secret Manager", Verdict: Changed, Kinds: []string{"ExternalSecret"}, Apply: externalSecret},
		{ID: "secret-csi", Source: "SecretProviderClass with provider aws, and the pods that mount it", Target: "provider gcp; an ExternalSecret and a volume of its Secret, where parts are picked by jmesPath", Verdict: Changed, Apply: secretFiles},
		{ID: "secret-sealed", Source: "SealedSecret", Target: "unchanged, with the controller's key", Verdict: Resource, Kinds: []string{"SealedSecret"}, Apply: sealed},
	}
}

func externalDNS(w *work) {
	w.containers(func(path []string, c map[string]any) {
		args, _ := c["args"].([]any)
		aws := false
		for _, a := range args {
			aws = aws || a == "--provider=aws"
		}
		if !aws {
			return
		}
		owner, project := w.in.Decisions.DNSOwner, w.in.Decisions.Project
		was := ""
		var to []any
		for _, a := range args {
			s, _ := a.(string)
			flag, value, _ := strings.Cut(s, "=")
			switch {
			case flag == "--provider", flag == "--policy", flag == "--google-project", strings.HasPrefix(flag, "--aws-"):
				continue
			case flag == "--txt-owner-id":
				was = value
				continue
			}
			to = append(to, a)
		}
		if owner == "" || owner == was {
			w.at(join(path, "args")...).asks("Two external-dns with one owner ("+orWord(was, "default")+") delete each other's records. What is the new one called?", "dns-owner: NAME")
			owner = "OPEN"
		}
		if project == "" {
			w.asks("In which project are the zones of Cloud DNS?", "project: NAME")
			project = "OPEN"
		}
		to = append(to, "--provider=google", "--google-project="+project, "--txt-owner-id="+owner, "--policy=upsert-only")
		w.set("zones of Cloud DNS, an owner of its own, and nothing is deleted during the move", to, join(path, "args")...)
		w.at(join(path, "args")...).note("It writes to Cloud DNS as "+owner+" and deletes nothing. Cloud DNS has no ALIAS: records name addresses.", "give --policy=sync back after the move, in overrides/")
	})
}

// A recorder is what the source's own external-dns does, if the source has one.
type recorder struct {
	// there says that it is among the objects, so that it is quiet where they are.
	there bool
	// templates says that it makes names for Services that do not ask for one, and inner that it does so for those without a load balancer too.
	templates, inner bool
}

func (r *recorder) learn(spec any) {
	containers, _ := at(spec, []string{"containers"}).([]any)
	for _, c := range containers {
		if !strings.Contains(text(c, "image"), "external-dns") {
			continue
		}
		r.there = true
		args, _ := at(c, []string{"args"}).([]any)
		for _, a := range args {
			s, _ := a.(string)
			r.templates = r.templates || strings.HasPrefix(s, "--fqdn-template")
			r.inner = r.inner || strings.HasPrefix(s, "--publish-internal-services")
		}
	}
}

// names says whether it would make a name for a Service by itself.
func (r *recorder) names(service map[string]any) bool {
	return r.templates && (r.inner || text(service, "spec", "type") == "LoadBalancer" || text(service, "spec", "clusterIP") == "None")
}

// kopsKeys are what the dns-controller of kops reads from Services and pods.
var kopsKeys = []string{"dns.alpha.kubernetes.io/external", "dns.alpha.kubernetes.io/internal"}

// kopsRecords hands the names of a Service over from the dns-controller of kops, which is left behind, to external-dns.
func kopsRecords(w *work) {
	if name, _ := w.annotation(kopsKeys[0]); name != "" && w.Kind == "Service" {
		const key = "external-dns.alpha.kubernetes.io/hostname"
		w.at(join(annotations, kopsKeys[0])...).note("The dns-controller of kops wrote the record "+name+"; external-dns writes it from now on.",
			"the old one goes on writing it in Route 53 until the mirror takes it away: delegate the zone to Cloud DNS by then, or change the record there by hand")
		if _, there := w.annotation(key); !there {
			w.set("external-dns reads it", name, join(annotations, key)...)
		}
		w.remove("only the dns-controller of kops reads it", join(annotations, kopsKeys[0])...)
	}
	places := [][]string{annotations}
	for _, spec := range w.pods() {
		places = append(places, join(podMeta(spec), "annotations"))
	}
	for _, place := range places {
		for _, k := range kopsKeys {
			if name := w.text(join(place, k)...); name != "" {
				w.at(join(place, k)...).note("The dns-controller of kops wrote "+name+" for the addresses of nodes, which nobody does on GKE.", "give clients the name of a Service of type LoadBalancer, internal where they are inside")
				w.remove("only the dns-controller of kops reads it", join(place, k)...)
			}
		}
	}
}

var recordKey = regexp.MustCompile(`^external-dns\.(alpha\.)?kubernetes\.io/(aws-.*|set-identifier|alias)$`)

func recordAnnotations(w *work) {
	var found []string
	for _, k := range keys(w.mapping(annotations...)) {
		if recordKey.MatchString(k) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return
	}
	w.at(join(annotations, found[0])...).note("Weights, health checks and aliases of Route 53 are dropped: "+strings.Join(found, ", ")+".", "weights are routing policies of Cloud DNS (gcloud dns record-sets create --routing-policy-type=WRR); instead of an alias name a reserved address")
	w.take("only Route 53 knows it", found)
}

// resolvers are addresses that only answer on AWS or in the old cluster: the VPC's, those of EKS, and that of kops.
var resolvers = map[any]bool{"169.254.169.253": true, "10.100.0.10": true, "172.20.0.10": true, "100.64.0.10": true}

func dnsConfig(w *work) {
	for _, spec := range w.pods() {
		path := join(spec, "dnsConfig", "nameservers")
		list := w.list(path...)
		for i, address := range slices.Backward(list) {
			if resolvers[address] {
				w.remove("it answers on AWS only", join(path, strconv.Itoa(i))...)
			}
		}
		if len(list) > 0 && len(w.list(path...)) == 0 {
			w.remove("none is left", path...)
			if w.text(join(spec, "dnsPolicy")...) == "None" {
				w.set("without a resolver of its own the pod needs the cluster's", "ClusterFirst", join(spec, "dnsPolicy")...)
			}
		}
	}
}

func issuer(w *work) {
	if w.Group != "cert-manager.io" {
		return
	}
	for i, s := range w.list("spec", "acme", "solvers") {
		if at(s, []string{"dns01", "route53"}) == nil {
			continue
		}
		path := []string{"spec", "acme", "solvers", strconv.Itoa(i), "dns01"}
		if w.in.Decisions.Project == "" {
			w.at(join(path, "route53")...).asks("In which project are the zones of Cloud DNS?", "project: NAME")
			continue
		}
		w.remove("zones are in Cloud DNS", join(path, "route53")...)
		w.set("zones are in Cloud DNS", map[string]any{"project": w.in.Decisions.Project}, join(path, "cloudDNS")...)
		w.note("It proves names by Cloud DNS, which the world asks only once the zones are delegated there.", "issue certificates before the switch, with a zone for _acme-challenge that is delegated already; cert-manager's service account needs roles/dns.admin")
	}
}

func secretStore(w *work) {
	if !strings.HasPrefix(w.Group, "external-secrets.io") || w.mapping("spec", "provider", "aws") == nil {
		return
	}
	if w.in.Decisions.Project == "" {
		w.at("spec", "provider", "aws").asks("In which project is Secret Manager?", "project: NAME")
		return
	}
	to := map[string]any{"projectID": w.in.Decisions.Project}
	if ref := w.mapping("spec", "provider", "aws", "auth", "jwt", "serviceAccountRef"); ref != nil {
		to["auth"] = map[string]any{"workloadIdentity": map[string]any{"serviceAccountRef": clone(ref)}}
	}
	service := w.text("spec", "provider", "aws", "service")
	w.remove("secrets are in Secret Manager", "spec", "provider", "aws")
	w.set("secrets are in Secret Manager", to, "spec", "provider", "gcpsm")
	w.note("It reads Secret Manager of "+w.in.Decisions.Project+" where it read "+orWord(service, "AWS")+".", "copy the secrets before it is applied; its service account needs roles/secretmanager.secretAccessor")
}

var notInSecret = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// secretName is what a secret is called in Secret Manager, which knows letters, digits, _ and - only.
func (w *work) secretName(name string) string {
	if to := w.in.Decisions.Secrets[name]; to != "" {
		return to
	}
	return strings.Trim(notInSecret.ReplaceAllString(name, "-"), "-")
}

func externalSecret(w *work) {
	var refs [][]string
	for i := range w.list("spec", "data") {
		refs = append(refs, []string{"spec", "data", strconv.Itoa(i), "remoteRef"})
	}
	for i := range w.list("spec", "dataFrom") {
		refs = append(refs, []string{"spec", "dataFrom", strconv.Itoa(i), "extract"})
	}
	var renamed []string
	for _, ref := range refs {
		if v := w.text(join(ref, "version")...); v == "AWSCURRENT" {
			w.set("Secret Manager calls it so", "latest", join(ref, "version")...)
		} else if strings.HasPrefix(v, "AWS") || strings.HasPrefix(v, "uuid/") {
			w.at(join(ref, "version")...).blocks("It reads the version "+v+", which Secret Manager does not have.", "store that version under a name of its own, and name it")
		}
		key := w.text(join(ref, "key")...)
		if to := w.secretName(key); key != "" && to != key {
			w.set("names of Secret Manager have letters, digits, _ and - only", to, join(ref, "key")...)
			renamed = append(renamed, key+" -> "+to)
		}
	}
	if len(renamed) > 0 {
		w.note("Its secrets have other names: "+strings.Join(renamed, ", ")+".", "create them by these names, or say others in "+w.in.File+":\nsecrets: {NAME: NAME}")
	}
}

func sealed(w *work) {
	w.needs("Only the controller that holds the key can open it.", "carry the key to the new cluster before the controller starts there: kubectl get secret -n kube-system -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml")
}
