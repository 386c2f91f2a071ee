// Package helm owns the proof that what is written for a release works with Helm itself: charts are rendered by Helm 3 and Helm 4, post-rendered by the script and the plugin, and inflated by Kustomize, and all of
// it comes to the same. It is tests only. They run where BASCULE_HELM names a folder with the programs helm3 and helm4 (make test-helm builds them), and never talk to a cluster.
package helm
