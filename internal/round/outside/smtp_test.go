package outside

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// postOffice is a small SMTP server.
type postOffice struct {
	port     int
	roots    *x509.CertPool
	settings *tls.Config
	// Set before anybody calls it.
	offers  string            // EHLO's lines beside STARTTLS
	refuses map[string]string // what is answered to a line that begins so, in place of what it asks for
	hangs   string            // the verb to which nothing is answered; GREETING for the first line

	mu      sync.Mutex
	letters []letter
	logins  []string
	secure  bool // the last letter came over TLS
}

// letter is what somebody got.
type letter struct{ from, to, text string }

// startSMTP runs a server. implicit has it speak TLS from the first byte; a nil set leaves it as it is.
func startSMTP(t *testing.T, implicit bool, set func(*postOffice)) *postOffice {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1
	t.Cleanup(web.Close)
	p := &postOffice{roots: x509.NewCertPool(), settings: &tls.Config{Certificates: web.TLS.Certificates}, offers: "AUTH PLAIN LOGIN"}
	p.roots.AddCert(web.Certificate())
	if set != nil {
		set(p)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				if implicit {
					c = tls.Server(c, p.settings)
				}
				p.serve(c, implicit)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return p
}

// serve is one conversation.
func (p *postOffice) serve(c net.Conn, secure bool) {
	r := bufio.NewReader(c)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(c, format+"\r\n", args...) }
	if p.hangs == "GREETING" {
		_, _ = io.Copy(io.Discard, r)
		return
	}
	say("220 mail.example ESMTP")
	var got letter
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(verb, p.hangs) {
			_, _ = io.Copy(io.Discard, r)
			return
		}
		if refusal := p.refusal(line); refusal != "" {
			say("%s", refusal)
			continue
		}
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-mail.example")
			if !secure && p.settings != nil {
				say("250-STARTTLS")
			}
			say("250 %s", p.offers)
		case "STARTTLS":
			say("220 go on")
			c = tls.Server(c, p.settings)
			r, secure = bufio.NewReader(c), true
		case "AUTH":
			p.login(r, say, rest)
		case "MAIL":
			got = letter{from: rest}
			say("250 ok")
		case "RCPT":
			got.to = rest
			say("250 ok")
		case "DATA":
			say("354 go on")
			got.text = data(r)
			p.mu.Lock()
			p.letters, p.secure = append(p.letters, got), secure
			p.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (p *postOffice) refusal(line string) string {
	for begins, answer := range p.refuses {
		if strings.HasPrefix(line, begins) {
			return answer
		}
	}
	return ""
}

// login takes PLAIN in one line, and LOGIN in three.
func (p *postOffice) login(r *bufio.Reader, say func(string, ...any), rest string) {
	kind, first, _ := strings.Cut(rest, " ")
	said := first
	if kind == "LOGIN" {
		for _, ask := range []string{"Username:", "Password:"} {
			say("334 %s", base64.StdEncoding.EncodeToString([]byte(ask)))
			line, _ := r.ReadString('\n')
			said += " " + strings.TrimSpace(line)
		}
	}
	p.mu.Lock()
	p.logins = append(p.logins, kind+" "+said)
	p.mu.Unlock()
	say("235 welcome")
}

// data reads a letter up to the line with a dot.
func data(r *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}
