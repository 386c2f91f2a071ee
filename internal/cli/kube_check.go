package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/check"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	gitops "github.com/bascule/bascule/internal/kube/tree"
	"github.com/bascule/bascule/internal/platform"
)

// checking is the flags of kube check.
type checking struct {
	crds, exists, releases             []string
	version, environment, config, helm string

	rendered []rendered
}

func (a *app) kubeCheck() *cobra.Command {
	var c checking
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Find what would not work on GKE in manifests, before anybody applies them",
		Long: `Reads a folder of manifests, or a tree of kube translate, of which it checks what each phase of each
environment comes to, overrides included. It holds every object to the schema of its kind, finds APIs
that are no more, references to what is not there, what Gateways of GKE refuse, policies that cut
pods from the metadata server or from name servers, and what is left of AWS.

With --env only that environment of a tree is checked, by default of the tree that bascule.yaml names
for it, held to what stands there. Of releases of Helm a tree has patches: they are put onto what
--release names, or the decisions, or onto what helm renders.

Kinds without a schema at hand are named as not checked, never taken for valid. It connects to
nothing, writes nothing, and repeats no value of a secret. It ends with 4 when a finding is a
blocker.

` + exitCodesShort(ExitRefused, ExitResource, ExitData),
		Example: `  bascule kube check gitops --crds crds/
  bascule kube check --env preprod
  bascule kube check manifests/preprod --kubernetes 1.35 --exists "Secret shop/db"`,
		Args: func(cmd *cobra.Command, args []string) error { return oneFolder(cmd, args, c.environment) },
		RunE: func(cmd *cobra.Command, args []string) error { return a.checks(cmd, strings.Join(args, ""), &c) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.crds, "crds", nil, "a `DIR` of CustomResourceDefinitions, for kinds that are not Kubernetes' own; repeatable")
	f.StringVar(&c.version, "kubernetes", "", "the minor `VERSION` of the cluster, as 1.35; without it the one that decisions name, or else that of kube profile show")
	f.StringVar(&c.environment, "env", "", "the `NAME` of the environment that is checked")
	f.StringVar(&c.config, "config", "", "`FILE` of decisions, for the cluster's version and releases of Helm; without it, the one that bascule.yaml names for each environment of a tree")
	a.platformFlag(cmd)
	f.StringArrayVar(&c.releases, "release", nil, "a release of Helm in the tree and what helm template prints for it, `[ENVIRONMENT/]NAMESPACE/NAME=FILE`; repeatable")
	f.StringVar(&c.helm, "helm", "", helmHelp)
	f.StringArrayVar(&c.exists, "exists", nil, "an `OBJECT` that is made elsewhere, as \"Secret shop/db\" or \"IngressClass nginx\"; repeatable")
	return cmd
}

// oneFolder takes the folder that is checked; bascule.yaml may name it for an environment.
func oneFolder(cmd *cobra.Command, args []string, environment string) error {
	if len(args) == 1 || len(args) == 0 && environment != "" {
		return nil
	}
	return usage(cmd, "read the command line", fmt.Errorf("%s takes one folder, and was given %s", cmd.CommandPath(), plural(int64(len(args)), "argument")))
}

var minorVersion = regexp.MustCompile(`^1\.[0-9]{1,3}$`)

func (a *app) checks(cmd *cobra.Command, dir string, c *checking) error {
	if c.version != "" && !minorVersion.MatchString(c.version) {
		return usage(cmd, "read the command line", fmt.Errorf("--kubernetes %q is no minor version, such as 1.35", c.version))
	}
	for _, e := range c.exists {
		if !platform.IsObject(e) {
			return usage(cmd, "read the command line", fmt.Errorf("--exists %q is no object, such as \"Secret shop/db\" or \"IngressClass nginx\"", e))
		}
	}
	var err error
	if c.rendered, err = parseReleases(c.releases, true); err != nil {
		return usage(cmd, "read the command line", err)
	}
	if dir, err = a.checked(cmd, dir, c); err != nil {
		return err
	}
	in, err := a.checkInput(cmd.Context(), dir, c)
	if err != nil {
		return err
	}
	r, err := check.Run(cmd.Context(), in)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fault.New(fault.Data, "check the manifests", err, "mend the definition, or leave it out")
	}
	d := newCheckDoc(in, r)
	d.Environment = c.environment
	if a.json {
		err = a.printJSON(d)
	} else {
		err = a.printCheck(d)
	}
	if n := len(finding.Report{Findings: d.Findings}.Blocking()); err == nil && n > 0 {
		err = fault.New(fault.Refused, fmt.Sprintf("check %q", dir), errors.New(plural(int64(n), "blocker")), "settle each as its finding says, and check again")
	}
	return err
}

