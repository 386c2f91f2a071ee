package outside

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/fault"
)

var frozen = Message{
	Title: "Writes are stopped", Text: "The freeze of <shop> & co. has begun.\n*All* hands on _deck_.", Round: "prod-eu-1", Environment: "prod-eu", Step: "fence",
	Head: strings.Repeat("0a", 32), At: time.Date(2026, 5, 4, 1, 2, 3, 0, time.FixedZone("CEST", 2*3600)),
}

const frozenBody = `The freeze of <shop> & co. has begun.
*All* hands on _deck_.

Round: prod-eu-1 (prod-eu)
Step: fence
Time: 2026-05-04 01:02:03 CEST (+02:00)
Journal: 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
`

func TestSlack(t *testing.T) {
	t.Parallel()
	s, asked := server(t, http.StatusOK, "ok")
	if err := (&Notify{Slack: []string{s.URL + "/services/secret"}}).Send(t.Context(), frozen); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte((*asked)[0].body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"mrkdwn": false, "text": "Writes are stopped\n" + strings.TrimSpace(strings.Replace(frozenBody, "<shop> & co.", "&lt;shop&gt; &amp; co.", 1))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if h := (*asked)[0].header; h.Get("Content-Type") != "application/json" || (*asked)[0].method != http.MethodPost {
		t.Errorf("%v", h)
	}
}

// TestWays has several ways, of which some fail: the others are taken, and each failure is told without what is secret.
func TestWays(t *testing.T) {
	t.Parallel()
	good, asked := server(t, http.StatusOK, "ok")
	bad, _ := server(t, http.StatusForbidden, "no_service /services/secret geheim-word")
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
		<-r.Context().Done()
	}))
	t.Cleanup(func() {
		hang.CloseClientConnections()
		hang.Close()
	})
	office := startSMTP(t, false, nil)
	n := &Notify{
		Slack:  []string{hang.URL + "/secret", bad.URL + "/services/secret", "no-address/secret", good.URL + "/services/secret"},
		Mail:   &Mail{Host: "127.0.0.1", Port: office.port, From: "b@x.example", To: []string{"a@x.example"}, Roots: office.roots},
		Redact: func(s string) string { return strings.ReplaceAll(s, "geheim-word", "***") },
		limit:  1500 * time.Millisecond,
	}
	m := frozen
	m.Text = "the word is geheim-word"
	err := n.Send(t.Context(), m)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range []string{"no end within 1.5s", "it answered 403 Forbidden; it said: no_service *** ***", "its URL cannot be read"} {
		if len(lines) != 3 || !strings.Contains(lines[i], want) {
			t.Errorf("%d of %q, want %q", i, lines, want)
		}
	}
	quiet(t, err)
	if len(*asked) != 1 || len(office.letters) != 1 || strings.Contains((*asked)[0].body+office.letters[0].text, "geheim") {
		t.Errorf("told: %+v, %+v", *asked, office.letters)
	}
	if err := (*Notify)(nil).Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	if err := (&Notify{}).Send(t.Context(), m); err != nil {
		t.Error(err)
	}
}

// TestMail sends by each kind of connection, and has the mail parsed by somebody else.
func TestMail(t *testing.T) {
	t.Parallel()
	plain := base64.StdEncoding.EncodeToString([]byte("\x00anna\x00pass-word"))
	for name, test := range map[string]struct {
		tls, offers string
		login       string
	}{
		"the usual": {"", "AUTH PLAIN LOGIN", "PLAIN " + plain},
		"starttls":  {StartTLS, "AUTH LOGIN", "LOGIN  YW5uYQ== cGFzcy13b3Jk"},
		"tls":       {WithTLS, "AUTH PLAIN", "PLAIN " + plain},
		"none":      {NoTLS, "AUTH PLAIN", "PLAIN " + plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			office := startSMTP(t, test.tls == WithTLS, func(p *postOffice) { p.offers = test.offers })
			n := &Notify{Mail: &Mail{
				Host: "127.0.0.1", Port: office.port, User: "anna", Password: "pass-word", From: "Bascule <bascule@x.example>",
				To: []string{"Óscar <o@x.example>", "team@x.example"}, TLS: test.tls, Roots: office.roots,
			}}
			if err := n.Send(t.Context(), frozen); err != nil {
				t.Fatal(err)
			}
			if office.secure == (test.tls == NoTLS) || cmp.Diff([]string{test.login}, office.logins) != "" {
				t.Errorf("over TLS: %v, logins %q", office.secure, office.logins)
			}
			if len(office.letters) != 2 || office.letters[0].to != "TO:<o@x.example>" || office.letters[1].to != "TO:<team@x.example>" {
				t.Fatalf("%+v", office.letters)
			}
			for _, l := range office.letters {
				checkLetter(t, l, &frozen, frozenBody)
			}
		})
	}
}

