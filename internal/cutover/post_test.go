package cutover

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/fault"
)

func TestOrigin(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://hooks.example/services/T0/B0/secret":  "https://hooks.example",
		"http://127.0.0.1:8080?token=secret":           "http://127.0.0.1:8080",
		"https://user:sec@ret@hooks.example:444/x#sec": "https://hooks.example:444",
		"https://[::1]:8/secret":                       "https://[::1]:8",
		"https:///secret":                              "a URL that cannot be read",
		"https://ho st/secret":                         "a URL that cannot be read",
		"secret":                                       "a URL that cannot be read",
	} {
		if got := Origin(raw); got != want {
			t.Errorf("%s is called %q, want %q", raw, got, want)
		}
	}
}

func TestHide(t *testing.T) {
	t.Parallel()
	hide := Hide("https://anna:pass%20word@hooks.example/services/T00000000/do?token=secret%2F1&n=1#part")
	for text, want := range map[string]string{
		"no page /services/T00000000/do here":                      "no page *** here",
		"GET /services/T00000000/do?token=secret%2F1&n=1 HTTP/1.1": "GET *** HTTP/1.1",
		"T00000000 has no token secret/1, pass word, pass%20word":  "*** has no token ***, ***, ***",
		"anna:pass%20word": "***",
		"you may not do 1": "you may not do 1",
	} {
		if got := hide.Replace(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := Hide("https://hooks.example/").Replace("a / b"); got != "a / b" {
		t.Errorf("a URL without secrets changes %q", got)
	}
}

// TestPostRedirect answers with addresses that a client would follow, or show in its error.
func TestPostRedirect(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"/elsewhere", "http://%zz/secret"} {
		calls := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header()["Location"] = []string{to}
			w.WriteHeader(http.StatusPermanentRedirect)
			_, _ = io.WriteString(w, strings.Repeat("x", 10))
		}))
		a, err := Post(t.Context(), nil, s.URL, nil, nil, 9)
		if err != nil || a.Code != http.StatusPermanentRedirect || calls != 1 || string(a.Body) != "xxxxxxxxx" || !a.Cut {
			t.Errorf("a redirect to %s: %+v, %v, %d calls", to, a, err, calls)
		}
		s.Close()
	}
}

// TestPostEcho calls a server that is none, and says what it was told.
func TestPostEcho(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	_, err = Post(t.Context(), nil, "http://anna:password@"+l.Addr().String()+"/hooks/secret?token=secret", nil, []byte("{}"), 100)
	if fault.ClassOf(err) != fault.Connect || !strings.Contains(err.Error(), "malformed") || strings.Contains(err.Error(), "secret") {
		t.Errorf("an echo: %v", err)
	}
	for _, raw := range []string{"http://\x00/secret", "http:///secret", "ftp://host/secret", "http://host:99999/secret"} {
		if _, err := Post(t.Context(), nil, raw, nil, nil, 1); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// TestPostBroken cuts an answer short: nobody knows whether the hook has done its work.
func TestPostBroken(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	}))
	defer s.Close()
	_, err := Post(t.Context(), nil, s.URL, nil, nil, 1000)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(fault.HintOf(err), "200 OK") {
		t.Errorf("an answer that breaks off: %v (%s)", err, fault.HintOf(err))
	}
}
