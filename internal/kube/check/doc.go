// Package check owns what can be said about manifests before anybody applies them: whether an API server of the target's version would take each
// object, whether what objects refer to is there, what a Gateway of GKE refuses, whom network policies cut off, and what is left of AWS. It is
// pure: it reads nothing but what it is handed, and changes nothing. What has no schema at hand it counts as not checked, never as valid. It
// never repeats the value of a secret.
package check
