package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/event"
)

// renderer shows events as they happen. It is safe for concurrent use. Close takes
// away what is only true while the work goes on; nothing may be shown after it.
type renderer interface {
	Event(event.Event)
	Close()
}

// lines is the renderer for a pipe: one line an event.
type lines struct {
	mu  sync.Mutex
	out io.Writer
	now func() time.Time
}

// Event writes the event's line.
func (l *lines) Event(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A broken pipe ends the process by its signal; other losses of output must not end a copy.
	_, _ = io.WriteString(l.out, stamp(l.now())+" "+eventText(e)+"\n")
}

// Close does nothing: every line stays true.
func (l *lines) Close() {}

// objects is the renderer for scripts: one JSON object a line.
type objects struct {
	mu  sync.Mutex
	out io.Writer
	now func() time.Time
}

// Event writes {"event": NAME, "time": RFC 3339 with nanoseconds, the event's fields}.
func (o *objects) Event(e event.Event) { o.write(e.Name(), e) }

// Close does nothing.
func (o *objects) Close() {}

// write writes one object whose first fields are the name and the time; v is a struct.
func (o *objects) write(name string, v any) {
	fields, err := marshal(v)
	if err != nil {
		// Events hold strings, numbers and durations only.
		panic(fmt.Sprintf("marshal event %s: %v", name, err))
	}
	line := fmt.Appendf(nil, `{"event":%q,"time":%q`, name, o.now().UTC().Format(time.RFC3339Nano))
	if rest := fields[1:]; rest[0] != '}' {
		line = append(line, ',')
	}
	line = append(append(line, fields[1:]...), '\n')
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.out.Write(line)
}

// marshal is json.Marshal without the escapes for HTML, which make statements unreadable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// silent shows nothing: for commands whose output is one document.
type silent struct{}

// Event does nothing.
func (silent) Event(event.Event) {}

// Close does nothing.
func (silent) Close() {}
