package check

import (
	"cmp"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// missing is the code for an object of a kind that is not there.
func missing(kind string) finding.Code { return finding.Code("missing-" + strings.ToLower(kind)) }

const (
	blocks = finding.Blocker
	warns  = finding.Warning

	rbac     = "rbac.authorization.k8s.io"
	storage  = "storage.k8s.io"
	gateways = "gateway.networking.k8s.io"
	ingress  = "networking.k8s.io"
	issuers  = "cert-manager.io"
	external = "external-secrets.io"

	// computeClass is the label by which pods ask for nodes of a class: where the class is not there they stay pending.
	computeClass = "cloud.google.com/compute-class"
)

// references looks for what objects refer to.
func (w *world) references() {
	for _, p := range w.pods {
		w.podReferences(p)
	}
	namespaces := false
	for _, o := range w.view.Objects {
		namespaces = namespaces || o.Kind == "Namespace" && o.Group == ""
	}
	for _, o := range w.view.Objects {
		if namespaces && o.Namespace != "" {
			w.wants(o, []string{"metadata", "namespace"}, warns, "", "Namespace", "", o.Namespace)
		}
		w.objectReferences(o)
	}
}

// podReferences are those of pods, without which they do not start.
func (w *world) podReferences(p *pod) {
	want := func(severity finding.Severity, kind, name string, path []string) bool {
		return w.wants(p.o, join(p.path, path...), severity, "", kind, p.namespace, name)
	}
	want(blocks, "ServiceAccount", p.account, []string{"serviceAccountName"})
	w.wants(p.o, join(p.path, "priorityClassName"), blocks, "scheduling.k8s.io", "PriorityClass", "", text(p.spec, "priorityClassName"))
	w.wants(p.o, join(p.path, "runtimeClassName"), blocks, "node.k8s.io", "RuntimeClass", "", text(p.spec, "runtimeClassName"))
	w.wants(p.o, join(p.path, "nodeSelector", computeClass), blocks, "cloud.google.com", "ComputeClass", "", text(p.spec, "nodeSelector", computeClass))
	each(p.spec, []string{"imagePullSecrets"}, func(path []string, m map[string]any) { want(warns, "Secret", text(m, "name"), path) })
	each(p.spec, []string{"volumes"}, func(path []string, v map[string]any) { w.volume(p, v, path) })
	for _, containers := range []string{"initContainers", "containers", "ephemeralContainers"} {
		each(p.spec, []string{containers}, func(path []string, c map[string]any) {
			each(c, []string{"envFrom"}, func(at []string, e map[string]any) {
				at = join(path, at...)
				if ref := mapping(e, "secretRef"); ref != nil && ref["optional"] != true {
					want(blocks, "Secret", text(ref, "name"), at)
				}
				if ref := mapping(e, "configMapRef"); ref != nil && ref["optional"] != true {
					want(blocks, "ConfigMap", text(ref, "name"), at)
				}
			})
			each(c, []string{"env"}, func(at []string, e map[string]any) {
				at = join(path, at...)
				w.keyed(p, "Secret", mapping(e, "valueFrom", "secretKeyRef"), at)
				w.keyed(p, "ConfigMap", mapping(e, "valueFrom", "configMapKeyRef"), at)
			})
		})
	}
}

// keyed looks for the object and the key that a variable takes its value from.
func (w *world) keyed(p *pod, kind string, ref map[string]any, path []string) {
	if ref == nil || ref["optional"] == true {
		return
	}
	name, wanted := text(ref, "name"), text(ref, "key")
	if !w.wants(p.o, join(p.path, path...), blocks, "", kind, p.namespace, name) {
		return
	}
	o := w.find("", kind, p.namespace, name)
	if o == nil || wanted == "" || w.made[key{"", kind, p.namespace, name}] {
		return // nobody knows its keys
	}
	for _, part := range []string{"data", "stringData", "binaryData"} {
		if _, ok := mapping(o.Value, part)[wanted]; ok {
			return
		}
	}
	if kind == "Secret" && mapping(o.Value, "data") == nil && mapping(o.Value, "stringData") == nil {
		return // a controller fills it
	}
	f := full(kind, p.namespace, name)
	w.add("missing-key", blocks, p.o, join(p.path, path...), "It refers to the key "+wanted+" of "+f+", which has no such key.", "add the key, or mend its name", application)
}

// volume looks for what a volume of a pod comes from.
func (w *world) volume(p *pod, v map[string]any, path []string) {
	want := func(kind, name string, optional any) {
		if optional != true {
			w.wants(p.o, join(p.path, path...), blocks, "", kind, p.namespace, name)
		}
	}
	want("Secret", text(v, "secret", "secretName"), mapping(v, "secret")["optional"])
	want("ConfigMap", text(v, "configMap", "name"), mapping(v, "configMap")["optional"])
	want("PersistentVolumeClaim", text(v, "persistentVolumeClaim", "claimName"), nil)
	each(v, []string{"projected", "sources"}, func(_ []string, s map[string]any) {
		want("Secret", text(s, "secret", "name"), mapping(s, "secret")["optional"])
		want("ConfigMap", text(s, "configMap", "name"), mapping(s, "configMap")["optional"])
	})
	if class := text(v, "csi", "volumeAttributes", "secretProviderClass"); class != "" {
		w.wants(p.o, join(p.path, path...), blocks, "secrets-store.csi.x-k8s.io", "SecretProviderClass", p.namespace, class)
	}
	if class := text(v, "ephemeral", "volumeClaimTemplate", "spec", "storageClassName"); class != "" {
		w.wants(p.o, join(p.path, path...), blocks, storage, "StorageClass", "", class)
	}
}

// objectReferences are those of other objects.
func (w *world) objectReferences(o *manifest.Object) {
	ns := namespaceOf(o)
	switch o.Group + " " + o.Kind {
	case " PersistentVolumeClaim":
		w.claim(o, o.Value, nil)
	case "apps StatefulSet":
		each(o.Value, []string{"spec", "volumeClaimTemplates"}, func(path []string, m map[string]any) { w.claim(o, m, path) })
		w.wants(o, []string{"spec", "serviceName"}, warns, "", "Service", ns, text(o.Value, "spec", "serviceName"))
	case " ServiceAccount":
		each(o.Value, []string{"imagePullSecrets"}, func(path []string, m map[string]any) { w.wants(o, path, warns, "", "Secret", ns, text(m, "name")) })
	case "autoscaling HorizontalPodAutoscaler", "keda.sh ScaledObject":
		w.scales(o, ns)
	case rbac + " RoleBinding", rbac + " ClusterRoleBinding":
		w.binding(o)
	case external + " ExternalSecret":
		w.store(o, []string{"spec", "secretStoreRef"})
		each(o.Value, []string{"spec", "data"}, func(path []string, _ map[string]any) { w.store(o, join(path, "sourceRef", "storeRef")) })
		each(o.Value, []string{"spec", "dataFrom"}, func(path []string, _ map[string]any) { w.store(o, join(path, "sourceRef", "storeRef")) })
	case issuers + " Certificate":
		if !w.view.Standby && cmp.Or(text(o.Value, "spec", "issuerRef", "group"), issuers) == issuers {
			w.issuer(o, text(o.Value, "spec", "issuerRef", "kind"), text(o.Value, "spec", "issuerRef", "name"))
		}
	case "admissionregistration.k8s.io ValidatingWebhookConfiguration", "admissionregistration.k8s.io MutatingWebhookConfiguration":
		each(o.Value, []string{"webhooks"}, func(path []string, m map[string]any) {
			w.wants(o, join(path, "clientConfig", "service"), blocks, "", "Service", text(m, "clientConfig", "service", "namespace"), text(m, "clientConfig", "service", "name"))
		})
	case "apiregistration.k8s.io APIService":
		w.wants(o, []string{"spec", "service"}, blocks, "", "Service", text(o.Value, "spec", "service", "namespace"), text(o.Value, "spec", "service", "name"))
	case "networking.gke.io HealthCheckPolicy", "networking.gke.io GCPBackendPolicy", "networking.gke.io GCPGatewayPolicy",
		"networking.gke.io GCPTrafficDistributionPolicy", "networking.gke.io GCPSessionAffinityPolicy":
		w.policyTarget(o, ns)
	}
}

func (w *world) issuer(o *manifest.Object, kind, name string) {
	path := []string{"spec", "issuerRef"}
	if kind == "ClusterIssuer" {
		w.wants(o, path, blocks, issuers, "ClusterIssuer", "", name)
		return
	}
	w.wants(o, path, blocks, issuers, "Issuer", namespaceOf(o), name)
}

// claim looks for the class, and for the volume that a claim names.
func (w *world) claim(o *manifest.Object, claim map[string]any, path []string) {
	w.wants(o, join(path, "spec", "storageClassName"), blocks, storage, "StorageClass", "", text(claim, "spec", "storageClassName"))
	w.wants(o, join(path, "spec", "volumeName"), blocks, "", "PersistentVolume", "", text(claim, "spec", "volumeName"))
}

// scales looks for what an autoscaler scales.
func (w *world) scales(o *manifest.Object, ns string) {
	ref := mapping(o.Value, "spec", "scaleTargetRef")
	kind, api := text(ref, "kind"), text(ref, "apiVersion")
	if o.Kind == "ScaledObject" {
		kind, api = cmp.Or(kind, "Deployment"), cmp.Or(api, "apps/v1")
	}
	group, _, ok := strings.Cut(api, "/")
	if !ok {
		group = ""
	}
	w.wants(o, []string{"spec", "scaleTargetRef"}, blocks, group, kind, ns, text(ref, "name"))
	if o.Kind == "ScaledObject" {
		each(o.Value, []string{"spec", "triggers"}, func(path []string, m map[string]any) {
			auth := mapping(m, "authenticationRef")
			if text(auth, "kind") == "ClusterTriggerAuthentication" {
				w.wants(o, join(path, "authenticationRef"), blocks, "keda.sh", "ClusterTriggerAuthentication", "", text(auth, "name"))
				return
			}
			w.wants(o, join(path, "authenticationRef"), blocks, "keda.sh", "TriggerAuthentication", ns, text(auth, "name"))
		})
	}
}

// binding looks for the role, and for the service accounts that get it.
func (w *world) binding(o *manifest.Object) {
	ns := ""
	if text(o.Value, "roleRef", "kind") == "Role" {
		ns = namespaceOf(o)
	}
	if kind := text(o.Value, "roleRef", "kind"); kind != "" {
		w.wants(o, []string{"roleRef"}, blocks, rbac, kind, ns, text(o.Value, "roleRef", "name"))
	}
	each(o.Value, []string{"subjects"}, func(path []string, m map[string]any) {
		if text(m, "kind") == "ServiceAccount" {
			w.wants(o, path, warns, "", "ServiceAccount", cmp.Or(text(m, "namespace"), namespaceOf(o)), text(m, "name"))
		}
	})
}

// store looks for the store that an ExternalSecret reads.
func (w *world) store(o *manifest.Object, path []string) {
	ref := mapping(o.Value, path...)
	if text(ref, "kind") == "ClusterSecretStore" {
		w.wants(o, path, blocks, external, "ClusterSecretStore", "", text(ref, "name"))
		return
	}
	w.wants(o, path, blocks, external, "SecretStore", namespaceOf(o), text(ref, "name"))
}

// policyTarget looks for what a policy of GKE is about: a policy without one does nothing.
func (w *world) policyTarget(o *manifest.Object, ns string) {
	look := func(path []string, ref map[string]any) {
		if group := text(ref, "group"); group == "" || group == gateways {
			w.wants(o, path, warns, group, text(ref, "kind"), cmp.Or(text(ref, "namespace"), ns), text(ref, "name"))
		}
	}
	if ref := mapping(o.Value, "spec", "targetRef"); ref != nil {
		look([]string{"spec", "targetRef"}, ref)
	}
	each(o.Value, []string{"spec", "targetRefs"}, look)
	w.wants(o, []string{"spec", "default", "iap"}, blocks, "", "Secret", ns, text(o.Value, "spec", "default", "iap", "oauth2ClientSecret", "name"))
}

// selectors looks for Services and budgets that select no pod.
func (w *world) selectors() {
	for _, o := range w.view.Objects {
		switch {
		case o.Kind == "Service" && o.Group == "":
			w.service(o)
		case o.Kind == "PodDisruptionBudget":
			sel := mapping(o.Value, "spec", "selector")
			if sel != nil && len(w.podsOf(namespaceOf(o), sel)) == 0 {
				w.add("selects-nothing", warns, o, []string{"spec", "selector"}, "Its selector selects no pod here.", "mend the selector, or remove the object; pods that an operator makes cannot be seen", application)
			}
		}
	}
}

// service looks at the pods behind a Service, and at the ports that it knows by name.
func (w *world) service(o *manifest.Object) {
	sel := mapping(o.Value, "spec", "selector")
	if len(sel) == 0 || text(o.Value, "spec", "type") == "ExternalName" {
		return
	}
	pods := w.podsOf(namespaceOf(o), map[string]any{"matchLabels": sel})
	if len(pods) == 0 {
		w.add("selects-nothing", warns, o, []string{"spec", "selector"}, "Its selector selects no pod here.", "mend the selector, or remove the object; pods that an operator makes cannot be seen", application)
		return
	}
	each(o.Value, []string{"spec", "ports"}, func(path []string, m map[string]any) {
		name, _ := m["targetPort"].(string)
		if name == "" {
			return
		}
		for _, p := range pods {
			if p.named(name) {
				return
			}
		}
		w.add("missing-port", blocks, o, join(path, "targetPort"), "No container of the pods that it selects has a port named "+name+".", "name the port in the container, or give its number", application)
	})
}

// named says whether a container of the pod has a port of that name.
func (p *pod) named(name string) bool {
	found := false
	for _, containers := range []string{"containers", "initContainers"} {
		each(p.spec, []string{containers}, func(_ []string, c map[string]any) {
			each(c, []string{"ports"}, func(_ []string, m map[string]any) { found = found || text(m, "name") == name })
		})
	}
	return found
}
