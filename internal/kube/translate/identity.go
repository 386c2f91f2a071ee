package translate

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/decision"
)

const (
	roleARN   = "eks.amazonaws.com/role-arn"
	podRole   = "iam.amazonaws.com/role"
	awsToken  = "sts.amazonaws.com" //nolint:gosec // whom the token is for, and no token
	gsaKey    = "iam.gke.io/gcp-service-account"
	tokenPath = "/var/run/secrets/eks.amazonaws.com/serviceaccount" //nolint:gosec // where a token is, and no token
)

// identity are the rows about who a pod is to the cloud.
func identity() []Rule {
	return []Rule{
		{ID: "identity-role", Source: "a ServiceAccount with eks.amazonaws.com/role-arn (IRSA, on EKS and on kops)", Target: gsaKey + " and roles/iam.workloadIdentityUser, or a principal", Verdict: Resource, Kinds: []string{"ServiceAccount"}, Apply: accountRole},
		{ID: "identity-pod-role", Source: "iam.amazonaws.com/role of kube2iam and kiam, on pods and namespaces", Target: "a ServiceAccount for each namespace and role", Verdict: Resource, Apply: podRoles},
		{ID: "identity-instance-profile", Source: "pods that use the node's role silently", Target: "a role of their own", Verdict: None, Apply: instanceProfile},
		{ID: "identity-host-network", Source: "pods with a role in the node's network", Target: "Workload Identity does not serve them", Verdict: None, Apply: hostNetwork},
		{ID: "identity-interim-aws", Source: "pods that go on using a role of AWS for a while", Target: "a projected token for " + awsToken, Verdict: Resource, Apply: interim},
		{ID: "identity-token", Source: "projected tokens for " + awsToken + " of self-managed clusters", Target: "removed with the role, unless it is kept", Verdict: Resource, Apply: projectedToken},
		{ID: "identity-env", Source: "AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_REGION, static keys", Target: "removed, or replaced with what they are for", Verdict: Changed, Apply: identityEnv},
		{ID: "identity-interim-google", Source: "GOOGLE_APPLICATION_CREDENTIALS in pods that ran on AWS", Target: "Workload Identity, without a key", Verdict: Changed, Apply: googleKey},
	}
}

var notInName = regexp.MustCompile(`[^a-z0-9-]+`)

// roleName is the last part of a role's ARN.
func roleName(role string) string { return role[strings.LastIndexAny(role, "/:")+1:] }

// identified returns what was decided about a role.
func (w *work) identified(role string) string {
	if to := w.in.Decisions.Identities[role]; to != "" {
		return to
	}
	if to := w.in.Decisions.Identities[roleName(role)]; to != "" {
		return to
	}
	return w.in.Decisions.Identities[w.arn(role)]
}

// arn is a role's ARN. kube2iam and kiam name a role without it; then the decisions may know it.
func (w *work) arn(role string) string {
	if strings.HasPrefix(role, "arn:") {
		return role
	}
	for _, r := range keys(w.in.Decisions.Identities) {
		if strings.HasPrefix(r, "arn:") && roleName(r) == role {
			return r
		}
	}
	return ""
}

// bind gives a service account the identity that stands for a role, and says what it takes.
func (w *work) bind(role, account string, annotate func(gsa string), path ...string) {
	switch to := w.identified(role); to {
	case "":
		w.at(path...).asks(fmt.Sprintf("Which Google service account stands for the role %s, which %s/%s has?", roleName(role), w.Namespace, account),
			fmt.Sprintf("identities: {%q: NAME@PROJECT.iam.gserviceaccount.com}  # or direct, or aws", role))
	case decision.AWS:
		w.needs("It keeps the role "+roleName(role)+" while its pods use AWS.", "make the cluster's issuer an OIDC provider of IAM, and let the role trust system:serviceaccount:"+w.Namespace+":"+account)
	case decision.Direct:
		d := w.in.Decisions
		if d.Project == "" || d.Number == "" {
			w.asks("Roles are granted to "+w.Namespace+"/"+account+" itself: in which project?", "project: NAME\nproject-number: NUMBER")
			return
		}
		w.needs("Roles are granted to the service account itself.", fmt.Sprintf("gcloud projects add-iam-policy-binding %s --role ROLE --member principal://iam.googleapis.com/projects/%s/locations/global/workloadIdentityPools/%s.svc.id.goog/subject/ns/%s/sa/%s",
			d.Project, d.Number, d.Project, w.Namespace, account))
	default:
		annotate(to)
		w.needs("It acts as "+to+".", fmt.Sprintf("gcloud iam service-accounts add-iam-policy-binding %s --role roles/iam.workloadIdentityUser --member \"serviceAccount:%s.svc.id.goog[%s/%s]\"",
			to, orWord(w.in.Decisions.Project, "PROJECT"), w.Namespace, account))
		w.better("Roles can be granted to the Kubernetes service account itself, so that no Google service account stands between.", "identities: {ROLE: direct}; some APIs of Google do not take it: see their list of supported products")
	}
}