// checkLetter reads a letter with the parsers of net/mail and mime.
func checkLetter(t *testing.T, l letter, m *Message, body string) {
	t.Helper()
	got, err := mail.ReadMessage(strings.NewReader(l.text))
	if err != nil {
		t.Fatalf("%v of:\n%s", err, l.text)
	}
	var names []string
	for name, values := range got.Header {
		names = append(names, fmt.Sprint(name, len(values)))
	}
	slices.Sort(names)
	want := "Auto-Submitted1 Content-Transfer-Encoding1 Content-Type1 Date1 From1 Message-Id1 Mime-Version1 Subject1 To1 User-Agent1 X-Mailer1"
	if strings.Join(names, " ") != want {
		t.Errorf("headers %v, want %s", names, want)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || subject != m.Title {
		t.Errorf("subject %q, %v, want %q", subject, err, m.Title)
	}
	if at, err := got.Header.Date(); err != nil || !at.Equal(m.At) {
		t.Errorf("date %s, %v", at, err)
	}
	if from, err := got.Header.AddressList("From"); err != nil || from[0].Address != "bascule@x.example" {
		t.Errorf("from %v, %v", from, err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil || strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")) != strings.TrimSpace(body) {
		t.Errorf("body %q, %v, want %q", text, err, body)
	}
}

// TestMailFails has post offices that refuse, hang, are not safe, or send back what they were told.
func TestMailFails(t *testing.T) {
	t.Parallel()
	echo := base64.StdEncoding.EncodeToString([]byte("\x00anna\x00pass-word"))
	for name, test := range map[string]struct {
		set   func(*postOffice)
		mail  Mail
		class fault.Class // empty for none
		want  string
		took  int           // letters
		limit time.Duration // 0 for the usual one
	}{
		"no starttls":   {set: func(p *postOffice) { p.settings = nil }, class: fault.Connect, want: "STARTTLS"},
		"wrong login":   {set: func(p *postOffice) { p.refuses = map[string]string{"AUTH": "535 5.7.8 pass-word is wrong: " + echo} }, class: fault.Login, want: `535 "5.7.8 *** is wrong: ***"`},
		"no login":      {set: func(p *postOffice) { p.offers = "SIZE" }, class: fault.Connect, want: "AUTH"},
		"one refused":   {set: func(p *postOffice) { p.refuses = map[string]string{"RCPT TO:<o@": "550 5.1.1 no such user"} }, class: fault.Resource, want: `550 "5.1.1 no such user", affected recipient(s): <o@x.example>`, took: 1},
		"full":          {set: func(p *postOffice) { p.refuses = map[string]string{"MAIL": "452 4.3.1 disk full"} }, class: fault.Connect, want: `command: 452 "4.3.1 disk full"`},
		"no TLS there":  {mail: Mail{TLS: WithTLS}, class: fault.Connect, want: "TLS handshake"},
		"bare abroad":   {mail: Mail{TLS: NoTLS, Host: "mail.example"}, class: fault.Usage, want: "this machine alone"},
		"what TLS":      {mail: Mail{TLS: "ssl"}, class: fault.Usage, want: `tls is "ssl"`},
		"wrong sender":  {mail: Mail{From: "x@y\r\nBcc: evil@x.example"}, class: fault.Usage, want: "sender"},
		"wrong address": {mail: Mail{To: []string{"a@x.example", "b@x\r\nBcc: evil@x.example"}}, class: fault.Usage, want: "address 2"},
		"wrong port":    {mail: Mail{Port: 70000}, class: fault.Usage, want: "invalid port"},
		"hangs first":   {set: func(p *postOffice) { p.hangs = "GREETING" }, class: fault.Connect, want: "no end within", limit: 300 * time.Millisecond},
		"hangs early":   {set: func(p *postOffice) { p.hangs = "EHLO" }, class: fault.Connect, want: "no end within", limit: 300 * time.Millisecond},
		"hangs late":    {set: func(p *postOffice) { p.hangs = "DATA" }, class: fault.Connect, want: "no end within", limit: 300 * time.Millisecond},
		"hangs on":      {set: func(p *postOffice) { p.hangs = "QUIT" }, took: 2, limit: 2 * time.Second},
		"drops reset":   {set: func(p *postOffice) { p.refuses = map[string]string{"RSET": "421 bye"} }, took: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			office := startSMTP(t, false, test.set)
			m := test.mail
			m.User, m.Password, m.Roots = "anna", "pass-word", office.roots
			if m.Host == "" {
				m.Host = "127.0.0.1"
			}
			if m.Port == 0 {
				m.Port = office.port
			}
			if m.From == "" {
				m.From = "bascule@x.example"
			}
			if m.To == nil {
				m.To = []string{"o@x.example", "team@x.example"}
			}
			began := time.Now()
			err := (&Notify{Mail: &m, limit: test.limit}).Send(t.Context(), frozen)
			if time.Since(began) > 9*time.Second {
				t.Errorf("it took %s", time.Since(began))
			}
			if test.class == "" && err != nil || test.class != "" && (err == nil || fault.ClassOf(one(err)) != test.class || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %s: %s", err, test.class, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "pass-word") || strings.Contains(err.Error(), echo)) {
				t.Errorf("the password is in %v", err)
			}
			office.mu.Lock()
			defer office.mu.Unlock()
			if len(office.letters) != test.took {
				t.Errorf("%d letters, want %d", len(office.letters), test.took)
			}
		})
	}
	stranger := startSMTP(t, false, nil)
	m := &Mail{Host: "127.0.0.1", Port: stranger.port, From: "b@x.example", To: []string{"a@x.example"}}
	if err := (&Notify{Mail: m}).Send(t.Context(), frozen); err == nil || !strings.Contains(err.Error(), "certificate") || len(stranger.letters) > 0 {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}

// one returns the only error of a join.
func one(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) == 1 {
		return many.Unwrap()[0]
	}
	return err
}

// FuzzMessage holds a letter, and a message to Slack, to what independent parsers make of them.
func FuzzMessage(f *testing.F) {
	f.Add("Writes are stopped", "The freeze <has> begun & goes on", "fence")
	f.Add("Hi\r\nBcc: evil@x.example\r\n\r\nbody", "a\r\n.\r\nQUIT\r\n", "x\ny")
	f.Add("=?utf-8?q?a?= \xff\x00", "<!channel> &lt; \u202e", strings.Repeat("é", 300))
	f.Add(strings.Repeat("ü", 300), strings.Repeat("a ", 5000), "\t \u00a0")
	f.Fuzz(func(t *testing.T, title, text, step string) {
		m := (&Notify{}).ready(Message{Title: title, Text: text, Step: step, At: frozen.At})
		if len(m.Title) > titleMost || len(m.Text) > textMost || strings.ContainsAny(m.Title+m.Step, "\r\n") || !utf8.ValidString(m.Title+m.Text+m.Step) {
			t.Fatalf("%+v", m)
		}
		letters, err := (&Mail{From: "bascule@x.example", To: []string{"a@x.example"}}).letters(&m)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if _, err := letters[0].WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Title, "=?") { // a title that looks encoded is decoded by those who read it
			checkLetter(t, letter{text: b.String()}, &m, m.body())
		}
		body, err := slackBody(&m)
		var got struct{ Text string }
		if err != nil || json.Unmarshal(body, &got) != nil || strings.ContainsAny(got.Text, "<>") {
			t.Fatalf("%s, %v", body, err)
		}
		if plain := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(got.Text); plain != strings.TrimSpace(m.Title+"\n"+m.body()) {
			t.Fatalf("%q is not %q", plain, m.body())
		}
	})
}
