package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/finding"
)

// redraw is how often the live view is drawn: a clock that ticks visibly, at no cost.
const redraw = 250 * time.Millisecond

// live is the renderer for a terminal: a view that is redrawn in place. What a person
// must be able to read later (differences, lost connections) scrolls away
// above it. The cursor is never hidden, so that a killed process leaves a usable terminal.
type live struct {
	mu       sync.Mutex
	out      io.Writer
	now      func() time.Time
	canvas   func() canvas
	progress *progress
	drawn    []string // the lines of the view that stand on the terminal
	stop     chan struct{}
	stopped  chan struct{}
}

// newLive starts a view on a terminal. The goroutine that redraws ends with Close.
func newLive(out io.Writer, canvas func() canvas, now func() time.Time) *live {
	v := &live{
		out: out, now: now, canvas: canvas, progress: newProgress(),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go v.run()
	return v
}

func (v *live) run() {
	defer close(v.stopped)
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			v.mu.Lock()
			v.draw("")
			v.mu.Unlock()
		case <-v.stop:
			return
		}
	}
}

// Event takes an event in; the next redraw shows it.
func (v *live) Event(e event.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.progress.add(e, v.now())
	if text := keep(e); text != "" {
		v.draw(strings.Join(wrap(text, max(v.canvas().width-2, nameLeast)), "\n  ") + "\n")
	}
}

// keep returns the line of an event that must not vanish with the view.
func keep(e event.Event) string {
	switch e := e.(type) {
	case event.Difference, event.Retried, event.Passed, event.Repaired, event.Altered, event.GateSeen, event.StepDone, event.StepFailed, event.Frozen,
		event.Unwatched, event.TookOver, event.Waiting:
		return eventText(e)
	case event.PhaseDone:
		if e.Phase == "catch up" || e.Phase == "compare what changed" || e.Phase == "copy" || e.Phase == "verify" {
			return eventText(e)
		}
	case event.Found:
		if e.Finding.Severity != finding.Info {
			return eventText(e)
		}
	case event.TableVerified:
		if e.Differences > 0 {
			return eventText(e)
		}
	}
	return ""
}

// Write puts log lines above the view, so that both can share a terminal.
func (v *live) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.draw(string(b))
	return len(b), nil
}

// draw replaces the view, with above printed where it stood. One write, so that
// it does not flicker. The caller holds the lock.
func (v *live) draw(above string) {
	c := v.canvas()
	v.replace(above, v.progress.frame(c, v.now()), c.width)
}

func (v *live) replace(above string, lines []string, width int) {
	var b strings.Builder
	up := 0
	for _, l := range v.drawn {
		// A terminal that became narrower has broken the line in two or more.
		up += 1 + max(wide(l)-1, 0)/max(width, 1)
	}
	if up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.WriteString("\r\x1b[J") // from here to the end of the screen
	b.WriteString(above)
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	v.drawn = lines
	_, _ = io.WriteString(v.out, b.String())
}

// Close takes the view away and waits for the redrawing goroutine.
func (v *live) Close() {
	close(v.stop)
	<-v.stopped
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replace("", nil, v.canvas().width)
}

// terminal returns f's file when it is a terminal that can move its cursor.
func terminal(f any) (*os.File, bool) {
	file, ok := f.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(file.Fd())) {
		return nil, false
	}
	return file, true
}

// canvasOf asks a terminal for its present size; 80 by 24 when it does not tell.
func canvasOf(f *os.File) func() canvas {
	plain := !utf8Locale()
	return func() canvas {
		w, h, err := term.GetSize(int(f.Fd()))
		if err != nil || w <= 0 || h <= 0 {
			w, h = 80, 24
		}
		return canvas{width: w, height: h, plain: plain}
	}
}

// utf8Locale follows the order of locale(7).
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
