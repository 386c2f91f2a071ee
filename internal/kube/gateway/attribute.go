package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/finding"
)

// attributes reads key=value,key=value. What is no such pair is returned too.
func attributes(said string) (values map[string]string, keys, wrong []string) {
	values = map[string]string{}
	for _, a := range csv(said) {
		k, v, ok := strings.Cut(a, "=")
		if !ok {
			wrong = append(wrong, a)
			continue
		}
		values[strings.TrimSpace(k)] = strings.TrimSpace(v)
		keys = append(keys, strings.TrimSpace(k))
	}
	slices.Sort(keys)
	return values, slices.Compact(keys), wrong
}

// known is what becomes of an attribute: what is said of it unless its value is one of the harmless ones.
type known struct {
	verdict  Verdict
	row      string
	code     finding.Code
	what, do string
	harmless []string
}

// targetGroupAttributes are those of target groups; a row without a text is told where it is translated.
var targetGroupAttributes = map[string]known{
	"deregistration_delay.timeout_seconds": {verdict: Same, row: "deregistration", code: "deregistration-delay", what: "The delay becomes the time for which connections are drained."},
	"stickiness.enabled":                   {verdict: Same, row: "stickiness", harmless: []string{"true", "false"}},
	"stickiness.type":                      {verdict: Same, row: "stickiness", harmless: []string{"lb_cookie", "app_cookie"}},
	"stickiness.lb_cookie.duration_seconds": {
		verdict: Same, row: "stickiness", code: "stickiness-duration", what: "The duration becomes the time to live of the load balancer's cookie.",
	},
	"stickiness.app_cookie.cookie_name":      {verdict: Same, row: "stickiness", code: "stickiness-app-cookie-setting", what: "It belongs to stickiness by the application's cookie, which has its own finding."},
	"stickiness.app_cookie.duration_seconds": {verdict: Same, row: "stickiness", code: "stickiness-app-cookie-setting", what: "It belongs to stickiness by the application's cookie, which has its own finding."},
	"load_balancing.algorithm.type": {
		verdict: Changed, row: "algorithm", code: "algorithm", what: "The algorithm chooses among the Pods of a zone; Google first chooses the zone, by the backend service's own policy.",
		do: "Watch the spread over Pods under load.", harmless: []string{"round_robin"},
	},
	"load_balancing.algorithm.anomaly_mitigation": {verdict: Changed, row: "algorithm", code: "anomaly-mitigation", what: "The ALB sends less to targets that behave oddly; a Gateway knows healthy and unhealthy only.", do: "Let readiness probes take such Pods out.", harmless: []string{"off"}},
	"load_balancing.cross_zone.enabled":           {verdict: Changed, row: "target-group-attributes", code: "cross-zone", what: "Google prefers Pods in the zone of the client's entry and fills up others; there is no switch of that kind.", do: "Set serviceLbAlgorithm by a GCPTrafficDistributionPolicy where the zones must share evenly.", harmless: []string{"true", "use_load_balancer_configuration"}},
	"slow_start.duration_seconds":                 {verdict: None, row: "slow-start", code: "slow-start", what: "New Pods get their full share at once; a Gateway cannot raise it slowly.", do: "Delay readiness until caches are warm, or scale up earlier.", harmless: []string{"0"}},
}

