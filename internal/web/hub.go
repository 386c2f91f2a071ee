package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// tick is how often signs of life are read while somebody looks, and pause the least time between two looks at a journal that goes on.
	tick  = time.Second
	pause = 100 * time.Millisecond
	// kept is how many changes a viewer may be behind; whoever is behind more gets everything anew.
	kept = 64
)

// hub keeps one document for all who look at it. It reads the store while somebody looks, once for all of them. Nobody waits for a viewer: each takes what is
// new when it is ready to.
type hub struct {
	s *server
	// build makes the document; wait returns when there may be news, or with ctx.
	build func(ctx context.Context) (document, error)
	wait  func(ctx context.Context)

	reading sync.Mutex // held while the document is made

	mu      sync.Mutex
	doc     document
	version int64
	made    time.Time
	frames  []frame       // the last changes, the newest last
	changed chan struct{} // closed at the next change
	viewers int
	stop    context.CancelFunc
	packed  []byte // the whole, gzipped, of version
}

// frame is what leads from the version before to its own, as it is sent: plain, or deflated once for all viewers.
type frame struct {
	version     int64
	text, small []byte
}

func newHub(s *server, build func(context.Context) (document, error), wait func(context.Context)) *hub {
	return &hub{s: s, build: build, wait: wait, changed: make(chan struct{})}
}

// refresh makes the document anew. Where the store cannot be read, what was known stays, and the document says so.
func (h *hub) refresh(ctx context.Context) error {
	h.reading.Lock()
	defer h.reading.Unlock()
	doc, err := h.build(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if h.doc == nil {
			return err
		}
		doc = make(document, len(h.doc)+1)
		maps.Copy(doc, h.doc)
		doc[sectionStore] = nil
		doc.put(sectionStore, "trouble", plain(err))
	}
	h.made = h.s.Now()
	diff := doc.since(h.doc)
	if diff == nil {
		return nil
	}
	h.doc, h.packed = doc, nil
	h.version++
	text := h.encode("", diff)
	h.frames = append(h.frames, frame{h.version, text, deflate(text)})
	if len(h.frames) > kept {
		h.frames = append([]frame(nil), h.frames[len(h.frames)-kept:]...)
	}
	close(h.changed)
	h.changed = make(chan struct{})
	return nil
}

func (h *hub) id() string { return fmt.Sprintf("%s-%d", h.s.boot, h.version) }

// encode returns an event of the stream.
func (h *hub) encode(event string, sections document) []byte {
	body, err := json.Marshal(message{ID: h.id(), Now: h.s.Now().UnixMilli(), Sections: sections})
	if err != nil {
		return nil // raw values that this package has made
	}
	var b bytes.Buffer
	if event != "" {
		fmt.Fprintf(&b, "event: %s\n", event)
	} else {
		fmt.Fprintf(&b, "id: %s\n", h.id())
	}
	fmt.Fprintf(&b, "data: %s\n\n", body)
	return b.Bytes()
}

// whole returns the document, gzipped, as it is now, or was a moment ago.
func (h *hub) whole(ctx context.Context) ([]byte, error) {
	h.mu.Lock()
	fresh := h.doc != nil && h.s.Now().Sub(h.made) < tick
	h.mu.Unlock()
	if !fresh {
		if err := h.refresh(ctx); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.packed == nil {
		raw, err := json.Marshal(message{ID: h.id(), Now: h.s.Now().UnixMilli(), Sections: h.doc})
		if err != nil {
			return nil, err
		}
		h.packed = zip(raw)
	}
	return h.packed, nil
}

// join counts a viewer in, and has the store read while there is one.
func (h *hub) join(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers++
	if h.viewers > 1 {
		return
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	go h.run(run)
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers--
	if h.viewers == 0 {
		h.stop()
	}
}

func (h *hub) run(ctx context.Context) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
		if err := h.refresh(ctx); err != nil && ctx.Err() == nil {
			h.s.Log.WarnContext(ctx, "cannot read the rounds", "error", err)
		}
		h.wait(ctx)
		rest.Reset(pause)
	}
}

// after returns what a viewer lacks who has the state that id names, and the channel that is closed at the next change. It is not known where id is of another
// process, or too old.
func (h *hub) after(id string, small bool) (text [][]byte, now string, changed <-chan struct{}, known bool) {
	boot, n, _ := strings.Cut(id, "-")
	version, err := strconv.ParseInt(n, 10, 64)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || boot != h.s.boot || version > h.version || version < h.version-int64(len(h.frames)) {
		return nil, "", nil, false
	}
	for _, f := range h.frames {
		switch {
		case f.version <= version:
		case small:
			text = append(text, f.small)
		default:
			text = append(text, f.text)
		}
	}
	return text, h.id(), h.changed, true
}
