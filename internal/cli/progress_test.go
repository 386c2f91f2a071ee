package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/finding"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// epoch is the fake clock's start.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that only a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) forward(d time.Duration) { c.at = c.at.Add(d) }

// golden compares text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// marketplace plays a copy of n tables of which some are done, some run and some wait.
func marketplace(c *clock, n int, to func(event.Event)) {
	to(event.PhaseStarted{Phase: "copy"})
	for i := range n {
		to(event.TableStarted{Table: fmt.Sprintf("table_%02d", i), Rows: 1_000_000, Bytes: 120 << 20})
	}
	to(event.TableStarted{Table: "orders", Rows: 2_000_000, Bytes: 250 << 20, DoneRows: 500_000, DoneBytes: 62 << 20})
	for i := range n * 3 / 4 {
		c.forward(500 * time.Millisecond)
		to(event.ChunkCopied{
			Table: fmt.Sprintf("table_%02d", i), Chunk: int64(i), Rows: 140_000, Bytes: 16 << 20, Elapsed: 400 * time.Millisecond, Lane: i % 2,
		})
		if i%4 == 0 {
			to(event.StatementRun{Table: fmt.Sprintf("table_%02d", i), What: "primary key"})
		}
	}
	to(event.ChunkCopied{Table: "orders", Chunk: 99, Rows: 250_000, Bytes: 31 << 20, Elapsed: time.Second})
	to(event.StatementRun{Table: "table_00", What: "index table_00_customer_id_created_at_idx", Elapsed: 1300 * time.Millisecond})
	to(event.Throttled{Why: "Threads_running is 41, above 32"})
	c.forward(time.Second)
}

func TestFrame(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		tables int
		canvas canvas
	}{
		"frame_80.txt":         {6, canvas{width: 80, height: 24}},
		"frame_120.txt":        {6, canvas{width: 120, height: 24}},
		"frame_120_ascii.txt":  {6, canvas{width: 120, height: 24, plain: true}},
		"frame_80_tables.txt":  {40, canvas{width: 80, height: 24}},
		"frame_40_narrow.txt":  {6, canvas{width: 40, height: 24}},
		"frame_20_tiny.txt":    {40, canvas{width: 20, height: 6}},
		"frame_80_nothing.txt": {0, canvas{width: 80, height: 24}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{epoch}
			p := newProgress()
			if test.tables > 0 {
				marketplace(c, test.tables, func(e event.Event) { p.add(e, c.now()) })
			}
			frame := p.frame(test.canvas, c.now())
			if len(frame) >= test.canvas.height {
				t.Errorf("%d lines do not leave room for the cursor on %d", len(frame), test.canvas.height)
			}
			for _, l := range frame {
				if wide(l) > test.canvas.width {
					t.Errorf("%d columns, of %d: %q", wide(l), test.canvas.width, l)
				}
			}
			golden(t, name, strings.Join(frame, "\n")+"\n")
		})
	}
}

func TestFrameOfVerification(t *testing.T) {
	t.Parallel()
	c := &clock{epoch}
	p := newProgress()
	to := func(e event.Event) { p.add(e, c.now()) }
	marketplace(c, 4, to)
	to(event.PhaseStarted{Phase: "verify"})
	c.forward(2 * time.Second)
	to(event.RangeVerified{Table: "orders", Rows: 600_000, Equal: true})
	c.forward(2 * time.Second)
	to(event.RangeVerified{Table: "orders", Rows: 600_000, Equal: false})
	to(event.TableVerified{Table: "table_00", RowsSource: 140_000, RowsTarget: 139_999, Differences: 1})
	golden(t, "frame_80_verify.txt", strings.Join(p.frame(canvas{width: 80, height: 24}, c.now()), "\n")+"\n")
}

