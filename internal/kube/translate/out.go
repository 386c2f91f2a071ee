package translate

import (
	"regexp"
	"strings"

	"github.com/bascule/bascule/internal/finding"
)

// leftOut are the objects that the target does not get, or whose text the tree does not.
func leftOut() []Rule {
	return []Rule{
		{
			ID: "object-name", Source: "an object without a name (generateName)", Target: "left out: GitOps cannot apply it twice", Verdict: None,
			Apply: func(w *work) {
				if w.Name == "" {
					w.at("metadata").blocks("It has no name, so nothing can say whether it is there already; it is left out.", "give it a name, or start it by other means than the tree")
					w.hold("it has no name")
				}
			},
		},
		{ID: "dns-coredns", Source: "the Corefile of CoreDNS", Target: "kube-dns stubDomains, Cloud DNS forwarding zones, or NodeLocal DNSCache", Verdict: None, Kinds: []string{"ConfigMap"}, Apply: coredns},
		{ID: "addon-left", Source: "system add-ons of the old platform", Target: "left behind, by name", Verdict: Mechanical, Kinds: addonKinds, Apply: addon},
		{ID: "secret-sops", Source: "a Secret that SOPS has encrypted", Target: "left out until it is encrypted with a key of Cloud KMS", Verdict: Resource, Apply: sops},
		{ID: "image-ecr-login", Source: "a CronJob or Secret that logs in to ECR", Target: "left behind: nodes pull from Artifact Registry by their identity", Verdict: Mechanical, Kinds: []string{"CronJob", "Job", "Secret"}, Apply: registryLogin},
		{ID: "secret-value", Source: "a Secret with values", Target: "ExternalSecret, from the store that secret-store names", Verdict: Resource, Kinds: []string{"Secret"}, Apply: secretValue},
		{ID: "object-printed", Source: "an object as a cluster prints it (kubectl get -o yaml)", Target: "without uid, resourceVersion, managedFields, owners and what kubectl applied last", Verdict: Mechanical, Apply: printed},
		{ID: "secret-in-clear", Source: "a secret's value in env, a ConfigMap or an argument", Target: "left out until it comes from a Secret", Verdict: None, Apply: secretInClear},
	}
}

var addonKinds = []string{
	"Deployment", "DaemonSet", "StatefulSet", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service", "ConfigMap",
	"PodDisruptionBudget", "ServiceMonitor", "HorizontalPodAutoscaler", "NetworkPolicy",
}

func addon(w *work) {
	a := w.in.Profile.Addon(w.Name)
	if a == nil {
		return
	}
	w.tell("It belongs to " + a.Name + " and is left behind: " + a.Why + ".")
	w.drop(a.Name + " is left behind: " + a.Why)
}

func sops(w *work) {
	if w.mapping("sops") == nil {
		return
	}
	w.at("sops").needs("SOPS has encrypted it with a key of AWS; it is left out.", "sops updatekeys with a key of Cloud KMS (gcp_kms), in the source; then translate again")
	w.hold("it is encrypted with a key of AWS")
}

func registryLogin(w *work) {
	if w.Kind == "Secret" {
		if w.text("type") == "kubernetes.io/dockerconfigjson" && strings.Contains(strings.ToLower(w.Name), "ecr") {
			w.tell("It holds a login to ECR, which expires after 12 hours; nodes pull from Artifact Registry by their identity.")
			w.without("a login to ECR")
		}
		return
	}
	login := false
	w.containers(func(_ []string, c map[string]any) {
		walk(c, nil, func(_ []string, v any) bool {
			s, _ := v.(string)
			login = login || strings.Contains(s, "ecr get-login") || strings.Contains(s, "ecr-login")
			return true
		})
	})
	if login {
		w.tell("It renews a login to ECR; nodes pull from Artifact Registry by their identity, which needs roles/artifactregistry.reader.")
		w.drop("a login to ECR is not needed")
	}
}

// secretValue keeps the values of Secrets out of the tree: they come from a store, or somebody is asked.
func secretValue(w *work) {
	data := map[string]any{}
	for _, part := range []string{"data", "stringData"} {
		for k := range w.mapping(part) {
			data[k] = nil
		}
	}
	if len(data) == 0 {
		return // a Secret that a controller fills
	}
	if w.in.Decisions.Store == "" {
		w.asks("Its values do not enter the tree: which ClusterSecretStore are they to come from?", "secret-store: NAME")
		w.hold("values of secrets do not enter the tree")
		return
	}
	remote := w.secretName(w.Namespace + "-" + w.Name)
	var refs []any
	for _, k := range keys(data) {
		refs = append(refs, map[string]any{"secretKey": k, "remoteRef": map[string]any{"key": remote, "property": k}})
	}
	w.makeExternal("its values do not enter the tree", w.Name, orOpaque(w.text("type")), nil, refs)
	w.needs("Its values do not enter the tree; an ExternalSecret takes them from "+w.in.Decisions.Store+".", "store the values in Secret Manager as one JSON object named "+remote+", with the keys "+strings.Join(keys(data), ", "))
	w.without("values of secrets do not enter the tree")
}

func orOpaque(kind string) string {
	if kind == "" {
		return "Opaque"
	}
	return kind
}

var (
	secretName = regexp.MustCompile(`(?i)(PASSWORD|PASSWD|SECRET|SECRET_?KEY|SECRET_ACCESS_KEY|PRIVATE_?KEY|API_?KEY|ACCESS_?TOKEN|AUTH_?TOKEN|SESSION_?TOKEN)$`)
	// secretText finds the value of a secret by its form alone: a private key, a password in an address or an argument, a key of AWS, tokens of GitHub and Slack.
	secretText = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@$]+@|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bxox[baprs]-[A-Za-z0-9-]{10,}|(?i:--[a-z-]*(password|passwd|api-?key|access-?token|auth-?token))=[^$\s]`)
	// reference is a value that only says where another is.
	reference = regexp.MustCompile(`^(\$\(|\$\{|/|vault:|arn:aws:|sm://|file:|ref\+)`)
)

// namedSecret says whether a value is a secret's by its name.
func namedSecret(name, value string) bool {
	return secretName.MatchString(name) && !reference.MatchString(value)
}

// secretInClear holds back an object that carries the value of a secret outside of a Secret. It never says the value.
func secretInClear(w *work) {
	if w.Kind == "Secret" || w.Kind == "CustomResourceDefinition" {
		return
	}
	found := map[string][]string{}
	walk(w.now, nil, func(path []string, v any) bool {
		s, ok := v.(string)
		if !ok || s == "" {
			return true
		}
		name := path[len(path)-1]
		if name == "value" {
			name = w.text(join(path[:len(path)-1], "name")...)
		}
		named := (path[len(path)-1] == "value" || path[0] == "data") && namedSecret(name, s)
		if (named || secretText.MatchString(s)) && !w.plain(name) {
			found[name] = join(path)
		}
		return true
	})
	for _, name := range keys(found) {
		w.at(found[name]...).say(finding.Problem, finding.Blocker, "The value of "+name+" looks like a secret, so the object "+w.leaves()+".",
			"let it come from a Secret, in the source; or, if it is none, say so in "+w.in.File+":\nnot-secret: [\""+w.String()+" "+name+"\"]", "application")
	}
	if len(found) > 0 {
		w.hold("it carries what looks like a secret")
	}
}

func (w *work) plain(name string) bool {
	for _, p := range w.in.Decisions.Plain {
		if p == w.String()+" "+name {
			return true
		}
	}
	return false
}
