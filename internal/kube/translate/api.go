package translate

import "strings"

// removedAPIs brings objects into today's form.
func removedAPIs() []Rule {
	return []Rule{
		{ID: "policy-psp", Source: "PodSecurityPolicy", Target: "labels pod-security.kubernetes.io/* on namespaces", Verdict: None, Kinds: []string{"PodSecurityPolicy"}, Apply: podSecurityPolicy},
		{ID: "scaling-hpa-api", Source: "HorizontalPodAutoscaler autoscaling/v2beta1, v2beta2", Target: "autoscaling/v2", Verdict: Mechanical, Kinds: []string{"HorizontalPodAutoscaler"}, Apply: autoscalerAPI},
		{ID: "scaling-pdb-api", Source: "PodDisruptionBudget policy/v1beta1", Target: "policy/v1", Verdict: Mechanical, Kinds: []string{"PodDisruptionBudget"}, Apply: budgetAPI},
		{ID: "api-removed", Source: "APIs that the target's version does not have", Target: "the API that stands in its place", Verdict: Mechanical, Apply: removedAPI},
	}
}

// autoscalerAPI turns the metrics of v2beta1 into those of v2; those of v2beta2 are the same.
func autoscalerAPI(w *work) {
	if w.APIVersion() != "autoscaling/v2beta1" && w.APIVersion() != "autoscaling/v2beta2" {
		return
	}
	w.set(w.APIVersion()+" is no more", "autoscaling/v2", "apiVersion")
	if w.Version == "v2beta2" || w.list("spec", "metrics") == nil {
		return
	}
	metrics, _ := clone(w.list("spec", "metrics")).([]any)
	for _, m := range metrics {
		metric, _ := m.(map[string]any)
		for _, kind := range keys(metric) {
			if source, ok := metric[kind].(map[string]any); ok {
				metricOfV2(source)
			}
		}
	}
	w.set("v2 says in a target what v2beta1 said in single fields", metrics, "spec", "metrics")
}

func metricOfV2(source map[string]any) {
	target := map[string]any{}
	for from, to := range map[string][2]string{
		"targetAverageUtilization": {"Utilization", "averageUtilization"},
		"targetAverageValue":       {"AverageValue", "averageValue"},
		"targetValue":              {"Value", "value"},
		"averageValue":             {"AverageValue", "averageValue"},
	} {
		if v, ok := source[from]; ok {
			target["type"], target[to[1]] = to[0], v
			delete(source, from)
		}
	}
	if object, ok := source["target"].(map[string]any); ok { // of an Object metric: what is measured
		source["describedObject"] = object
	}
	if len(target) > 0 {
		source["target"] = target
	}
	if name, ok := source["metricName"]; ok {
		metric := map[string]any{"name": name}
		for _, s := range []string{"selector", "metricSelector"} {
			if sel, ok := source[s]; ok {
				metric["selector"] = sel
				delete(source, s)
			}
		}
		source["metric"] = metric
		delete(source, "metricName")
	}
}

func budgetAPI(w *work) {
	if w.APIVersion() != "policy/v1beta1" {
		return
	}
	w.set("policy/v1beta1 is no more", "policy/v1", "apiVersion")
	if sel, there := w.mapping("spec")["selector"]; there {
		if m, _ := sel.(map[string]any); len(m) == 0 {
			w.at("spec", "selector").note("An empty selector selected no pod in policy/v1beta1, and selects all pods of the namespace in policy/v1.", "name the pods that are meant, or remove the object")
		}
	}
}

// podSecurityPolicy says which level of Pod Security would allow what the policy allowed.
func podSecurityPolicy(w *work) {
	level := "restricted"
	for _, f := range []string{"hostNetwork", "hostPID", "hostIPC", "privileged"} {
		if on, _ := w.value("spec", f).(bool); on {
			level = "privileged"
		}
	}
	if level == "restricted" {
		if root := w.text("spec", "runAsUser", "rule"); root != "MustRunAsNonRoot" {
			level = "baseline"
		}
	}
	for _, v := range w.list("spec", "volumes") {
		if v == "hostPath" || v == "*" {
			level = "privileged"
		}
	}
	w.blocks("Kubernetes has no PodSecurityPolicy since 1.25. What this one allowed fits the level "+level+"; the defaults that it gave pods are lost, and which namespaces it held for stands in roles.",
		"label the namespaces that it held for: pod-security.kubernetes.io/enforce: "+level+"\nand set its defaults (seccomp, runAsUser, capabilities) in the pods themselves")
	w.drop("Kubernetes has no PodSecurityPolicy since 1.25")
}

func removedAPI(w *work) {
	r := w.in.Profile.RemovedIn(text(w.now, "apiVersion"), w.Kind, w.in.Decisions.Version)
	if r == nil {
		return
	}
	gone := r.Gone()
	selects := strings.Contains(r.Note, "selector is required") && w.mapping("spec", "selector") != nil
	switch {
	case r.Same || selects:
		w.set(gone, r.Now, "apiVersion")
	case r.Kind == "Ingress":
		w.ingressAPI(gone)
	default:
		now := r.Instead()
		w.at("apiVersion").blocks(gone+": "+now+" stands in its place ("+r.Note+").", "write it for "+now+" in the source; kubectl get -o yaml on a cluster that has both prints it so")
	}
}

// ingressAPI brings an Ingress of v1beta1 into the form of v1.
func (w *work) ingressAPI(gone string) {
	w.set(gone, "networking.k8s.io/v1", "apiVersion")
	spec, _ := clone(w.mapping("spec")).(map[string]any)
	if b, ok := spec["backend"].(map[string]any); ok {
		spec["defaultBackend"] = backendOfV1(b)
		delete(spec, "backend")
	}
	rules, _ := spec["rules"].([]any)
	for _, r := range rules {
		paths, _ := at(r, []string{"http", "paths"}).([]any)
		for _, p := range paths {
			path, _ := p.(map[string]any)
			if b, ok := path["backend"].(map[string]any); ok {
				path["backend"] = backendOfV1(b)
			}
			if path["pathType"] == nil && path != nil {
				path["pathType"] = "ImplementationSpecific" // what v1beta1 took for granted
			}
		}
	}
	w.set("v1 names services and ports in another form", spec, "spec")
}

func backendOfV1(b map[string]any) map[string]any {
	name, ok := b["serviceName"]
	if !ok {
		return b // a resource
	}
	port := map[string]any{}
	switch p := b["servicePort"].(type) {
	case string:
		port["name"] = p
	case nil:
	default:
		port["number"] = p
	}
	return map[string]any{"service": map[string]any{"name": name, "port": port}}
}
