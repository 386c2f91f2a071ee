package outside

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

// graceTime is how long a command may tidy up after SIGTERM, and how long its output is awaited after it has ended.
const graceTime = 5 * time.Second

// ran is a command that has ended by itself.
type ran struct {
	code   int
	output string
}

// failed returns the fault of a command that ended with an error.
func (r *ran) failed(c *Call) error {
	hint := "it ran in " + c.Verb + "; what it had done before is not known"
	if r.code == 126 || r.code == 127 {
		hint = "the shell did not find, or may not run, a program of it: look at PATH, and at the folder it runs in"
	}
	return fault.New(fault.Resource, c.command(), fmt.Errorf("exit code %d; %s", r.code, said(r.output)), hint)
}

// command is the operation of a command, without its text, which may hold secrets.
func (c *Call) command() string { return "run the command" + c.of() }

// run runs a command. An error says that it did not end by itself, or did not begin.
func (o *Outside) run(ctx context.Context, script string, c *Call) (ran, error) {
	op := c.command()
	if script == "" {
		return ran{}, fault.New(fault.Usage, op, errors.New("there is none"), "")
	}
	in, err := json.Marshal(c)
	if err != nil {
		return ran{}, fault.New(fault.Usage, op, err, "")
	}
	grace := cmp.Or(o.grace, graceTime)
	out := &record{}
	cmd := exec.CommandContext(ctx, cmp.Or(o.Shell, "/bin/sh"), "-c", script) //nolint:gosec // the operator's own command is what a hook is
	cmd.Dir, cmd.Env = o.Folder, slices.Concat(os.Environ(), o.Env, c.environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), out, out
	cmd.WaitDelay = grace
	alone(cmd)
	told := notice(cmd)
	// The command is told when the thread that started it ends: that must not be before this process does.
	runtime.LockOSThread()
	err = cmd.Run()
	runtime.UnlockOSThread()
	if cmd.Process == nil {
		if ctx.Err() != nil {
			return ran{}, ended(ctx, op, "")
		}
		return ran{}, unborn(op, err)
	}
	if err != nil && (ctx.Err() != nil || !errors.Is(err, exec.ErrWaitDelay)) {
		left := grace
		if !told.IsZero() {
			left = max(0, grace-time.Since(*told))
		}
		end(cmd.Process.Pid, left)
	}
	return o.outcome(ctx, op, out.text(o.clear), cmd.ProcessState, err)
}

// notice returns where it is written down when cmd was told to end. It can be read once cmd has ended.
func notice(cmd *exec.Cmd) *time.Time {
	var told time.Time
	tell := cmd.Cancel
	cmd.Cancel = func() error {
		told = time.Now()
		return tell()
	}
	return &told
}

// unborn returns the fault of a command that did not begin.
func unborn(op string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return fault.New(fault.Usage, op, err, "the shell and the folder it runs in have to exist")
	}
	return fault.New(fault.Resource, op, fmt.Errorf("it could not begin: %w", err), "")
}

// outcome says how a command ended.
func (o *Outside) outcome(ctx context.Context, op, output string, state *os.ProcessState, err error) (ran, error) {
	r := ran{code: state.ExitCode(), output: output}
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return r, ended(ctx, op, output)
	case errors.Is(err, exec.ErrWaitDelay):
		// It has done its work, and left something running that holds its output.
		return r, nil
	case r.code < 0:
		return r, fault.New(fault.Resource, op, fmt.Errorf("%s; %s", state, said(output)), "somebody or the system ended it; what it had done before is not known")
	case state.Success():
		return r, fault.New(fault.Resource, op, fmt.Errorf("%w; %s", err, said(output)), "")
	}
	return r, nil
}
