package crashtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/bascule/bascule/internal/cli" // a result of an earlier program must not be taken for one of this program
	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

// victim is who is killed.
type victim string

const (
	worker victim = "bascule"
	source victim = "source"
	target victim = "postgres"
)

// workers is how many processes share a copy.
const workers = 3

// TestKill copies one database again and again, each time by three processes at
// once, and each time kills one victim when a random number of events has been
// seen. Whoever stopped is started again with the same command. At the end of
// each copy both verifications must be equal. BASCULE_CRASHES is how many
// kills (default 10; two fifths workers, three each source and target).
func TestKill(t *testing.T) {
	crashes := 10
	if s := os.Getenv("BASCULE_CRASHES"); s != "" {
		var err error
		if crashes, err = strconv.Atoi(s); err != nil {
			t.Fatalf("BASCULE_CRASHES=%q: %v", s, err)
		}
	} else if testing.Short() {
		t.Skip("kills servers for a minute")
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("BASCULE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("BASCULE_SEED=%d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	bin := build(t)
	kinds := []servertest.Kind{servertest.KindMariaDB, servertest.KindMySQL}
	for i, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			b := newBench(t, bin, kind, draw)
			plan := schedule(crashes, i, len(kinds))
			var redone, chunks int64
			for n, v := range plan {
				r, c := b.round(t, n, v)
				redone, chunks = redone+r, chunks+c
			}
			t.Logf("%d kills, %d equal verifications, no row twice; %d chunks copied, %d begun again (%.1f %%)",
				len(plan), len(plan), chunks, redone, 100*float64(redone)/float64(max(1, chunks)))
		})
	}
}

// schedule deals the kills to one of the source kinds: 40 % workers, 30 % sources, 30 % targets.
func schedule(crashes, part, parts int) []victim {
	order := []victim{worker, source, target, worker, source, target, worker, source, target, worker}
	var mine []victim
	for i := range crashes {
		if i%parts == part {
			mine = append(mine, order[(i/parts)%len(order)])
		}
	}
	return mine
}

// bench is one private source and one private target.
type bench struct {
	bin            string
	source, target *servertest.Instance
	from, into     string
	draw           *rand.Rand
	// events is how many events an undisturbed copy shows: the kills are drawn below it.
	events int
}

func newBench(t *testing.T, bin string, kind servertest.Kind, draw *rand.Rand) *bench {
	t.Helper()
	b := &bench{bin: bin, draw: draw}
	b.source = servertest.Private(t, kind, servertest.Options{})
	b.target = servertest.Private(t, servertest.KindPostgres15, servertest.Options{})
	b.from = database(t, b.source, "marketplace")
	b.into = b.target.URL
	run(t, "go", "run", "github.com/bascule/bascule/demo/marketplace", "--source", b.from, "--rows", "150000")
	b.events = b.undisturbed(t)
	return b
}

func database(t *testing.T, s *servertest.Instance, name string) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func (b *bench) args(verb string, more ...string) []string {
	a := []string{"db", verb, "--target", b.into}
	if verb == "copy" || verb == "verify" {
		a = append(a, "--source", b.from)
	}
	return append(a, more...)
}

func (b *bench) undisturbed(t *testing.T) int {
	t.Helper()
	seen := newCounter(1 << 30)
	w := b.start(t, seen)
	if code := <-w.ended; code != 0 {
		t.Fatalf("the undisturbed copy ended with %d:\n%s", code, w.said())
	}
	b.prove(t)
	return seen.total()
}

// round is one copy with one kill. It returns how many chunks were begun more than
// once, and how many there are.
func (b *bench) round(t *testing.T, n int, v victim) (redone, chunks int64) {
	t.Helper()
	run(t, b.bin, b.args("drop", "--yes")...)
	at := b.draw.IntN(b.events)
	seen := newCounter(at)
	ws := make([]*process, workers)
	for i := range ws {
		ws[i] = b.start(t, seen)
	}
	select {
	case <-seen.reached:
	case <-time.After(2 * time.Minute):
		t.Fatalf("round %d: %d of %d events after two minutes", n, seen.total(), at)
	}
	b.kill(t, v, ws)
	for i := range ws {
		b.finish(t, n, ws[i], seen)
	}
	b.prove(t)
	return b.redone(t, seen)
}

