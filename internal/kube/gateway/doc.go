// Package gateway owns the translation of what the AWS Load Balancer Controller
// makes of Ingresses and Services into Gateway API objects and GKE policies. It
// is a pure function of objects and facts: it reads no file, asks no cluster and
// no cloud, and never guesses a certificate, a name or a binding. What has no
// counterpart is a finding, never silence; what GKE rejects is never written.
package gateway
