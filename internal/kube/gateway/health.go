package gateway

import (
	"fmt"
	"regexp"
	"strconv"
)

// targetGroup is what a target group's attributes come to.
type targetGroup struct {
	draining  int64 // -1 when nobody says it
	cookie    int64 // seconds, 0 without stickiness
	algorithm string
}

// targetGroup reads target-group-attributes.
func (t *translation) targetGroup(u *use) targetGroup {
	out := targetGroup{draining: -1}
	said, _ := u.m.setting(u.svc, "target-group-attributes")
	values, keys, wrong := attributes(said)
	for _, k := range keys {
		if r, tell := t.notes.attribute(remark{}, targetGroupAttributes, k, values[k]); tell {
			t.said(u, "target-group-attributes", r)
		}
	}
	if v, ok := values["deregistration_delay.timeout_seconds"]; ok {
		n, _, err := whole(v, 0, 3600)
		if err != nil {
			wrong = append(wrong, v)
		} else {
			out.draining = n
		}
	}
	if values["stickiness.enabled"] == "true" {
		out.cookie = t.sticky(u, values)
	}
	out.algorithm = map[string]string{"round_robin": "ROUND_ROBIN", "least_outstanding_requests": "LEAST_REQUEST", "weighted_random": "RANDOM"}[values["load_balancing.algorithm.type"]]
	if len(wrong) > 0 {
		t.said(u, "target-group-attributes", remark{verdict: None, code: "annotation-invalid", what: "Some attributes are no pairs of key and value that the controller reads.", do: "Mend it at the source.", evidence: wrong})
	}
	return out
}

// sticky is the time to live of the load balancer's cookie.
func (t *translation) sticky(u *use, values map[string]string) int64 {
	if values["stickiness.type"] == "app_cookie" {
		t.said(u, "target-group-attributes", remark{
			verdict: None, code: "stickiness-app-cookie", row: "stickiness", what: "The ALB follows a cookie of the application; a Gateway makes one of its own. No stickiness is written.",
			do: "Use stickiness by the load balancer's cookie at the source (type lb_cookie), or keep the sessions outside of the Pods.", evidence: []string{values["stickiness.app_cookie.cookie_name"]},
		})
		return 0
	}
	what := "The cookie is GCLB instead of AWSALB, and it chooses a Pod by a hash: some clients change Pods when their number changes."
	if t.facts.StickyRemembered {
		what = "The cookie is GCLB instead of AWSALB; the load balancer remembers the Pod of each client."
	}
	t.said(u, "target-group-attributes", remark{
		verdict: Changed, code: "stickiness", row: "stickiness", what: what,
		do: "Keep sessions outside of the Pods, or let the load balancer remember the Pod (sticky-remembered in the facts: GCPSessionAffinityPolicy).",
	})
	n, _, err := whole(values["stickiness.lb_cookie.duration_seconds"], 1, 1_209_600)
	if err != nil {
		return 86_400 // the ALB's default
	}
	return n
}

var healthPath = regexp.MustCompile(`^/[A-Za-z0-9/\-._~%!?$&'()*+,;=:]*$`)

// healthCheck writes how the Pods are checked, with what the ALB does where nobody says anything: GKE's own defaults differ.
func (t *translation) healthCheck(u *use) Object {
	version, _ := u.m.setting(u.svc, "backend-protocol-version")
	f := mapping()
	interval := t.number(u, "healthcheck-interval-seconds", 15, 300)
	timeout := t.number(u, "healthcheck-timeout-seconds", 5, 300)
	if timeout > interval {
		t.said(u, "healthcheck-timeout-seconds", remark{verdict: Changed, code: "health-check-timeout", what: fmt.Sprintf("GKE does not take a time-out longer than the interval: it becomes %d s.", interval)})
		timeout = interval
	}
	f.set("checkIntervalSec", interval).set("timeoutSec", timeout)
	f.set("healthyThreshold", t.number(u, "healthy-threshold-count", 2, 10))
	f.set("unhealthyThreshold", t.number(u, "unhealthy-threshold-count", 2, 10))
	kind := t.healthProtocol(u, version)
	check := t.healthPort(u)
	if kind == "GRPC" {
		f.set("config", mapping().set("type", kind).set("grpcHealthCheck", check))
	} else {
		check.set("requestPath", t.healthPath(u))
		f.set("config", mapping().set("type", kind).set(map[string]string{"HTTP": "httpHealthCheck", "HTTPS": "httpsHealthCheck"}[kind], check))
	}
	t.successCodes(u, version)
	return u.policy("HealthCheckPolicy", f)
}

