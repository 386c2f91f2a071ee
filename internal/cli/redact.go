package cli

import (
	"io"
	"regexp"
	"strings"
	"sync"
)

// hidden stands where a secret stood.
const hidden = "***"

// leastSecret is the length from which a secret is searched for as such; a shorter one
// would tear holes into ordinary words, and is hidden by its place in a URL or DSN.
const leastSecret = 8

// places find passwords by where they stand. Up to the last @ before a space or quote:
// a password that was not percent-encoded may hold every sign of a URL.
var places = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(\b[a-z][a-z0-9+.-]*://[^:/@\s"']*):[^\s"']*@`), "${1}:" + hidden + "@"},
	{regexp.MustCompile(`((?:^|[\s"'])[^\s:/@"']+):[^\s"']*@(tcp|unix)\(`), "${1}:" + hidden + "@${2}("},
	{regexp.MustCompile(`(?i)\b(password|passwd|pwd|sslpassword)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&"']+)`), "${1}${2}" + hidden},
}

// redactor takes secrets out of everything that is printed: those it was told, and those
// whose place gives them away. It is safe for concurrent use.
type redactor struct {
	mu      sync.Mutex
	secrets []string
}

// hide makes a secret known. It is called before anything that could print it runs.
func (r *redactor) hide(secret string) {
	if len(secret) < leastSecret {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secret)
}

// clean returns s without secrets.
func (r *redactor) clean(s string) string {
	for _, p := range places {
		s = p.pattern.ReplaceAllString(s, p.with)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	return s
}

// writer redacts what is written to out, call by call.
func (r *redactor) writer(out io.Writer) io.Writer { return redacting{r, out} }

type redacting struct {
	r   *redactor
	out io.Writer
}

// Write writes b without secrets and reports the length of b.
func (w redacting) Write(b []byte) (int, error) {
	if _, err := io.WriteString(w.out, w.r.clean(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}
