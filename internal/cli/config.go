package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
)

// platformFile is what describes a platform where no other file is named.
const platformFile = "bascule.yaml"

func (a *app) config() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Look after bascule.yaml, which describes a platform",
		Long: `Looks after bascule.yaml, which describes a platform: its environments, their databases, and the
steps by which they move.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.AddCommand(a.configCheck(), a.configSchema())
	return cmd
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say whether a bascule.yaml is right, and what rounds it makes",
		Long: `Reads bascule.yaml, or another file, and says everything that is wrong in it, with line and column;
or else, for each environment, how many steps its round has, which of them are manual, which gates
stand in it, what has no undo, what a rehearsal and a proof of concept leave out for want of a form,
which files are not there, and what nothing is done with yet. It connects to nothing.

` + exitCodesShort(),
		Example: "  bascule config check\n  bascule config check platforms/shop.yaml",
		Args:    atMostOneFile,
		RunE: func(_ *cobra.Command, args []string) error {
			name := platformFile
			if len(args) == 1 {
				name = args[0]
			}
			p, err := platform.Read(name)
			if err != nil {
				return err
			}
			d, err := newPlatformDoc(p, filepath.Dir(name))
			if err != nil {
				return err
			}
			if a.json {
				(&objects{out: a.out, now: a.now}).write("summary", d)
				return nil
			}
			_, err = fmt.Fprint(a.out, d.text())
			return err
		},
	}
}

func (a *app) configSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of bascule.yaml",
		Long: `Prints the JSON Schema (draft 2020-12) of bascule.yaml, by which an editor can help to write it. What
it refuses, bascule config check refuses too; bascule config check sees more.

` + exitCodesShort(),
		Example: "  bascule config schema > bascule.schema.json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := platform.Schema()
			if err == nil {
				_, err = a.out.Write(text)
			}
			return err
		},
	}
}

// platformDoc is what a bascule.yaml comes to.
type platformDoc struct {
	Command      string           `json:"command"`
	Platform     string           `json:"platform"`
	Environments []environmentDoc `json:"environments"`
}

type environmentDoc struct {
	Name       string   `json:"name"`
	Production bool     `json:"production"`
	Databases  []string `json:"databases"`
	Steps      int      `json:"steps"`
	Manual     []string `json:"manual,omitempty"`
	Gates      []string `json:"gates,omitempty"`
	NoUndo     []string `json:"no_undo,omitempty"`
	// Unrehearsed and Unproved are what a rehearsal and a proof of concept leave out for want of a form.
	Unrehearsed []string `json:"unrehearsed,omitempty"`
	Unproved    []string `json:"unproved,omitempty"`
	Missing     []string `json:"missing_files,omitempty"`
	// Idle is what nothing is done with yet.
	Idle []string `json:"idle,omitempty"`
}

func newPlatformDoc(p *platform.Platform, folder string) (*platformDoc, error) {
	d := &platformDoc{Command: "config check", Platform: p.Name}
	for i := range p.Environments {
		x, err := newEnvironmentDoc(p, &p.Environments[i], folder)
		if err != nil {
			return nil, err
		}
		d.Environments = append(d.Environments, *x)
	}
	return d, nil
}

func newEnvironmentDoc(p *platform.Platform, e *platform.Environment, folder string) (*environmentDoc, error) {
	plan, err := p.Plan(e)
	if err != nil {
		return nil, err
	}
	x := &environmentDoc{Name: e.Name, Production: e.Production, Steps: len(plan.Steps), Databases: []string{}, Missing: missingFiles(e, folder)}
	for _, db := range e.Databases {
		x.Databases = append(x.Databases, db.Name)
	}
	for _, s := range plan.Steps {
		if s.Kind == round.KindManual {
			x.Manual = append(x.Manual, string(s.ID))
		}
		if s.Kind == round.KindGate {
			x.Gates = append(x.Gates, string(s.ID))
		}
		if s.Undo == round.UndoImpossible {
			x.NoUndo = append(x.NoUndo, string(s.ID))
		}
	}
	for purpose, left := range map[platform.Purpose]*[]string{platform.Rehearsal: &x.Unrehearsed, platform.PoC: &x.Unproved} {
		_, ids, err := p.Script(e, purpose)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			*left = append(*left, string(id))
		}
	}
	for _, kind := range []struct {
		name   string
		places []platform.Place
	}{{"cache", e.Caches}, {"bucket", e.Buckets}} {
		for _, place := range kind.places {
			x.Idle = append(x.Idle, kind.name+" "+place.Name)
		}
	}
	for _, w := range e.Workloads {
		if w.Config == "" && len(w.From) == 0 { // else bascule kube reads them
			x.Idle = append(x.Idle, "workload "+w.Name)
		}
	}
	return x, nil
}

// missingFiles lists the files of an environment's databases and workloads that cannot be found.
func missingFiles(e *platform.Environment, folder string) (missing []string) {
	var files []string
	for _, db := range e.Databases {
		files = append(files, db.Config, db.Rehearsal)
	}
	for _, w := range e.Workloads {
		files = append(files, w.Config, w.Images)
		files = append(files, slices.DeleteFunc(slices.Clone(w.From), platform.InCluster)...)
		files = append(files, w.CRDs...)
	}
	for _, f := range files {
		name := f
		if !filepath.IsAbs(name) {
			name = filepath.Join(folder, f)
		}
		if _, err := os.Stat(name); f != "" && err != nil && !slices.Contains(missing, f) {
			missing = append(missing, f)
		}
	}
	return missing
}

func (d *platformDoc) text() string {
	p := &printer{}
	p.line("platform %s: %s", d.Platform, plural(int64(len(d.Environments)), "environment"))
	for _, e := range d.Environments {
		production := ""
		if e.Production {
			production = ", production"
		}
		p.line("")
		p.line("%s%s: %s, %s", e.Name, production, plural(int64(len(e.Databases)), "database"), plural(int64(e.Steps), "step"))
		for _, part := range []struct {
			name  string
			steps []string
		}{
			{"manual", e.Manual},
			{"gates", e.Gates},
			{"no undo", e.NoUndo},
			{"not rehearsed", e.Unrehearsed},
			{"not in a poc", e.Unproved},
			{"not there", e.Missing},
			{"not moved yet", e.Idle},
		} {
			if len(part.steps) > 0 {
				p.wrapped("  "+left(part.name, 15), strings.Join(part.steps, ", "))
			}
		}
	}
	return p.String()
}
