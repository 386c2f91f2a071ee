// Package tree owns the GitOps tree that a translation is written to: what lies
// where, and how it is written without ever being half there. Below generated/
// it writes and removes; below overrides/ it creates what is missing and never
// touches what is there. It never decides what an object becomes. The layout is
// argued in docs/design/kube.md.
package tree