func (t *translation) number(u *use, suffix string, otherwise, high int64) int64 {
	said, _ := u.m.setting(u.svc, suffix)
	if said == "" {
		return otherwise
	}
	n, moved, err := whole(said, 1, high)
	switch {
	case err != nil:
		t.said(u, suffix, remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("%q is no number.", said), do: "Mend it at the source."})
		return otherwise
	case moved:
		t.said(u, suffix, remark{verdict: Changed, code: "health-check-bounds", what: fmt.Sprintf("GKE takes 1 to %d: it becomes %d.", high, n)})
	}
	return n
}

func (t *translation) healthProtocol(u *use, version string) string {
	if version == "GRPC" {
		t.said(u, "backend-protocol-version", remark{
			verdict: Changed, code: "health-check-grpc", row: "health-check", what: "Google checks by the method grpc.health.v1.Health/Check, where the ALB calls a path of its own choosing.",
			do: "Have the Pods answer the standard health service.",
		})
		return "GRPC"
	}
	kind, _ := u.m.setting(u.svc, "healthcheck-protocol")
	if kind == "" {
		kind, _ = u.m.setting(u.svc, "backend-protocol")
	}
	if kind == "HTTPS" {
		return kind
	}
	return "HTTP"
}

func (t *translation) healthPath(u *use) string {
	said, _ := u.m.setting(u.svc, "healthcheck-path")
	switch {
	case said == "":
		return "/"
	case !healthPath.MatchString(said):
		t.said(u, "healthcheck-path", remark{verdict: None, code: "health-check-path", what: fmt.Sprintf("GKE does not take the path %q; / is written.", said), do: "Name a path without such characters."})
		return "/"
	}
	return said
}

// healthPort says on which port the Pods are checked: that of the traffic, or a port of the Pods. The ALB's number is a NodePort where its
// targets are nodes.
func (t *translation) healthPort(u *use) fields {
	f := mapping()
	said, _ := u.m.setting(u.svc, "healthcheck-port")
	if said == "" || said == "traffic-port" {
		return f.set("portSpecification", "USE_SERVING_PORT")
	}
	n, err := strconv.ParseInt(said, 10, 64)
	if u.svc != nil {
		for _, p := range list(u.svc.Value, "spec", "ports") {
			nodePort, _ := at(p, "nodePort").(int64)
			if err == nil && nodePort != n || err != nil && str(p, "name") != said {
				continue
			}
			switch target := at(p, "targetPort").(type) {
			case int64:
				n, err = target, nil
			case string:
				err = fmt.Errorf("the Service names its target port %q", target)
			default:
				n, _ = at(p, "port").(int64)
				err = nil
			}
			break
		}
	}
	if err != nil || n < 1 || n > 65535 {
		t.said(u, "healthcheck-port", remark{
			verdict: None, code: "health-check-port", what: fmt.Sprintf("Which port of the Pods %q is cannot be told from the Service. The serving port is written.", said),
			do: "Say the number of the container's port by healthcheck-port.",
		})
		return f.set("portSpecification", "USE_SERVING_PORT")
	}
	return f.set("portSpecification", "USE_FIXED_PORT").set("port", n)
}

// successCodes notes codes other than 200, which Google's checks do not take.
func (t *translation) successCodes(u *use, version string) {
	said, _ := u.m.setting(u.svc, "success-codes")
	switch {
	case said == "":
	case said == "200" && version != "GRPC":
		t.said(u, "success-codes", remark{verdict: Same, what: "200 is what Google's health checks take."})
	case version == "GRPC":
		t.said(u, "success-codes", remark{verdict: Changed, what: "Google's check of gRPC takes the status SERVING of the health service, and no codes.", do: "Have the Pods answer SERVING."})
	default:
		t.said(u, "success-codes", remark{evidence: []string{said}})
	}
}
