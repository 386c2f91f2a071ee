package spool

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

const childVariable = "BASCULE_TEST_SPOOL_CHILD"

// TestMain is also the process that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m)
}

// child spools without end, and prints what is durable.
func child(dir string) {
	fail := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	key, err := newKey(bytes.Repeat([]byte{1}, keySize))
	fail(err)
	o := small
	o.Key = key
	w, err := Write(dir, o)
	fail(err)
	p, ok := w.End()
	if !ok {
		p = at(0)
	}
	fail(w.Begin(p, formatEvent))
	var n int
	_, err = fmt.Sscanf(p.Position, "p:%d", &n)
	fail(err)
	say := func(n int) {
		_, err := fmt.Fprintln(os.Stdout, n)
		fail(err)
	}
	say(n)
	for ; ; n++ {
		for _, e := range txn(n) {
			fail(w.Append(e))
		}
		fail(w.Mark(at(n + 1)))
		if n%17 == 0 {
			fail(w.Sync())
			say(n + 1)
		}
	}
}

// TestKill kills the writer again and again: what it said was durable is there, whole and in order, and the next one goes on.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	key := testKey(t, 1)
	durable := 0
	for round := range 6 {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 3 + round*5 {
			if !lines.Scan() {
				t.Fatal("the writer ended by itself")
			}
			if _, err := fmt.Sscan(lines.Text(), &durable); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		got, err := readAll(dir, key, 0)
		if err != nil || len(got) < durable || got[0] != 0 || got[len(got)-1] != len(got)-1 {
			t.Fatalf("round %d: %d read of %d that were durable, %v", round, len(got), durable, err)
		}
	}
}
