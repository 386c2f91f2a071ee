// Package crd owns the check of an object against the definition of its kind, as an API server makes it: unknown fields, defaults, the schema, sets and maps
// in lists, and CEL rules. It never guesses a schema: a kind without one is not checked, and says so. It never talks to a cluster.
package crd
