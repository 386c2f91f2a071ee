package tree

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// Idle is a patch in overrides/ that changes nothing: in no phase that it is for is there an object that it names. Kustomize passes over one with a target
// without a word; one without a target it refuses.
type Idle struct {
	// File is where it stands, a path in the tree.
	File string
	// Target is what it is for, as it says it.
	Target string
	// Named says that it is for an object by its name, not for whatever there may be of a kind.
	Named bool
}

func targeted(file string, target map[string]string) Idle {
	var said []string
	for _, field := range slices.Sorted(maps.Keys(target)) {
		said = append(said, field+": "+target[field])
	}
	return Idle{File: file, Target: strings.Join(said, ", "), Named: target["name"] != ""}
}

// idle tells phases which of their patches change nothing. A patch that one phase shares with another may be for what only the other has, and one may be for
// what a release brings along. So nothing is said of targets where a phase could not be put together, or where nobody said what Helm renders for a release.
func idle(phases []Phase, people []*kustomized) {
	met, whole := map[Idle]int{}, true
	for i, k := range people {
		whole = whole && phases[i].NotApplied == "" && len(phases[i].Missing) == 0
		for of, n := range k.met {
			met[of] += n
		}
	}
	for i, k := range people {
		phases[i].Idle = slices.Clone(k.absent)
		for of := range k.met {
			if whole && met[of] == 0 {
				phases[i].Idle = append(phases[i].Idle, of)
			}
		}
		slices.SortFunc(phases[i].Idle, func(a, b Idle) int { return strings.Compare(a.File+"\x00"+a.Target, b.File+"\x00"+b.Target) })
	}
}

// IdleOverrides lists the patches of people for an environment that change nothing once its files are these, and Helm renders this for its releases, as for
// Load; each once. It only reads.
func IdleOverrides(out, environment string, files Files, rendered map[string]*manifest.Set) ([]Idle, error) {
	written, err := read(filepath.Join(out, overrides))
	if err != nil {
		return nil, fault.New(fault.Resource, fmt.Sprintf("read %q", filepath.Join(out, overrides)), err, "")
	}
	if ours(environment, standby, written) && ours(environment, live, written) && oursOfReleases(environment, written) {
		return nil, nil
	}
	all, err := phases(environment, files, written, rendered)
	if err != nil {
		return nil, err
	}
	var found []Idle
	for _, p := range all {
		for _, of := range p.Idle {
			if !slices.Contains(found, of) {
				found = append(found, of)
			}
		}
	}
	return found, nil
}
