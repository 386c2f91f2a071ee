package web

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

const (
	// beat is how often a viewer hears from a round in which nothing happens, and a token is looked at again.
	beat = 15 * time.Second
	// patience is how long a viewer may take to read what was sent.
	patience = 10 * time.Second
)

// hub returns a round's hub.
func (s *server) hub(id string) *hub {
	w := s.watch(id)
	return s.keep("round "+id, func() *hub { return newHub(s, w.document, w.wait) })
}

func (s *server) keep(key string, first func() *hub) *hub {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hubs[key]
	if h == nil {
		h = first()
		s.hubs[key] = h
	}
	return h
}

// wait returns at the next entry, or at the next look at the signs of life.
func (w *watch) wait(ctx context.Context) {
	w.mu.Lock()
	seq := w.seq()
	w.mu.Unlock()
	until, cancel := context.WithTimeout(ctx, tick)
	defer cancel()
	if err := w.s.Store.Wait(until, w.id, seq); err != nil {
		<-until.Done() // a store that cannot be read is not asked again at once
	}
}

// sendWhole answers with a hub's whole document.
func (s *server) sendWhole(w http.ResponseWriter, r *http.Request, h *hub) {
	body, err := h.whole(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	sendZipped(w, r, body)
}

// stream sends what changes in a hub, from the state on that the viewer has, until it goes away.
func (s *server) stream(w http.ResponseWriter, r *http.Request, h *hub) {
	v := viewer{w: w, out: http.NewResponseController(w), h: h, small: takesZip(r)}
	_ = v.out.SetReadDeadline(time.Time{}) // the server's would end the stream; where none can be set, none is
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no")
	header.Set("Vary", "Accept-Encoding")
	if v.small {
		header.Set("Content-Encoding", "gzip")
	}
	w.WriteHeader(http.StatusOK)
	h.join(r.Context())
	defer h.leave()
	s.meters.viewers.Inc()
	defer s.meters.viewers.Dec()
	id := r.Header.Get("Last-Event-Id")
	if id == "" {
		id = r.URL.Query().Get("after")
	}
	if err := v.serve(r.Context(), id, func() bool { _, err := s.who(r); return err == nil }); err != nil && r.Context().Err() == nil {
		s.meters.dropped.Inc()
	}
}

// viewer is one stream.
type viewer struct {
	w     http.ResponseWriter
	out   *http.ResponseController
	h     *hub
	small bool // it takes gzip
}

// serve returns nil when the stream should end, and an error when the viewer does not read.
func (v *viewer) serve(ctx context.Context, id string, may func() bool) error {
	timer := time.NewTicker(beat)
	defer timer.Stop()
	first := v.packed([]byte("retry: 1000\n\n"))
	if v.small {
		first = append(bytes.Clone(gzipHead), first...)
	}
	if err := v.send(first); err != nil {
		return err
	}
	for {
		text, now, changed, known := v.h.after(id, v.small)
		if !known {
			return v.send(v.packed([]byte("event: reset\ndata: {}\n\n")))
		}
		if err := v.send(text...); err != nil {
			return err
		}
		id = now
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-timer.C:
			if !may() {
				return v.send(v.packed([]byte("event: reset\ndata: {}\n\n")))
			}
			v.h.mu.Lock()
			text := v.h.encode("beat", nil)
			v.h.mu.Unlock()
			if err := v.send(v.packed(text)); err != nil {
				return err
			}
		}
	}
}

// packed is a text as the viewer takes it.
func (v *viewer) packed(text []byte) []byte {
	if v.small {
		return deflate(text)
	}
	return text
}

func (v *viewer) send(text ...[]byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := v.out.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for _, t := range text {
		if _, err := v.w.Write(t); err != nil {
			return err
		}
	}
	return v.out.Flush()
}