// loadBalancerAttributes are those of load balancers.
var loadBalancerAttributes = map[string]known{
	"idle_timeout.timeout_seconds": {
		verdict: Changed, row: "idle-timeout", code: "idle-timeout", what: "The ALB ends a connection on which nothing moves; Google's timeoutSec is the time for the whole answer, and for the life of a WebSocket. The number is kept, its meaning is not.",
		do: "Raise timeoutSec for long polls, downloads, uploads and WebSockets.",
	},
	"access_logs.s3.enabled":                                   {verdict: Changed, row: "access-logs", code: "access-logs", what: "Requests are logged to Cloud Logging instead of files in S3.", do: "Route the logs to BigQuery, and move the queries of those who read the files.", harmless: []string{"false"}},
	"access_logs.s3.bucket":                                    {verdict: Changed, row: "access-logs", code: "access-logs-place", what: "The bucket and its prefix are no longer written to.", do: "Keep the old files as long as somebody asks for them."},
	"access_logs.s3.prefix":                                    {verdict: Changed, row: "access-logs", code: "access-logs-place", what: "The bucket and its prefix are no longer written to.", do: "Keep the old files as long as somebody asks for them."},
	"connection_logs.s3.enabled":                               {verdict: Changed, row: "access-logs", code: "connection-logs", what: "Google's load balancers log requests, not connections.", do: "Look at TLS failures in the load balancer's metrics.", harmless: []string{"false"}},
	"connection_logs.s3.bucket":                                {verdict: Changed, row: "access-logs", code: "access-logs-place", what: "The bucket and its prefix are no longer written to.", do: "Keep the old files as long as somebody asks for them."},
	"connection_logs.s3.prefix":                                {verdict: Changed, row: "access-logs", code: "access-logs-place", what: "The bucket and its prefix are no longer written to.", do: "Keep the old files as long as somebody asks for them."},
	"deletion_protection.enabled":                              {verdict: Same, row: "load-balancer-attributes", code: "deletion-protection", what: "A Gateway is protected by who may delete it; the attribute is dropped.", do: "Guard the namespace by RBAC, and the address by its reservation."},
	"routing.http2.enabled":                                    {verdict: Changed, row: "load-balancer-attributes", code: "http2-off", what: "Google's load balancers always offer HTTP/2 to clients.", do: "Check the clients for which it was turned off.", harmless: []string{"true"}},
	"routing.http.drop_invalid_header_fields.enabled":          {verdict: Changed, row: "load-balancer-attributes", code: "invalid-headers", what: "Google's load balancers refuse requests with malformed headers instead of dropping the headers.", do: "Check clients that send such headers.", harmless: []string{"false"}},
	"routing.http.desync_mitigation_mode":                      {verdict: Changed, row: "load-balancer-attributes", code: "desync-mitigation", what: "Google's load balancers normalise requests by their own rules, which cannot be set.", do: "Check clients that need the mode monitor.", harmless: []string{"defensive"}},
	"routing.http.preserve_host_header.enabled":                {verdict: Same, row: "load-balancer-attributes", code: "host-header", what: "The Host header always reaches the Pods as the client sent it."},
	"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": {verdict: Changed, row: "headers", code: "tls-headers", what: "The headers x-amzn-tls-version and x-amzn-tls-cipher-suite are gone.", do: "Add custom request headers {tls_version} and {tls_cipher_suite} to the backend service, and read those.", harmless: []string{"false"}},
	"routing.http.xff_client_port.enabled":                     {verdict: Changed, row: "headers", code: "xff-port", what: "X-Forwarded-For holds no ports.", do: "Add the custom request header {client_port} to the backend service where it is read.", harmless: []string{"false"}},
	"routing.http.xff_header_processing.mode":                  {verdict: Changed, row: "headers", code: "xff-mode", what: "Google's load balancers always append «client, load balancer» to X-Forwarded-For.", do: "Read the last entry but one as the client.", harmless: []string{"append"}},
	"client_keep_alive.seconds":                                {verdict: Changed, row: "load-balancer-attributes", code: "client-keep-alive", what: "How long a client's connection may live is a setting of the target proxy (610 s unless set), not of the Gateway.", do: "Set httpKeepAliveTimeoutSec on the proxy where it matters.", harmless: []string{"3600"}},
	"load_balancing.cross_zone.enabled":                        {verdict: Same, row: "load-balancer-attributes", code: "cross-zone", what: "Google's load balancers reach all zones."},
	"waf.fail_open.enabled":                                    {verdict: Changed, row: "waf", code: "waf-fail-open", what: "Cloud Armor is part of the load balancer; there is no failing open.", do: "Accept it.", harmless: []string{"false"}},
	"zonal_shift.config.enabled":                               {verdict: Changed, row: "load-balancer-attributes", code: "zonal-shift", what: "There is no zonal shift.", do: "Use autoCapacityDrain of a GCPTrafficDistributionPolicy, or drain a zone's nodes.", harmless: []string{"false"}},
	"ipv6.deny_all_igw_traffic":                                {verdict: Same, row: "dropped", code: "ipv6-deny", what: "An internal Gateway has no way in from the internet; the attribute is dropped."},
}

// attribute notes what becomes of one attribute of an annotation.
func (n *notes) attribute(r remark, table map[string]known, key, value string) (remark, bool) {
	k, ok := table[key]
	switch {
	case !ok:
		r.verdict, r.code, r.what = None, "attribute-unknown", fmt.Sprintf("The attribute %q is not known to this translation.", key)
		r.do = "Say by hand what it means, or remove it."
		return r, true
	case slices.Contains(k.harmless, value) || k.code == "":
		return r, false
	}
	r.verdict, r.row, r.code, r.what, r.do = k.verdict, k.row, k.code, k.what, k.do
	r.evidence = []string{key + "=" + value}
	return r, true
}

// whole reads a number within bounds; what lies outside is moved to the bound, and said so.
func whole(said string, low, high int64) (n int64, moved bool, err error) {
	n, err = strconv.ParseInt(said, 10, 64)
	if err != nil {
		return 0, false, err
	}
	return min(max(n, low), high), n < low || n > high, nil
}
