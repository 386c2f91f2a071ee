package cli

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// settings are what the commands of db can be told, by flags or by a file whose keys
// are the flags' names. The zero value is the tested path, apart from the ends.
type settings struct {
	Source         string            `yaml:"source"`
	SourcePassword string            `yaml:"source-password"`
	Target         string            `yaml:"target"`
	TargetPassword string            `yaml:"target-password"`
	Schema         string            `yaml:"schema"`
	Include        []string          `yaml:"include"`
	Exclude        []string          `yaml:"exclude"`
	Accept         []string          `yaml:"accept"`
	Type           map[string]string `yaml:"type"`
	KeepCase       bool              `yaml:"keep-case"`
	Collation      string            `yaml:"collation"`
	Lanes          int               `yaml:"lanes"`
	Follow         bool              `yaml:"follow"`
	Spool          string            `yaml:"spool"`
	SpoolKey       string            `yaml:"spool-key"`
	SpoolLimit     string            `yaml:"spool-limit"`
	ApplyDDL       bool              `yaml:"apply-ddl"`
	AppUser        []string          `yaml:"app-user"`
	Fence          string            `yaml:"fence"`
	Hook           []string          `yaml:"hook"`
	Webhook        []string          `yaml:"webhook"`
	Freeze         time.Duration     `yaml:"freeze"`
	MaxLag         time.Duration     `yaml:"max-lag"`

	config  string
	types   []string // --type as given: table.column=TYPE
	spools  bool     // the command may keep the source's binlog
	follows bool     // it follows, whatever Follow says
	// rehearse undoes a cutover before its switch.
	rehearse bool
	// unproved leaves out the comparison of all rows before a way back.
	unproved bool
}

const (
	sourceHelp = "source `URL` (mysql://USER@HOST:3306/DATABASE) or DSN, or a reference env:NAME, file:PATH, exec:COMMAND"
	targetHelp = "target `URL` (postgres://USER@HOST:5432/DATABASE) or DSN, or a reference env:NAME, file:PATH, exec:COMMAND"
)

func (s *settings) sourceFlags(f *pflag.FlagSet) {
	f.StringVar(&s.Source, "source", "", sourceHelp)
	f.StringVar(&s.SourcePassword, "source-password", "", "`REFERENCE` to the source's password, resolved at every connect")
}

func (s *settings) targetFlags(f *pflag.FlagSet) {
	f.StringVar(&s.Target, "target", "", targetHelp)
	f.StringVar(&s.TargetPassword, "target-password", "", "`REFERENCE` to the target's password, resolved at every connect")
	f.StringVar(&s.Schema, "schema", "", "target `SCHEMA` (default public)")
	f.StringVar(&s.config, "config", "", "YAML `FILE` whose keys are these flags' names; flags win")
}

func (s *settings) planFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.Include, "include", nil, "only tables that match this `PATTERN` (repeatable; * and ? as in a shell)")
	f.StringSliceVar(&s.Exclude, "exclude", nil, "no tables that match this `PATTERN` (repeatable; wins over --include)")
	f.StringSliceVar(&s.Accept, "accept", nil, "accept a loss, `CODE:table.column` (repeatable; table and column may be *)")
	f.StringArrayVar(&s.types, "type", nil, "choose a column's target type, `table.column=TYPE` (repeatable)")
	f.BoolVar(&s.KeepCase, "keep-case", false, "keep names as the source has them instead of folding to lower case")
	f.StringVar(&s.Collation, "collation", "", "`COLLATION` of text: plain (default) or icu, which compares case-insensitively where the source does")
}

func (s *settings) laneFlags(f *pflag.FlagSet) {
	f.IntVar(&s.Lanes, "lanes", 0, "`NUMBER` of connection pairs that work at once (default one a core, 2 to 8)")
}

func (s *settings) followFlag(f *pflag.FlagSet) {
	f.BoolVar(&s.Follow, "follow", false, "the source stays in use: leave unique indexes and foreign keys to bascule db follow and the switch")
}

// load reads the file named by --config and lays the flags that were given over it.
func (s *settings) load(cmd *cobra.Command) error {
	for _, t := range s.types {
		column, name, ok := strings.Cut(t, "=")
		if !ok || !strings.Contains(column, ".") || name == "" {
			return usage(cmd, "read --type", fmt.Errorf("%q is not table.column=TYPE", t))
		}
		if s.Type == nil {
			s.Type = map[string]string{}
		}
		s.Type[column] = name
	}
	if s.config != "" {
		file, err := readConfig(s.config)
		if err != nil {
			return err
		}
		s.fill(file, cmd.Flags().Changed)
	}
	return s.validate(cmd)
}

