package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/mysql/spool"
	"github.com/bascule/bascule/internal/secret"
)

// spoolOff is what --spool takes when nothing is to be kept.
const spoolOff = "off"

func (s *settings) spoolFlags(f *pflag.FlagSet) {
	f.StringVar(&s.Spool, "spool", "", "`DIR` where the source's binlog is kept (default $XDG_STATE_HOME/bascule/spool), or off")
	f.StringVar(&s.SpoolKey, "spool-key", "", "`REFERENCE` to the 32 bytes, in hexadecimal or base64, that encrypt it")
	f.StringVar(&s.SpoolLimit, "spool-limit", "", "the most that it may take of the disk, as a `SIZE`: 200GiB (default: all but 256 MiB)")
	s.spools = true
}

// spoolRoot is the folder of all spools, or nothing when none is kept.
func (s *settings) spoolRoot() (string, error) {
	switch s.Spool {
	case spoolOff:
		return "", nil
	case "":
		return mysql.DefaultSpool()
	}
	return s.Spool, nil
}

// spoolOptions are nil when nothing is to be kept.
func (a *app) spoolOptions(ctx context.Context, s *settings) (*mysql.SpoolOptions, error) {
	if !s.spools || !s.Follow && !s.follows || s.Spool == spoolOff {
		return nil, nil
	}
	root, err := s.spoolRoot()
	if err != nil {
		return nil, err
	}
	o := &mysql.SpoolOptions{Root: root, Who: whoami()}
	if s.SpoolLimit != "" {
		if o.Limit, err = parseSize(s.SpoolLimit); err != nil {
			return nil, fault.New(fault.Usage, "read --spool-limit", err, "say for instance 200GiB")
		}
	}
	if s.SpoolKey == "" {
		return o, nil
	}
	const op = "resolve --spool-key"
	if !secret.IsReference(s.SpoolKey) {
		a.redact.hide(s.SpoolKey)
		return nil, fault.New(fault.Usage, op, errors.New("it is not a reference"), "name where the key stands: env:NAME, file:PATH or exec:COMMAND")
	}
	text, err := secret.Resolve(ctx, s.SpoolKey)
	if err != nil {
		return nil, fault.New(fault.Usage, op, err, "the reference must give the key to the user who runs this")
	}
	a.redact.hide(text)
	o.Key, err = spool.ParseKey(text)
	return o, err
}

// parseSize reads a number of bytes: 200GiB, 512M, 1073741824.
func parseSize(text string) (int64, error) {
	t := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(text)), "IB"), "B")
	shift := 0
	if t != "" {
		if i := strings.IndexByte("KMGTP", t[len(t)-1]); i >= 0 {
			shift, t = 10*(i+1), t[:len(t)-1]
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return 0, fmt.Errorf("%q is not a size", text)
	}
	return n << shift, nil
}

func (a *app) dbSpool() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "Look after the copy of the source's binlog",
		Long: `A copy that is to be followed, and a follow that is behind, keep the source's binlog in a folder of
their own, one for each source server, so that it does not matter when the source deletes it.

  status  say what is kept, by whom, and who needs it   writes nothing
  trim    delete what nobody needs any more             writes to the folder`,
		Args: onlyCommands,
		RunE: help,
	}
	cmd.AddCommand(a.dbSpoolStatus(), a.dbSpoolTrim())
	return cmd
}

func (a *app) dbSpoolStatus() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what is kept of each source's binlog",
		Long: `Prints for each server whose binlog is kept: where, how much, from which position to which, who
writes it, and how far the migrations are that need it. With --source it also says how many
bytes of that server's binlog are not in it yet. It needs no key.

` + exitCodesShort(ExitConnect, ExitResource, ExitData),
		Example: "  bascule db spool status --config shop.yaml",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.spoolStatus(cmd, &s) },
	}
	f := cmd.Flags()
	s.sourceFlags(f)
	f.StringVar(&s.Spool, "spool", "", "`DIR` where the source's binlog is kept (default $XDG_STATE_HOME/bascule/spool)")
	f.StringVar(&s.config, "config", "", "YAML `FILE` whose keys are these flags' names; flags win")
	return cmd
}

// spoolDoc is what stands in one spool.
type spoolDoc struct {
	*spool.Status
	// Lag is how many bytes of the source's binlog are not in it; absent unless --source leads to that server.
	Lag *int64 `json:"lag_bytes,omitempty"`
}

