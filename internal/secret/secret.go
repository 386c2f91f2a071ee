// Package secret owns references to secrets: env:NAME, file:PATH and exec:COMMAND
// stand where a password or a connection string would. It reads them when asked, every
// time anew, so that a token that expires can be renewed. It never stores a secret,
// never logs one, and no error of it holds one.
package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// patience bounds a command: one that asks on a terminal would hang a copy for ever.
const patience = 30 * time.Second

// longest is more than any password or token; a file that exceeds it is not one.
const longest = 64 << 10

// IsReference reports whether s names a secret instead of being one.
func IsReference(s string) bool {
	scheme, _, _ := strings.Cut(s, ":")
	switch scheme {
	case "env", "file", "exec":
		return strings.Contains(s, ":")
	}
	return false
}

// Resolve reads the secret that a reference names. A file's content and a command's
// output lose their trailing line break; the command is run by sh with this process's
// environment, for 30 seconds at most. An empty secret is an error.
func Resolve(ctx context.Context, reference string) (string, error) {
	if !IsReference(reference) {
		// Not repeated: it may be the secret itself.
		return "", errors.New("not a reference: write env:NAME, file:PATH or exec:COMMAND")
	}
	scheme, name, _ := strings.Cut(reference, ":")
	var value string
	var err error
	switch {
	case name == "":
		err = errors.New("it names nothing")
	case scheme == "env":
		value, err = fromEnvironment(name)
	case scheme == "file":
		value, err = fromFile(name)
	default:
		value, err = fromCommand(ctx, name)
	}
	value = strings.TrimRight(value, "\r\n")
	if err == nil && value == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", fmt.Errorf("read secret %q: %w", reference, err)
	}
	return value, nil
}

func fromEnvironment(name string) (string, error) {
	value, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	return value, nil
}

func fromFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", errors.Unwrap(err)
	case info.IsDir():
		return "", errors.New("it is a directory")
	case info.Size() > longest:
		return "", fmt.Errorf("it holds %d bytes, which is no password", info.Size())
	}
	value, err := os.ReadFile(path)
	return string(value), err
}

// fromCommand returns what a command prints. Of what it says on stderr the error
// keeps the last line: tools explain themselves there, and print no secrets.
func fromCommand(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it did not end within %s", patience))
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdout, cmd.Stderr = &out, &errs
	// A grandchild that keeps the pipes open must not keep us.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		if said := lastLine(errs.String()); said != "" {
			return "", fmt.Errorf("%w: %s", err, said)
		}
		return "", err
	}
	return out.String(), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
