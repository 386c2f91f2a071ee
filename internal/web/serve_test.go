package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTLS: with TLS browsers speak HTTP/2, also to follow; and the session's cookie is for TLS only.
func TestTLS(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	secret := s.token("ann")
	sample := httptest.NewTLSServer(nil) // has a certificate, and a client that trusts it
	defer sample.Close()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	config := sample.TLS.Clone()
	config.NextProtos = nil
	go func() { ended <- Serve(ctx, ln, s.server().handler(), config) }()
	client := sample.Client()
	transport := client.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = true
	do := func(method, path, body string, header map[string]string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+ln.Addr().String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			r.Header.Set(k, v)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	res := do("POST", "/api/login", `{"token": "`+secret+`"}`, acts(""))
	if res.ProtoMajor != 2 || len(res.Cookies()) != 1 || !res.Cookies()[0].Secure || res.Cookies()[0].Name != "__Host-bascule" {
		t.Errorf("%s, %v", res.Proto, res.Cookies())
	}
	stream := do("GET", "/api/rounds/prod-ap-1/events?after=nothing", "", nil)
	b := make([]byte, 200)
	n := 0
	for !strings.Contains(string(b[:n]), "event: reset") {
		more, err := stream.Body.Read(b[n:])
		n += more
		if err != nil {
			break
		}
	}
	if !strings.Contains(string(b[:n]), "event: reset") || stream.ProtoMajor != 2 {
		t.Errorf("%s, %q", stream.Proto, b[:n])
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	transport.CloseIdleConnections()
}