// checked takes from bascule.yaml, for an environment, what no flag has said, and returns the folder that is checked.
func (a *app) checked(cmd *cobra.Command, dir string, c *checking) (string, error) {
	if c.environment == "" {
		return dir, nil
	}
	if err := environmentFlag(cmd, c.environment); err != nil {
		return "", err
	}
	w, err := a.workloads(c.environment)
	if err != nil {
		return "", err
	}
	switch {
	case dir != "":
	case w.Out == "":
		return "", a.unsaid(c.environment, "tree", "an argument", "out")
	case !gitops.Is(w.Out):
		return "", fault.New(fault.Usage, "read the tree", fmt.Errorf("there is none in %q", w.Out), "write it first: bascule kube translate --env "+c.environment)
	default:
		dir = w.Out
	}
	if len(c.crds) == 0 {
		c.crds = w.CRDs
	}
	c.exists, c.config = append(c.exists, w.Exists...), cmp.Or(c.config, w.Config)
	return dir, nil
}

// target is the version of the cluster: a flag's, or that of decisions about all that is checked; none where nobody names one.
func target(c *checking, environments []string, decided *decided) (string, error) {
	if c.config != "" {
		version, err := decided.version("")
		return cmp.Or(c.version, version), err
	}
	if c.version != "" {
		return c.version, nil
	}
	found, said := "", []string{}
	for i, name := range environments {
		version, err := decided.version(name)
		if err != nil {
			return "", err
		}
		if i > 0 && version != found {
			return "", fault.New(fault.Usage, "find the cluster's version", fmt.Errorf("decisions of the environments differ: %s %s, %s %s", strings.Join(said, ", "), cmp.Or(found, "none"), name, cmp.Or(version, "none")),
				"check them one by one with --env, or name the version with --kubernetes")
		}
		found, said = version, append(said, name)
	}
	return found, nil
}

// checkInput reads what is checked, and what it is held to.
func (a *app) checkInput(ctx context.Context, dir string, c *checking) (*check.Input, error) {
	in := &check.Input{Exists: c.exists, Definitions: crd.New()}
	environments, err := checkedEnvironments(dir, c.environment)
	if err != nil {
		return nil, err
	}
	about := &decided{app: a, config: c.config}
	if in.Version, err = target(c, environments, about); err != nil {
		return nil, err
	}
	if in.Profile, err = profile.Load(); err != nil {
		return nil, err
	}
	in.Version = cmp.Or(in.Version, in.Profile.Target.Entries[0].Version)
	if in.Kinds, err = builtin.Load(in.Version); err != nil {
		return nil, err
	}
	text, err := builtin.Definitions()
	if err == nil {
		err = in.Definitions.Add("the definitions of Gateway API", text)
	}
	if err != nil {
		return nil, err
	}
	for _, folder := range c.crds {
		if err := in.Definitions.AddFolder(folder); err != nil {
			return nil, err
		}
	}
	if !gitops.Is(dir) {
		in.Views, err = a.folderView(dir, c.rendered)
		return in, err
	}
	deployed := &deployed{dir: dir, environments: environments, about: about, named: c.rendered, program: c.helm, kinds: in.Kinds, version: in.Version}
	rendered, err := deployed.read(ctx)
	if err != nil {
		return nil, err
	}
	in.Views, err = treeViews(dir, environments, rendered)
	return in, err
}

// checkedEnvironments are those of a tree that are checked: the one that is named, or all; none of a folder of manifests.
func checkedEnvironments(dir, environment string) ([]string, error) {
	if !gitops.Is(dir) {
		return nil, nil
	}
	all, err := gitops.Environments(dir)
	if err != nil || environment == "" {
		return all, err
	}
	if !slices.Contains(all, environment) {
		return nil, fault.New(fault.Usage, "read the tree", fmt.Errorf("there is no environment %s in %q", environment, dir), "write it first: bascule kube translate --env "+environment)
	}
	return []string{environment}, nil
}

