// Package helm owns what bascule knows of a release of Helm beyond the objects that it comes to: how a chart is rendered, by the program helm; which value
// of its files a rendered text comes from; and which changes could be values in place of patches, proved by rendering once more. It never writes
// a chart, a file of values or a tree, never talks to a cluster, and repeats no value of a file: it only names the key and the line.
package helm
