package cluster

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// passing says whether objects of a kind come and go by themselves, or say something about this cluster alone.
func passing(group, kind string) bool {
	switch group {
	case "":
		return slices.Contains([]string{"Event", "Endpoints", "Node", "ComponentStatus", "Binding", "PodTemplate"}, kind)
	case "apps":
		return kind == "ControllerRevision"
	case "storage.k8s.io":
		return slices.Contains([]string{"CSINode", "VolumeAttachment", "CSIStorageCapacity", "CSIDriver"}, kind)
	case "acme.cert-manager.io":
		return true
	case "cert-manager.io":
		return kind == "CertificateRequest"
	case "karpenter.sh":
		return kind == "NodeClaim"
	}
	return slices.Contains([]string{
		"events.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "metrics.k8s.io", "flowcontrol.apiserver.k8s.io", "apiregistration.k8s.io", "certificates.k8s.io",
		"authentication.k8s.io", "authorization.k8s.io", "internal.apiserver.k8s.io", "node.k8s.io", "resource.k8s.io", "vpcresources.k8s.aws", "crd.k8s.amazonaws.com",
	}, group)
}

// made says whether an object is the work of a controller, or of the cluster itself.
func made(o *unstructured.Unstructured) bool {
	if metav1.GetControllerOf(o) != nil {
		return true
	}
	group, kind, name := o.GroupVersionKind().Group, o.GetKind(), o.GetName()
	switch {
	case group == "" && kind == "ConfigMap" && (name == "kube-root-ca.crt" || name == "istio-ca-root-cert"):
		return true
	case group == "" && kind == "ServiceAccount" && name == "default":
		pull, _, _ := unstructured.NestedSlice(o.Object, "imagePullSecrets")
		return len(o.GetAnnotations()) == 0 && len(pull) == 0
	case group == "" && kind == "Secret":
		of, _, _ := unstructured.NestedString(o.Object, "type")
		return of == "kubernetes.io/service-account-token" || of == "helm.sh/release.v1" || of == "bootstrap.kubernetes.io/token"
	case group == "" && kind == "Namespace":
		return name == "default" || strings.HasPrefix(name, "kube-")
	case group == "" && kind == "Service":
		return o.GetNamespace() == "default" && name == "kubernetes"
	case group == "rbac.authorization.k8s.io":
		return o.GetLabels()["kubernetes.io/bootstrapping"] != "" || strings.HasPrefix(name, "system:")
	case group == "scheduling.k8s.io":
		return strings.HasPrefix(name, "system-")
	}
	return false
}

// ownAnnotations are those that a cluster, or kubectl, notes about an object.
var ownAnnotations = []string{
	"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "autoscaling.alpha.kubernetes.io/conditions", "autoscaling.alpha.kubernetes.io/current-metrics",
	"deprecated.daemonset.template.generation", "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller", "volume.kubernetes.io/selected-node",
	"volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner", "batch.kubernetes.io/job-tracking",
}

// clean takes away what only this cluster knows of an object, and the values of a Secret: its keys stay.
func clean(o *unstructured.Unstructured) {
	drop := func(path ...string) { unstructured.RemoveNestedField(o.Object, path...) }
	drop("status")
	for _, k := range []string{"managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"} {
		drop("metadata", k)
	}
	for _, k := range ownAnnotations {
		drop("metadata", "annotations", k)
	}
	if len(o.GetAnnotations()) == 0 {
		drop("metadata", "annotations")
	}
	drop("spec", "template", "metadata", "creationTimestamp")
	drop("spec", "jobTemplate", "metadata", "creationTimestamp")
	drop("spec", "jobTemplate", "spec", "template", "metadata", "creationTimestamp")
	switch o.GetKind() {
	case "Service":
		if ip, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP"); ip != "None" {
			drop("spec", "clusterIP")
			drop("spec", "clusterIPs")
		}
		drop("spec", "healthCheckNodePort")
		dropPorts(o)
	case "Job":
		drop("spec", "selector")
		for _, k := range []string{"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"} {
			drop("spec", "template", "metadata", "labels", k)
			drop("metadata", "labels", k)
		}
	case "Pod":
		drop("spec", "nodeName")
	case "ServiceAccount":
		drop("secrets")
	case "Secret":
		for _, part := range []string{"data", "stringData"} {
			if values, ok := o.Object[part].(map[string]any); ok {
				for k := range values {
					values[k] = ""
				}
			}
		}
	}
}

// dropPorts takes away the ports of nodes, which the cluster has chosen unless the Service is about them.
func dropPorts(o *unstructured.Unstructured) {
	if of, _, _ := unstructured.NestedString(o.Object, "spec", "type"); of == "NodePort" {
		return
	}
	ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
	for _, p := range ports {
		if m, ok := p.(map[string]any); ok {
			delete(m, "nodePort")
		}
	}
	if len(ports) > 0 {
		_ = unstructured.SetNestedSlice(o.Object, ports, "spec", "ports") // spec is a mapping: it has ports
	}
}
