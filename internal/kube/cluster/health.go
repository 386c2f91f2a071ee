package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/restmapper"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// Health is how an object does that was applied.
type Health struct {
	// Object names it for people: Deployment shop/web.
	Object string `json:"object"`
	// Healthy: it is there, and is what it is to be. Asked says that its kind tells how it does; of others it is only known that they are there.
	Healthy bool `json:"healthy"`
	Asked   bool `json:"asked"`
	// Why says what it waits for.
	Why string `json:"why,omitempty"`
}

// Health looks at each object that is wanted, in their order.
func (c *Cluster) Health(ctx context.Context, wanted []*manifest.Object) ([]Health, error) {
	op := "look at the cluster of context " + c.name
	groups, err := restmapper.GetAPIGroupResources(c.disc)
	if err != nil {
		return nil, unreachable(op, err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	out := make([]Health, len(wanted))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for i, o := range wanted {
		g.Go(func() (err error) {
			out[i], err = c.health(ctx, mapper, o)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, unreachable(op, err)
	}
	return out, nil
}

func (c *Cluster) health(ctx context.Context, mapper meta.RESTMapper, o *manifest.Object) (Health, error) {
	h := Health{Object: o.String()}
	m, err := mapper.RESTMapping(schema.GroupKind{Group: o.Group, Kind: o.Kind}, o.Version)
	if err != nil {
		h.Why = "the cluster does not know " + o.APIVersion() + " " + o.Kind
		return h, nil //nolint:nilerr // that is the answer
	}
	r := c.dyn.Resource(m.Resource)
	var found *unstructured.Unstructured
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		found, err = r.Namespace(cmp.Or(o.Namespace, metav1.NamespaceDefault)).Get(ctx, o.Name, metav1.GetOptions{})
	} else {
		found, err = r.Get(ctx, o.Name, metav1.GetOptions{})
	}
	switch {
	case apierrors.IsNotFound(err):
		h.Why = "it is not there"
		return h, nil
	case apierrors.IsForbidden(err):
		h.Why = "the account may not read it: " + err.Error()
		return h, nil
	case err != nil:
		return h, err
	}
	h.Why, h.Asked = ails(found)
	h.Healthy = h.Why == ""
	return h, nil
}

// ails says what an object waits for, by what its kind's documentation says of its status; asked is false for a kind that says nothing.
func ails(o *unstructured.Unstructured) (why string, asked bool) {
	seen, told, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	if told && seen < o.GetGeneration() {
		return "its controller has not looked at the last change yet", true
	}
	number := func(path ...string) int64 { n, _, _ := unstructured.NestedInt64(o.Object, path...); return n }
	pods := func(want int64, of ...string) string {
		for _, k := range of {
			if n := number("status", k); n < want {
				return fmt.Sprintf("%d of %d pods: %s", n, want, k)
			}
		}
		return ""
	}
	switch o.GetKind() {
	case "Deployment", "StatefulSet", "ReplicaSet":
		want, set, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		if !set {
			want = 1
		}
		if !told {
			return "its controller has not looked at it yet", true
		}
		if more := number("status", "replicas") - want; more > 0 {
			return fmt.Sprintf("%d pods too many", more), true
		}
		switch o.GetKind() {
		case "Deployment":
			return pods(want, "updatedReplicas", "readyReplicas", "availableReplicas"), true
		case "StatefulSet":
			if strategy, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); strategy == "OnDelete" {
				return pods(want, "readyReplicas"), true
			}
			return pods(want, "updatedReplicas", "readyReplicas"), true
		}
		return pods(want, "readyReplicas"), true
	case "DaemonSet":
		if !told {
			return "its controller has not looked at it yet", true
		}
		return pods(number("status", "desiredNumberScheduled"), "updatedNumberScheduled", "numberReady"), true
	case "Job":
		if suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend"); suspended {
			return "", true
		}
		return condition(o.Object, "Complete"), true
	case "Pod":
		if phase, _, _ := unstructured.NestedString(o.Object, "status", "phase"); phase == "Succeeded" {
			return "", true
		}
		return condition(o.Object, "Ready"), true
	case "PersistentVolumeClaim":
		phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
		if phase != "Bound" && phase != "Pending" {
			return "it is " + cmp.Or(phase, "without a phase"), true
		}
		return "", true // Pending is what a claim is that nobody uses yet
	case "Gateway":
		return condition(o.Object, "Programmed"), true
	case "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute":
		return routed(o), true
	case "Service":
		if of, _, _ := unstructured.NestedString(o.Object, "spec", "type"); of != "LoadBalancer" {
			return "", false
		}
		if in, _, _ := unstructured.NestedSlice(o.Object, "status", "loadBalancer", "ingress"); len(in) == 0 {
			return "its load balancer has no address yet", true
		}
		return "", true
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, of := range []string{"Ready", "Available", "Established"} {
		if slices.ContainsFunc(conditions, func(c any) bool { return field(c, "type") == of }) {
			return condition(o.Object, of), true
		}
	}
	return "", false
}

func field(v any, key string) string {
	m, _ := v.(map[string]any)
	s, _ := m[key].(string)
	return s
}

// condition says why a condition of a status does not hold.
func condition(o map[string]any, of string) string {
	all, _, _ := unstructured.NestedSlice(o, "status", "conditions")
	if len(all) == 0 {
		all, _, _ = unstructured.NestedSlice(o, "conditions")
	}
	for _, c := range all {
		if field(c, "type") == of {
			if field(c, "status") == string(metav1.ConditionTrue) {
				return ""
			}
			return strings.TrimRight(fmt.Sprintf("not %s: %s %s", of, field(c, "reason"), field(c, "message")), " :")
		}
	}
	return "not " + of + " yet"
}

// routed says why a Gateway does not carry a route.
func routed(o *unstructured.Unstructured) string {
	parents, _, _ := unstructured.NestedSlice(o.Object, "status", "parents")
	if len(parents) == 0 {
		return "no Gateway has taken it yet"
	}
	for _, p := range parents {
		m, _ := p.(map[string]any)
		for _, of := range []string{"Accepted", "ResolvedRefs"} {
			if why := condition(m, of); why != "" {
				return why
			}
		}
	}
	return ""
}
