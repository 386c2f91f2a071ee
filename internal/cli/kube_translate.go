package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/check"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
	gitops "github.com/bascule/bascule/internal/kube/tree"
)

// translation is the flags of kube translate.
type translation struct {
	from, releases                         []string
	environment, out, config, images, helm string
	dry                                    bool

	rendered []rendered
	charts   *charts
}

func (a *app) kubeTranslate() *cobra.Command {
	var t translation
	cmd := &cobra.Command{
		Use:   "translate",
		Short: "Write a GitOps tree for GKE from manifests for AWS",
		Long: `Reads manifests (YAML or JSON; what Kustomize prints; a cluster) and writes a tree: below generated/
the objects byte for byte, and a patch with its reason for each that changes; below overrides/, once,
what people change and GitOps applies. Of a release of Helm, whose chart goes on being deployed, it
writes patches alone, for Kustomize and Argo CD, Flux, and Helm itself. Prints what people must know:
what means something else now, what has to be made, what nobody knows, what has no equivalent.

What no flag says, bascule.yaml may say for the environment, under workloads: where its manifests
are, where the tree is, and what people have decided, among it which releases there are.

It writes whole trees or nothing, may be run again at any time, and changes no more than the source
has changed. Values of secrets enter neither the tree nor the report.

` + exitCodesShort(ExitRefused, ExitConnect, ExitUnsupported, ExitResource, ExitData),
		Example: `  bascule kube translate --env preprod
  bascule kube translate --from manifests/preprod --env preprod --out gitops
  helm template web charts/web -n shop | bascule kube translate --release shop/web=- --env preprod --out gitops
  bascule kube translate --from cluster:old-preprod --env preprod --out gitops`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.translates(cmd, &t) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&t.from, "from", nil, fromHelp)
	f.StringArrayVar(&t.releases, "release", nil, releaseHelp)
	f.StringVar(&t.helm, "helm", "", helmHelp)
	f.StringVar(&t.environment, "env", "", "the environment's `NAME`")
	f.StringVar(&t.out, "out", "", "the `DIR` of the tree")
	f.StringVar(&t.config, "config", "", "`FILE` of decisions; without it, the one that bascule.yaml names for the environment's workloads")
	f.StringVar(&t.images, "images", "", "`FILE` of verified copies of images: SOURCE DESTINATION sha256:DIGEST, one a line")
	a.platformFlag(cmd)
	f.BoolVar(&t.dry, "dry-run", false, "say what would be written, and write nothing")
	return cmd
}

var environmentName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

func (a *app) translates(cmd *cobra.Command, t *translation) error {
	if err := environmentFlag(cmd, t.environment); err != nil {
		return err
	}
	var err error
	if t.rendered, err = parseReleases(t.releases, false); err != nil {
		return usage(cmd, "read the command line", err)
	}
	if err := a.complete(t); err != nil {
		return err
	}
	if err := apart(t.from, t.out); err != nil {
		return err
	}
	in, err := a.translationInput(cmd.Context(), t)
	if err != nil {
		return err
	}
	r := translate.Translate(*in)
	files, err := gitops.Render(r)
	if err != nil {
		return err
	}
	if err := t.charts.traced(cmd.Context(), in, r, files); err != nil {
		return err
	}
	idle, err := gitops.IdleOverrides(t.out, t.environment, files, byRelease(in.Set))
	if err != nil {
		return err
	}
	for _, o := range idle {
		r.Findings = append(r.Findings, check.Override(o).Finding())
	}
	changes, err := gitops.Write(t.out, t.environment, files, t.dry)
	if err != nil {
		return err
	}
	first, err := gitops.Create(t.out, gitops.Overrides(r), t.dry)
	if err != nil {
		return err
	}
	changes = append(changes, first...)
	d := newTranslateDoc(t, r, changes)
	if a.json {
		return a.printJSON(d)
	}
	return a.printTranslation(d)
}

// apart refuses a tree within the manifests: the next translation would read what this one has written.
func apart(from []string, out string) error {
	tree, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	for _, f := range from {
		source, err := filepath.Abs(f)
		if info, wrong := os.Stat(f); err != nil || wrong != nil || !info.IsDir() {
			continue // what is wrong with it, its reader tells
		}
		if within, err := filepath.Rel(source, tree); err == nil && filepath.IsLocal(within) {
			return fault.New(fault.Usage, "find a place for the tree", fmt.Errorf("%q lies within the manifests %q, and would be read as some of them the next time", out, f), "name a folder beside them with --out")
		}
	}
	return nil
}

// environmentFlag refuses what can be no environment's name.
func environmentFlag(cmd *cobra.Command, name string) error {
	if environmentName.MatchString(name) {
		return nil
	}
	if name == "" {
		return usage(cmd, "read the command line", errors.New("no environment is named: --env NAME"))
	}
	return usage(cmd, "read the command line", fmt.Errorf("--env %q is no name: small letters, digits, dots, dashes and underscores", name))
}