func accountRole(w *work) {
	role, ok := w.annotation(roleARN)
	if !ok {
		return
	}
	path := join(annotations, roleARN)
	if podRoles := w.in.roles[objectKey{"ServiceAccount", w.Namespace, w.Name}]; len(podRoles) > 1 {
		w.at(path...).blocks("Pods that use it have several roles: "+strings.Join(names(podRoles), ", ")+". On GKE the service account is the identity.", "give each role a service account of its own, in the source")
	} else {
		w.bind(role, w.Name, func(gsa string) {
			w.set("it acts as the Google service account that stands for the role", gsa, join(annotations, gsaKey)...)
		}, path...)
	}
	for _, k := range keys(w.mapping(annotations...)) {
		if strings.HasPrefix(k, "eks.amazonaws.com/") {
			w.remove("only EKS reads it", join(annotations, k)...)
		}
	}
}

func names(roles []string) []string {
	var out []string
	for _, r := range roles {
		out = append(out, roleName(r))
	}
	slices.Sort(out)
	return out
}

// podRoles gives pods that had a role by their annotation a service account that has it: kube2iam and kiam know pods, Google knows accounts.
func podRoles(w *work) {
	switch w.Kind {
	case "Namespace":
		for _, k := range []string{"iam.amazonaws.com/permitted", "iam.amazonaws.com/allowed-roles"} {
			w.remove("a service account is bound to one identity, so nothing has to be permitted", join(annotations, k)...)
		}
	case "ServiceAccount":
		roles := w.in.roles[objectKey{"ServiceAccount", w.Namespace, w.Name}]
		if _, irsa := w.annotation(roleARN); !irsa && w.Value["metadata"] != nil && len(roles) == 1 && text(w.Value, "metadata", "annotations", roleARN) == "" && w.Name != "default" {
			w.bind(roles[0], w.Name, func(gsa string) {
				w.set("it acts as the Google service account that stands for the role of its pods", gsa, join(annotations, gsaKey)...)
			})
		}
	}
	for _, spec := range w.pods() {
		path := join(podMeta(spec), "annotations", podRole)
		role := w.text(path...)
		if role == "" {
			continue
		}
		account := w.accountOf(spec)
		roles := w.in.roles[objectKey{"ServiceAccount", w.Namespace, account}]
		switch {
		case account == "default":
			name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(roleName(role)), "-"), "-")
			w.set("the service account is the identity: one for each role", name, join(spec, "serviceAccountName")...)
			w.account(role, name)
		case len(roles) > 1:
			w.at(path...).blocks("Pods of the service account "+account+" have several roles: "+strings.Join(names(roles), ", ")+". On GKE the service account is the identity.", "give each role a service account of its own, in the source")
		case w.in.find("ServiceAccount", w.Namespace, account) == nil:
			w.account(role, account)
		}
		w.remove("nobody reads it on GKE", path...)
	}
}

