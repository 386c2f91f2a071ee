package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/secret"
)

// beginning is what bascule init is told by flags.
type beginning struct {
	platform                string
	environments, databases []string
	from                    []string
	source, sourcePassword  string
}

func (a *app) init() *cobra.Command {
	b := &beginning{}
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a first bascule.yaml",
		Long: `Writes a first bascule.yaml, or another file, with comments that say what may be added. It asks for
the platform's name, its environments and their databases, at the terminal or, line by line, on its
standard input; with --environment it asks nothing.

A file that is there is never touched. No password is written.

` + exitCodesShort(),
		Example: "  bascule init\n  bascule init --platform shop --environment preprod --environment prod-eu --from orders.yaml",
		Args:    atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := platformFile
			if len(args) == 1 {
				name = args[0]
			}
			return a.begins(cmd, name, b)
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.platform, "platform", "", "`NAME` of the platform (default the folder's)")
	f.StringArrayVar(&b.environments, "environment", nil, "`NAME` of an environment, in the order in which they move (repeatable)")
	f.StringArrayVar(&b.databases, "database", nil, "`NAME` of a database that every environment has (repeatable)")
	f.StringArrayVar(&b.from, "from", nil, "a `FILE` that bascule db reads as its --config: a database of the first environment (repeatable)")
	f.StringVar(&b.source, "source", "", "list the databases of this MySQL or MariaDB server: `URL` (mysql://USER@HOST:3306), or a reference env:NAME, file:PATH, exec:COMMAND")
	f.StringVar(&b.sourcePassword, "source-password", "", "`REFERENCE` to the source's password")
	return cmd
}

// atMostOneFile refuses a second argument.
func atMostOneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(cmd, "read the command line", fmt.Errorf("one file is named, not %d", len(args)))
	}
	return nil
}

func (a *app) begins(cmd *cobra.Command, name string, b *beginning) error {
	op := fmt.Sprintf("write %q", name)
	if _, err := os.Lstat(name); err == nil { // before anybody answers a question
		return fault.New(fault.Refused, op, errors.New("it is there already"), "name another file, or change that one; bascule config check says what is wrong in it")
	}
	d := &platform.Draft{Name: b.platform, Environments: b.environments, Configs: map[string]string{}}
	if err := a.known(cmd.Context(), name, b, d); err != nil {
		return err
	}
	if err := a.ask(cmd, name, d); err != nil {
		return err
	}
	text, err := d.Text()
	if err != nil {
		return fault.New(fault.Usage, op, err, "nothing was written; names are small letters, digits, dots, dashes and underscores")
	}
	if err := writeNew(name, text); err != nil {
		return fault.New(fault.Usage, op, err, "name a file in a folder that is there and can be written to")
	}
	return a.begun(name, d)
}

// known takes the databases from flags, files and a server.
func (a *app) known(ctx context.Context, name string, b *beginning, d *platform.Draft) error {
	add := func(database string) string {
		n := platform.NameOf(database, d.Databases)
		d.Databases = append(d.Databases, n)
		return n
	}
	for _, file := range b.from {
		s, err := readConfig(file)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(filepath.Dir(name), file)
		if err != nil {
			relative = file // one of them is absolute
		}
		d.Configs[add(calledAt(s.Source, file))] = filepath.ToSlash(relative)
	}
	for _, n := range b.databases {
		if n != platform.NameOf(n, nil) {
			return fault.New(fault.Usage, "read --database", fmt.Errorf("%q is no name", n), "names are small letters, digits, dots, dashes and underscores")
		}
		if slices.Contains(d.Databases, n) {
			continue // a file described it
		}
		add(n)
	}
	if b.source == "" {
		return nil
	}
	found, err := a.serverDatabases(ctx, b)
	for _, n := range found {
		if !slices.Contains(d.Databases, platform.NameOf(n, nil)) {
			add(n)
		}
	}
	return err
}

