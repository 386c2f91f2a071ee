//go:build unix

package outside

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/fault"
)

var quiesce = Call{
	Round: "prod-eu-1", Environment: "prod-eu", Step: "quiesce", Verb: VerbDo, Attempt: 2, Epoch: 7, Key: "prod-eu-1/quiesce/do", Rehearsal: true,
	Database: "shop", Weight: 25, Extra: map[string]string{"region": "europe-west1"},
}

// watch makes a pipe and opens it once somebody writes to it.
func watch(t *testing.T) (path string, open func() *bufio.Reader) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func() *bufio.Reader {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		// A pipe that never ends fails the test, and not the whole run.
		if err := f.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(f)
	}
}

// gone waits until nobody holds the pipe.
func gone(t *testing.T, r io.Reader) {
	t.Helper()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("a process of the command is still there: %v", err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	o := &Outside{Folder: t.TempDir(), Env: []string{"BASCULE_FILE=/shop/bascule.yaml"}}
	const script = `cat > told; env | grep ^BASCULE_ | grep -v ^BASCULE_TEST | sort > env; pwd; echo done by hand >&2`
	output, err := o.Do(t.Context(), "  "+script+"\n", quiesce)
	if err != nil || output != o.Folder+"\ndone by hand" {
		t.Fatalf("%q, %v", output, err)
	}
	told, err := os.ReadFile(filepath.Join(o.Folder, "told"))
	if err != nil {
		t.Fatal(err)
	}
	var got Call
	if err := json.Unmarshal(told, &got); err != nil || cmp.Diff(quiesce, got) != "" {
		t.Errorf("it was told %s: %v", told, err)
	}
	env, err := os.ReadFile(filepath.Join(o.Folder, "env"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `BASCULE_ATTEMPT=2
BASCULE_DATABASE=shop
BASCULE_ENVIRONMENT=prod-eu
BASCULE_EPOCH=7
BASCULE_FILE=/shop/bascule.yaml
BASCULE_KEY=prod-eu-1/quiesce/do
BASCULE_REHEARSAL=1
BASCULE_ROUND=prod-eu-1
BASCULE_STEP=quiesce
BASCULE_VERB=do
BASCULE_WEIGHT=25
`
	if diff := cmp.Diff(want, string(env)); diff != "" {
		t.Errorf("its environment:\n%s", diff)
	}
}

// TestExitCodes is the table of what a code means, to Do and to Check.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	o := &Outside{}
	for script, want := range map[string]struct {
		holds bool
		do    string // of the error, empty for none
		check string
	}{
		"true":                        {holds: true},
		"echo not yet; exit 1":        {do: "exit code 1; it said: not yet"},
		"exit 2":                      {do: "exit code 2; it said nothing", check: "exit code 2; it said nothing"},
		"no-such-program-anywhere":    {do: "exit code 127", check: "exit code 127"},
		"if":                          {do: "exit code 2", check: "exit code 2"},
		"echo oh; kill -9 $$":         {do: "signal: killed; it said: oh", check: "signal: killed; it said: oh"},
		"trap 'exit 0' TERM; exit 77": {do: "exit code 77", check: "exit code 77"},
		"":                            {do: "there is none", check: "there is none"},
	} {
		_, err := o.Do(t.Context(), script, quiesce)
		if (err == nil) != (want.do == "") || err != nil && !strings.Contains(err.Error(), want.do) {
			t.Errorf("%s: %v, want %q", script, err, want.do)
		}
		holds, _, err := o.Check(t.Context(), script, quiesce)
		if holds != want.holds || (err == nil) != (want.check == "") || err != nil && !strings.Contains(err.Error(), want.check) {
			t.Errorf("check %s: %v, %v, want %v, %q", script, holds, err, want.holds, want.check)
		}
	}
	if _, err := o.Do(t.Context(), "SECRET=x curl -H token:y; exit 9", quiesce); strings.Contains(err.Error(), "x curl") || !strings.Contains(err.Error(), "step quiesce (do)") {
		t.Errorf("the command is in its error: %v", err)
	}
}

func TestCannotBegin(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*Outside{
		"no shell":  {Shell: "/no/such/shell"},
		"no folder": {Folder: "/no/such/folder"},
	} {
		if _, err := o.Do(t.Context(), "true", quiesce); fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&Outside{}).Do(t.Context(), "true", Call{Key: "a\x00b"}); fault.ClassOf(err) != fault.Resource {
		t.Errorf("a key that cannot be passed: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("somebody aborted")
	cancel(stop)
	file := filepath.Join(t.TempDir(), "ran")
	if _, err := (&Outside{}).Do(ctx, "touch "+file, quiesce); !errors.Is(err, stop) {
		t.Errorf("a round that was stopped: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the command was run although the round was stopped before")
	}
}

// TestEnds ends commands whose children outlive them, keep their output open, or take no notice of SIGTERM.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"alone":          `echo ready >&3; exec sleep 1000`,
		"children":       `sleep 1000 & sleep 1000 & echo ready >&3; wait`,
		"grandchildren":  `(sh -c 'sleep 1000 & sleep 1000' & sleep 1000) & echo ready >&3; wait`,
		"deaf":           `trap '' TERM; echo ready >&3; sleep 1000; sleep 1000`,
		"a deaf child":   `(trap '' TERM; echo ready >&3; sleep 1000; sleep 1000) & wait`,
		"a silent child": `(trap '' TERM; exec >/dev/null 2>&1; echo ready >&3; sleep 1000; sleep 1000) & wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, open := watch(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			stop := errors.New("somebody aborted")
			o := &Outside{grace: 300 * time.Millisecond}
			done := make(chan error, 1)
			go func() {
				_, err := o.Do(ctx, "exec 3>"+path+"; "+script, quiesce)
				done <- err
			}()
			alive := open()
			if line, err := alive.ReadString('\n'); err != nil || line != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}
			cancel(stop)
			err := <-done
			if !errors.Is(err, stop) {
				t.Errorf("it ended with %v", err)
			}
			gone(t, alive)
		})
	}
}

// TestTidies lets a command that was told to end say what it did about that.
func TestTidies(t *testing.T) {
	t.Parallel()
	path, open := watch(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("somebody aborted")
	go func() {
		_, _ = open().ReadString('\n')
		cancel(stop)
	}()
	output, err := (&Outside{}).Do(ctx, `trap 'echo tidied up; exit 0' TERM; echo begun; echo ready >`+path+`; while true; do sleep 1000 & wait $!; done`, quiesce)
	// Some shells tell beside it that their child was ended.
	if !strings.HasPrefix(output, "begun\n") || !strings.HasSuffix(output, "tidied up") || !errors.Is(err, stop) {
		t.Errorf("%q, %v", output, err)
	}
	_, err = (&Outside{Timeout: 20 * time.Millisecond}).Do(t.Context(), "exec sleep 1000", quiesce)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no end within 20ms") || fault.ClassOf(err) != fault.Resource {
		t.Errorf("its time is over: %v", err)
	}
}

// TestLeaves has a command that ends well and leaves something running, which stays, and one that fails, after which nothing is left.
func TestLeaves(t *testing.T) {
	t.Parallel()
	o := &Outside{grace: 100 * time.Millisecond}
	path, open := watch(t)
	type result struct {
		output string
		err    error
	}
	did := make(chan result, 1)
	go func() {
		output, err := o.Do(t.Context(), `exec 3>`+path+`; (trap 'echo still here >&3; exit' USR1; while true; do sleep 0.02; done) & echo $!`, quiesce)
		did <- result{output, err}
	}()
	alive := open()
	left := <-did
	pid, err := strconv.Atoi(left.output)
	if left.err != nil || err != nil {
		t.Fatalf("%q, %v", left.output, left.err)
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if line, err := alive.ReadString('\n'); line != "still here\n" {
		t.Errorf("what a command left running is gone: %q, %v", line, err)
	}
	path, open = watch(t)
	done := make(chan error, 1)
	go func() {
		_, err := o.Do(t.Context(), `exec 3>`+path+`; (trap '' TERM; sleep 1000) & exit 3`, quiesce)
		done <- err
	}()
	alive = open()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("it failed: %v", err)
	}
	gone(t, alive)
}

// TestDriverDies kills a process that runs a command, which must not go on alone.
func TestDriverDies(t *testing.T) {
	if script := os.Getenv("OUTSIDE_TEST_SCRIPT"); script != "" {
		_, err := (&Outside{}).Do(t.Context(), script, quiesce)
		t.Fatal("it came back: ", err)
	}
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("only Linux tells a process that its parent died")
	}
	path, open := watch(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDriverDies$")
	cmd.Env = append(os.Environ(), "OUTSIDE_TEST_SCRIPT=exec 3>"+path+"; echo ready >&3; exec sleep 1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	alive := open()
	if line, err := alive.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone(t, alive)
}

// TestOutput has commands that print what nobody can show.
func TestOutput(t *testing.T) {
	t.Parallel()
	o := &Outside{Redact: func(s string) string { return strings.ReplaceAll(s, "open-sesame", "***") }}
	for script, want := range map[string]string{
		`printf '\377\376\000abc\n'`:                      "\uFFFDabc",
		`printf '\033[1;31mred\033[0m \033]0;title\007x'`: "red x",
		`printf '10%%\r20%%\r\n100%%\n'`:                  "10%\n20%\n100%",
		`printf 'the word is open-\000sesame'`:            "the word is ***",
		`echo open-sesame >&2; exit 0`:                    "***",
		`printf '\342\200\256txt.exe'`:                    "txt.exe",
		`true`:                                            "",
		`printf '\n\n  a line  \n\n'`:                     "a line",
	} {
		got, err := o.Do(t.Context(), script, quiesce)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", script, got, err, want)
		}
	}
	got, err := o.Do(t.Context(), `echo first; yes middle | head -c 700000; echo end`, quiesce)
	if err != nil || !strings.HasPrefix(got, "first\nmiddle\n") || !strings.HasSuffix(got, "middle\nend") || !strings.Contains(got, gap) || len(got) > shown {
		t.Errorf("a long output: %q, %v", got, err)
	}
}

// TestSecretAtTheEdge prints secrets so that each of the places where something is left out falls into one, in turn.
func TestSecretAtTheEdge(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"0123456789abcdefghij-the-end", strings.Repeat("0123456789", 70)} {
		hide := func(s string) string { return strings.ReplaceAll(s, secret, "***") }
		for _, size := range []int{shown - 10, kept, 2*kept + 100, 3*kept + 1, 8*kept + 3} {
			for shift := 0; shift < len(secret); shift += 1 + len(secret)/6 {
				r := &record{}
				text := strings.Repeat("x", shift) + strings.Repeat(secret, size/len(secret)+1)
				for i := 0; i < len(text); i += 1000 {
					_, _ = r.Write([]byte(text[i:min(i+1000, len(text))]))
				}
				if rest := strings.Trim(r.text(hide), "*x\n…"); rest != "" {
					t.Fatalf("%d bytes from %d: %q is left of a secret", size, shift, rest)
				}
			}
		}
	}
}

// FuzzRecord holds whatever a program prints to what Do promises.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("a\x1b[31mb\r\nc"), uint16(1), uint16(1))
	f.Add([]byte("\xff\xfe\x00"), uint16(3000), uint16(7))
	f.Add([]byte("\x1b]0;t\x1b\\é\u202e"), uint16(700), uint16(3))
	f.Fuzz(func(t *testing.T, piece []byte, times, chunk uint16) {
		r := &record{}
		whole := strings.Repeat(string(piece), int(times)%5000)
		if len(whole) > 1<<20 {
			whole = whole[:1<<20]
		}
		for i, n := 0, int(chunk)+1; i < len(whole); i += n {
			if wrote, err := r.Write([]byte(whole[i:min(i+n, len(whole))])); err != nil || wrote != min(n, len(whole)-i) {
				t.Fatal(wrote, err)
			}
		}
		if len(r.head)+len(r.tail) > 3*kept+int(chunk)+1 {
			t.Fatalf("it keeps %d bytes", len(r.head)+len(r.tail))
		}
		got := r.text(func(s string) string { return s })
		if len(got) > shown || !utf8.ValidString(got) || got != strings.TrimSpace(got) {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
		if i := strings.IndexFunc(got, func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 }); i >= 0 {
			t.Fatalf("a control character at %d of %q", i, got)
		}
		if again := clean(got); again != got {
			t.Fatalf("%q becomes %q", got, again)
		}
	})
}

func ExampleOutside_Do() {
	output, err := (&Outside{}).Do(context.Background(), `echo "$BASCULE_STEP gets $BASCULE_WEIGHT%"`, Call{Step: "traffic", Verb: VerbDo, Weight: 25})
	_, _ = fmt.Fprintln(os.Stdout, output, err)
	// Output: traffic gets 25% <nil>
}
