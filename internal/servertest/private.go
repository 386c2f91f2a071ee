package servertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// unavailable is the exit code of the testbed's scripts for a kind that this
// machine does not have.
const unavailable = 3

// Options say how a private instance differs from the shared one.
type Options struct {
	// Set holds server settings as "name=value", such as "max_connections=20".
	// They hold across Kill, Stop and Start.
	Set []string
}

// Instance is a server that belongs to one test, which may kill it. Its methods
// are not safe for concurrent use with each other.
type Instance struct {
	*Server
	port int
}

// Private starts a server of the test's own, with an empty data folder and
// smaller buffers than the shared one, and waits until it answers. It is removed
// when the test ends. The test is skipped where the kind is not installed; with
// CI=true a missing MariaDB or PostgreSQL 15 is a failure.
func Private(t testing.TB, k Kind, opts Options) *Instance {
	t.Helper()
	dir, port := reserve(t, k)
	in := &Instance{Server: &Server{Name: "private " + string(k), Kind: k, dir: dir}, port: port}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
		defer cancel()
		if _, err := in.run(ctx, "remove"); err != nil {
			t.Errorf("remove %s: %v", in.Name, err)
		}
		os.Remove(dir) // what an instance that was never initialised leaves
	})
	buffers := "shared_buffers=128MB"
	if k.SpeaksMySQL() {
		buffers = "innodb_buffer_pool_size=128M"
	}
	args := []string{"--set", buffers}
	for _, s := range opts.Set {
		args = append(args, "--set", s)
	}
	if _, err := in.run(t.Context(), "init", args...); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == unavailable {
			refuse(t, k, err.Error())
		}
		t.Fatalf("initialise %s: %v", in.Name, err)
	}
	in.Start(t)
	out, err := in.run(t.Context(), "url")
	if err != nil {
		t.Fatalf("ask for the URL of %s: %v", in.Name, err)
	}
	in.URL = string(bytes.TrimSpace(out))
	return in
}

// Start starts the instance, unless it runs, and waits until it answers: after a
// Kill, until it has recovered.
func (in *Instance) Start(t testing.TB) { t.Helper(); in.must(t, "start") }

// Stop stops the instance cleanly and waits for its end.
func (in *Instance) Stop(t testing.TB) { t.Helper(); in.must(t, "stop") }

// Kill ends the instance, with all its processes, by SIGKILL. Its data folder
// and its port stay, so that Start brings back what was durable.
func (in *Instance) Kill(t testing.TB) { t.Helper(); in.must(t, "kill") }

// Data is the folder where the instance keeps its data.
func (in *Instance) Data(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(in.dir)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

// Keep stops the instance cleanly and copies its data and its log to dir, for who wants to know what it held.
func (in *Instance) Keep(t testing.TB, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute) // the test may be over
	defer cancel()
	_, err := in.run(ctx, "stop")
	from, linked := filepath.EvalSymlinks(in.dir)
	if err := errors.Join(err, linked, os.MkdirAll(dir, 0o755)); err != nil {
		t.Errorf("keep %s: %v", in.Name, err)
		return
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", filepath.Join(from, "data"), filepath.Join(from, "log"), dir).CombinedOutput(); err != nil {
		t.Errorf("keep %s: %v: %s", in.Name, err, out)
	}
}

func (in *Instance) must(t testing.TB, verb string) {
	t.Helper()
	if _, err := in.run(t.Context(), verb); err != nil {
		t.Fatalf("%s %s: %v", verb, in.Name, err)
	}
}

// run calls testbed/server and returns what it prints.
func (in *Instance) run(ctx context.Context, verb string, args ...string) ([]byte, error) {
	script := filepath.Join(repository(), "testbed", "server")
	args = append([]string{string(in.Kind), verb, "--dir", in.dir, "--port", strconv.Itoa(in.port)}, args...)
	cmd := exec.CommandContext(ctx, script, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return out.Bytes(), nil
}

// ports is where a kind's private instances listen: below the range from which
// systems take ports for outgoing connections, which would otherwise occupy an
// instance's port while it is killed.
var ports = map[Kind]int{KindMySQL: 20000, KindMariaDB: 22000, KindPostgres15: 24000, KindPostgres18: 26000}

// reserve picks a free port and makes the instance's folder, KIND.PORT, whose
// existence keeps the port from the other processes that run tests.
func reserve(t testing.TB, k Kind) (dir string, port int) {
	t.Helper()
	parent := filepath.Join(testbed(), "private")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		port = ports[k] + rand.IntN(2000)
		dir = filepath.Join(parent, fmt.Sprintf("%s.%d", k, port))
		if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return dir, port
		}
		os.Remove(dir)
	}
	t.Fatalf("no free port for a private %s", k)
	return "", 0
}
