package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func tree() *cobra.Command {
	a := &app{out: io.Discard, err: io.Discard, redact: &redactor{}}
	return a.root()
}

// commands visits every command that people see.
func commands(cmd *cobra.Command, visit func(*cobra.Command)) {
	if cmd.Hidden {
		return
	}
	visit(cmd)
	for _, c := range cmd.Commands() {
		commands(c, visit)
	}
}

// TestDocumented holds docs/cli.md to the commands: each has its section, and in it a line
// for each flag; no line is about a flag that is gone.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[strings.Trim(title, "`")] = body
	}
	flagLine := regexp.MustCompile("(?m)^\\| `--([a-z-]+)")
	commands(tree(), func(cmd *cobra.Command) {
		section, ok := sections[cmd.CommandPath()]
		if !ok {
			t.Errorf("docs/cli.md has no section about %s", cmd.CommandPath())
			return
		}
		delete(sections, cmd.CommandPath())
		var documented, has []string
		for _, m := range flagLine.FindAllStringSubmatch(section, -1) {
			documented = append(documented, m[1])
		}
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) { has = append(has, f.Name) })
		slices.Sort(documented)
		slices.Sort(has)
		if !slices.Equal(documented, has) {
			t.Errorf("%s has the flags %v, docs/cli.md has %v", cmd.CommandPath(), has, documented)
		}
	})
	for title := range sections {
		if strings.HasPrefix(title, "bascule") {
			t.Errorf("docs/cli.md has a section about %s, which does not exist", title)
		}
	}
	for _, e := range exits {
		if !strings.Contains(sections["Exit codes"], fmt.Sprintf("| %d | %s |", e.code, e.short)) {
			t.Errorf("docs/cli.md does not list exit code %d as %q", e.code, e.short)
		}
	}
	for _, key := range configKeys {
		if !strings.Contains(sections["The configuration file"], key) {
			t.Errorf("docs/cli.md does not show the key %q", key)
		}
	}
}

// TestConfigKeysAreFlags holds the two spellings of a setting together.
func TestConfigKeysAreFlags(t *testing.T) {
	t.Parallel()
	copies, _, err := tree().Find([]string{"db", "copy"})
	if err != nil {
		t.Fatal(err)
	}
	follows, _, err := tree().Find([]string{"db", "follow"})
	if err != nil {
		t.Fatal(err)
	}
	cuts, _, err := tree().Find([]string{"db", "cutover"})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range configKeys {
		if copies.Flags().Lookup(key) == nil && follows.Flags().Lookup(key) == nil && cuts.Flags().Lookup(key) == nil {
			t.Errorf("key %q is no flag of db copy, db follow or db cutover", key)
		}
	}
}

// TestHelpTellsExitCodes: a script's author must not have to search.
func TestHelpTellsExitCodes(t *testing.T) {
	t.Parallel()
	commands(tree(), func(cmd *cobra.Command) {
		if cmd.HasSubCommands() || !cmd.Runnable() {
			return
		}
		if !strings.Contains(cmd.Long, "Exit codes: 0 ok") {
			t.Errorf("the help of %s does not tell its exit codes", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long) {
			if w := wide(line) - 1; w > 100 {
				t.Errorf("the help of %s has a line of %d columns: %q", cmd.CommandPath(), w, line)
			}
		}
	})
}
