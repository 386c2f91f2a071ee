package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bascule/bascule/internal/round"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// whole reads a document as the page does first.
func whole(t *testing.T, url string) message {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var m message
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %v", res.StatusCode, err)
	}
	return m
}

// follower is a page that follows a round.
type follower struct {
	t    *testing.T
	stop context.CancelFunc
	res  *http.Response
	in   *bufio.Reader
	doc  document
	id   string
}

func follow(t *testing.T, url, after string, doc document) *follower {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", after)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{t: t, stop: stop, res: res, in: bufio.NewReader(res.Body), doc: doc, id: after}
	t.Cleanup(f.close)
	if kind := res.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("the stream is %q", kind)
	}
	return f
}

func (f *follower) close() {
	f.stop()
	f.res.Body.Close()
}

// event reads the next event that says something.
func (f *follower) event() (name, data string, err error) {
	for {
		line, err := f.in.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		line = strings.TrimSuffix(line, "\n")
		switch field, value, _ := strings.Cut(line, ": "); {
		case line == "" && data != "":
			return name, data, nil
		case field == "event":
			name = value
		case field == "data":
			data = value
		case field == "id":
			f.id = value
		}
	}
}

// until follows until a round's journal has an entry with a reason.
func (f *follower) until(reason string) {
	f.t.Helper()
	for {
		for _, raw := range f.doc[sectionEntries] {
			if strings.Contains(string(raw), reason) {
				return
			}
		}
		name, data, err := f.event()
		if err != nil || name != "" && name != "beat" {
			f.t.Fatalf("before %q: event %q, %v", reason, name, err)
		}
		var m message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			f.t.Fatal(err)
		}
		f.doc.merge(m.Sections)
	}
}

// merge does what the page does.
func (d document) merge(changes document) {
	for section, keys := range changes {
		if d[section] == nil {
			d[section] = map[string]json.RawMessage{}
		}
		for key, raw := range keys {
			if string(raw) == "null" {
				delete(d[section], key)
			} else {
				d[section][key] = raw
			}
		}
	}
}

func (s *scene) note(text string) {
	s.set(func() { s.add(s.id, 0, round.Event{What: round.Noted, Who: "ann", Reason: text}) })
}

// TestFollow: many pages follow one round; the store is read for one; what they have merged is what a page that comes now gets.
func TestFollow(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	srv := s.server()
	server := httptest.NewServer(srv.handler())
	defer server.Close()
	defer server.CloseClientConnections()
	url := server.URL + "/api/rounds/prod-ap-1"
	first := whole(t, url)
	var pages []*follower
	for range 20 {
		var doc document
		raw, err := json.Marshal(first.Sections)
		if err != nil || json.Unmarshal(raw, &doc) != nil {
			t.Fatal(err)
		}
		pages = append(pages, follow(t, url, first.ID, doc))
	}
	before := s.readsSoFar()
	const notes = 30
	for i := range notes {
		s.note(fmt.Sprintf("note %d.", i))
		pages[i%20].until(fmt.Sprintf("note %d.", i))
	}
	for _, p := range pages {
		p.until(fmt.Sprintf("note %d.", notes-1))
	}
	if reads := s.readsSoFar() - before; reads > 3*notes {
		t.Errorf("the signs of life were read %d times for %d changes", reads, notes)
	}
	now := whole(t, url)
	for _, p := range pages {
		if p.id != now.ID {
			t.Errorf("a page is at %s, the round at %s", p.id, now.ID)
		}
		if diff := now.Sections.since(p.doc); diff != nil {
			t.Errorf("a page lacks %v", diff)
		}
	}
	for _, p := range pages {
		p.close()
	}
	wait(t, "nobody follows", func() bool {
		h := srv.hub(s.id)
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.viewers == 0
	})
}

func (m *memory) readsSoFar() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}

// wait waits for a condition.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 4000 {
		if is() {
			return
		}
		<-tick.C
	}
	t.Fatalf("it never came to: %s", what)
}

