package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/crossplane"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/crd"
)

// about is what render and diff are about.
type about struct {
	environment, observed, crds string
}

func (r *about) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.environment, "environment", "", "the `NAME` of the environment; the only one without it")
	f.StringVar(&r.observed, "observed", "", "what a cluster shows of the managed resources: a `PATH` of a file or a folder")
	f.StringVar(&r.crds, "crds", "", "hold every object to the CustomResourceDefinitions in `DIR`")
}

func (a *app) crossplaneRender() *cobra.Command {
	var r about
	cmd := &cobra.Command{
		Use:   "render OBJECT.yaml",
		Short: "Expand an object into the managed resources that it becomes",
		Long: `Expands an object of a developer, without a cluster, into what Crossplane makes of it: defaults are
filled in, the composition is run by bascule's own evaluator of its two functions, and the result is
printed as YAML. What waits for something that is not observed yet stands in comments.

` + exitCodesShort(ExitRefused),
		Example: "  bascule crossplane render crossplane/examples/postgresql.yaml --environment prod-eu\n  bascule crossplane render orders.yaml --observed observed.yaml --crds crds",
		Args:    oneObject,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachObject(cmd, &r, args[0], a.renderObject)
		},
	}
	r.flags(cmd)
	return cmd
}

func (a *app) crossplaneDiff() *cobra.Command {
	var r about
	cmd := &cobra.Command{
		Use:   "diff OBJECT.yaml --observed PATH",
		Short: "Show what the promotion of an adopted object would change",
		Long: `Lays what an object declares, as if it said adopt: Manage, beside what Crossplane observed on Google
Cloud: the managed resources' status, as kubectl get managed -o yaml prints it. What nobody declares
stays as it is and is not compared. It ends with 3 where something differs or was not observed.

` + exitCodesShort(ExitDifferences, ExitRefused),
		Example: "  kubectl get managed -n shop -o yaml > observed.yaml\n  bascule crossplane diff crossplane/environments/prod-eu/objects/postgresql-orders.yaml --environment prod-eu --observed observed.yaml",
		Args:    oneObject,
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.observed == "" {
				return usage(cmd, "read the command line", errors.New("--observed names nothing to compare with"))
			}
			return a.eachObject(cmd, &r, args[0], a.diffObject)
		},
	}
	r.flags(cmd)
	return cmd
}

func oneObject(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return usage(cmd, "read the command line", fmt.Errorf("one file with an object is named, not %d", len(args)))
}

// expansion is what an object is rendered with.
type expansion struct {
	d        *crossplane.Definition
	e        *crossplane.Environment
	known    *crd.Set
	observed []map[string]any
}

// eachObject does something with the object of a file.
func (a *app) eachObject(cmd *cobra.Command, r *about, name string, do func(context.Context, *expansion, map[string]any) error) error {
	d, _, err := a.defined()
	if err != nil {
		return err
	}
	g := &expansion{d: d}
	if g.e, err = place(cmd, d, r.environment); err != nil {
		return err
	}
	if g.known, err = definitions(r.crds); err != nil {
		return err
	}
	if r.observed != "" {
		if g.observed, err = readObjects(r.observed); err != nil {
			return err
		}
	}
	objects, err := readObjects(name)
	if err != nil {
		return err
	}
	if len(objects) != 1 {
		return fault.New(fault.Usage, fmt.Sprintf("read %q", name), fmt.Errorf("it holds %d objects, not one", len(objects)), "name a file with one object")
	}
	err = do(cmd.Context(), g, objects[0])
	if p, ok := errors.AsType[*crossplane.ProblemsError](err); ok {
		return fault.New(fault.Refused, fmt.Sprintf("accept the object in %q", name), p, "kubectl explain shows the fields of the kind")
	}
	if err != nil && fault.ClassOf(err) == fault.Internal {
		return fault.New(fault.Usage, fmt.Sprintf("render %q", name), err, "examples are in the folder that bascule crossplane generate writes")
	}
	return err
}

