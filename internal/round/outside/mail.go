package outside

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/bascule/bascule/internal/fault"
)

// The values of Mail.TLS.
const (
	// StartTLS refuses a server that does not offer it.
	StartTLS = "starttls"
	// WithTLS speaks TLS from the first byte.
	WithTLS = "tls"
	// NoTLS is for a server on this machine.
	NoTLS = "none"
)

// Mail is a server that takes mail, and whom it is for.
type Mail struct {
	Host string
	// Port is 0 for the usual one: 587 for starttls, 465 for tls, 25 for none.
	Port int
	// User is empty for a server that asks for none.
	User, Password string
	From           string
	// To get a message of their own each: one wrong address does not silence the others.
	To []string
	// TLS is starttls (or empty), tls, or none, which needs a loopback address.
	TLS string
	// Roots, unless nil, are the only ones whose certificates are believed.
	Roots *x509.CertPool
}

// send sends m to everybody. redact takes secrets out of what the server says.
func (m *Mail) send(ctx context.Context, msg *Message, redact func(string) string) error {
	op := "send mail by " + net.JoinHostPort(m.Host, strconv.Itoa(m.port()))
	if err := m.check(); err != nil {
		return fault.New(fault.Usage, op, err, "")
	}
	letters, err := m.letters(msg)
	if err != nil {
		return fault.New(fault.Usage, op, err, "")
	}
	dial, hangUp := dialer(ctx)
	defer hangUp()
	client, err := m.client(dial)
	if err != nil {
		return fault.New(fault.Usage, op, m.quiet(err, redact), "")
	}
	c, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return m.failed(ctx, op, err, redact)
	}
	if err := deliver(client, c, letters); err != nil {
		return m.failed(ctx, op, err, redact)
	}
	_ = client.CloseWithSMTPClient(c) // the server has taken the mail: how it says good-bye does not matter
	return nil
}

// deliver hands over the letters. What was taken is delivered, whatever the server said afterwards.
func deliver(client *mail.Client, c *smtp.Client, letters []*mail.Msg) error {
	var errs []error
	for _, letter := range letters {
		if err := client.SendWithSMTPClient(c, letter); err != nil && !letter.IsDelivered() {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (m *Mail) port() int {
	switch {
	case m.Port != 0:
		return m.Port
	case m.TLS == WithTLS:
		return mail.DefaultPortSSL
	case m.TLS == NoTLS:
		return mail.DefaultPort
	}
	return mail.DefaultPortTLS
}

// check looks at the settings that go-mail does not.
func (m *Mail) check() error {
	switch {
	case m.Host == "":
		return errors.New("no host is set")
	case strings.Contains(m.Host, "://"):
		return errors.New("the host is a name or an address, without a scheme")
	case len(m.To) == 0:
		return errors.New("nobody is set whom it is for")
	case !slices.Contains([]string{"", StartTLS, WithTLS, NoTLS}, m.TLS):
		return fmt.Errorf("tls is %q; it can be %s, %s or %s", m.TLS, StartTLS, WithTLS, NoTLS)
	case m.TLS == NoTLS && !loopback(m.Host):
		return errors.New("mail without TLS goes to this machine alone, such as 127.0.0.1")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// letters makes a letter of msg for each address. An address that cannot be read is an error: nobody would notice what never comes.
func (m *Mail) letters(msg *Message) ([]*mail.Msg, error) {
	var letters []*mail.Msg
	for i, to := range m.To {
		l := mail.NewMsg()
		if err := l.From(m.From); err != nil {
			return nil, errors.New("the sender's address cannot be read")
		}
		if err := l.To(to); err != nil {
			return nil, fmt.Errorf("address %d of those whom it is for cannot be read", i+1)
		}
		l.Subject(msg.Title)
		l.SetDateWithValue(msg.At)
		if msg.At.IsZero() {
			l.SetDate()
		}
		l.SetMessageID()
		l.SetUserAgent("bascule")
		l.SetGenHeader("Auto-Submitted", "auto-generated") // so that nobody's holiday answers
		l.SetBodyString(mail.TypeTextPlain, msg.body())
		letters = append(letters, l)
	}
	return letters, nil
}

// client returns what speaks SMTP over a connection that dial makes.
func (m *Mail) client(dial mail.DialContextFunc) (*mail.Client, error) {
	settings := &tls.Config{ServerName: m.Host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12}
	options := []mail.Option{mail.WithPort(m.port()), mail.WithTimeout(wayTime), mail.WithTLSConfig(settings), mail.WithTLSPolicy(mail.TLSMandatory)}
	switch m.TLS {
	case WithTLS:
		options = append(options, mail.WithSSL())
		plain := dial
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := plain(ctx, network, address)
			if err != nil {
				return nil, err
			}
			conn := tls.Client(raw, settings)
			return conn, conn.HandshakeContext(ctx)
		}
	case NoTLS:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	options = append(options, mail.WithDialContextFunc(dial))
	if m.User != "" {
		// The first that the server offers. The library sends a readable password over TLS and loopback alone.
		options = append(options, mail.WithUsername(m.User), mail.WithPassword(m.Password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthCramMD5))
	}
	return mail.NewClient(m.Host, options...)
}

// dialer returns what makes a connection, and what closes it in the end. When ctx ends it is closed at once: the library sets a new deadline at
// each of its steps, so that a slow server would keep it for longer.
func dialer(ctx context.Context) (dial mail.DialContextFunc, hangUp func()) {
	end := func() {}
	dial = func(short context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(short, network, address)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		end = func() {
			stop()
			conn.Close()
		}
		return conn, nil
	}
	return dial, func() { end() } // which end is known once it is called
}

// failed returns the fault of a conversation that did not come to its end.
func (m *Mail) failed(ctx context.Context, op string, err error, redact func(string) string) error {
	if ctx.Err() != nil {
		return fault.New(fault.Connect, op, context.Cause(ctx), "")
	}
	class, hint := fault.Connect, ""
	switch code := replied(err); {
	case code == 530, code == 534, code == 535:
		class, hint = fault.Login, "look at the user and the password of the mail server"
	case code/100 == 5:
		class = fault.Resource
	}
	return fault.New(class, op, m.quiet(err, redact), hint)
}

// replied returns the code of the server's refusal, or 0.
func replied(err error) int {
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return reply.Code
	}
	if refused, ok := errors.AsType[*mail.SendError](err); ok {
		return refused.ErrorCode()
	}
	return 0
}

// quiet returns err on one line, each refusal once, without the password in whichever form a server may send it back.
func (m *Mail) quiet(err error, redact func(string) string) error {
	var refusals []string
	for s := range strings.SplitSeq(err.Error(), "\n") {
		s, _, _ = strings.Cut(s, ", affected message ID") // which nobody knows
		if !slices.Contains(refusals, s) {
			refusals = append(refusals, s)
		}
	}
	text := strings.Join(refusals, "; ")
	if m.Password != "" {
		encode := base64.StdEncoding.EncodeToString
		text = strings.NewReplacer(m.Password, "***", encode([]byte("\x00"+m.User+"\x00"+m.Password)), "***", encode([]byte(m.Password)), "***").Replace(text)
	}
	return errors.New(shorten(redact(clean(text)), quoted))
}
