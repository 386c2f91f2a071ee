// Package marketplace owns an example: the manifests of a marketplace of refurbished devices as its four environments have them before they
// move, three regions and a preprod, on EKS and on a cluster of its own by kops, with the differences that time has left between them. They are made
// of the descriptions and templates in this folder, and are the same at each run. It knows nothing of translations and never talks to a cluster.
package marketplace
