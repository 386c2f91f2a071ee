// Package monitor owns what becomes of the monitors and rules of the Prometheus
// operator in Managed Prometheus: PodMonitoring, ClusterPodMonitoring, Rules and
// ClusterRules (monitoring.googleapis.com/v1), and what is lost on the way. It is
// pure. It translates an object as a whole or not at all, never scrapes what the
// source did not name, and drops nothing without saying so. It follows no secret
// and repeats none.
package monitor
