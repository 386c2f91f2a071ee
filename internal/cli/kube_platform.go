package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/platform"
)

// fileVariable is where a round tells its commands which file describes the platform.
const fileVariable = "BASCULE_FILE"

// platformFlag says where bascule.yaml is: where the flag does, or else the round that runs the command.
func (a *app) platformFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.file, "file", platformFile, "the `FILE` that describes the platform")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		if !cmd.Flags().Changed("file") {
			a.file = cmp.Or(os.Getenv(fileVariable), platformFile)
		}
	}
}

// described reads bascule.yaml for a command that can do without it: there is none where nobody named one and none is here.
func (a *app) described() (*platform.Platform, error) {
	if _, err := os.Stat(a.file); errors.Is(err, fs.ErrNotExist) && a.file == platformFile {
		return nil, nil
	}
	return platform.Read(a.file)
}

// needed reads bascule.yaml for a command that was told nothing else; by says what would do in its place.
func (a *app) needed(by string) (*platform.Platform, error) {
	p, err := a.described()
	if err != nil || p != nil {
		return p, err
	}
	return nil, fault.New(fault.Usage, "find the manifests", fmt.Errorf("there is no %s here that names them", a.file), by+"; or name another file with --file; bascule init writes one")
}

// environmentOf finds an environment of bascule.yaml.
func (a *app) environmentOf(p *platform.Platform, name string) (*platform.Environment, error) {
	if e := p.Environment(name); e != nil {
		return e, nil
	}
	var known []string
	for i := range p.Environments {
		known = append(known, p.Environments[i].Name)
	}
	return nil, fault.New(fault.Usage, "find the environment "+name, fmt.Errorf("%s has only: %s", a.file, strings.Join(known, ", ")), "name one of them with --env, or another file with --file")
}

// workloads are what bascule.yaml says of an environment's manifests, with paths as they lead from here. Nothing is said where there is no bascule.yaml.
func (a *app) workloads(name string) (*platform.Workload, error) {
	p, err := a.described()
	if err != nil || p == nil {
		return &platform.Workload{}, err
	}
	e, err := a.environmentOf(p, name)
	if err != nil {
		return nil, err
	}
	w := e.Manifests()
	if w == nil {
		w = &platform.Workload{}
	}
	out := a.here(w)
	out.Config, err = a.decisionsOf(e)
	return out, err
}

// here gives what stands relative to bascule.yaml the way from here.
func (a *app) here(w *platform.Workload) *platform.Workload {
	out := *w
	out.From, out.CRDs = nil, nil
	for _, f := range w.From {
		if !platform.InCluster(f) {
			f = a.beside(f)
		}
		out.From = append(out.From, f)
	}
	for _, d := range w.CRDs {
		out.CRDs = append(out.CRDs, a.beside(d))
	}
	out.Config, out.Images, out.Out = a.beside(w.Config), a.beside(w.Images), a.beside(w.Out)
	return &out
}

// beside is the way to a file that bascule.yaml names; none to none.
func (a *app) beside(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(a.file), name)
}

// decisionsOf is the file of decisions about an environment's workloads; none where none is named.
func (a *app) decisionsOf(e *platform.Environment) (string, error) {
	if w := e.Manifests(); w != nil && w.Config != "" {
		return a.beside(w.Config), nil
	}
	var named []string
	for _, w := range e.Workloads {
		if w.Config != "" {
			named = append(named, w.Config)
		}
	}
	switch len(named) {
	case 0:
		return "", nil
	case 1:
		return a.beside(named[0]), nil
	}
	return "", fault.New(fault.Usage, "find the decisions about "+e.Name, fmt.Errorf("%s names several: %s", a.file, strings.Join(named, ", ")), "name one of them with --config")
}

// unsaid is the error of something that neither the command line nor bascule.yaml has said. How says what the command line would have.
func (a *app) unsaid(environment, what, how, key string) error {
	where := fmt.Sprintf("%s has no %s for it", a.file, key)
	if _, err := os.Stat(a.file); err != nil {
		where = "there is no " + a.file + " here"
	}
	return fault.New(fault.Usage, fmt.Sprintf("find the %s of %s", what, environment), errors.New("nothing says where, and "+where),
		fmt.Sprintf("say it with %s; or in bascule.yaml, under workloads of the environment: %s", how, key))
}

// decided reads what people have decided about environments, each once: in one file for all, or in those that bascule.yaml names.
type decided struct {
	app    *app
	config string

	platform *platform.Platform
	known    map[string]*decision.Decisions
	files    map[string]string
}

// about returns the decisions about an environment; where none are named, there are none in them.
func (d *decided) about(environment string) (*decision.Decisions, error) {
	if d.config != "" {
		environment = ""
	}
	if known := d.known[environment]; known != nil {
		return known, nil
	}
	file, err := d.file(environment)
	if err != nil {
		return nil, err
	}
	out := &decision.Decisions{}
	if file != "" {
		if out, err = decision.Read(file); err != nil {
			return nil, err
		}
	}
	if d.known == nil {
		d.known, d.files = map[string]*decision.Decisions{}, map[string]string{}
	}
	d.known[environment], d.files[environment] = out, file
	return out, nil
}

func (d *decided) file(environment string) (string, error) {
	if d.config != "" {
		return d.config, nil
	}
	if d.platform == nil {
		p, err := d.app.described()
		if err != nil || p == nil {
			return "", err
		}
		d.platform = p
	}
	e := d.platform.Environment(environment)
	if e == nil {
		return "", nil
	}
	return d.app.decisionsOf(e)
}

// version is the version of Kubernetes that the decisions about an environment name; none where they name none.
func (d *decided) version(environment string) (string, error) {
	of, err := d.about(environment)
	if err != nil {
		return "", err
	}
	if of.Version != "" && !minorVersion.MatchString(of.Version) {
		if d.config != "" {
			environment = ""
		}
		return "", fault.New(fault.Usage, fmt.Sprintf("read %q", d.files[environment]), fmt.Errorf("version: %q is no minor version, such as 1.35", of.Version), "docs/cli.md lists the keys")
	}
	return of.Version, nil
}