// TestReconnect: a page that lost its connection gets what it missed; one that comes from another process, or missed too much, is told to read anew.
func TestReconnect(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	server := httptest.NewServer(s.server().handler())
	defer server.Close()
	defer server.CloseClientConnections()
	url := server.URL + "/api/rounds/prod-ap-1"
	first := whole(t, url)
	p := follow(t, url, first.ID, first.Sections)
	s.note("seen")
	p.until("seen")
	p.close()
	s.note("missed")
	again := follow(t, url, p.id, p.doc)
	again.until("missed")
	if got := string(again.doc[sectionEntries][fmt.Sprint(len(s.entries[s.id])-1)]); !strings.Contains(got, "seen") {
		t.Errorf("the entry before is %s", got)
	}
	other := follow(t, url, again.id, document{})
	for i := range kept + 2 {
		text := fmt.Sprintf("more %d.", i)
		s.note(text)
		again.until(text)
	}
	other.close()
	for name, id := range map[string]string{"OtherProcess": "OTHERONE-5", "TooOld": first.ID, "Future": strings.Split(first.ID, "-")[0] + "-99999", "Nonsense": "x", "Nothing": ""} {
		f := follow(t, url, id, document{})
		if event, _, err := f.event(); event != "reset" || err != nil {
			t.Errorf("%s: event %q, %v", name, event, err)
		}
		if _, _, err := f.event(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { // its zipped form has no end
			t.Errorf("%s: the stream goes on: %v", name, err)
		}
		f.close()
	}
}

// stuck is a client that never reads: its write ends at the deadline.
type stuck struct {
	header http.Header
	done   chan struct{}
}

func (w *stuck) Header() http.Header              { return w.header }
func (w *stuck) WriteHeader(int)                  {}
func (w *stuck) Flush()                           {}
func (w *stuck) SetReadDeadline(time.Time) error  { return nil }
func (w *stuck) SetWriteDeadline(time.Time) error { return nil }
func (w *stuck) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("retry")) {
		return len(b), nil
	}
	<-w.done
	return 0, errors.New("deadline exceeded")
}

// TestSlowPage: a page that does not read holds up nobody, and is let go.
func TestSlowPage(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	srv := s.server()
	h := srv.handler()
	server := httptest.NewServer(h)
	defer server.Close()
	defer server.CloseClientConnections()
	url := server.URL + "/api/rounds/prod-ap-1"
	first := whole(t, url)
	slow := &stuck{header: http.Header{}, done: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r := httptest.NewRequest(http.MethodGet, "http://localhost/api/rounds/prod-ap-1/events?after="+first.ID, nil).WithContext(t.Context())
		r.RemoteAddr = "127.0.0.1:1"
		h.ServeHTTP(slow, r)
	}()
	p := follow(t, url, first.ID, first.Sections)
	for i := range 20 {
		s.note(fmt.Sprintf("note %d.", i))
		p.until(fmt.Sprintf("note %d.", i))
	}
	close(slow.done)
	<-ended
	w := call(t, h, "GET", "/metrics", "", nil)
	if !strings.Contains(w.Body.String(), "bascule_sse_dropped_total 1") {
		t.Error("nobody counted it")
	}
}

// TestServeEnds: pages that follow do not hold up the end.
func TestServeEnds(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, s.server().handler(), nil) }()
	url := "http://" + ln.Addr().String() + "/api/rounds/prod-ap-1"
	first := whole(t, url)
	p := follow(t, url, first.ID, first.Sections)
	s.note("seen")
	p.until("seen")
	from := time.Now()
	stop()
	if err := <-ended; err != nil || time.Since(from) > endTime-time.Second {
		t.Errorf("%v after %v", err, time.Since(from))
	}
	if _, _, err := p.event(); err == nil {
		t.Error("the stream goes on")
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestStoreFails: what is shown stays, and says that it is old; when the store is there again it says nothing any more.
func TestStoreFails(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	srv := s.server()
	h := srv.hub(s.id)
	ctx := t.Context()
	if err := h.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.fail = errors.New("disk full") })
	if err := h.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if got := string(h.doc[sectionStore]["trouble"]); !strings.Contains(got, "disk full") || h.doc[sectionHead] == nil {
		t.Errorf("%s", got)
	}
	if w := call(t, srv.handler(), "GET", "/healthz", "", nil); w.Code != 503 || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.set(func() { s.fail = nil })
	if err := h.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if h.doc[sectionStore] != nil {
		t.Errorf("%s", h.doc[sectionStore])
	}
	if last := string(h.frames[len(h.frames)-1].text); !strings.Contains(last, `"trouble":null`) {
		t.Errorf("pages hear %s", last)
	}
	if w := call(t, srv.handler(), "GET", "/healthz", "", nil); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestSince: merged changes make of any document any other.
func TestSince(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() document {
		d := document{}
		for range r.IntN(30) {
			d.put(fmt.Sprint(r.IntN(3)), fmt.Sprint(r.IntN(9)), r.IntN(3))
		}
		return d
	}
	d := random()
	for range 2000 {
		next := random()
		changes := next.since(d)
		if d.merge(changes); next.since(d) != nil || (changes == nil) != (d.since(next) == nil && changes == nil) {
			t.Fatalf("%v is left", next.since(d))
		}
		for _, keys := range next {
			for _, raw := range keys {
				if string(raw) == "null" {
					t.Fatal("a value is null")
				}
			}
		}
	}
}
