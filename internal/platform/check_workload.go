package platform

import (
	"fmt"
	"strings"
)

// workloads looks that what belongs to manifests stands where these are, and that an environment has one tree.
func (c *checker) workloads(path string, e *Environment) {
	seen := map[string]bool{}
	first := ""
	for i := range e.Workloads {
		w, at := &e.Workloads[i], fmt.Sprintf("%s[%d]", path, i)
		c.named(at+".name", "workload", w.Name, seen)
		c.manifests(at, w)
		if !w.says() {
			continue
		}
		if first != "" {
			key := ".from"
			if len(w.From) == 0 {
				key = ".out"
			}
			c.add(at+key, "workload %q says already where the manifests of %s are, and an environment has one tree: name all folders there", first, e.Name)
		}
		first = w.Name
	}
}

func (c *checker) manifests(at string, w *Workload) {
	if !w.says() {
		for key, there := range map[string]bool{"images": w.Images != "", "out": w.Out != "", "crds": len(w.CRDs) > 0, "exists": len(w.Exists) > 0, "cluster": w.Cluster != ""} {
			if there {
				c.add(at+"."+key, "workload %q does not say where its manifests are: from; or, for releases of Helm alone, config and out", w.Name)
			}
		}
		return
	}
	for i, f := range w.From {
		in := fmt.Sprintf("%s.from[%d]", at, i)
		switch {
		case f == "" || f == "-":
			c.add(in, "%q is neither a folder nor a file, nor cluster:CONTEXT", f)
		case InCluster(f) && len(w.From) > 1:
			c.add(in, "a cluster is read alone")
		}
	}
	for i, o := range w.Exists {
		if !IsObject(o) {
			c.add(fmt.Sprintf("%s.exists[%d]", at, i), "%q is no object, such as \"Secret shop/db\" or \"IngressClass nginx\"", o)
		}
	}
	for i, d := range w.CRDs {
		if strings.TrimSpace(d) == "" {
			c.add(fmt.Sprintf("%s.crds[%d]", at, i), "no folder is named")
		}
	}
	if w.Cluster != "" && w.Out == "" {
		c.add(at+".cluster", "a round applies a tree, and workload %q names none: out", w.Name)
	}
}
