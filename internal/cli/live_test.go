package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/event"
)

// screen understands the three sequences that the live view writes: cursor up, erase to the
// end of the screen, carriage return. It is the terminal of these tests.
type screen struct {
	mu    sync.Mutex
	lines []string
	row   int
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(b)
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			s.lines = append(s.lines[:s.row:s.row], "")
			text = text[3:]
		case strings.HasPrefix(text, "\x1b["):
			var n int
			if _, err := fmt.Sscanf(text, "\x1b[%dA", &n); err != nil {
				return 0, fmt.Errorf("unknown sequence %q", text)
			}
			s.row = max(s.row-n, 0)
			text = text[strings.IndexByte(text, 'A')+1:]
		case text[0] == '\r':
			text = text[1:]
		case text[0] == '\n':
			s.row++
			if s.row == len(s.lines) {
				s.lines = append(s.lines, "")
			}
			text = text[1:]
		default:
			end := strings.IndexAny(text, "\x1b\r\n")
			if end < 0 {
				end = len(text)
			}
			s.lines[s.row] += text[:end]
			text = text[end:]
		}
	}
	return len(b), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func newScreen() *screen { return &screen{lines: []string{""}} }

func TestLiveViewIsReplacedAndRemoved(t *testing.T) {
	t.Parallel()
	c := &clock{epoch}
	s := newScreen()
	v := newLive(s, func() canvas { return canvas{width: 80, height: 24, plain: true} }, c.now)
	marketplace(c, 6, v.Event)
	v.mu.Lock()
	v.draw("")
	first := s.String()
	v.draw("")
	second := s.String()
	v.mu.Unlock()
	if first != second {
		t.Errorf("drawing twice left traces:\n%s\nthen\n%s", first, second)
	}
	if !strings.Contains(first, "orders") || !strings.Contains(first, "total") {
		t.Errorf("the view misses tables:\n%s", first)
	}
	if _, err := io.WriteString(v, "level=WARN msg=\"the server is slow\"\n"); err != nil {
		t.Fatal(err)
	}
	v.Event(event.Difference{Table: "orders", Key: "id=7", Kind: "value", Column: "note", Source: `"a "`, Target: `"a"`})
	v.Close()
	want := "level=WARN msg=\"the server is slow\"\ndifference: orders id=7 column note: source \"a \", target \"a\"\n"
	if got := s.String(); got != want {
		t.Errorf("what stays is %q, want %q", got, want)
	}
}

// TestLiveViewRedraws waits for the ticker: a clock must move on the terminal while
// no event arrives.
func TestLiveViewRedraws(t *testing.T) {
	t.Parallel()
	drawn := make(chan string, 100)
	v := newLive(writerFunc(func(b []byte) { drawn <- string(b) }), func() canvas { return canvas{width: 80, height: 24} }, time.Now)
	defer v.Close()
	for range 2 {
		select {
		case text := <-drawn:
			if !strings.Contains(text, "starting") {
				t.Errorf("drew %q", text)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was drawn")
		}
	}
}

func TestLiveViewOnATerminalThatBecameNarrow(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	v := &live{out: &b, now: func() time.Time { return epoch }, progress: newProgress()}
	v.replace("", []string{strings.Repeat("x", 80), "short"}, 80)
	b.Reset()
	v.replace("", nil, 40)
	if want := "\x1b[3A\r\x1b[J"; b.String() != want {
		t.Errorf("wrote %q, want %q: a line of 80 takes two of 40", b.String(), want)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}