func (a *app) spoolStatus(cmd *cobra.Command, s *settings) error {
	if err := s.load(cmd); err != nil {
		return err
	}
	root, err := s.spoolRoot()
	if err != nil {
		return err
	}
	found, err := mysql.SpoolStatus(root)
	if err != nil {
		return err
	}
	docs := []spoolDoc{}
	for _, st := range found {
		docs = append(docs, spoolDoc{Status: st})
	}
	w := &work{view: &closeOnce{renderer: silent{}}, migration: &migration.Migration{}}
	err = a.openSource(cmd.Context(), s, s.Source != "" && len(docs) > 0, w, func(ctx context.Context) error {
		end, ok := w.migration.Source.(*mysql.End)
		if !ok {
			return nil
		}
		for i := range docs {
			n, err := end.SpoolLag(ctx, docs[i].Status)
			if err != nil {
				return err
			}
			if n >= 0 {
				docs[i].Lag = &n
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Root   string     `json:"root"`
			Spools []spoolDoc `json:"spools"`
		}{root, docs})
	}
	p := &printer{}
	if len(docs) == 0 {
		p.line("nothing is kept in %s", clean(root))
	}
	for i, d := range docs {
		if i > 0 {
			p.line("")
		}
		d.print(p, a.now())
	}
	_, err = fmt.Fprint(a.out, p.String())
	return err
}

func (d *spoolDoc) print(p *printer, now time.Time) {
	p.line("spool of %s (%s)", clean(cmp.Or(d.Server.Address, "an unknown server")), clean(d.Server.ID))
	p.line("  in         %s", clean(d.Dir))
	how := "not encrypted"
	if d.Encrypted {
		how = "encrypted"
	}
	p.line("  holds      %s in %s, %s on disk, %s", size(d.Raw), plural(int64(d.Segments), "segment"), size(d.Disk), how)
	if d.Segments > 0 {
		p.line("  from       %s", clean(d.First.Position))
		p.line("  to         %s", clean(d.Last.Position))
		if !d.Last.Time.IsZero() {
			p.line("             logged %s, %s ago", stamp(d.Last.Time), duration(now.Sub(d.Last.Time)))
		}
	}
	if d.Lag != nil {
		p.line("  behind     %s of the source's binlog are not in it", size(*d.Lag))
	}
	if d.Writer != nil {
		p.line("  written by %s, since %s", clean(d.Writer.Who), stamp(d.Writer.Since))
	} else {
		p.line("  written by nobody")
	}
	for _, h := range d.Holds {
		p.line("  needed by  %s", clean(h.Migration))
		p.line("             from %s on", clean(h.Position))
	}
	if len(d.Holds) == 0 {
		p.line("  needed by  nobody: bascule db spool trim deletes all but the last segment")
	}
}

func (a *app) dbSpoolTrim() *cobra.Command {
	var s settings
	var release string
	cmd := &cobra.Command{
		Use:   "trim",
		Short: "Delete what no migration needs any more",
		Long: `Deletes the segments that every migration has applied durably, as db follow does by itself while it
runs. The last segment stays, and what was finished within ten minutes.

A migration that was dropped by another machine is released by its name, as db spool status
prints it; nothing is kept for it then.

` + exitCodesShort(ExitResource, ExitData),
		Example: "  bascule db spool trim --config shop.yaml",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.spoolTrim(cmd, &s, release) },
	}
	f := cmd.Flags()
	f.StringVar(&s.Spool, "spool", "", "`DIR` where the source's binlog is kept (default $XDG_STATE_HOME/bascule/spool)")
	f.StringVar(&s.config, "config", "", "YAML `FILE` whose keys are these flags' names; flags win")
	f.StringVar(&release, "release", "", "keep nothing for this `MIGRATION` any more")
	return cmd
}

func (a *app) spoolTrim(cmd *cobra.Command, s *settings, release string) error {
	if err := s.load(cmd); err != nil {
		return err
	}
	root, err := s.spoolRoot()
	if err != nil {
		return err
	}
	if release != "" {
		was, err := mysql.ReleaseSpool(root, release)
		if err == nil && !was {
			err = usage(cmd, "release "+release, errors.New("no spool is kept for it"))
		}
		if err != nil {
			return err
		}
	}
	dirs, err := spool.List(root)
	if err != nil {
		return err
	}
	type trimmed struct {
		Dir      string `json:"directory"`
		Segments int    `json:"segments"`
	}
	docs := []trimmed{}
	for _, dir := range dirs {
		n, err := mysql.TrimSpool(dir, mysql.TrimAfter)
		if err != nil {
			return err
		}
		docs = append(docs, trimmed{dir, n})
	}
	if a.json {
		return a.printJSON(docs)
	}
	for _, d := range docs {
		if _, err := fmt.Fprintf(a.out, "deleted %s in %s\n", plural(int64(d.Segments), "segment"), clean(d.Dir)); err != nil {
			return err
		}
	}
	return nil
}
