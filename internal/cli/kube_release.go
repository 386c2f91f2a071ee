package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/helm"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
	gitops "github.com/bascule/bascule/internal/kube/tree"
)

// rendered is a file of what Helm renders for a release, as --release names it.
type rendered struct{ id, file string }

// parseRelease reads NAMESPACE/NAME=FILE; for a check an environment may stand before it.
func parseRelease(s string, environments bool) (rendered, error) {
	id, file, ok := strings.Cut(s, "=")
	bare := id
	if environments && strings.Count(id, "/") == 2 {
		_, bare, _ = strings.Cut(id, "/")
	}
	if !ok || file == "" || decision.CheckRelease(bare) != nil {
		form := "NAMESPACE/NAME=FILE"
		if environments {
			form = "[ENVIRONMENT/]" + form
		}
		return rendered{}, fmt.Errorf("--release %q is not %s", s, form)
	}
	return rendered{id, file}, nil
}

// releaseHelp is what the flag --release names.
const releaseHelp = "a release of Helm and what helm template prints for it, `NAMESPACE/NAME=FILE`, - for the standard input; repeatable"

// helmHelp is what the flag --helm names.
const helmHelp = "the `PROGRAM` helm, to render the charts of the releases that the decisions list"

func parseReleases(all []string, environments bool) ([]rendered, error) {
	var out []rendered
	for _, s := range all {
		r, err := parseRelease(s, environments)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// charts reads what Helm renders for the releases of a translation.
type charts struct {
	app       *app
	program   string // helm, where people say that it may be run
	decisions *decision.Decisions
	placed    func(*manifest.Object) bool
	version   string
}

func (a *app) charts(d *decision.Decisions, p *profile.Profile, program string) (*charts, error) {
	c := &charts{app: a, program: program, decisions: d, version: p.Target.Entries[0].Version}
	if d != nil {
		c.version = cmp.Or(d.Version, c.version)
	} else {
		c.decisions = &decision.Decisions{}
	}
	kinds, err := builtin.Load(p.Target.Entries[0].Version)
	c.placed = placed(kinds)
	return c, err
}

// placed says whether the objects of a kind live in a namespace. Of kinds that nobody here knows most do, and those that do not say so by their names, mostly.
func placed(kinds *builtin.Set) func(*manifest.Object) bool {
	return func(o *manifest.Object) bool {
		if namespaced, known := kinds.Has(o.Group, o.Version, o.Kind); known {
			return namespaced
		}
		for _, word := range []string{"Cluster", "Global"} {
			if strings.HasPrefix(o.Kind, word) {
				return false
			}
		}
		return !slices.Contains([]string{
			"NodePool", "NodeClaim", "EC2NodeClass", "Provisioner", "AWSNodeTemplate", "ComputeClass", "IngressClassParams", "ENIConfig", "PodSecurityPolicy",
			"VolumeSnapshotClass", "VolumeSnapshotContent", "GatewayClass", "ClusterRole", "IPPool", "FelixConfiguration",
		}, o.Kind)
	}
}

// with reads manifests, and what Helm renders for releases, as one set.
func (c *charts) with(ctx context.Context, from []string, flags []rendered) (*manifest.Set, error) {
	var sets []*manifest.Set
	if len(from) > 0 {
		set, err := c.app.manifests(ctx, from)
		if err != nil {
			return nil, err
		}
		if len(set.Objects) == 0 {
			return nil, fault.New(fault.Usage, "read the manifests", fmt.Errorf("there is no object in %s", strings.Join(from, ", ")), "name a folder of manifests with --from; an empty source says nothing, and would remove a whole tree")
		}
		sets = append(sets, set)
	}
	releases, err := c.read(ctx, flags)
	if err != nil {
		return nil, err
	}
	return manifest.Join(append(sets, releases...)...)
}

// byRelease are the objects of releases, each release by itself.
func byRelease(all *manifest.Set) map[string]*manifest.Set {
	out := map[string]*manifest.Set{}
	for _, o := range all.Objects {
		if o.Release == "" {
			continue
		}
		if out[o.Release] == nil {
			out[o.Release] = &manifest.Set{}
		}
		out[o.Release].Objects = append(out[o.Release].Objects, o)
	}
	return out
}

// read reads all releases: those that flags name, and those of the decisions. One of which nobody can say what Helm renders for it is an error, for its part of the tree
// would go.
func (c *charts) read(ctx context.Context, flags []rendered) ([]*manifest.Set, error) {
	files, err := named(flags)
	if err != nil {
		return nil, err
	}
	for id, r := range c.decisions.Releases {
		if files[id] == "" {
			files[id] = r.Rendered
		}
	}
	var out []*manifest.Set
	for _, id := range slices.Sorted(maps.Keys(files)) {
		set, err := c.release(ctx, id, files[id])
		if err != nil {
			return nil, err
		}
		if len(set.Objects) == 0 {
			return nil, fault.New(fault.Usage, "read the release "+id, errors.New("there is no object in what Helm renders for it"), "leave it out of the releases if it is gone")
		}
		out = append(out, set)
	}
	return out, nil
}

// release reads one release, from a file or from helm.
func (c *charts) release(ctx context.Context, id, file string, more ...string) (*manifest.Set, error) {
	namespace, name, _ := strings.Cut(id, "/")
	r := manifest.Release{Namespace: namespace, Name: name, File: file}
	var err error
	switch {
	case file == "-":
		r.Text, err = io.ReadAll(c.app.in)
	case file != "":
		r.Text, err = os.ReadFile(file)
		err = fault.New(fault.Usage, fmt.Sprintf("read %q", file), cmp.Or(errors.Unwrap(err), err), "helm template "+name+" CHART --namespace "+namespace+" > FILE")
	case c.program == "" || c.decisions.Releases[id].Chart == "":
		return nil, fault.New(fault.Usage, "read the release "+id, errors.New("nothing says what Helm renders for it"),
			"helm template "+name+" CHART --namespace "+namespace+" > FILE, and --release "+id+"=FILE; or name its chart in the decisions, and the program with --helm helm")
	default:
		r.File = "helm template " + name
		r.Text, err = c.renderer(id).Template(ctx, more...)
	}
	if err != nil {
		return nil, err
	}
	return manifest.ReadRelease(r, c.placed)
}

func (c *charts) renderer(id string) *helm.Renderer {
	return &helm.Renderer{Program: c.program, ID: id, Release: c.decisions.Releases[id], KubeVersion: c.version}
}

// deployed are the releases of Helm of which a tree has patches.
type deployed struct {
	dir          string
	environments []string
	about        *decided
	named        []rendered
	program      string // helm, where people say that it may be run
	kinds        *builtin.Set
	version      string
}

// read reads what Helm renders for them, by ENVIRONMENT/NAMESPACE/NAME: what flags name, or else the decisions, or else what helm says. One of which nobody says it is not
// among them.
func (d *deployed) read(ctx context.Context) (map[string]*manifest.Set, error) {
	files, err := named(d.named)
	if err != nil {
		return nil, err
	}
	out, used := map[string]*manifest.Set{}, map[string]bool{}
	seen := map[rendered]*manifest.Set{}
	for _, environment := range d.environments {
		ids, err := gitops.Releases(d.dir, environment)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			file := cmp.Or(files[environment+"/"+id], files[id])
			used[environment+"/"+id], used[id] = true, true
			if set := seen[rendered{id, file}]; set != nil {
				out[environment+"/"+id] = set
				continue
			}
			set, err := d.release(ctx, environment, id, file)
			if err != nil {
				return nil, err
			}
			if set != nil {
				out[environment+"/"+id] = set
			}
			if file != "" {
				seen[rendered{id, file}] = set
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(files)) {
		if !used[id] {
			return nil, fault.New(fault.Usage, "read the command line", fmt.Errorf("--release names %s, which the tree does not have", id), "name a release as it lies below generated/ENVIRONMENT/releases")
		}
	}
	return out, nil
}

// release reads one; none where nobody says what Helm renders for it.
func (d *deployed) release(ctx context.Context, environment, id, file string) (*manifest.Set, error) {
	of, err := d.about.about(environment)
	if err != nil {
		return nil, err
	}
	c := &charts{app: d.about.app, program: d.program, decisions: of, placed: placed(d.kinds), version: d.version}
	file = cmp.Or(file, of.Releases[id].Rendered)
	if file == "" && (c.program == "" || of.Releases[id].Chart == "") {
		return nil, nil
	}
	return c.release(ctx, id, file)
}

// named are the files that flags name, by the release.
func named(all []rendered) (map[string]string, error) {
	files := map[string]string{}
	for _, r := range all {
		if files[r.id] != "" {
			return nil, fault.New(fault.Usage, "read the command line", fmt.Errorf("--release names %s twice", r.id), "a release is one file: give it once, with all that Helm renders for it")
		}
		files[r.id] = r.file
	}
	return files, nil
}

// traced says at findings which value of a release they come from, and offers values in place of patches where helm can prove them.
func (c *charts) traced(ctx context.Context, in *translate.Input, r *translate.Result, files gitops.Files) error {
	of := map[string]string{}
	for _, o := range r.Objects {
		of[o.String()] = o.Release
	}
	for _, id := range slices.Sorted(maps.Keys(r.Releases)) {
		known := r.Releases[id]
		values, err := helm.ReadValues(known)
		if err != nil {
			return err
		}
		values.Trace(r.Findings, func(object string) bool { return of[object] == id })
		if c.program == "" || known.Chart == "" || known.Rendered != "" {
			continue
		}
		offer, err := values.Propose(ctx, id, r, func(ctx context.Context, more string) (*translate.Result, error) { return c.again(ctx, in, id, more) })
		if err != nil {
			return err
		}
		if len(offer.Text) > 0 {
			files.OfferValues(id, offer.Text, offer.Before, offer.After)
			r.Findings = append(r.Findings, offered(in, id, offer))
		}
	}
	return nil
}

// again translates the environment with one release rendered once more.
func (c *charts) again(ctx context.Context, in *translate.Input, id, more string) (*translate.Result, error) {
	set, err := c.release(ctx, id, "", more)
	if err != nil {
		return nil, err
	}
	others := &manifest.Set{Aside: in.Set.Aside, Objects: slices.DeleteFunc(slices.Clone(in.Set.Objects), func(o *manifest.Object) bool { return o.Release == id })}
	joined, err := manifest.Join(others, set)
	if err != nil {
		return nil, err
	}
	next := translate.Input{Environment: in.Environment, Set: joined, Decisions: in.Decisions, File: in.File, Profile: in.Profile, Images: in.Images}
	return translate.Translate(next), nil
}

func offered(in *translate.Input, id string, o *helm.Offer) finding.Finding {
	return finding.Finding{
		Code: "helm-value", Kind: finding.Opportunity, Severity: finding.Info, Object: "Release " + id, Owner: "application", Evidence: o.Keys,
		What: fmt.Sprintf("Values could take the place of %d of %d operations of its patches; rendering it with them has proved it.", o.Before-o.After, o.Before),
		Do:   "take over generated/" + in.Environment + "/releases/" + id + "/values-gcp.yaml: copy it, name the copy last among the values of the release, for the new side alone, and translate again",
	}
}
