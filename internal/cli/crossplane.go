package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/crossplane"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/platform"
)

func (a *app) crossplane() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "crossplane",
		Short: "Let developers ask for databases on Google Cloud, and adopt what was migrated",
		Long: `Writes what Crossplane needs so that a developer asks for a database by an object of ten lines, and
so that what was migrated is adopted by the same kind of object, without being made again. Nothing
here connects to a cluster or to Google Cloud.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.PersistentFlags().StringVar(&a.file, "file", platformFile, "the `FILE` that describes the platform")
	cmd.AddCommand(a.crossplaneGenerate(), a.crossplaneRender(), a.crossplaneDiff())
	return cmd
}

func (a *app) crossplaneGenerate() *cobra.Command {
	var out, crds string
	var dry bool
	cmd := &cobra.Command{
		Use:   "generate --out DIR",
		Short: "Write the kinds, their compositions, and objects for what exists",
		Long: `Writes into a folder, from bascule.yaml: the kinds that developers may ask for, their compositions
for each environment, the packages that these need and nothing else, roles, examples, an object for
each thing that was migrated, and a README.md that says where Crossplane runs and in which order to
apply.

What bascule.yaml does not say is asked for, with the exact key, and what needs it is left out.
Running it again changes nothing; the phase of an adoption (adopt: Observe or Manage) stays as the
file in the folder says. Files that nothing asks for any more are removed, if bascule wrote them; a
file that it did not write is never touched.

` + exitCodesShort(ExitRefused, ExitUnsupported),
		Example: "  bascule crossplane generate --out crossplane\n  bascule crossplane generate --out crossplane --crds crds --dry-run",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usage(cmd, "read the command line", errors.New("--out names no folder"))
			}
			return a.generate(cmd.Context(), out, crds, dry)
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "the `DIR` that is written to")
	f.StringVar(&crds, "crds", "", "hold every object to the CustomResourceDefinitions in `DIR`")
	f.BoolVar(&dry, "dry-run", false, "say what would be written, and write nothing")
	return cmd
}

// generateDoc is what a generation came to.
type generateDoc struct {
	Command string `json:"command"`
	Out     string `json:"out"`
	DryRun  bool   `json:"dry_run"`
	// Files are those that change, by what happens to them.
	Written   []string `json:"written"`
	Removed   []string `json:"removed"`
	Unchanged int      `json:"unchanged"`
	// Checked and NotChecked count objects by whether a definition of their kind was at hand.
	Checked    int               `json:"checked"`
	NotChecked int               `json:"not_checked"`
	Findings   []finding.Finding `json:"findings"`
}

func (a *app) generate(ctx context.Context, out, crds string, dry bool) error {
	d, found, err := a.defined()
	if err != nil {
		return err
	}
	doc := &generateDoc{Command: "crossplane generate", Out: out, DryRun: dry, Findings: found, Written: []string{}, Removed: []string{}}
	if len(d.Environments) == 0 {
		if err := a.show(doc, doc.text); err != nil {
			return err
		}
		return fault.New(fault.Usage, fmt.Sprintf("generate from %q", a.file), errors.New("nothing is known of any environment's place on Google Cloud"), "fill in the keys above; docs/bascule.yaml.md explains them")
	}
	files, err := crossplane.Generate(d)
	if err != nil {
		return err
	}
	change, err := compareTree(out, files)
	if err != nil {
		return err
	}
	known, err := definitions(crds)
	if err != nil {
		return err
	}
	problems, checked, notChecked, err := crossplane.Check(ctx, files, known)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return fault.New(fault.Unsupported, fmt.Sprintf("hold what was generated to the definitions in %q", crds), &crossplane.ProblemsError{Problems: problems},
			"README.md in a folder without --crds says for which versions bascule writes")
	}
	doc.Checked, doc.NotChecked = checked, notChecked
	doc.Written, doc.Removed, doc.Unchanged = append(doc.Written, change.written...), append(doc.Removed, change.removed...), len(files)-len(change.written)
	if !dry {
		if err := change.carryOut(); err != nil {
			return err
		}
	}
	return a.show(doc, doc.text)
}

// show prints a document for scripts, or its text for people.
func (a *app) show(doc any, text func() string) error {
	if a.json {
		return a.printJSON(doc)
	}
	_, err := fmt.Fprint(a.out, text())
	return err
}

// defined reads what is known about the platform's place on Google Cloud.
func (a *app) defined() (*crossplane.Definition, []finding.Finding, error) {
	p, err := platform.Read(a.file)
	if err != nil {
		return nil, nil, err
	}
	d, found := crossplane.Define(p)
	return d, append([]finding.Finding{}, finding.NewReport(found).Findings...), nil
}

// definitions loads those of a folder; without one there are none.
func definitions(folder string) (*crd.Set, error) {
	if folder == "" {
		return crd.New(), nil
	}
	return crd.Load(folder)
}

func (d *generateDoc) text() string {
	p := &printer{}
	if len(d.Written)+len(d.Removed)+d.Unchanged > 0 {
		if d.DryRun {
			p.line("%s to be written to %s, %d to be removed there, %d unchanged", plural(int64(len(d.Written)), "file"), d.Out, len(d.Removed), d.Unchanged)
		} else {
			p.line("%s written to %s, %d removed, %d unchanged", plural(int64(len(d.Written)), "file"), d.Out, len(d.Removed), d.Unchanged)
		}
		for _, f := range d.Written {
			p.line("  + %s", clean(f))
		}
		for _, f := range d.Removed {
			p.line("  - %s", clean(f))
		}
		p.line("%s held to their definitions, %s not checked: no definition of their kind is at hand", plural(int64(d.Checked), "object"), count(int64(d.NotChecked)))
	}
	for _, f := range d.Findings {
		p.line("")
		p.line("%s %s  [%s]", f.Kind, f.Object, f.Code)
		p.wrapped("  ", f.What)
		p.line("  do: %s", f.Do)
	}
	return p.String()
}

// place finds the environment that a command is about: the one that is named, or the only one.
func place(cmd *cobra.Command, d *crossplane.Definition, name string) (*crossplane.Environment, error) {
	var names []string
	for _, e := range d.Environments {
		names = append(names, e.Name)
	}
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	e, ok := d.Environment(name)
	switch {
	case ok:
		return e, nil
	case len(names) == 0:
		return nil, fault.New(fault.Usage, "choose an environment", errors.New("nothing is known of any environment's place on Google Cloud"), "bascule crossplane generate asks for what is missing")
	case name == "":
		return nil, usage(cmd, "choose an environment", fmt.Errorf("there are %s: name one with --environment", strings.Join(names, ", ")))
	}
	slices.Sort(names)
	return nil, usage(cmd, "choose an environment", fmt.Errorf("of %q too little is known, or it does not exist; there are %s", name, strings.Join(names, ", ")))
}
