// Package calico owns what becomes of policies of Calico on a cluster that does
// not read them: NetworkPolicies of Kubernetes that mean the same, and what has
// no equivalent. All policies are looked at together, for in Calico the order
// decides which of them is asked first. It is pure. What it writes never allows
// what the policies denied: where Calico's meaning cannot be kept it closes, and
// says so.
package calico
