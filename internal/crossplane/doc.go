// Package crossplane owns what developers may ask for on Google Cloud, as kinds of Crossplane v2: their definitions, the compositions that turn them into managed
// resources, the objects that stand for what a migration has made already, and how those are adopted without being made again. It is a pure function of
// bascule.yaml: it guesses no project, region or name, but asks. It never writes files and never talks to a cluster or to Google Cloud.
package crossplane
