package crossplane

import (
	"fmt"
	"strings"
)

// readme is the page that says where Crossplane runs and in which order to apply.
func readme(d *Definition) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("<!-- %s -->", Mark)
	say("# What developers of %s may ask for on Google Cloud", d.Platform)
	say("")
	say("Written for Crossplane %s, provider-upjet-gcp %s, %s %s and %s %s.", crossplaneVersion, providerVersion, functionCompose, composeVersion, functionReady, readyVersion)
	say("")
	say("## Where Crossplane runs")
	say("")
	say("One Crossplane in the cluster of each environment, in `%s`: an object of a developer lies beside the workload that uses it, and an outage of one", system)
	say("environment's Crossplane is none of another's. `base/` is the same everywhere; `environments/NAME/` holds what differs: project, region, network.")
	if d.hasClusters() {
		say("Clusters cannot be made from within themselves: `management/` is for one more Crossplane, on a small cluster of its own, which holds nothing else.")
	}
	say("")
	say("## Before")
	say("")
	say("- Crossplane itself, which must not activate what nobody uses:")
	say("  `helm install crossplane crossplane-stable/crossplane -n %s --create-namespace --version %s --set-json 'provider.defaultActivations=[]'`", system, crossplaneVersion)
	say("- The providers act as the service account `%s` in namespace `%s`, by workload identity, without a key. Give it, in the project, the roles that", runtime, system)
	say("  the services need: `roles/cloudsql.admin`, `roles/memorystore.admin`, `roles/storage.admin`, `roles/pubsub.admin`, `roles/dns.admin`,")
	say("  `roles/artifactregistry.admin`, `roles/iam.serviceAccountAdmin`, and `roles/resourcemanager.projectIamAdmin` for identities with databases;")
	say("  for `management/`, `roles/container.admin` and `roles/iam.serviceAccountUser`.")
	say("- Private services access in the network (for databases) and a service connection policy for `gcp-memorystore` (for caches).")
	say("- External Secrets, where passwords are generated; without it leave `base/apis/password-generator.yaml` out.")
	say("")
	say("## In which order")
	say("")
	say("Each line needs the one before. All of them may be run again.")
	say("")
	say("```")
	order(say, "base", "environments/NAME")
	say("```")
	if d.hasClusters() {
		say("")
		say("and, on the management's cluster:")
		say("")
		say("```")
		order(say, "management", "management")
		say("```")
	}
	say("")
	say("## What exists already")
	say("")
	say("Every object in `objects/` says `adopt: Observe`: Crossplane looks at it and changes nothing. To hand it over, one at a time:")
	say("")
	say("1. `kubectl get managed -n NAMESPACE -o yaml > observed.yaml`, once the object is ready.")
	say("2. `bascule crossplane diff OBJECT.yaml --observed observed.yaml`: what would change. Correct bascule.yaml until nothing does that you do not want.")
	say("3. Set `adopt: Manage`, have it reviewed, apply it. Crossplane may then look and update, but neither make nor delete it.")
	say("")
	say("The way back is `adopt: Observe` again. `bascule crossplane generate` keeps the phase that a file says.")
	say("")
	say("## What is never deleted")
	say("")
	say("Databases, caches, buckets, image repositories and clusters have no `Delete` in their management policies, and protection from deletion where Google Cloud")
	say("has one: an object that is removed leaves them as they are. What was adopted is never deleted, whatever it is. To get rid of one, remove the object,")
	say("take the protection off, and delete it by hand.")
	say("")
	say("## Who may do what")
	say("")
	say("`bascule-developer` may ask for every kind in the namespaces that it is bound in. Only `bascule-adopter`, or whoever has the verb `adopt` on a kind, may say")
	say("`spec.name` or change `spec.adopt`: the admission policy refuses it to others, since a name decides whose database it is. Bind it to whatever applies `objects/`.")
	say("")
	say("## The kinds")
	say("")
	for _, k := range kinds() {
		say("- **%s**: %s", k.name, k.what)
		for _, c := range k.compositions(&Environment{}, d)[1:] {
			say("  `spec.crossplane.compositionRef.name: %s`: %s", c.name, c.what)
		}
	}
	return b.String()
}

func order(say func(string, ...any), base, own string) {
	say("kubectl apply -f %s/packages/    # then wait: kubectl wait --for=condition=Healthy provider,function --all --timeout=10m", base)
	say("kubectl apply -f %s/apis/        # then wait: kubectl wait --for=condition=Established xrd --all", base)
	say("kubectl apply -f %s/config/", own)
	say("kubectl apply -f %s/compositions/", own)
	say("kubectl apply -f %s/objects/", own)
}