// TestEveryTableIsCounted holds the headline to the tables: those that were announced but
// are small enough to be copied by one chunk, and those that a statement proves complete.
func TestEveryTableIsCounted(t *testing.T) {
	t.Parallel()
	c := &clock{epoch}
	p := newProgress()
	for _, e := range []event.Event{
		event.TableStarted{Table: "a", Rows: 10},
		event.TableStarted{Table: "b", Rows: 10},
		event.TableStarted{Table: "c", Rows: 10},
		event.ChunkCopied{Table: "a", Rows: 12},
		event.StatementRun{Table: "a", What: "index i"},
		event.ChunkCopied{Table: "b", Rows: 5},
	} {
		p.add(e, c.now())
	}
	if got, want := p.headline(c.now()), "starting 0s   1 of 3 tables done, 1 running, 1 waiting"; got != want {
		t.Errorf("headline %q, want %q", got, want)
	}
	if got := p.total(); got.rows != 17 || got.wantRows != 12+10+10 {
		t.Errorf("total of %d rows of %d, want 17 of 32", got.rows, got.wantRows)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	var m meter
	now := epoch
	for range 60 {
		m.add(1000, 1<<20, now.Add(-time.Second), now)
		now = now.Add(time.Second)
	}
	rows, bytes := m.rate(now.Add(-time.Second))
	if rows < 1000 || rows > 1150 || bytes < 1<<20 || bytes > 1.15*(1<<20) {
		t.Errorf("rate is %.0f rows/s and %.0f B/s after a minute at 1000 and %d", rows, bytes, 1<<20)
	}
	// Nothing for half an hour: the rate falls to the average since the start.
	rows, _ = m.rate(now.Add(30 * time.Minute))
	if want := 60_000 / (31 * 60.0); rows < want*0.95 || rows > want*1.05 {
		t.Errorf("rate of an idle meter is %.1f, want about %.1f", rows, want)
	}
	if len(m.samples) > 12 {
		t.Errorf("%d samples are kept, want those of %s", len(m.samples), window)
	}
}

// every holds one event of each kind, in an order in which they can happen.
var every = []event.Event{
	event.PhaseStarted{Phase: "inspect"},
	event.PhaseDone{Phase: "inspect", Elapsed: 1500 * time.Millisecond},
	event.Found{Finding: finding.Finding{
		Code: "binlog-format", Kind: finding.Problem, Severity: finding.Warning, Object: "binlog_format",
		What: "The source logs statements.", Do: "SET GLOBAL binlog_format = ROW",
	}},
	event.TableStarted{Table: "orders", Rows: 2_000_000, Bytes: 250 << 20},
	event.TableStarted{Table: "lines", Rows: 1, Bytes: 80, DoneRows: 1, DoneBytes: 80},
	event.ChunkCopied{Table: "orders", Chunk: 3, Rows: 140_000, Bytes: 16 << 20, Elapsed: 400 * time.Millisecond, Lane: 1},
	event.StatementRun{Table: "orders", What: "primary key", Elapsed: 12 * time.Millisecond},
	event.RangeVerified{Table: "orders", Rows: 40_000, Equal: false},
	event.Difference{Table: "orders", Key: "id=7", Kind: "value", Column: "note", Source: `"a "`, Target: `"a"`},
	event.Difference{Table: "orders", Key: "id=8", Kind: "missing", Source: `id="8", note=NULL`},
	event.Difference{Table: "orders", Key: "id=9", Kind: "extra", Target: `id="9", note=""`},
	event.TableVerified{Table: "orders", RowsSource: 2_000_000, RowsTarget: 1_999_999, Differences: 3, ByClient: 12, Elapsed: 8 * time.Second},
	event.Retried{What: "lane 1", Error: "read chunk:\nbroken pipe", After: 100 * time.Millisecond},
	event.Throttled{Why: "replica lag is 12 s"},
	event.Unwatched{},
	event.StepStarted{Direction: "forward", Step: "fence"},
	event.StepDone{Direction: "forward", Step: "fence", Elapsed: 80 * time.Millisecond},
	event.StepFailed{Direction: "forward", Step: "drain", Error: "read:\nbroken pipe", Elapsed: time.Second},
	event.TookOver{From: "ann@ops, process 4711", Since: epoch},
	event.StepDone{Direction: "back", Step: "fence", Undo: true, Elapsed: 90 * time.Millisecond},
	event.Frozen{Elapsed: 1300 * time.Millisecond},
	event.Frozen{Elapsed: 2 * time.Second, Switched: true},
}

func TestLines(t *testing.T) {
	t.Parallel()
	c := &clock{epoch}
	var b bytes.Buffer
	l := &lines{out: &b, now: c.now}
	for _, e := range every {
		l.Event(e)
		c.forward(time.Second)
	}
	golden(t, "lines.txt", b.String())
	if got := strings.Count(b.String(), "\n"); got != len(every) {
		t.Errorf("%d lines for %d events", got, len(every))
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	c := &clock{epoch}
	var b bytes.Buffer
	o := &objects{out: &b, now: c.now}
	for _, e := range every {
		o.Event(e)
		c.forward(time.Second)
	}
	golden(t, "objects.jsonl", b.String())
}
