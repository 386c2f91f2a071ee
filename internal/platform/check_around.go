package platform

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/secret"
)

// around looks at what rounds are surrounded by.
func (c *checker) around() {
	if u, err := url.Parse(c.p.Journal); strings.Contains(c.p.Journal, "://") && !secret.IsReference(c.p.Journal) {
		switch {
		case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql":
			c.add("$.journal", "it is neither a file, nor postgres://USER@HOST:5432/DATABASE, nor a reference env:NAME, file:PATH or exec:COMMAND")
		case passworded(u):
			c.add("$.journal", "a password does not belong into this file: name the whole address as env:NAME, file:PATH or exec:COMMAND")
		}
	}
	if _, there := c.at["$.rehearsal-days"]; there && (c.p.RehearsalDays < 1 || c.p.RehearsalDays > 3650) {
		c.add("$.rehearsal-days", "a rehearsal is good for 1 to 3650 days")
	}
	c.reference("$.webhook-secret", c.p.WebhookSecret)
	c.notify()
	c.serve()
	c.lessons()
}

func passworded(u *url.URL) bool {
	_, set := u.User.Password()
	return set || u.Query().Has("password")
}

// reference refuses what is a secret itself. It never shows it.
func (c *checker) reference(path, text string) {
	_, there := c.at[path]
	if there && (!secret.IsReference(text) || strings.HasPrefix(text, "literal:")) {
		c.add(path, "a secret does not belong into this file: name it as env:NAME, file:PATH or exec:COMMAND")
	}
}

// mailTLS are the ways of encrypting mail.
var mailTLS = []string{"starttls", "tls", "none"}

func (c *checker) notify() {
	if c.p.Notify == nil {
		return
	}
	for i, s := range c.p.Notify.Slack {
		c.reference(fmt.Sprintf("$.notify.slack[%d]", i), s)
	}
	m := c.p.Notify.Mail
	if m == nil {
		return
	}
	const path = "$.notify.mail"
	if m.Host == "" || strings.ContainsAny(m.Host, "/: ") && net.ParseIP(m.Host) == nil {
		c.add(path+".host", "%q is neither a name nor an address; the port has a key of its own", m.Host)
	}
	if m.Port < 0 || m.Port > 65535 {
		c.add(path+".port", "there is no port %d", m.Port)
	}
	c.address(path+".from", m.From)
	if len(m.To) == 0 {
		c.add(path, "mail is written to nobody: to")
	}
	for i, to := range m.To {
		c.address(fmt.Sprintf("%s.to[%d]", path, i), to)
	}
	c.reference(path+".password", m.Password)
	switch {
	case !slices.Contains(append([]string{""}, mailTLS...), m.TLS):
		c.add(path+".tls", "there is no %q: starttls, tls and none are", m.TLS)
	case m.TLS == "none" && !loopback(m.Host):
		c.add(path+".tls", "mail to another machine is encrypted: starttls or tls")
	case (m.User == "") != (m.Password == ""):
		c.add(path, "user and password go together")
	}
}

func (c *checker) address(path, text string) {
	if a, err := mail.ParseAddress(text); err != nil || strings.ContainsAny(a.Address, "\r\n") {
		c.add(path, "%q is no mail address", text)
	}
}

// endpoint reads host:port.
func (c *checker) endpoint(path, text string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		c.add(path, "%q is no host:port", text)
		return "", false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		c.add(path, "%q has no port from 0 to 65535", text)
		return "", false
	}
	return host, true
}

// loopback reports whether only this machine reaches a host.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (c *checker) serve() {
	s := c.p.Serve
	if s == nil {
		return
	}
	if (s.Cert == "") != (s.Key == "") {
		c.add("$.serve", "cert and key go together")
	}
	if s.Proxy != "" {
		_, errNet := netip.ParsePrefix(s.Proxy)
		_, errIP := netip.ParseAddr(s.Proxy)
		if errNet != nil && errIP != nil {
			c.add("$.serve.proxy", "%q is neither an address such as 10.0.0.7 nor a network such as 10.0.0.0/8", s.Proxy)
		}
	}
	if s.Listen == "" {
		return
	}
	host, ok := c.endpoint("$.serve.listen", s.Listen)
	if ok && !loopback(host) && s.Cert == "" && s.Proxy == "" {
		c.add("$.serve.listen", "other machines reach %s: it needs cert and key, or the proxy that has them", s.Listen)
	}
}

func (c *checker) lessons() {
	seen := map[string]bool{}
	for i, l := range c.p.Lessons {
		path := fmt.Sprintf("$.lessons[%d]", i)
		switch {
		case l.Finding == "":
			c.add(path, "the lesson is of no finding")
		case seen[l.Finding]:
			c.add(path+".finding", "finding %q is there twice", l.Finding)
		case l.Adopted != "" && l.Dismissed != "":
			c.add(path, "finding %q is either adopted or dismissed", l.Finding)
		case l.Adopted != "" && c.templateStep(l.Adopted) == nil:
			c.add(path+".adopted", "there is no step %q%s", l.Adopted, c.perhaps(l.Adopted))
		case l.Adopted == "" && l.Dismissed == "" && l.Owner == "":
			c.add(path, "finding %q is open, and nobody's: owner, adopted or dismissed", l.Finding)
		}
		seen[l.Finding] = true
	}
}
