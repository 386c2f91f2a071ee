// Package translate owns what becomes of a manifest on Google Cloud: rules, one
// for each row of the mapping tables (docs/kube.md), that turn objects into
// patches with a reason each, new objects, and findings. It is pure: it reads
// no file, talks to no cloud and writes nothing. It never guesses what only
// people can know: it asks, with the key that answers. And it never repeats the
// value of a secret.
package translate
