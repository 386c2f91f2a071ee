package tree

import (
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// The layers for Flux, one a phase: components that give a HelmRelease the patches of the layers beside them. Flux takes patches only within the HelmRelease itself.
const flux = "flux"

// fluxPatch is a patch as a HelmRelease has it.
type fluxPatch struct {
	Target map[string]string `yaml:"target,omitempty"`
	Patch  string            `yaml:"patch"`
}

func (l *release) flux(helmRelease string) error {
	namespace, name, _ := strings.Cut(helmRelease, "/")
	for _, phase := range []string{standby, live} {
		f := l.layer(path.Join(flux, phase))
		if err := f.helmRelease(namespace, name, phase); err != nil {
			return err
		}
	}
	return nil
}

// helmRelease writes two patches. The first names the HelmRelease, so that it is refused where that is not there. The second puts the patches into it, and is refused where
// there are post-renderers already, for it would replace them.
func (l *layer) helmRelease(namespace, name, phase string) error {
	object := map[string]any{"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": map[string]any{"name": name, "namespace": namespace}}
	what := "# It has to be there: the patches would reach nothing, and nobody would know.\n"
	if phase == standby {
		off := map[string]any{"disableHooks": true}
		object["spec"] = map[string]any{"install": off, "upgrade": off}
		what = "# In standby no hook runs: both sides would run it, and Flux before 2.9 sends hooks to no post-renderer.\n"
	}
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	l.add(patches, "helmrelease.yaml", append([]byte(what), text...), nil)
	all := []fluxPatch{}
	for _, layer := range []string{translated, phase} {
		for _, p := range l.lists[layer].Patches {
			all = append(all, fluxPatch{p.Target, string(l.files[path.Join(releases, l.id, layer, p.Path)])})
		}
	}
	add, err := yaml.Marshal([]any{
		&operationWithValue{Op: "test", Path: "/spec/postRenderers"},
		&operationWithValue{Op: "add", Path: "/spec/postRenderers", Value: []any{map[string]any{"kustomize": map[string]any{"patches": all}}}},
	})
	if err != nil {
		return err
	}
	head := "# The patches of this release. If the HelmRelease has post-renderers of its own, the test refuses it: append these to them by hand.\n"
	l.add(patches, "postrenderers.yaml", append([]byte(head), add...), map[string]string{"group": "helm\\.toolkit\\.fluxcd\\.io", "kind": "HelmRelease", "name": name, "namespace": namespace})
	return l.end(fmt.Sprintf("For Flux: a component that gives the HelmRelease %s/%s the patches of %s.", namespace, name, phase))
}
