package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round/store"
)

var (
	errNobody = errors.New("not signed in")
	errRole   = errors.New("not by this person")
)

// sessionTime is how long a browser stays signed in, and maxSessions how many are at once.
const (
	sessionTime = 12 * time.Hour
	maxSessions = 1000
)

// session is a browser that has shown a token. It holds the token's hash, which is looked up at every request, so that a revoked token ends it.
type session struct {
	hash  string
	until time.Time
}

// person is who asks. Without a name it is somebody on this machine.
type person struct {
	name  string
	roles []platform.Role
}

// may reports whether a person has a role, or one that includes it.
func (p *person) may(r platform.Role) bool {
	order := []platform.Role{platform.RoleView, platform.RoleOperate, platform.RoleApprove}
	return slices.ContainsFunc(p.roles, func(has platform.Role) bool {
		return slices.Index(order, has) >= slices.Index(order, r)
	})
}

// who returns who asks, or an error that wraps errNobody. A token that was sent and does not hold is refused also where nobody needs one.
func (s *server) who(r *http.Request) (*person, error) {
	if secret, ok := bearer(r); ok {
		return s.byHash(r, hashOf(secret))
	}
	if hash, ok := s.session(r); ok {
		if p, err := s.byHash(r, hash); err == nil || !errors.Is(err, errNobody) {
			return p, err
		}
	}
	if s.here(r) {
		return &person{roles: []platform.Role{platform.RoleView}}, nil
	}
	return nil, fault.New(fault.Login, "show the rounds", errNobody, "sign in with a token; bascule token add makes one")
}

// here reports whether a request comes from this machine itself, and not through a proxy on it.
func (s *server) here(r *http.Request) bool {
	if len(s.Hosts) > 0 || !loopback(hostOf(r.Host)) || !loopback(hostOf(r.RemoteAddr)) {
		return false
	}
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	return true
}

func bearer(r *http.Request) (string, bool) {
	kind, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), strings.EqualFold(kind, "Bearer")
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// byHash returns whose token it is.
func (s *server) byHash(r *http.Request, hash string) (*person, error) {
	const op = "read the token"
	t, err := s.Store.TokenByHash(r.Context(), hash)
	now := s.Now()
	switch {
	case errors.Is(err, store.ErrNone):
		return nil, fault.New(fault.Login, op, fmt.Errorf("%w: there is no such token", errNobody), "bascule token add makes one")
	case err != nil:
		return nil, err
	case !t.Revoked.IsZero():
		return nil, fault.New(fault.Login, op, fmt.Errorf("%w: token %s was revoked", errNobody, t.ID), "bascule token add makes another")
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return nil, fault.New(fault.Login, op, fmt.Errorf("%w: token %s has expired", errNobody, t.ID), "bascule token add makes another")
	}
	p := &person{name: t.Person}
	if s.Platform == nil {
		p.roles = []platform.Role{platform.RoleView}
		return p, nil
	}
	for _, known := range s.Platform.People {
		if known.Name == t.Person {
			p.roles = append([]platform.Role{platform.RoleView}, known.Roles...)
		}
	}
	return p, nil
}

// reading lets through whoever may see rounds.
func (s *server) reading(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := s.who(r)
		if err == nil && !p.may(platform.RoleView) {
			err = fault.New(fault.Privilege, "show the rounds", errRole, p.name+" is not among the people of bascule.yaml")
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next(w, r)
	}
}

// secured reports whether a browser reaches this server with TLS: here, or, where it has a name, at the proxy.
func (s *server) secured(r *http.Request) bool { return r.TLS != nil || len(s.Hosts) > 0 }

// cookieName says where browsers shall refuse a cookie that came over a plain connection.
func (s *server) cookieName(r *http.Request) string {
	if s.secured(r) {
		return "__Host-bascule"
	}
	return "bascule"
}

func (s *server) cookie(r *http.Request, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // on the loopback there is no TLS, and Secure would lose it
		Name: s.cookieName(r), Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, Secure: s.secured(r), SameSite: http.SameSiteStrictMode,
	}
}

func (s *server) session(r *http.Request) (hash string, ok bool) {
	c, err := r.Cookie(s.cookieName(r))
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.sessions[hashOf(c.Value)]
	if ok && !s.Now().Before(found.until) {
		delete(s.sessions, hashOf(c.Value))
		return "", false
	}
	return found.hash, ok
}

// login takes a token once, and gives the browser a session for it.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		s.deny(w, http.StatusBadRequest, "the token cannot be read", "")
		return
	}
	hash := hashOf(strings.TrimSpace(body.Token))
	p, err := s.byHash(r, hash)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	id := rand.Text()
	s.mu.Lock()
	for key, old := range s.sessions {
		if len(s.sessions) >= maxSessions || !s.Now().Before(old.until) {
			delete(s.sessions, key)
		}
	}
	s.sessions[hashOf(id)] = session{hash, s.Now().Add(sessionTime)}
	s.mu.Unlock()
	http.SetCookie(w, s.cookie(r, id, sessionTime))
	sendJSON(w, http.StatusOK, s.whoIs(p))
}

func (s *server) logout(w http.ResponseWriter, r *http.Request) {
	if has, err := r.Cookie(s.cookieName(r)); err == nil {
		s.mu.Lock()
		delete(s.sessions, hashOf(has.Value))
		s.mu.Unlock()
	}
	http.SetCookie(w, s.cookie(r, "", -time.Second))
	w.WriteHeader(http.StatusNoContent)
}

// me is what the page knows of who looks at it.
type me struct {
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
	Readonly bool     `json:"readonly"`
	Version  string   `json:"version"`
	Platform string   `json:"platform"`
	Needed   bool     `json:"needed"` // a token is needed to see anything
}

func (s *server) whoIs(p *person) me {
	out := me{Readonly: s.Readonly, Version: s.Version, Roles: []string{}}
	if s.Platform != nil {
		out.Platform = s.Platform.Name
	}
	if p == nil {
		out.Needed = true
		out.Platform, out.Version = "", ""
		return out
	}
	out.Name = p.name
	for _, r := range []platform.Role{platform.RoleView, platform.RoleOperate, platform.RoleApprove} {
		if p.may(r) {
			out.Roles = append(out.Roles, string(r))
		}
	}
	return out
}

func (s *server) me(w http.ResponseWriter, r *http.Request) {
	p, err := s.who(r)
	if err != nil && !errors.Is(err, errNobody) {
		s.refuse(w, r, err)
		return
	}
	sendJSON(w, http.StatusOK, s.whoIs(p))
}
