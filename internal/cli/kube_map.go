package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/dependency"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/mysql"
)

// mapping is the flags of kube map.
type mapping struct {
	source
	svg string
}

func (a *app) kubeMap() *cobra.Command {
	var t mapping
	cmd := &cobra.Command{
		Use:   "map",
		Short: "Say which workload uses what, and which must move together",
		Long: `Reads the manifests of an environment and says which workload uses which database, cache, bucket,
queue, secret, host and other service: where each was found, and how sure that is; which workloads
must move together because they share state, and which single tie would part them; and which seem to
use AWS with the role of their node. With --env the databases of bascule.yaml are known by name, and
its manifests and releases of Helm are read where neither --from nor --release names any.
Values of secrets are not printed: of an address only the host is taken.

` + exitCodesShort(ExitConnect, ExitResource, ExitData),
		Example: "  bascule kube map --env preprod --svg preprod.svg\n  bascule kube map --from manifests/preprod",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.maps(cmd, &t) },
	}
	a.sourceFlags(cmd, &t.source, "the `NAME` of the environment in bascule.yaml whose databases they use")
	cmd.Flags().StringVar(&t.svg, "svg", "", "the `FILE` to write a picture to")
	return cmd
}

func (a *app) maps(cmd *cobra.Command, t *mapping) error {
	in := dependency.Input{}
	var err error
	if t.environment != "" {
		if in.Databases, err = a.mapped(t.environment); err != nil {
			return err
		}
	}
	if in.Profile, err = profile.Load(); err != nil {
		return fmt.Errorf("load the profile: %w", err)
	}
	if in.Set, err = a.sourced(cmd, &t.source); err != nil {
		return err
	}
	m := dependency.New(in)
	if t.svg != "" {
		if err := replaceFile(t.svg, dependency.SVG(m, t.environment)); err != nil {
			return fault.New(fault.Resource, fmt.Sprintf("write %q", t.svg), cmp.Or(errors.Unwrap(err), err), "nothing was written: name a file in a folder that is there, and that this user may write to")
		}
	}
	if a.json {
		return a.printJSON(&mapDoc{Command: "kube map", Environment: t.environment, Picture: t.svg, Map: m})
	}
	p := &printer{}
	(&mapText{p: p, m: m}).print()
	if t.svg != "" {
		p.line("\nwritten: %s", clean(t.svg))
	}
	_, err = fmt.Fprint(a.out, p.String())
	return err
}

// mapDoc is a map as scripts read it.
type mapDoc struct {
	Command     string `json:"command"`
	Environment string `json:"environment,omitempty"`
	Picture     string `json:"picture,omitempty"`
	*dependency.Map
}

// mapped takes from bascule.yaml the databases of the environment whose source's host the files that it names tell. What they hold by reference is not looked
// up: a map needs no secret.
func (a *app) mapped(environment string) ([]dependency.Known, error) {
	p, err := a.needed("name the manifests with --from, without --env")
	if err != nil {
		return nil, err
	}
	e, err := a.environmentOf(p, environment)
	if err != nil {
		return nil, err
	}
	var out []dependency.Known
	for _, d := range e.Databases {
		file := a.beside(d.Config)
		s, err := readConfig(file)
		if err != nil {
			if _, gone := os.Stat(file); errors.Is(gone, fs.ErrNotExist) {
				continue // bascule config check says so
			}
			return nil, err
		}
		if host := hostOf(s.Source); host != "" {
			out = append(out, dependency.Known{Name: d.Name, Host: host})
		}
	}
	return out, nil
}

// hostOf is the host of a source; empty where only a reference says it.
func hostOf(source string) string {
	if u, err := url.Parse(source); err == nil && u.Scheme != "" && u.Host != "" {
		return u.Hostname()
	}
	for _, reference := range []string{"env:", "file:", "exec:"} {
		if strings.HasPrefix(source, reference) {
			return ""
		}
	}
	c, err := mysql.ParseConfig(source)
	if err != nil {
		return ""
	}
	return c.Host
}
