package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := map[string]struct {
		err  error
		want int
	}{
		"nothing":         {nil, 0},
		"unforeseen":      {boom, 1},
		"internal":        {fault.New(fault.Internal, "do", boom, ""), 1},
		"usage":           {fault.New(fault.Usage, "do", boom, ""), 2},
		"difference":      {fault.New(fault.Difference, "do", boom, ""), 3},
		"refused":         {fault.New(fault.Refused, "do", boom, ""), 4},
		"loss":            {fmt.Errorf("copy: %w", &change.LossError{Code: finding.LossZeroDate}), 4},
		"connect":         {fault.New(fault.Connect, "do", boom, ""), 5},
		"login":           {fault.New(fault.Login, "do", boom, ""), 5},
		"privilege":       {fault.New(fault.Privilege, "do", boom, ""), 6},
		"unsupported":     {fault.New(fault.Unsupported, "do", boom, ""), 7},
		"resource":        {fault.New(fault.Resource, "do", boom, ""), 8},
		"data":            {fault.New(fault.Data, "do", boom, ""), 9},
		"busy":            {fault.New(fault.Busy, "do", boom, ""), 10},
		"interrupted":     {InterruptedError{Signal: "interrupt"}, 130},
		"wrapped":         {fmt.Errorf("lane 1: %w", fault.New(fault.Data, "do", boom, "")), 9},
		"the outer class": {fault.New(fault.Refused, "do", fault.New(fault.Connect, "do", boom, ""), ""), 4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exitCode(test.err); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestWithCause(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	err := fault.New(fault.Connect, "read", context.Canceled, "")
	if got := withCause(ctx, err); !errors.Is(got, err) {
		t.Errorf("before the signal: %v", got)
	}
	cancel(InterruptedError{Signal: "terminated"})
	if got := withCause(ctx, err); exitCode(got) != ExitInterrupted {
		t.Errorf("after the signal: %v", got)
	}
	if got := withCause(ctx, nil); got != nil {
		t.Errorf("a command that ended well all the same: %v", got)
	}
}

// TestHintOfAFile names what is wrong with a file or a folder, where a full disk is not.
func TestHintOfAFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want string
	}{
		{syscall.EACCES, "let this user read and write there"},
		{syscall.ENOTDIR, "a file stands where a folder has to be"},
		{syscall.ENOSPC, "free the resource"},
	} {
		_, hint := errorText(fault.New(fault.Resource, "write", &fs.PathError{Op: "open", Path: "x", Err: test.err}, ""))
		if !strings.HasPrefix(hint, test.want) {
			t.Errorf("%v: got %q, want %q", test.err, hint, test.want)
		}
	}
}

func TestErrorIsOneLine(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("connect to %s:\n\tfirst: refused\n\tfirst: refused\n\tsecond: \x1b[31mrefused", "db")
	text, hint := errorText(fault.New(fault.Connect, "open", err, ""))
	if want := `open: connect to db: first: refused; second: \x1b[31mrefused`; text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if hint == "" {
		t.Error("a lost server needs a hint")
	}
}