// calledAt is what a database is called: as at its source, or, where that is a reference, as its file.
func calledAt(source, file string) string {
	if !secret.IsReference(source) {
		if c, err := mysql.ParseConfig(source); err == nil {
			return string(c.Database)
		}
	}
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// serverDatabases lists what a server has: the database that the address names, or else all.
func (a *app) serverDatabases(ctx context.Context, b *beginning) ([]string, error) {
	address, err := a.address(ctx, "source", b.source)
	if err != nil {
		return nil, err
	}
	const all = "information_schema" // everybody may read it
	if u, err := url.Parse(address); err == nil && strings.Trim(u.Path, "/") == "" && u.Host != "" {
		u.Path = "/" + all
		address = u.String()
	}
	c, err := mysql.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	if b.sourcePassword != "" {
		if c.Password, err = a.password("source", b.sourcePassword); err != nil {
			return nil, err
		}
	}
	end, err := mysql.Open(ctx, c, mysql.Options{Logger: a.log})
	if err != nil {
		return nil, fmt.Errorf("open the source: %w", err)
	}
	defer func() { _ = end.Close() }() // it was only read from
	if c.Database != all {
		return []string{string(c.Database)}, nil
	}
	names, err := end.Databases(ctx)
	if err == nil && len(names) == 0 {
		err = fault.New(fault.Privilege, "list the databases of "+c.Redacted(), errors.New("the account sees none"), "GRANT SELECT ON the databases that are moved, or name them with --database")
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out, err
}

// ask asks for what no flag has said, unless --environment was given.
func (a *app) ask(cmd *cobra.Command, name string, d *platform.Draft) error {
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return fault.New(fault.Usage, "find the folder of "+name, err, "")
	}
	folder = filepath.Base(folder)
	if len(d.Environments) > 0 {
		d.Name = orElse(d.Name, folder)
		return nil
	}
	_, person := terminal(a.in)
	lines := bufio.NewScanner(a.in)
	answer := func(question string) string {
		if person {
			// Nobody is left to be asked when stderr is gone; the answer then is none.
			_, _ = fmt.Fprint(a.err, question+" ")
		}
		if !lines.Scan() {
			return ""
		}
		return strings.TrimSpace(lines.Text())
	}
	if d.Name == "" {
		d.Name = orElse(answer(fmt.Sprintf("What is the platform called? [%s]", folder)), folder)
	}
	d.Environments = several(answer("Its environments, in the order in which they move (such as preprod prod-eu):"))
	if len(d.Environments) == 0 {
		return usage(cmd, "ask for the environments", errors.New("none was named: name each with --environment, or all in the second line of the input"))
	}
	if len(d.Databases) == 0 {
		for _, n := range several(answer("The databases of each (such as orders stock), or nothing:")) {
			d.Databases = append(d.Databases, platform.NameOf(n, d.Databases))
		}
	}
	return nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// several reads names with blanks or commas between them.
func several(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// writeNew writes a file that is not there yet, whole or not at all.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // nothing in it is a secret
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// begun says what was written, and what comes next.
func (a *app) begun(name string, d *platform.Draft) error {
	missing := []string{}
	for _, f := range d.Files() {
		if _, err := os.Stat(filepath.Join(filepath.Dir(name), f)); err != nil {
			missing = append(missing, f)
		}
	}
	if a.json {
		(&objects{out: a.out, now: a.now}).write("summary", struct {
			Command      string   `json:"command"`
			File         string   `json:"file"`
			Environments []string `json:"environments"`
			Databases    []string `json:"databases"`
			Missing      []string `json:"missing_files"`
		}{"init", name, d.Environments, append([]string{}, d.Databases...), missing})
		return nil
	}
	p := &printer{}
	p.line("%s is written: %s, %s in each", name, plural(int64(len(d.Environments)), "environment"), plural(int64(len(d.Databases)), "database"))
	if len(missing) > 0 {
		p.line("next: write the files that bascule db reads with --config:")
		p.wrapped("  ", strings.Join(missing, ", "))
	}
	p.line("then: bascule config check %s", name)
	_, err := fmt.Fprint(a.out, p.String())
	return err
}