// complete takes from bascule.yaml what no flag has said.
func (a *app) complete(t *translation) error {
	if len(t.from) > 0 && t.out != "" && t.config != "" {
		return nil
	}
	w, err := a.workloads(t.environment)
	if err != nil {
		return err
	}
	if len(t.from) == 0 {
		t.from = w.From
	}
	t.images, t.out, t.config = cmp.Or(t.images, w.Images), cmp.Or(t.out, w.Out), cmp.Or(t.config, w.Config)
	switch {
	case len(t.from)+len(t.rendered) == 0 && t.config == "":
		return a.noManifests(t.environment)
	case t.out == "":
		return a.unsaid(t.environment, "tree", "--out", "out")
	}
	return nil
}

// translationInput reads what a translation is made from.
func (a *app) translationInput(ctx context.Context, t *translation) (*translate.Input, error) {
	in := &translate.Input{Environment: t.environment, File: t.config}
	var err error
	if in.File == "" {
		in.File = "the file that --config names"
	} else if in.Decisions, err = decision.Read(in.File); err != nil {
		return nil, err
	}
	if t.images != "" {
		if in.Images, err = translate.ReadImages(t.images); err != nil {
			return nil, err
		}
	}
	if in.Profile, err = profile.Load(); err != nil {
		return nil, err
	}
	return in, a.translationSet(ctx, t, in)
}

// translationSet reads the objects: manifests, and what Helm renders for releases.
func (a *app) translationSet(ctx context.Context, t *translation, in *translate.Input) error {
	var err error
	if t.charts, err = a.charts(in.Decisions, in.Profile, t.helm); err != nil {
		return err
	}
	if len(t.from)+len(t.rendered)+len(t.charts.decisions.Releases) == 0 {
		return a.noManifests(t.environment)
	}
	in.Set, err = t.charts.with(ctx, t.from, t.rendered)
	return err
}

// translateDoc is what a translation came to.
type translateDoc struct {
	Command     string                    `json:"command"`
	Environment string                    `json:"environment"`
	DryRun      bool                      `json:"dry_run"`
	Objects     objectCounts              `json:"objects"`
	Verdicts    map[translate.Verdict]int `json:"verdicts"`
	Changes     []gitops.Change           `json:"changes"`
	Findings    []finding.Finding         `json:"findings"`

	out string
}

// objectCounts counts the source's objects by what becomes of them, and those that were made.
type objectCounts struct {
	Read      int `json:"read"`
	Unchanged int `json:"unchanged"`
	Patched   int `json:"patched"`
	Dropped   int `json:"left_behind"`
	Held      int `json:"held_back"`
	Made      int `json:"made"`
}

func newTranslateDoc(t *translation, r *translate.Result, changes []gitops.Change) *translateDoc {
	d := &translateDoc{
		Command: "kube translate", Environment: t.environment, DryRun: t.dry, Verdicts: r.Verdicts, out: t.out,
		Changes: append([]gitops.Change{}, changes...), Findings: finding.NewReport(append([]finding.Finding{}, r.Findings...)).Findings,
	}
	d.Objects.Read, d.Objects.Made = len(r.Objects), len(r.Made)
	for _, o := range r.Objects {
		switch {
		case o.Held != nil:
			d.Objects.Held++
		case o.Dropped != nil:
			d.Objects.Dropped++
		case len(o.Ops) > 0:
			d.Objects.Patched++
		default:
			d.Objects.Unchanged++
		}
	}
	return d
}

func (a *app) printTranslation(d *translateDoc) error {
	p := &printer{}
	o := d.Objects
	p.line("%s: %s: %d unchanged, %d patched, %d left behind, %d held back; %d made", d.Environment, plural(int64(o.Read), "object"), o.Unchanged, o.Patched, o.Dropped, o.Held, o.Made)
	p.line("rows met: = %d mechanical, ≈ %d changed meaning, R %d needs a resource, ✗ %d no equivalent", d.Verdicts[translate.Mechanical], d.Verdicts[translate.Changed], d.Verdicts[translate.Resource], d.Verdicts[translate.None])
	did := "written"
	if d.DryRun {
		did = "would be written"
		for _, c := range d.Changes {
			p.line("  %s %s", c.Do, c.Path)
		}
	}
	if len(d.Changes) == 0 {
		p.line("%s: nothing changes", d.out)
	} else {
		p.line("%s %s: %d created, %d changed, %d removed", d.out, did, gitops.Count(d.Changes, "create"), gitops.Count(d.Changes, "change"), gitops.Count(d.Changes, "remove"))
	}
	p.line("")
	if _, err := fmt.Fprint(a.out, p.String()); err != nil {
		return err
	}
	return a.printFindings(finding.Report{Findings: d.Findings, Before: "the switch"})
}

// inRound reports whether a round runs this command: its journal keeps few words, so what stops it has to be among these.
func inRound() bool { return os.Getenv("BASCULE_ROUND") != "" }

// printFindings prints a report as a whole, or briefly in a round.
func (a *app) printFindings(r finding.Report) error {
	if inRound() {
		return r.WriteBrief(a.out)
	}
	return r.WriteText(a.out, textWidth)
}

// textWidth is that of reports that may be piped and mailed.
const textWidth = 100
