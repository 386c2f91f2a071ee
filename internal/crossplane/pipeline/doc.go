// Package pipeline owns what Crossplane makes of a composite resource without a cluster: it runs the steps of a Composition in pipeline mode, of the two functions
// function-patch-and-transform and function-auto-ready. What it does not know of them is an error that names it, never a guess. It never reads files and never
// talks to a cluster.
package pipeline