// folderView reads a folder of manifests.
func (a *app) folderView(dir string, named []rendered) ([]check.View, error) {
	if len(named) > 0 {
		return nil, fault.New(fault.Usage, "read the command line", fmt.Errorf("--release is for a tree of kube translate, which %q is not", dir), "what Helm renders is checked as it is: bascule kube check FILE")
	}
	set, err := manifest.Read(a.in, dir)
	if err != nil {
		return nil, err
	}
	if len(set.Objects)+len(set.Aside) == 0 {
		return nil, nothingToCheck(dir)
	}
	return []check.View{{Objects: set.Objects, Aside: set.Aside}}, nil
}

// treeViews reads the phases of environments of a tree of kube translate.
func treeViews(dir string, environments []string, rendered map[string]*manifest.Set) (out []check.View, err error) {
	phases, err := gitops.Load(dir, rendered)
	if err != nil {
		return nil, err
	}
	n := 0
	for i := range phases {
		p := &phases[i]
		if !slices.Contains(environments, p.Environment) {
			continue
		}
		v := check.View{
			Name: p.Environment + " " + p.Name, Objects: p.Objects, Aside: p.Aside, Standby: p.Name == "standby", Changed: p.Changed,
			NotRendered: p.Missing, NotApplied: p.NotApplied, Build: "kustomize build " + filepath.Join(dir, "overrides", p.Environment, p.Name),
		}
		for _, o := range p.Idle {
			v.Idle = append(v.Idle, check.Override(o))
		}
		out = append(out, v)
		n += len(p.Objects) + len(p.Missing)
	}
	if n == 0 {
		return nil, nothingToCheck(dir)
	}
	return out, nil
}

func nothingToCheck(dir string) error {
	return fault.New(fault.Usage, "read the manifests", fmt.Errorf("there is no object in %q", dir), "name a folder of manifests, or a tree of bascule kube translate")
}

// checkDoc is what a check came to.
type checkDoc struct {
	Command string `json:"command"`
	// Environment is the one that was checked, where only one was asked for.
	Environment string `json:"environment,omitempty"`
	// Kubernetes is the version of the target, and Schemas the release whose schemas were used.
	Kubernetes string            `json:"kubernetes"`
	Schemas    string            `json:"schemas"`
	Views      []checkView       `json:"views"`
	Objects    int               `json:"objects"`
	Checked    int               `json:"checked"`
	NotChecked map[string]int    `json:"not_checked"`
	Findings   []finding.Finding `json:"findings"`
}

// checkView is one phase of an environment, or the folder.
type checkView struct {
	Name    string `json:"name"`
	Objects int    `json:"objects"`
}

func newCheckDoc(in *check.Input, r *check.Result) *checkDoc {
	d := &checkDoc{
		Command: "kube check", Kubernetes: in.Version, Schemas: in.Kinds.Release, Views: []checkView{}, Objects: r.Objects, Checked: r.Checked,
		NotChecked: r.NotChecked, Findings: finding.NewReport(append([]finding.Finding{}, r.Findings...)).Findings,
	}
	for _, v := range in.Views {
		d.Views = append(d.Views, checkView{v.Name, len(v.Objects)})
	}
	return d
}

func (a *app) printCheck(d *checkDoc) error {
	p := &printer{}
	for _, v := range d.Views {
		if v.Name != "" && !inRound() {
			p.line("%s: %s", v.Name, plural(int64(v.Objects), "object"))
		}
	}
	p.line("%s: %d held to a schema (Kubernetes %s, by the schemas of %s), %d not checked", plural(int64(d.Objects), "object"), d.Checked, d.Kubernetes, d.Schemas, d.Objects-d.Checked)
	if !strings.HasPrefix(d.Schemas, "v"+d.Kubernetes+".") {
		p.line("No schemas of Kubernetes %s are at hand: those of %s stand for them.", d.Kubernetes, d.Schemas)
	}
	if !inRound() {
		for _, kind := range slices.Sorted(maps.Keys(d.NotChecked)) {
			p.line("  not checked: %d %s", d.NotChecked[kind], clean(kind))
		}
		p.line("")
	}
	if _, err := fmt.Fprint(a.out, p.String()); err != nil {
		return err
	}
	return a.printFindings(finding.Report{Findings: d.Findings, Before: "the rollout"})
}