// account makes the service account that has a role.
func (w *work) account(role, name string) {
	meta := map[string]any{"name": name}
	if w.Namespace != "" {
		meta["namespace"] = w.Namespace
	}
	w.bind(role, name, func(gsa string) { meta["annotations"] = map[string]any{gsaKey: gsa} })
	w.make("pods with the role "+roleName(role)+" need an account of their own", map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
}

// roleOf returns the role of a pod on AWS: by its own annotation, or by its account's. That another pod of the account has one by kube2iam says nothing
// about this one.
func (w *work) roleOf(spec []string) string {
	if role := text(w.Value, join(podMeta(spec), "annotations", podRole)...); role != "" {
		return role
	}
	return w.in.accounts[objectKey{"ServiceAccount", w.Namespace, cmp.Or(text(w.Value, join(spec, "serviceAccountName")...), text(w.Value, join(spec, "serviceAccount")...), "default")}]
}

// usesAWS finds what a pod reaches by a role. Names of databases and caches are none: they ask for passwords, whatever they are called.
var usesAWS = regexp.MustCompile(`\bs3://|\b(s3|sqs|sns|dynamodb|kinesis|secretsmanager|ssm|sts|kms|ses|email|lambda|states|events)([.-](fips|dualstack|vpce|[a-z]{2}(-[a-z]+)+-\d))*\.amazonaws\.com|\barn:aws[a-z-]*:(s3|sqs|sns|dynamodb|kinesis|secretsmanager|ssm|kms|lambda):`)

func instanceProfile(w *work) {
	for _, spec := range w.pods() {
		if w.roleOf(spec) != "" {
			continue
		}
		sign := NodeRole(func(yield func(name, value string) bool) {
			w.env(func(_ []string, name, value string) { _ = yield(name, value) }) // it wants all of them
		})
		if sign != "" {
			w.at(spec...).blocks("It seems to use AWS (by its variable "+sign+") and has no role: then it uses the node's, which no pod can on GKE.", "find out which role the nodes had and what of it the pods use; give them a service account with that role, in the source")
		}
	}
}

func hostNetwork(w *work) {
	for _, spec := range w.pods() {
		if on, _ := w.value(join(spec, "hostNetwork")...).(bool); on && w.roleOf(spec) != "" {
			w.at(join(spec, "hostNetwork")...).blocks("Its pods are in the node's network, where Workload Identity does not serve them, and they have a role.", "take them out of the node's network, or let the node's own service account have the rights")
		}
	}
}

// interim lets pods use a role of AWS from GKE: the cluster's token, which IAM trusts once its issuer is known there.
func interim(w *work) {
	for _, spec := range w.pods() {
		role := w.roleOf(spec)
		if role == "" || w.identified(role) != decision.AWS {
			continue
		}
		if role = w.arn(role); role == "" {
			name := w.roleOf(spec)
			w.at(join(podMeta(spec), "annotations", podRole)...).asks("Its pods go on using the role "+name+", and a token for it needs its ARN.", fmt.Sprintf("identities: {%q: aws}", "arn:aws:iam::ACCOUNT:role/"+name))
			continue
		}
		token, named := false, false
		w.tokens(spec, func([]string, string) { token = true })
		w.env(func(_ []string, name, _ string) { named = named || name == "AWS_ROLE_ARN" })
		if token && named {
			continue // it does by itself what EKS does for others
		}
		w.add("what EKS added by itself", map[string]any{"name": "aws-token", "projected": map[string]any{"sources": []any{map[string]any{
			"serviceAccountToken": map[string]any{"audience": awsToken, "expirationSeconds": int64(86400), "path": "token"},
		}}}}, join(spec, "volumes")...)
		w.containersOf(spec, func(c []string) {
			w.add("what EKS added by itself", map[string]any{"name": "aws-token", "mountPath": tokenPath, "readOnly": true}, join(c, "volumeMounts")...)
			w.add("what EKS added by itself", map[string]any{"name": "AWS_ROLE_ARN", "value": role}, join(c, "env")...)
			w.add("what EKS added by itself", map[string]any{"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": tokenPath + "/token"}, join(c, "env")...)
		})
		w.better("It goes on using AWS, over the internet, at the price of its egress.", "decide identities anew once what it uses has moved")
	}
}

// add appends to a list, and makes the list where there is none.
func (w *work) add(why string, value any, path ...string) {
	if w.list(path...) == nil {
		w.set(why, []any{value}, path...)
		return
	}
	w.set(why, value, join(path, "-")...)
}

// containersOf visits the containers of one pod.
func (w *work) containersOf(spec []string, visit func(path []string)) {
	w.containers(func(path []string, _ map[string]any) {
		if len(path) == len(spec)+2 && slices.Equal(path[:len(spec)], spec) {
			visit(path)
		}
	})
}

func projectedToken(w *work) {
	for _, spec := range w.pods() {
		w.tokens(spec, func(volume []string, name string) {
			w.at(volume...).needs("The volume "+name+" holds a token for AWS, whose issuer is the old cluster.", "keep it while the pods use AWS, with the new cluster's issuer as an OIDC provider of IAM; remove it afterwards")
		})
	}
}

// tokens visits the volumes of a pod of the source that hold a token for AWS.
func (w *work) tokens(spec []string, visit func(path []string, name string)) {
	volumes, _ := at(w.Value, join(spec, "volumes")).([]any)
	for i, v := range volumes {
		sources, _ := at(v, []string{"projected", "sources"}).([]any)
		for _, s := range sources {
			if text(s, "serviceAccountToken", "audience") == awsToken {
				visit(join(spec, "volumes", fmt.Sprint(i)), text(v, "name"))
			}
		}
	}
}

func identityEnv(w *work) {
	w.env(func(path []string, name, value string) {
		switch name {
		case "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_STS_REGIONAL_ENDPOINTS":
			if !w.keepsRole() {
				w.remove("no role of AWS is used", path...)
			}
		case "AWS_ACCESS_KEY_ID":
			w.at(path...).note("It uses a key of AWS.", "replace the key with Workload Identity once what it is for has moved; until then the key has to be in the new store")
		case "AWS_REGION", "AWS_DEFAULT_REGION":
			w.at(path...).note(name+" stays: only the application knows what it chooses with it.", "remove it in overrides/ once nothing on AWS is used")
		}
	})
}

// keepsRole reports whether pods go on using a role of AWS: that of their account, or one that they name themselves, as pods do that have a token of their own.
func (w *work) keepsRole() bool {
	keeps := slices.ContainsFunc(w.pods(), func(spec []string) bool { return w.identified(w.roleOf(spec)) == decision.AWS })
	w.env(func(_ []string, name, value string) {
		keeps = keeps || name == "AWS_ROLE_ARN" && w.identified(value) == decision.AWS
	})
	return keeps
}

func googleKey(w *work) {
	w.env(func(path []string, name, _ string) {
		if name == "GOOGLE_APPLICATION_CREDENTIALS" {
			w.at(path...).note("It uses a key of Google, or a federation from AWS, which the client libraries prefer to Workload Identity.", "on GKE remove the variable and the key, and bind its service account: identities says how")
		}
	})
}
