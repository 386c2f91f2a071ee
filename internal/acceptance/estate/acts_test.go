package estate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// cluster is the objects of one side, looked at as the controllers of a cluster look at them. It knows nothing of translations: what acts is what
// Kubernetes, external-dns, cert-manager, KEDA and the Prometheus operator would act upon.
type cluster struct {
	objects []*manifest.Object
	// labels are those that a node may have; templates say whether external-dns makes names by itself.
	labels    map[string]bool
	templates bool
	acts      map[string][]string
	// controllers says of images whether they run.
	controllers map[string]bool
}

// acting returns what a side does, each with the objects by which it does it:
//
//	runs KIND NAMESPACE/NAME    pods exist, or a schedule starts some
//	consumes QUEUE              by such pods
//	charges, mails HOST         by such pods
//	writes NAME                 a record of DNS
//	issues NAME                 a certificate of ACME
func acting(objects []*manifest.Object) map[string][]string {
	c := &cluster{objects: objects, labels: map[string]bool{}, acts: map[string][]string{}, controllers: map[string]bool{}}
	for _, o := range objects {
		for _, path := range [][]string{{"spec", "nodePoolConfig", "nodeLabels"}, {"spec", "template", "metadata", "labels"}} {
			if o.Kind == "ComputeClass" || o.Kind == "NodePool" {
				for k := range mapping(o.Value, path...) {
					c.labels[k] = true
				}
			}
		}
		c.templates = c.templates || o.Kind == "Deployment" && strings.Contains(string(o.Text), "--fqdn-template=")
	}
	for _, o := range objects {
		if c.runs(o) {
			c.does("runs "+o.String(), o)
			c.reaches(o)
		}
		for _, name := range c.records(o) {
			c.does("writes "+name, o)
		}
		for _, name := range c.certificates(o) {
			c.does("issues "+name, o)
		}
	}
	return c.acts
}

func (c *cluster) does(what string, o *manifest.Object) {
	c.acts[what] = append(c.acts[what], o.String())
}

// runs says whether there are pods of the object, or will be by themselves.
func (c *cluster) runs(o *manifest.Object) bool {
	switch o.Group + " " + o.Kind {
	case " Pod":
		return true
	case "apps Deployment", "apps StatefulSet", "apps ReplicaSet", " ReplicationController":
		return c.replicas(o) > 0
	case "apps DaemonSet":
		for k := range mapping(o.Value, "spec", "template", "spec", "nodeSelector") {
			if !c.onNodes(k) {
				return false
			}
		}
		return true
	case "batch CronJob", "batch Job":
		return at(o.Value, "spec", "suspend") != true
	case "keda.sh ScaledJob":
		return text(o.Value, "metadata", "annotations", "autoscaling.keda.sh/paused") != "true"
	case "monitoring.coreos.com Prometheus", "monitoring.coreos.com Alertmanager", "monitoring.coreos.com ThanosRuler", "monitoring.coreos.com PrometheusAgent":
		return at(o.Value, "spec", "replicas") != int64(0)
	}
	return false
}

// onNodes says whether some node may have a label: one of Kubernetes, of a cloud, or of the estate's own classes of nodes.
func (c *cluster) onNodes(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	known := strings.HasSuffix(domain, "kubernetes.io") || strings.HasSuffix(domain, "k8s.io") || strings.HasSuffix(domain, ".amazonaws.com") ||
		strings.HasPrefix(domain, "karpenter.") || strings.HasSuffix(domain, "cloud.google.com")
	return strings.Contains(key, "/") && known || c.labels[key]
}

// replicas is how many pods a workload comes to. A HorizontalPodAutoscaler leaves one at zero alone; KEDA does not, unless it is paused.
func (c *cluster) replicas(o *manifest.Object) int64 {
	n, said := at(o.Value, "spec", "replicas").(int64)
	if !said {
		n = 1
	}
	for _, s := range c.objects {
		kind := text(s.Value, "spec", "scaleTargetRef", "kind")
		if s.Kind != "ScaledObject" || s.Namespace != o.Namespace || text(s.Value, "spec", "scaleTargetRef", "name") != o.Name || kind != o.Kind && (kind != "" || o.Kind != "Deployment") {
			continue
		}
		notes := mapping(s.Value, "metadata", "annotations")
		if paused, ok := notes["autoscaling.keda.sh/paused-replicas"].(string); ok {
			n, _ = strconv.ParseInt(paused, 10, 64)
		} else if notes["autoscaling.keda.sh/paused"] != "true" {
			n = max(n, 1)
		}
	}
	return n
}

var (
	queue   = regexp.MustCompile(`sqs\.[a-z0-9-]+\.amazonaws\.com/\d+/[\w-]+|[\w.-]*kafka[\w.-]*:\d+|amqps?://[\w.:-]+`)
	charges = regexp.MustCompile(`checkout\.adyen\.[a-z]+|api\.bank\.[a-z]+`)
	mails   = regexp.MustCompile(`email-smtp\.[a-z0-9-]+\.amazonaws\.com`)
)

// reaches adds what the pods of an object reach, as far as their variables, arguments and configuration say it.
func (c *cluster) reaches(o *manifest.Object) {
	for _, s := range c.texts(o) {
		for _, q := range queue.FindAllString(s, -1) {
			c.does("consumes "+q, o)
		}
		for _, h := range charges.FindAllString(s, -1) {
			c.does("charges "+h, o)
		}
		for _, h := range mails.FindAllString(s, -1) {
			c.does("mails "+h, o)
		}
	}
}

