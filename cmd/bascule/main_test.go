package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the test start this binary as bascule itself.
func TestMain(m *testing.M) {
	if os.Getenv("BASCULE_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestInterrupt interrupts a command that waits for a server which accepts and never answers.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "db", "plan", "--source", "mysql://app:geheim@"+l.Addr().String()+"/shop?connect-timeout=60")
	cmd.Env = append(os.Environ(), "BASCULE_TEST_MAIN=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept() // it runs, and waits
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 130 {
		t.Errorf("ended with %v, want exit code 130", err)
	}
	if got := errs.String(); !strings.HasPrefix(got, "error: stopped by a signal: interrupt\n") || strings.Contains(got, "geheim") {
		t.Errorf("stderr is %q", got)
	}
}
