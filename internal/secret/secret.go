// Package secret owns references to secrets (env:, file:, exec:). It never stores a secret, never logs one and never puts one
// into an error.
package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// mask stands where a secret stood.
const mask = "***"

// maxSecret bounds what a file or a command may give: a secret is a line, and a
// wrong path must not fill the memory.
const maxSecret = 64 << 10

// execTimeout bounds an exec: command. Tools that fetch a token from a cloud's
// metadata service or log in anew take seconds.
const execTimeout = 30 * time.Second

// Resolve returns the secret that ref refers to:
//
//	env:NAME       the environment variable NAME, which must be set
//	file:PATH      the file's content without one trailing line break
//	exec:CMD ARG…  what the command prints, without one trailing line break
//	literal:TEXT   TEXT, for secrets that begin like one of the above
//	anything else  itself
//
// The command is split at blanks, quotes keep words together, and no shell runs.
// It gets 30 seconds. A file that everyone may read is refused, as ssh refuses
// such keys: the error names the chmod that mends it. No error holds the secret,
// nor what a command wrote to its output; it holds what it wrote to stderr.
func Resolve(ctx context.Context, ref string) (string, error) {
	kind, rest, ok := strings.Cut(ref, ":")
	if !ok {
		return ref, nil
	}
	switch kind {
	case "env":
		v, set := os.LookupEnv(rest)
		if !set {
			return "", fmt.Errorf("read secret %q: the environment variable is not set", ref)
		}
		return v, nil
	case "file":
		return readFile(rest)
	case "exec":
		return run(ctx, rest)
	case "literal":
		return rest, nil
	}
	return ref, nil
}

// IsReference reports whether s is one of Resolve's forms and not a secret itself.
func IsReference(s string) bool {
	kind, _, ok := strings.Cut(s, ":")
	return ok && (kind == "env" || kind == "file" || kind == "exec" || kind == "literal")
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret file %q: %w", path, cause(err))
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read secret file %q: %w", path, cause(err))
	}
	if info.IsDir() {
		return "", fmt.Errorf("read secret file %q: it is a directory", path)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		return "", fmt.Errorf("read secret file %q: everyone may read it; run chmod o-rwx %q", path, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret file %q: %w", path, cause(err))
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("read secret file %q: it is larger than %d bytes", path, maxSecret)
	}
	return chomp(string(b)), nil
}

// cause drops the operation and the path that os puts before an error's reason.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

func run(ctx context.Context, command string) (string, error) {
	words, err := split(command)
	if err != nil {
		return "", fmt.Errorf("run secret command: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, execTimeout, fmt.Errorf("no answer within %s", execTimeout))
	defer cancel()
	var out, diagnostics limited
	c := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // the operator names the command
	c.Stdout, c.Stderr = &out, &diagnostics
	// A child that outlives the command would hold its pipes open.
	c.WaitDelay = time.Second
	err = c.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		// Only the program is named: arguments may themselves be secret.
		return "", fmt.Errorf("run secret command %q: %w%s", words[0], err, said(&diagnostics, &out))
	}
	if out.over {
		return "", fmt.Errorf("run secret command %q: it printed more than %d bytes", words[0], maxSecret)
	}
	s := chomp(out.kept.String())
	if s == "" {
		return "", fmt.Errorf("run secret command %q: it printed nothing%s", words[0], said(&diagnostics, &out))
	}
	return s, nil
}

// said is what a command wrote to stderr, on one line, unless it holds what the
// command wrote to stdout: tools with tracing on print both.
func said(diagnostics, out *limited) string {
	line := strings.Join(strings.Fields(diagnostics.kept.String()), " ")
	if line == "" {
		return ""
	}
	for word := range strings.FieldsSeq(out.kept.String()) {
		line = strings.ReplaceAll(line, word, mask)
	}
	if runes := []rune(line); len(runes) > 500 {
		line = string(runes[:500]) + "…"
	}
	return " (stderr: " + line + ")"
}

// limited keeps the first bytes that are written to it. It does not embed the
// buffer, whose ReadFrom would take everything past Write.
type limited struct {
	kept bytes.Buffer
	over bool
}

// Write takes all of p, so that the command is not killed by a full pipe.
func (l *limited) Write(p []byte) (int, error) {
	room := maxSecret - l.kept.Len()
	if len(p) > room {
		l.over = true
		l.kept.Write(p[:room])
		return len(p), nil
	}
	return l.kept.Write(p)
}

// chomp drops one trailing line break, which editors and echo add.
func chomp(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// split cuts a command into words at blanks. Single and double quotes keep a
// word together; a backslash is an ordinary character, for paths on Windows.
func split(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	started := false
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, started = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if started {
				words = append(words, word.String())
				word.Reset()
			}
			started = false
		default:
			word.WriteRune(r)
			started = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote (%c) is not closed", quote)
	}
	if started {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("it names no program")
	}
	return words, nil
}
