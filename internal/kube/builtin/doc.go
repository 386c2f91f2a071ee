// Package builtin owns the schemas of Kubernetes' own kinds, for the minor versions that GKE offers, and the definitions of Gateway API, as
// data with source and release, and the check of an object against them: unknown fields, types, required fields, enumerations, quantities, names,
// elements that stand twice. It is no API server: rules that the server's code has and its schemas do not (that a port is below 65536, that a
// selector fits its template) are not among them. It talks to no cluster, and never repeats a value of a Secret.
package builtin

//go:generate go -C ../../../tools run ./kubeschemas ../internal/kube/builtin/data