// texts are the object's own, and those of the ConfigMaps that its pods read.
func (c *cluster) texts(o *manifest.Object) (out []string) {
	maps := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			out = append(out, x)
		case []any:
			for _, y := range x {
				walk(y)
			}
		case map[string]any:
			for _, k := range []string{"configMapRef", "configMapKeyRef", "configMap"} {
				maps[text(x, k, "name")] = true
			}
			for _, y := range x {
				walk(y)
			}
		}
	}
	walk(at(o.Value, "spec"))
	for _, m := range c.objects {
		if m.Kind == "ConfigMap" && m.Namespace == o.Namespace && maps[m.Name] {
			walk(m.Value["data"])
		}
	}
	return out
}

// records are the names that external-dns would write for an object, and the dns-controller of kops. Neither looks at whether the workload behind a Service runs.
func (c *cluster) records(o *manifest.Object) (out []string) {
	notes := mapping(o.Value, "metadata", "annotations")
	if o.Kind == "Service" && c.running("kops/dns-controller") {
		for _, k := range []string{"dns.alpha.kubernetes.io/external", "dns.alpha.kubernetes.io/internal"} {
			out = append(out, names(notes[k])...)
		}
	}
	if !c.running("/external-dns") {
		return out
	}
	if o.Kind == "DNSEndpoint" { // of this source external-dns does not ask for another controller
		for _, e := range items(o.Value, "spec", "endpoints") {
			out = append(out, text(e, "dnsName"))
		}
	}
	if by := notes["external-dns.alpha.kubernetes.io/controller"]; by != nil && by != "dns-controller" {
		return out
	}
	switch o.Kind {
	case "Service", "Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "Gateway":
		out = append(out, names(notes["external-dns.alpha.kubernetes.io/hostname"])...)
		out = append(out, names(notes["external-dns.alpha.kubernetes.io/internal-hostname"])...)
	}
	switch {
	case o.Kind == "Service" && len(out) == 0 && c.templates && (text(o.Value, "spec", "type") == "LoadBalancer" || text(o.Value, "spec", "clusterIP") == "None"):
		out = append(out, o.Name+" by a template")
	case o.Kind == "Ingress":
		out = append(out, hosts(o)...)
	case strings.HasSuffix(o.Kind, "Route") && o.Group == "gateway.networking.k8s.io":
		for _, h := range items(o.Value, "spec", "hostnames") {
			out = append(out, fmt.Sprint(h))
		}
	}
	return out
}

// running says whether a controller runs. One that is among the objects is looked at; one that is not has been installed by somebody else,
// but that of kops.
func (c *cluster) running(image string) bool {
	runs, known := c.controllers[image]
	if !known {
		runs = c.look(image)
		c.controllers[image] = runs
	}
	return runs
}

func (c *cluster) look(image string) bool {
	there := false
	for _, o := range c.objects {
		if o.Kind != "Deployment" {
			continue
		}
		for _, k := range items(o.Value, "spec", "template", "spec", "containers") {
			if strings.Contains(text(k, "image"), image) {
				there = true
				if c.replicas(o) > 0 {
					return true
				}
			}
		}
	}
	return !there && !strings.HasPrefix(image, "kops/")
}

func names(v any) (out []string) {
	s, _ := v.(string)
	for n := range strings.SplitSeq(s, ",") {
		if n = strings.TrimSuffix(strings.TrimSpace(n), "."); n != "" {
			out = append(out, n)
		}
	}
	return out
}

func hosts(o *manifest.Object) (out []string) {
	for _, r := range items(o.Value, "spec", "rules") {
		out = append(out, text(r, "host"))
	}
	for _, s := range items(o.Value, "spec", "tls") {
		for _, h := range items(s, "hosts") {
			out = append(out, fmt.Sprint(h))
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(h string) bool { return h == "" })
}

// certificates are the names for which cert-manager would order a certificate of an ACME server.
func (c *cluster) certificates(o *manifest.Object) (out []string) {
	if !c.running("cert-manager-controller") {
		return nil
	}
	notes := mapping(o.Value, "metadata", "annotations")
	kind, issuer := "", ""
	for _, k := range []string{"Issuer", "ClusterIssuer"} {
		if name, ok := notes["cert-manager.io/"+map[string]string{"Issuer": "issuer", "ClusterIssuer": "cluster-issuer"}[k]].(string); ok {
			kind, issuer = k, name
		}
	}
	switch {
	case o.Kind == "Certificate" && o.Group == "cert-manager.io":
		kind, issuer = text(o.Value, "spec", "issuerRef", "kind"), text(o.Value, "spec", "issuerRef", "name")
		for _, n := range items(o.Value, "spec", "dnsNames") {
			out = append(out, fmt.Sprint(n))
		}
	case o.Kind == "Ingress":
		for _, s := range items(o.Value, "spec", "tls") {
			for _, h := range items(s, "hosts") {
				out = append(out, fmt.Sprint(h))
			}
		}
	case o.Kind == "Gateway":
		for _, l := range items(o.Value, "spec", "listeners") {
			out = append(out, text(l, "hostname"))
		}
	}
	for _, i := range c.objects {
		if i.Group == "cert-manager.io" && i.Name == issuer && i.Kind == kind && (kind == "ClusterIssuer" || i.Namespace == o.Namespace) && at(i.Value, "spec", "acme") != nil {
			return out
		}
	}
	return nil
}
