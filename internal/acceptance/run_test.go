package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/bascule/bascule/internal/cli" // a result of an earlier program must not be taken for one of this program
	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bascule")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		bin = filepath.Join(dir, "bascule")
		build := exec.Command("go", "build", "-o", bin, "github.com/bascule/bascule/cmd/bascule")
		if out, err := build.CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}

// outcome is what a user gets of one command.
type outcome struct {
	code           int
	stdout, stderr string
}

func bascule(t testing.TB, args ...string) outcome {
	t.Helper()
	return basculeWith(t, nil, args...)
}

func basculeWith(t testing.TB, env []string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), env...)
	err := cmd.Run()
	o := outcome{stdout: out.String(), stderr: errs.String()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		o.code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return o
}

// must runs a command that has to succeed.
func must(t testing.TB, args ...string) outcome {
	t.Helper()
	o := bascule(t, args...)
	if o.code != 0 {
		t.Fatalf("bascule %s: exit code %d\n%s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o
}

// events returns the events of one name from --json output.
func (o outcome) events(t testing.TB, name string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(o.stdout) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not one JSON object a line: %q: %v", line, err)
		}
		if e["event"] == name {
			out = append(out, e)
		}
	}
	return out
}

// crosschecked compares both databases by the second path.
func crosschecked(t testing.TB, from, into string, o crosscheck.Options) *crosscheck.Report {
	t.Helper()
	r, err := crosscheck.Compare(t.Context(), from, into, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, tb := range r.Tables {
		for _, d := range tb.Differences {
			t.Errorf("%s %s %s %s: source %s, target %s", d.Kind, d.Table, d.Key, d.Column, shown(d.Source), shown(d.Target))
		}
		if tb.SourceRows > 0 && tb.Values == 0 {
			t.Errorf("nothing of %s was compared", tb.Source)
		}
	}
	return r
}

func shown(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}

// pairs runs fn for every source with every target that the machine has.
func pairs(t *testing.T, fn func(t *testing.T, s, d *servertest.Server)) {
	t.Helper()
	for _, s := range servertest.Sources(t) {
		for _, d := range servertest.Targets(t) {
			t.Run(s.Name+"/"+d.Name, func(t *testing.T) { fn(t, s, d) })
		}
	}
}
