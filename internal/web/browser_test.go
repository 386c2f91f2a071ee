package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// TestBrowser walks through the page in Chromium; see browser/walk.mjs. With BASCULE_PICTURES=FOLDER it takes pictures. It is skipped where
// browser/install was not run.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	var why bytes.Buffer
	look := exec.CommandContext(t.Context(), "bash", "browser/install", "--look")
	look.Stderr = &why
	modules, err := look.Output()
	if err != nil {
		t.Skipf("no browser: %s: run internal/web/browser/install", strings.TrimSpace(why.String()))
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no browser: no chromium here: run internal/web/browser/install")
	}
	walk := map[string]any{"modules": strings.TrimSpace(string(modules)), "chromium": chromium, "looks": looks(t)}
	if to := os.Getenv("BASCULE_PICTURES"); to != "" {
		if to, err = filepath.Abs(to); err != nil {
			t.Fatal(err)
		}
		walk["pictures"] = to
	}
	s := newScene(t, "prod-ap")
	gateScene(s)
	s.runs()
	stage := newStage(t, s)
	walk["round"], walk["control"] = stage.url()+"/rounds/prod-ap-1", stage.control.URL
	walk["tokens"] = map[string]string{"bob": s.token("bob"), "ann": s.token("ann")}
	config, err := json.Marshal(walk)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "browser/walk.mjs")
	cmd.Env = append(os.Environ(), "BASCULE_WALK="+string(config))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// looks starts a dashboard for each scene, and returns its address.
func looks(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, tell := range map[string]func(*scene){"gate": gateScene, "freeze": freezeScene, "ask": askScene, "done": doneScene, "past": pastScene} {
		s := newScene(t, "prod-ap")
		tell(s)
		srv := httptest.NewServer(s.server().handler())
		t.Cleanup(srv.Close)
		switch name {
		case "freeze":
			out["list"] = srv.URL + "/"
		case "past":
			out["history"], out["rounds"] = srv.URL+"/history", srv.URL+"/"
			continue
		}
		out[name] = srv.URL + "/rounds/prod-ap-1"
	}
	return out
}

// stage is a dashboard that goes away and comes back, and what moves its round.
type stage struct {
	t       *testing.T
	s       *scene
	addr    string
	stop    context.CancelFunc
	ended   chan error
	control *httptest.Server
}

func newStage(t *testing.T, s *scene) *stage {
	t.Helper()
	st := &stage{t: t, s: s, addr: "127.0.0.1:0"}
	st.start()
	t.Cleanup(func() { st.end() })
	mux := http.NewServeMux()
	mux.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { st.end() })
	mux.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { st.start() })
	mux.HandleFunc("POST /tell", func(_ http.ResponseWriter, r *http.Request) {
		script, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.tell(string(script))
	})
	mux.HandleFunc("GET /journal", func(w http.ResponseWriter, r *http.Request) {
		entries, err := s.Entries(r.Context(), s.id, 0)
		if err != nil {
			t.Error(err)
		}
		events := []round.Event{}
		for _, e := range entries {
			events = append(events, e.Event)
		}
		if err := json.NewEncoder(w).Encode(events); err != nil {
			t.Error(err)
		}
	})
	st.control = httptest.NewServer(mux)
	t.Cleanup(st.control.Close)
	return st
}

func (st *stage) url() string { return "http://" + st.addr }

func (st *stage) start() {
	var lc net.ListenConfig
	ln, err := lc.Listen(st.t.Context(), "tcp", st.addr)
	if err != nil {
		st.t.Error(err)
		return
	}
	st.addr = ln.Addr().String()
	ctx, stop := context.WithCancel(context.WithoutCancel(st.t.Context()))
	st.stop, st.ended = stop, make(chan error, 1)
	go func() { st.ended <- Serve(ctx, ln, st.s.server().handler(), nil) }()
}

func (st *stage) end() {
	if st.stop == nil {
		return
	}
	st.stop()
	st.stop = nil
	select {
	case err := <-st.ended:
		if err != nil {
			st.t.Error(err)
		}
	case <-time.After(20 * time.Second):
		st.t.Error("the server does not end")
	}
}
