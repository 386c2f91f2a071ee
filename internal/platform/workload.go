package platform

import (
	"regexp"
	"slices"
	"strings"
)

// Workload are manifests of an environment. One of an environment's says where they are, or that its decisions list releases of Helm.
type Workload struct {
	// Name is what they are called.
	Name string `yaml:"name"`
	// From are folders and files of manifests, relative to bascule.yaml; or one cluster:CONTEXT, which is only read.
	From []string `yaml:"from,omitempty"`
	// Config is the file of what people have decided about them, relative to bascule.yaml. Releases of Helm are listed in it.
	Config string `yaml:"config,omitempty"`
	// Images is the file of verified copies of images, relative to bascule.yaml.
	Images string `yaml:"images,omitempty"`
	// Out is the folder of the tree that bascule kube translate writes, in a Git repository, relative to bascule.yaml.
	Out string `yaml:"out,omitempty"`
	// CRDs are folders of CustomResourceDefinitions by which bascule kube check holds custom resources, relative to bascule.yaml.
	CRDs []string `yaml:"crds,omitempty"`
	// Exists are objects that are made elsewhere, such as "Secret shop/db", for bascule kube check.
	Exists []string `yaml:"exists,omitempty"`
	// Cluster is the context of kubectl that leads to the new side. Where it is named, the environment's rounds have the built-in steps of workloads.
	Cluster string `yaml:"cluster,omitempty"`
}

// clusterPrefix marks a cluster where manifests are named.
const clusterPrefix = "cluster:"

// InCluster reports whether a name of manifests is that of a cluster.
func InCluster(from string) bool { return strings.HasPrefix(from, clusterPrefix) }

// says reports whether the workloads are those that a tree is made of: they name manifests, or decisions, which may list releases of Helm, and a tree.
func (w *Workload) says() bool { return len(w.From) > 0 || w.Config != "" && w.Out != "" }

// Manifests returns the workloads that say where the environment's manifests are, or by their decisions which releases of Helm there are; nil where none does.
func (e *Environment) Manifests() *Workload {
	i := slices.IndexFunc(e.Workloads, func(w Workload) bool { return w.says() })
	if i < 0 {
		return nil
	}
	return &e.Workloads[i]
}

// deploys reports whether a round brings the environment's workloads to the new side by their tree.
func (e *Environment) deploys() bool {
	w := e.Manifests()
	return w != nil && w.Cluster != ""
}

// objectPattern is how an object that is made elsewhere is named: its kind, its namespace where it has one, its name.
const objectPattern = `^[A-Za-z]+ ([^ /]+/)?[^ /]+$`

var objectName = regexp.MustCompile(objectPattern)

// IsObject reports whether a text names an object as Exists does.
func IsObject(text string) bool { return objectName.MatchString(text) }