// fill takes from the file what no flag has said.
func (s *settings) fill(file settings, given func(flag string) bool) {
	take(&s.Source, file.Source, given("source"))
	take(&s.SourcePassword, file.SourcePassword, given("source-password"))
	take(&s.Target, file.Target, given("target"))
	take(&s.TargetPassword, file.TargetPassword, given("target-password"))
	take(&s.Schema, file.Schema, given("schema"))
	take(&s.Include, file.Include, given("include"))
	take(&s.Exclude, file.Exclude, given("exclude"))
	take(&s.Accept, file.Accept, given("accept"))
	take(&s.Type, file.Type, given("type"))
	take(&s.KeepCase, file.KeepCase, given("keep-case"))
	take(&s.Collation, file.Collation, given("collation"))
	take(&s.Lanes, file.Lanes, given("lanes"))
	take(&s.Follow, file.Follow, given("follow"))
	take(&s.Spool, file.Spool, given("spool"))
	take(&s.SpoolKey, file.SpoolKey, given("spool-key"))
	take(&s.SpoolLimit, file.SpoolLimit, given("spool-limit"))
	take(&s.ApplyDDL, file.ApplyDDL, given("apply-ddl"))
	take(&s.AppUser, file.AppUser, given("app-user"))
	take(&s.Fence, file.Fence, given("fence"))
	take(&s.Hook, file.Hook, given("hook"))
	take(&s.Webhook, file.Webhook, given("webhook"))
	take(&s.Freeze, file.Freeze, given("freeze"))
	take(&s.MaxLag, file.MaxLag, given("max-lag"))
}

func take[T any](to *T, from T, given bool) {
	if !given {
		*to = from
	}
}

func (s *settings) validate(cmd *cobra.Command) error {
	for _, p := range append(append([]string{}, s.Include...), s.Exclude...) {
		if _, err := path.Match(p, ""); err != nil {
			return usage(cmd, "read --include and --exclude", fmt.Errorf("%q is not a pattern: %w", p, err))
		}
	}
	if s.Lanes < 0 {
		return usage(cmd, "read --lanes", fmt.Errorf("%d is not a number of connections", s.Lanes))
	}
	return nil
}

// options are the settings that decide about the plan.
func (s *settings) options() convert.Options {
	return convert.Options{
		Schema: schema.Name(s.Schema), KeepCase: s.KeepCase, Accept: s.Accept, Types: s.Type, Collation: s.Collation,
		ForFollow: s.Follow,
	}
}

func (s *settings) filter() change.Filter {
	return change.Filter{Include: s.Include, Exclude: s.Exclude}
}

// readConfig reads a configuration file. An unknown key is an error: a misspelt one would
// otherwise change nothing, silently. Errors name line and column and show no value.
func readConfig(name string) (settings, error) {
	var s settings
	op := fmt.Sprintf("read configuration %q", name)
	text, err := os.ReadFile(name)
	if err != nil {
		return s, fault.New(fault.Usage, op, errors.Unwrap(err), "name an existing file with --config")
	}
	err = yaml.UnmarshalWithOptions(text, &s, yaml.Strict())
	if at, ok := errors.AsType[yaml.Error](err); ok {
		pos := at.GetToken().Position
		err = fmt.Errorf("line %d, column %d: %s", pos.Line, pos.Column, at.GetMessage())
	}
	return s, fault.New(fault.Usage, op, err, "the keys are: "+strings.Join(configKeys, ", "))
}

// configKeys are the keys of a configuration file, in the order of its documentation.
var configKeys = []string{
	"source", "source-password", "target", "target-password", "schema", "include", "exclude",
	"accept", "type", "keep-case", "collation", "lanes", "follow", "spool", "spool-key", "spool-limit", "apply-ddl",
	"app-user", "fence", "hook", "webhook", "freeze", "max-lag",
}

// usage is an error of the command line; its hint is the command's help.
func usage(cmd *cobra.Command, op string, err error) error {
	return fault.New(fault.Usage, op, err, "see: "+cmd.CommandPath()+" --help")
}
