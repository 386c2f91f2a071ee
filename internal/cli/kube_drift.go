package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/drift"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/platform"
)

// drifting is the flags of kube drift.
type drifting struct {
	decisions, helm string
	dry, all        bool
}

func (a *app) kubeDrift() *cobra.Command {
	var t drifting
	cmd := &cobra.Command{
		Use:   "drift [ENVIRONMENT|[NAME=]PATH]...",
		Short: "Lay the manifests of regions side by side, and suggest what to harmonise",
		Long: `Reads the manifests of two regions or more, each a folder or a file, that hold the same application;
matches their objects by kind, namespace and name; and prints each difference once, however many
objects have it, with a harmonised value where something supports one. What is a region's own (its
zones, hosts, ARNs, sizes) is told apart from drift.

A region is an environment whose manifests bascule.yaml names, with the releases of Helm of its
decisions; without an argument, each of these is one. Else it is called by its folder's name, or by
NAME.

With --decisions it writes each open difference into a file of decisions, with the suggestion as its
answer: read it before bascule kube translate follows it. Answers that stand there stay as they are.
Values of secrets are not printed and not written.

` + exitCodesShort(ExitResource, ExitData),
		Example: `  bascule kube drift
  bascule kube drift prod-eu prod-na
  bascule kube drift manifests/prod-eu manifests/prod-na manifests/prod-ap
  bascule kube drift eu=out/eu na=out/na --decisions harmonise.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.drifts(cmd, &t, args) },
	}
	f := cmd.Flags()
	f.StringVar(&t.decisions, "decisions", "", "the `FILE` of decisions to follow and to extend; it is made if it is not there")
	a.platformFlag(cmd)
	f.StringVar(&t.helm, "helm", "", helmHelp)
	f.BoolVar(&t.dry, "dry-run", false, "say what would be written to the file of decisions, and write nothing")
	f.BoolVar(&t.all, "expected", false, "print expected differences one by one")
	return cmd
}

func (a *app) drifts(cmd *cobra.Command, t *drifting, args []string) error {
	regions, err := a.regions(cmd, args, t.helm)
	if err != nil {
		return err
	}
	var decided *decision.Decisions
	var text []byte
	if t.decisions != "" {
		if text, decided, err = readDecisions(t.decisions); err != nil {
			return err
		}
	}
	r := drift.Compare(regions, decided)
	doc := &driftDoc{Command: "kube drift", Report: r, DryRun: t.dry}
	if t.decisions != "" {
		if doc.Added, err = extendDecisions(t, text, decided, r); err != nil {
			return err
		}
		doc.Decisions = t.decisions
	}
	if a.json {
		return a.printJSON(doc)
	}
	p := &printer{}
	doc.text(p, t.all)
	_, err = fmt.Fprint(a.out, p.String())
	return err
}

// regions reads the manifests of all regions.
func (a *app) regions(cmd *cobra.Command, args []string, program string) ([]drift.Region, error) {
	if len(args) == 1 {
		return nil, usage(cmd, "read the command line", errors.New("two regions or more are compared, each an environment, a folder or a file"))
	}
	p, err := a.described()
	if len(args) == 0 && err == nil {
		p, args, err = a.everyRegion()
	}
	if err != nil {
		return nil, err
	}
	var out []drift.Region
	for _, arg := range args {
		name, from, err := a.region(p, arg)
		if err != nil {
			return nil, err
		}
		if name == "" || from == "" && arg != name || strings.Trim(name, "./\\-") == "" {
			return nil, usage(cmd, "read the command line", fmt.Errorf("%q has no name: write NAME=PATH", arg))
		}
		if slices.ContainsFunc(out, func(r drift.Region) bool { return r.Name == name }) {
			return nil, usage(cmd, "read the command line", fmt.Errorf("two regions are called %s: write NAME=PATH", name))
		}
		set, err := a.regional(cmd.Context(), name, from, program)
		if err != nil {
			return nil, err
		}
		if len(set.Objects) == 0 {
			return nil, fault.New(fault.Usage, "read the manifests of "+name, fmt.Errorf("there is no object in %s", cmp.Or(from, a.file)), "name a folder of manifests")
		}
		out = append(out, drift.Region{Name: name, Set: set, Hosts: hostsOf(p, name)})
	}
	return out, nil
}

// everyRegion are the environments whose manifests bascule.yaml names: at least two.
func (a *app) everyRegion() (*platform.Platform, []string, error) {
	p, err := a.needed("name two regions or more")
	if err != nil {
		return nil, nil, err
	}
	var named []string
	for i := range p.Environments {
		if p.Environments[i].Manifests() != nil {
			named = append(named, p.Environments[i].Name)
		}
	}
	if len(named) < 2 {
		return nil, nil, fault.New(fault.Usage, "find the regions", fmt.Errorf("%s names the manifests of %s, and two regions or more are compared", a.file, plural(int64(len(named)), "environment")),
			"say where they are, under each environment: workloads: [{name: ..., from: [FOLDER]}]; or name the regions")
	}
	return p, named, nil
}

// region reads an argument: NAME=PATH, a path, or an environment whose manifests bascule.yaml names, which has no path.
func (a *app) region(p *platform.Platform, arg string) (name, path string, err error) {
	if name, path, ok := strings.Cut(arg, "="); ok {
		return name, path, nil
	}
	if p != nil && p.Environment(arg) != nil {
		if p.Environment(arg).Manifests() != nil {
			return arg, "", nil
		}
		if _, err := os.Stat(arg); err != nil {
			return "", "", a.unsaid(arg, "manifests", arg+"=PATH", "from")
		}
	}
	if _, err := os.Stat(arg); p != nil && errors.Is(err, fs.ErrNotExist) && !strings.Contains(arg, "/") {
		var known []string
		for i := range p.Environments {
			known = append(known, p.Environments[i].Name)
		}
		return "", "", fault.New(fault.Usage, fmt.Sprintf("find the region %q", arg), fmt.Errorf("no file or folder is called so, and %s has only: %s", a.file, strings.Join(known, ", ")),
			"name one of them, or a folder or a file of manifests")
	}
	return strings.TrimSuffix(filepath.Base(filepath.Clean(arg)), filepath.Ext(arg)), arg, nil
}

// regional reads the manifests of a region: those at a path, or those of an environment, with its releases of Helm.
func (a *app) regional(ctx context.Context, environment, path, program string) (*manifest.Set, error) {
	if path == "" {
		return a.environmentSet(ctx, environment, program)
	}
	return a.manifests(ctx, []string{path})
}

// hostsOf are the hosts of an environment; of none where bascule.yaml does not have it.
func hostsOf(p *platform.Platform, name string) (hosts []string) {
	if p == nil || p.Environment(name) == nil {
		return nil
	}
	for _, h := range p.Environment(name).Hosts {
		hosts = append(hosts, h.Name)
	}
	return hosts
}

// readDecisions reads a file of decisions that may not be there yet.
func readDecisions(name string) ([]byte, *decision.Decisions, error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, &decision.Decisions{}, nil
	}
	d, err := decision.Read(name)
	if err != nil {
		return nil, nil, err
	}
	if d.HarmoniseFrom != "" {
		return nil, nil, fault.New(fault.Usage, fmt.Sprintf("read %q", name), fmt.Errorf("its harmonise stands in %s", d.HarmoniseFrom), "name that file with --decisions")
	}
	text, err := os.ReadFile(name)
	return text, d, fault.New(fault.Resource, fmt.Sprintf("read %q", name), err, "")
}

// extendDecisions writes what is open into the file of decisions, and counts it.
func extendDecisions(t *drifting, text []byte, decided *decision.Decisions, r *drift.Report) (*driftAdded, error) {
	add := r.Questions(decided)
	out := &driftAdded{Words: len(add.Words)}
	for _, q := range add.Questions {
		if q.Open() {
			out.Open++
		} else {
			out.Suggested++
		}
	}
	op := fmt.Sprintf("extend %q", t.decisions)
	to, err := decision.Extend(text, add)
	if err != nil {
		return nil, fault.New(fault.Usage, op, err, "nothing was written")
	}
	if t.dry || string(to) == string(text) {
		return out, nil
	}
	if text == nil {
		to = append([]byte("# What differs between "+strings.Join(r.Regions, ", ")+", and what is to be in its place: bascule kube drift adds to it and changes nothing.\n"), to...)
	}
	return out, fault.New(fault.Resource, op, replaceFile(t.decisions, to), "nothing was written")
}

// replaceFile exchanges a file as a whole.
func replaceFile(name string, text []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
		if file, err := filepath.EvalSymlinks(name); err == nil {
			name = file
		}
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = cmp.Or(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// driftDoc is what a comparison comes to.
type driftDoc struct {
	Command string `json:"command"`
	*drift.Report
	DryRun    bool        `json:"dry_run"`
	Decisions string      `json:"decisions,omitempty"`
	Added     *driftAdded `json:"added,omitempty"`
}

// driftAdded counts what was written to a file of decisions.
type driftAdded struct {
	Suggested int `json:"suggested"`
	Open      int `json:"open"`
	Words     int `json:"words"`
}

func (d *driftDoc) text(p *printer, all bool) {
	p.line("%s: %s in all of them, %d in some", clean(strings.Join(d.Regions, ", ")), plural(int64(d.Shared), "object"), d.Partial)
	open, asked, decided := d.Count(drift.Drift, drift.Open), d.Count(drift.Drift, drift.Asked), d.Count(drift.Drift, drift.Decided)
	p.line("drift: %s: %d decided, %d open", plural(int64(open+asked+decided), "difference"), decided, open+asked)
	section := func(title string, class drift.Class, states ...drift.State) {
		first := true
		for _, x := range d.Differences {
			if x.Class != class || !slices.Contains(states, x.State) {
				continue
			}
			if first {
				p.line("\n%s", title)
				first = false
			}
			d.difference(p, x)
		}
	}
	section("DRIFT, OPEN", drift.Drift, drift.Open, drift.Asked)
	section("DRIFT, DECIDED", drift.Drift, drift.Decided)
	section("NOT IN ALL REGIONS", drift.Missing, drift.Open, drift.Asked)
	section("NOT IN ALL REGIONS, DECIDED", drift.Missing, drift.Decided)
	section("THE REGIONS' OWN, DECIDED", drift.Expected, drift.Decided)
	if all {
		section("THE REGIONS' OWN", drift.Expected, drift.Settled)
	} else {
		d.expected(p)
	}
	d.proposal(p)
	if len(d.Unclear) > 0 {
		p.line("\nUNCLEAR NAMES\n")
		p.wrapped("  ", "The declared words would make one of several objects of a region; they keep their names: "+clean(strings.Join(d.Unclear, "; "))+".")
	}
	if len(d.LeftOut) > 0 {
		p.line("\nNOT COMPARED\n")
		for _, l := range d.LeftOut {
			p.wrapped("  ", clean(l))
		}
	}
	d.added(p)
}

// added says what the file of decisions has got.
func (d *driftDoc) added(p *printer) {
	n := d.Added
	switch {
	case n == nil:
	case *n == driftAdded{}:
		p.line("\n%s: nothing to add", clean(d.Decisions))
	default:
		has := " has got"
		if d.DryRun {
			has = ": would get"
		}
		p.line("\n%s%s %d with a suggestion, %d without, and words for %s", clean(d.Decisions), has, n.Suggested, n.Open, plural(int64(n.Words), "region"))
		if n.Words > 0 && !d.DryRun {
			p.line("Read the words, and run it again: the objects that they make one are compared then.")
		}
	}
}

func (d *driftDoc) difference(p *printer, x *drift.Difference) {
	p.line("")
	if x.Path != "" {
		head := clean(x.Path)
		if x.Why != "" {
			head += "  (" + x.Why + ")"
		}
		p.line("  %s", head)
	}
	if x.State == drift.Decided {
		p.wrapped("    ", someObjects(x.Objects))
		p.wrapped("    ", "decided: "+clean(x.Answer))
		return
	}
	d.cells(p, x)
	p.wrapped("    ", someObjects(x.Objects))
	switch s := x.Suggestion; {
	case s == nil && x.NoSuggestion != "":
		p.wrapped("    ", "no suggestion: "+clean(x.NoSuggestion))
	case s == nil:
	case s.Remove:
		p.wrapped("    ", "suggested: remove it ("+s.Reason+")")
	case s.Tag != "":
		p.wrapped("    ", "suggested: the tag "+clean(s.Tag)+" ("+clean(s.Reason)+")")
	default:
		p.wrapped("    ", "suggested: "+clean((&drift.Difference{Path: ".", Cells: []drift.Cell{{Value: s.Value}}}).Text(0, 200))+" ("+s.Reason+")")
	}
}

// cells writes what the regions have: beside one another, or each in a line of its own where that does not fit.
func (d *driftDoc) cells(p *printer, x *drift.Difference) {
	names, values := "    ", "    "
	texts := make([]string, len(d.Regions))
	longest := 0
	for i, r := range d.Regions {
		texts[i] = clean(x.Text(i, 1<<20))
		w := max(wide(clean(r)), wide(texts[i]))
		names += left(clean(r), w) + "  "
		values += left(texts[i], w) + "  "
		longest = max(longest, wide(clean(r)))
	}
	if wide(strings.TrimRight(values, " ")) <= textWidth && wide(strings.TrimRight(names, " ")) <= textWidth {
		p.line("%s\n%s", strings.TrimRight(names, " "), strings.TrimRight(values, " "))
		return
	}
	longest = min(longest, 24)
	width := textWidth - longest - 6
	from := common(texts)
	for i, r := range d.Regions {
		t := texts[i]
		if wide(t) > width && from > 24 && from < len(t) {
			t = "…" + strings.ToValidUTF8(t[from-12:], "") // from where they differ
		}
		p.line("    %s  %s", left(clean(r), longest), cut(t, width))
	}
}

// common is how many bytes all texts begin with alike.
func common(texts []string) int {
	n := 0
	for ; n < len(texts[0]); n++ {
		for _, t := range texts[1:] {
			if n >= len(t) || t[n] != texts[0][n] {
				return n
			}
		}
	}
	return n
}

// fewObjects is how many objects are named.
const fewObjects = 3

func someObjects(objects []drift.Object) string {
	var names []string
	for _, o := range objects[:min(len(objects), fewObjects)] {
		names = append(names, clean(o.Name()))
	}
	text := strings.Join(names, ", ")
	if n := len(objects) - fewObjects; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	if len(objects) > 1 {
		text = plural(int64(len(objects)), "object") + ": " + text
	}
	return text
}

// expected sums up what is the regions' own.
func (d *driftDoc) expected(p *printer) {
	counts := map[string]int{}
	var why []string
	for _, x := range d.Differences {
		if x.Class == drift.Expected && x.State == drift.Settled {
			if counts[x.Why] == 0 {
				why = append(why, x.Why)
			}
			counts[x.Why] += len(x.Objects)
		}
	}
	if len(why) == 0 {
		return
	}
	slices.Sort(why)
	p.line("\nTHE REGIONS' OWN (--expected prints them)\n")
	for _, w := range why {
		p.line("  %s  %s", right(count(int64(counts[w])), 6), w)
	}
}

func (d *driftDoc) proposal(p *printer) {
	if d.Proposal == nil {
		return
	}
	p.line("\nNAMES THAT MAY BE ONE OBJECT\n")
	p.wrapped("  ", fmt.Sprintf("%s would be in several regions if these words mean them. Nothing is done with that until it is declared, in the file that --decisions names:", plural(int64(len(d.Proposal.Objects)), "object")))
	p.line("\n  harmonise:\n    words:")
	for _, r := range d.Regions {
		if w := d.Proposal.Words[r]; len(w) > 0 {
			p.line("      %s: [%s]", clean(r), clean(strings.Join(w, ", ")))
		}
	}
	p.line("")
	for _, o := range d.Proposal.Objects[:min(len(d.Proposal.Objects), fewObjects)] {
		p.wrapped("    ", clean(strings.Join(slices.DeleteFunc(slices.Clone(o.Names), func(s string) bool { return s == "" }), " = ")))
	}
	if n := len(d.Proposal.Objects) - fewObjects; n > 0 {
		p.line("    and %d more", n)
	}
}
