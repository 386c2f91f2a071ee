package cli

import (
	"fmt"
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
	cmd.AddCommand(a.configCheck())
	return cmd
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say whether a bascule.yaml is right, and what rounds it makes",
		Long: `Reads bascule.yaml, or another file, and says everything that is wrong in it, with line and column;
or else, for each environment, how many steps its round has, which of them are manual, which gates
stand in it, and what has no undo. It connects to nothing.

` + exitCodesShort(),
		Example: "  bascule config check\n  bascule config check platforms/shop.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(cmd, "read the command line", fmt.Errorf("one file is looked at, not %d", len(args)))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			name := platformFile
			if len(args) == 1 {
				name = args[0]
			}
			p, err := platform.Read(name)
			if err != nil {
				return err
			}
			d, err := newPlatformDoc(p)
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
}

func newPlatformDoc(p *platform.Platform) (*platformDoc, error) {
	d := &platformDoc{Command: "config check", Platform: p.Name}
	for i := range p.Environments {
		e := &p.Environments[i]
		plan, err := p.Plan(e)
		if err != nil {
			return nil, err
		}
		x := environmentDoc{Name: e.Name, Production: e.Production, Steps: len(plan.Steps), Databases: []string{}}
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
		d.Environments = append(d.Environments, x)
	}
	return d, nil
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
		}{{"manual", e.Manual}, {"gates", e.Gates}, {"no undo", e.NoUndo}} {
			if len(part.steps) > 0 {
				p.wrapped("  "+left(part.name, 9), strings.Join(part.steps, ", "))
			}
		}
	}
	return p.String()
}
