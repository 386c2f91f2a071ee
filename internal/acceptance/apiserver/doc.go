// Package apiserver owns the proof that a real API server takes what the program writes for a cluster: the trees of kube translate, in both
// phases, and what crossplane generate writes, applied server-side, and applied again without a difference. It is tests only. They run where
// BASCULE_APISERVER names the folder of a kube-apiserver and an etcd (make test-apiserver builds them), never talk to a server that they have not
// started, and judge nothing that controllers do: there are none.
package apiserver
