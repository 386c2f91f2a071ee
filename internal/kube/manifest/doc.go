// Package manifest owns what a Kubernetes manifest is to bascule: objects with
// their identity, their place in a file, their value and their exact bytes. It
// reads plain YAML and JSON: what Kustomize and Helm print, and what a cluster
// was asked for. It never renders a chart, never follows a link, never talks to
// a cluster and never changes what it read.
package manifest
