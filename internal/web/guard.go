package web

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// policy lets the page use what this server sends, and nothing else; nobody may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// actHeader is a header that no form and no link of another site can send.
const actHeader = "X-Bascule"

// largest is how many bytes a request may have.
const largest = 1 << 16

// guard answers only those who call this server by its name, and takes changes only from its own page or from a program.
func (s *server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.named(r.Host) {
			s.deny(w, http.StatusMisdirectedRequest, "this server does not answer to the name "+r.Host, "call it by the name that it has in bascule.yaml, or, on its own machine, as localhost")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if err := origin.Check(r); err != nil || r.Header.Get(actHeader) == "" {
				s.deny(w, http.StatusForbidden, "the request does not come from the dashboard", "programs send the header "+actHeader+": 1")
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, largest)
		}
		next.ServeHTTP(w, r)
	})
}

// named reports whether a Host header names this server: the loopback, or one of its names. So a page of another site whose name leads here reads nothing.
func (s *server) named(hostport string) bool {
	host := hostOf(hostport)
	return loopback(host) || slices.ContainsFunc(s.Hosts, func(h string) bool { return h == AnyHost || strings.EqualFold(h, host) })
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// problem is the body of an answer that refuses.
type problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func (s *server) deny(w http.ResponseWriter, status int, text, hint string) {
	sendJSON(w, status, problem{text, hint})
}

// refuse answers with an error, in the class that it has.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, errNobody):
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer realm="bascule"`)
	case errors.Is(err, errRole):
		status = http.StatusForbidden
	case errors.Is(err, store.ErrNone):
		status = http.StatusNotFound
	case errors.Is(err, round.ErrNot), errors.Is(err, store.ErrBehind):
		status = http.StatusConflict
	case fault.ClassOf(err) == fault.Usage:
		status = http.StatusBadRequest
	default:
		s.Log.ErrorContext(r.Context(), "cannot answer", "path", r.URL.Path, "error", err)
	}
	p := plain(err)
	s.deny(w, status, p.Error, p.Hint)
}

func plain(err error) problem { return problem{err.Error(), fault.HintOf(err)} }

func sendJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever does not read has gone
}