func (b *bench) kill(t *testing.T, v victim, ws []*process) {
	t.Helper()
	switch v {
	case worker:
		_ = ws[b.draw.IntN(workers)].cmd.Process.Kill() // it may have ended already
	case source:
		b.source.Kill(t)
		b.source.Start(t)
	case target:
		b.target.Kill(t)
		b.target.Start(t)
	}
}

// finish waits for a worker and starts it again until it ends well. Only a killed
// process and a lost server are reasons to start again.
func (b *bench) finish(t *testing.T, n int, w *process, seen *counter) {
	t.Helper()
	const killed, lost = -1, 5
	for try := 0; ; try++ {
		var code int
		select {
		case code = <-w.ended:
		case <-time.After(5 * time.Minute):
			t.Fatalf("round %d: a worker hangs:\n%s", n, w.said())
		}
		if code == 0 {
			return
		}
		if (code != killed && code != lost) || try == 5 {
			t.Fatalf("round %d: a worker ended with %d:\n%s", n, code, w.said())
		}
		w = b.start(t, seen)
	}
}

// prove compares both sides twice: by bascule, and by the comparison that shares no code with it.
func (b *bench) prove(t *testing.T) {
	t.Helper()
	run(t, b.bin, b.args("verify")...)
	r, err := crosscheck.Compare(t.Context(), b.from, b.into, crosscheck.Options{Schema: "public"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Different() != 0 || r.Values() == 0 {
		t.Fatalf("the independent comparison differs: %+v", r)
	}
}

// redone compares what the workers' logs say they began with what the ledger says there is.
func (b *bench) redone(t *testing.T, seen *counter) (redone, chunks int64) {
	t.Helper()
	n, err := strconv.ParseInt(b.target.Query(t, b.into, `SELECT count(*) FROM bascule.task WHERE kind = 'chunk'`)[0][0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seen.begun.Load() - n, n
}

// counter counts the events of all workers and closes reached at a number.
type counter struct {
	begun   atomic.Int64 // chunks claimed
	mu      sync.Mutex
	n, at   int
	reached chan struct{}
	once    sync.Once
}

func newCounter(at int) *counter { return &counter{at: at, reached: make(chan struct{})} }

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.n > c.at {
		c.once.Do(func() { close(c.reached) })
	}
}

func (c *counter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// process is one running bascule.
type process struct {
	cmd   *exec.Cmd
	ended chan int
	heard chan struct{} // closed when its last line was kept
	mu    sync.Mutex
	tail  strings.Builder
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tail.String()
}

func (b *bench) start(t *testing.T, seen *counter) *process {
	t.Helper()
	return launch(t, b.bin, b.args("copy", "--json", "--verbose"), func(line string) {
		if strings.Contains(line, "msg=claimed") && strings.Contains(line, "kind=chunk") {
			seen.begun.Add(1)
		}
		var e struct{ Event string }
		if json.Unmarshal([]byte(line), &e) == nil && (e.Event == "chunk_copied" || e.Event == "statement_run") {
			seen.add()
		}
	})
}

// saidMost bounds what is kept of a process's output: its end.
const saidMost = 256 << 10

// launch starts bascule and shows each line of its output to hear, unless that is nil.
func launch(t *testing.T, bin string, args []string, hear func(line string)) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, bin, args...)
	p := &process{cmd: cmd, ended: make(chan int, 1), heard: make(chan struct{})}
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	go func() {
		defer close(p.heard)
		s := bufio.NewScanner(out)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			p.hear(s.Text())
			if hear != nil {
				hear(s.Text())
			}
		}
	}()
	go func() {
		err := cmd.Wait()
		_ = w.Close() // a pipe in memory: it cannot fail
		var exit *exec.ExitError
		switch {
		case err == nil:
			p.ended <- 0
		case errors.As(err, &exit):
			p.ended <- exit.ExitCode()
		default:
			p.ended <- 127
		}
	}()
	return p
}

// hear keeps a line.
func (p *process) hear(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tail.Len() > saidMost {
		kept := p.tail.String()[saidMost/2:]
		p.tail.Reset()
		p.tail.WriteString(kept)
	}
	p.tail.WriteString(line + "\n")
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bascule")
	run(t, "go", "build", "-o", bin, "github.com/bascule/bascule/cmd/bascule")
	return bin
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", fmt.Sprint(append([]string{name}, args...)), err, out)
	}
	return out
}

func try(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	return string(out), err
}