// renderDoc is what an object becomes.
type renderDoc struct {
	Command     string           `json:"command"`
	Environment string           `json:"environment"`
	Composition string           `json:"composition"`
	Ready       bool             `json:"ready"`
	Resources   []renderResource `json:"resources"`
	Waiting     []string         `json:"waiting,omitempty"`
	Status      map[string]any   `json:"status,omitempty"`
	NotChecked  []string         `json:"not_checked,omitempty"`
}

type renderResource struct {
	Name   string         `json:"name"`
	Ready  bool           `json:"ready"`
	Object map[string]any `json:"object"`
}

func (a *app) renderObject(ctx context.Context, g *expansion, o map[string]any) error {
	r, err := crossplane.Render(ctx, g.d, g.e, o, crossplane.Observed(o, g.observed), g.known)
	if err != nil {
		return err
	}
	doc := &renderDoc{Command: "crossplane render", Environment: g.e.Name, Composition: r.Composition, Ready: r.Ready, Waiting: r.Waiting, Status: r.Status, NotChecked: r.NotChecked}
	for _, x := range r.Resources {
		doc.Resources = append(doc.Resources, renderResource{x.Name, x.Ready, x.Object})
	}
	text, err := doc.yaml()
	if err != nil {
		return err
	}
	if err := a.show(doc, func() string { return text }); err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return fault.New(fault.Refused, "hold what the object becomes to its definitions", &crossplane.ProblemsError{Problems: r.Problems}, "change the object as the problems say")
	}
	return nil
}

func (d *renderDoc) yaml() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# composition %s in environment %s\n", d.Composition, d.Environment)
	for _, w := range d.Waiting {
		fmt.Fprintf(&b, "# waits: %s\n", clean(w))
	}
	for _, r := range d.Resources {
		text, err := yaml.Marshal(r.Object)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "---\n%s", text)
	}
	return b.String(), nil
}

// diffDoc is what a promotion would change.
type diffDoc struct {
	Command     string                  `json:"command"`
	Environment string                  `json:"environment"`
	Equal       int                     `json:"equal"`
	Differences []crossplane.Difference `json:"differences"`
	Unseen      []string                `json:"not_observed"`
}

func (a *app) diffObject(ctx context.Context, g *expansion, o map[string]any) error {
	c, err := crossplane.Compare(ctx, g.d, g.e, o, crossplane.Observed(o, g.observed), g.known)
	if err != nil {
		return err
	}
	doc := &diffDoc{"crossplane diff", g.e.Name, c.Equal, append([]crossplane.Difference{}, c.Differences...), append([]string{}, c.Unseen...)}
	if err := a.show(doc, doc.text); err != nil {
		return err
	}
	switch {
	case len(c.Unseen) > 0:
		return fault.New(fault.Difference, "compare what is declared with what exists", fmt.Errorf("%s not observed", plural(int64(len(c.Unseen)), "resource")),
			"apply the object with adopt: Observe, wait until it is ready, and ask the cluster again")
	case len(c.Differences) > 0:
		return fault.New(fault.Difference, "compare what is declared with what exists", plainError(plural(int64(len(c.Differences)), "difference")),
			"correct bascule.yaml, or accept that adopt: Manage makes it so")
	}
	return nil
}

// plainError is a text that is an error.
type plainError string

// Error returns the text.
func (p plainError) Error() string { return string(p) }

func (d *diffDoc) text() string {
	p := &printer{}
	for _, u := range d.Unseen {
		p.line("? %s: not observed yet", u)
	}
	for _, x := range d.Differences {
		p.line("~ %s: %s", x.Resource, x.Path)
		p.line("    is        %s", clean(valueText(x.Is)))
		p.line("    declared  %s", clean(valueText(x.Declared)))
	}
	p.line("%s as declared, %s", plural(int64(d.Equal), "field"), plural(int64(len(d.Differences)), "difference"))
	if len(d.Differences)+len(d.Unseen) == 0 {
		p.line("adopt: Manage changes nothing.")
	}
	return p.String()
}

func valueText(v any) string {
	if v == nil {
		return "(not set)"
	}
	text, err := marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
