package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// call asks a dashboard, from this machine unless a header X-Test-From says otherwise.
func call(t *testing.T, h http.Handler, method, address, body string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8437"+address, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5000"
	for name, value := range header {
		switch name {
		case "Host":
			r.Host = value
		case "X-Test-From":
			r.RemoteAddr = value
		default:
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// acts are the headers of the page's own requests, with a token.
func acts(secret string) map[string]string {
	h := map[string]string{actHeader: "1", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
	if secret != "" {
		h["Authorization"] = "Bearer " + secret
	}
	return h
}

func TestHeaders(t *testing.T) {
	s := newScene(t, "prod-ap")
	h := s.server().handler()
	for _, address := range []string{"/", "/rounds/prod-ap-1", "/api/rounds", "/api/rounds/prod-ap-1", "/api/rounds/none", "/api/me", "/metrics", "/healthz", "/nowhere"} {
		w := call(t, h, "GET", address, "", nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; " +
				"frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", address, name, got)
			}
		}
	}
	page := call(t, h, "GET", "/", "", nil).Body.String()
	found := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(found) < 10 {
		t.Fatalf("the page names %d assets", len(found))
	}
	for _, f := range found {
		w := call(t, h, "GET", f[1], "", nil)
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %q", f[1], w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// TestNoMarkup: texts reach the page as text, and nothing in it is inline, so that the policy holds what it promises.
func TestNoMarkup(t *testing.T) {
	files, err := os.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|setHTML|\beval\b|new Function|srcdoc|https?://(?:$|[^w])|javascript:`)
	inline := regexp.MustCompile(`(?i)<script(?:\s+type="module")?>|\sstyle=|<style|\son[a-z]+=`)
	for _, f := range files {
		raw, err := os.ReadFile("page/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if found := bad.Find(raw); found != nil {
			t.Errorf("%s has %q", f.Name(), found)
		}
		if strings.HasSuffix(f.Name(), ".html") {
			if found := inline.Find(raw); found != nil {
				t.Errorf("%s has %q", f.Name(), found)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct {
		hosts      []string
		host, from string
		more       string // a header of a proxy
		code       int
	}{
		{nil, "localhost:8437", "127.0.0.1:1", "", 200},
		{nil, "127.0.0.1:8437", "127.0.0.1:1", "", 200},
		{nil, "127.9.9.9", "127.0.0.1:1", "", 200},
		{nil, "[::1]:8437", "[::1]:1", "", 200},
		{nil, "LOCALHOST", "127.0.0.1:1", "", 200},
		{nil, "evil.example:8437", "127.0.0.1:1", "", 421}, // its name was made to lead here
		{nil, "localhost.evil.example", "127.0.0.1:1", "", 421},
		{nil, "169.254.1.1", "127.0.0.1:1", "", 421},
		{nil, "", "127.0.0.1:1", "", 421},
		{nil, "localhost", "10.0.0.7:1", "", 401},
		{nil, "localhost", "127.0.0.1:1", "X-Forwarded-For", 401}, // a proxy on this machine
		{nil, "localhost", "127.0.0.1:1", "Forwarded", 401},
		{[]string{"bascule.example"}, "bascule.example", "127.0.0.1:1", "", 401},
		{[]string{"bascule.example"}, "localhost", "127.0.0.1:1", "", 401},
		{[]string{"bascule.example"}, "other.example", "127.0.0.1:1", "", 421},
		{[]string{AnyHost}, "other.example", "127.0.0.1:1", "", 401},
		{[]string{AnyHost}, "localhost", "127.0.0.1:1", "", 401},
	} {
		s := newScene(t, "prod-ap")
		h := s.server(func(o *Options) { o.Hosts = tc.hosts }).handler()
		header := map[string]string{"Host": tc.host, "X-Test-From": tc.from}
		if tc.more != "" {
			header[tc.more] = "203.0.113.9"
		}
		for _, address := range []string{"/api/rounds", "/api/rounds/prod-ap-1", "/api/history", "/metrics"} {
			w := call(t, h, "GET", address, "", header)
			if w.Code != tc.code {
				t.Errorf("%v %s from %s: %s answers %d, want %d", tc.hosts, tc.host, tc.from, address, w.Code, tc.code)
			}
			if tc.code != 200 && strings.Contains(w.Body.String(), "prod-ap") {
				t.Errorf("%s: %s", tc.host, w.Body)
			}
		}
		if tc.code == 401 {
			header["Authorization"] = "Bearer " + s.token("eve")
			if w := call(t, h, "GET", "/api/rounds", "", header); w.Code != 200 {
				t.Errorf("%s: with a token it answers %d", tc.host, w.Code)
			}
		}
	}
}

func TestForeignRequests(t *testing.T) {
	s := newScene(t, "prod-ap")
	secret := s.token("ann")
	h := s.server().handler()
	for name, change := range map[string]map[string]string{
		"other site":    {"Sec-Fetch-Site": "cross-site"},
		"same site":     {"Sec-Fetch-Site": "same-site"},
		"other origin":  {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
		"null origin":   {"Sec-Fetch-Site": "", "Origin": "null"},
		"a plain form":  {actHeader: ""},
		"other's name":  {"Host": "evil.example"},
		"loopback port": {"Sec-Fetch-Site": "", "Origin": "http://localhost:9999"},
	} {
		header := acts(secret)
		for k, v := range change {
			header[k] = v
			if v == "" {
				delete(header, k)
			}
		}
		for _, address := range []string{"/api/rounds/prod-ap-1/note", "/api/login", "/api/logout"} {
			if w := call(t, h, "POST", address, `{"reason": "x"}`, header); w.Code != 403 && w.Code != 421 {
				t.Errorf("%s: %s answers %d", name, address, w.Code)
			}
		}
	}
	if n := len(s.entries[s.id]); n != 0 {
		t.Errorf("%d entries were written", n)
	}
	header := acts(secret)
	delete(header, "Sec-Fetch-Site") // a program
	if w := call(t, h, "POST", "/api/rounds/prod-ap-1/note", `{"reason": "x"}`, header); w.Code != 200 {
		t.Errorf("a program gets %d: %s", w.Code, w.Body)
	}
}
