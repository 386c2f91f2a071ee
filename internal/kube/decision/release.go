package decision

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Release is one release of Helm, which its team goes on deploying from its chart.
type Release struct {
	// Chart is the chart as Helm takes it: a folder, an archive, oci://HOST/PATH/NAME, or its name in Repo.
	Chart string `yaml:"chart,omitempty"`
	// Repo is the address of the chart's repository, Version the chart's version.
	Repo    string `yaml:"repo,omitempty"`
	Version string `yaml:"version,omitempty"`
	// Values are files of values in the order in which Helm takes them.
	Values []string `yaml:"values,omitempty"`
	// Rendered is a file of what helm template prints for it.
	Rendered string `yaml:"rendered,omitempty"`
	// APIVersions are what the chart may ask for beyond Kubernetes itself, as helm template --api-versions takes them.
	APIVersions []string `yaml:"api-versions,omitempty"`
	// Flux is the HelmRelease by which Flux deploys it, NAMESPACE/NAME.
	Flux string `yaml:"flux,omitempty"`
}

// releaseID is NAMESPACE/NAME, each as Kubernetes and Helm allow it.
var releaseID = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?$`)

// CheckRelease refuses what is no name of a release, or of an object in a namespace.
func CheckRelease(id string) error {
	if !releaseID.MatchString(id) {
		return fmt.Errorf("%q is not NAMESPACE/NAME", id)
	}
	return nil
}

func (d *Decisions) checkReleases() []error {
	var errs []error
	for id, r := range d.Releases {
		wrong := func(err error) { errs = append(errs, fmt.Errorf("releases: %s: %w", id, err)) }
		if err := CheckRelease(id); err != nil {
			errs = append(errs, fmt.Errorf("releases: %w", err))
		}
		if r.Flux != "" {
			if err := CheckRelease(r.Flux); err != nil {
				wrong(fmt.Errorf("flux: %w", err))
			}
		}
		for _, s := range slices.Concat([]string{r.Chart, r.Repo, r.Version}, r.APIVersions) {
			if strings.HasPrefix(s, "-") {
				wrong(fmt.Errorf("%q would be an option of helm", s))
			}
		}
		if r.Chart == "" && r.Rendered == "" && (r.Repo != "" || r.Version != "") {
			wrong(errors.New("repo and version say nothing without a chart"))
		}
	}
	return errs
}

// resolve makes the paths of releases relative to the file of decisions those of the program. A chart is a path if something is there.
func (d *Decisions) resolve(folder string) {
	in := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(folder, name)
	}
	for id, r := range d.Releases {
		values := make([]string, len(r.Values))
		for i, v := range r.Values {
			values[i] = in(v)
		}
		r.Values, r.Rendered = values, in(r.Rendered)
		if local := in(r.Chart); r.Repo == "" && local != "" {
			if _, err := os.Stat(local); err == nil {
				r.Chart = local
			}
		}
		d.Releases[id] = r
	}
}

// Remote is where a chart is that nobody has on disk: the address of its repository and its name there. It says false for a chart in a folder or an archive.
func (r *Release) Remote() (repo, name string, ok bool) {
	if i := strings.LastIndexByte(r.Chart, '/'); strings.HasPrefix(r.Chart, "oci://") && i > len("oci://") {
		return r.Chart[:i], r.Chart[i+1:], true
	}
	return r.Repo, r.Chart, r.Repo != "" && r.Chart != ""
}
