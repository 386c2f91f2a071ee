package wire

import (
	"crypto/rsa"
	"fmt"
)

// A login is what the login methods need to know.
type login struct {
	password string
	nonce    []byte
	// tls says that the connection is encrypted, local that it never leaves the machine (a Unix socket).
	tls, local bool
	// cleartext allows a method that hands the password itself over; it still needs tls.
	cleartext bool
	key       *rsa.PublicKey
}

// confidential reports whether nobody can listen.
func (l *login) confidential() bool { return l.tls || l.local }

// A method is one login method ("authentication plugin") of a server, for one login.
type method interface {
	// start answers the server's nonce. An empty answer is sent as an empty packet.
	start(l *login) ([]byte, error)
	// more answers further data of the server; a nil answer sends nothing and waits for the next packet.
	more(l *login, data []byte) ([]byte, error)
}

// defaultMethod is named in the first answer when the server's own default is not known here. Accounts with another
// method make the server ask for a switch.
const defaultMethod = "mysql_native_password"

// maxLoginRounds is several times what the longest exchange takes: a switch, a verdict, a key, the end.
const maxLoginRounds = 32

// newMethod returns the method that a server calls name, or nil.
func newMethod(name string) method {
	switch name {
	case "mysql_native_password":
		return nativePassword{}
	case "caching_sha2_password":
		return &cachingSHA2{}
	case "sha256_password":
		return sha256Password{}
	case "mysql_clear_password":
		return clearPassword{}
	case "client_ed25519":
		return clientEd25519{}
	case "parsec":
		return parsec{}
	}
	return nil
}

// authenticate carries the exchange from the answer to the greeting, which was sent, to the server's verdict.
func authenticate(s *stream, l *login, m method) error {
	for range maxLoginRounds {
		p, err := s.readPacket()
		if err != nil {
			return err
		}
		if len(p) == 0 {
			return protocolErrorf("empty packet during the login")
		}
		var answer []byte
		switch p[0] {
		case headOK:
			_, err := parseOK(p)
			return err
		case headERR:
			return parseERR(p)
		case headNextAuth:
			return fmt.Errorf("the account needs a second factor, which is not supported")
		case headEOF:
			name, nonce, err := parseAuthSwitch(p)
			if err != nil {
				return err
			}
			if m = newMethod(name); m == nil {
				return fmt.Errorf("the server asks for login method %q, which is not supported", name)
			}
			l.nonce = nonce
			answer, err = m.start(l)
			if err != nil {
				return fmt.Errorf("log in with %s: %w", name, err)
			}
		default:
			// MySQL marks data with 0x01; MariaDB sends it bare unless it could be taken for another packet.
			data := p
			if p[0] == headMore {
				data = p[1:]
			}
			if answer, err = m.more(l, data); err != nil {
				return err
			}
		}
		if answer == nil {
			continue
		}
		s.reply(answer...)
		if err := s.flush(); err != nil {
			return err
		}
	}
	return protocolErrorf("the login does not end after %d packets", maxLoginRounds)
}

// parseAuthSwitch decodes the request to go on with another login method. The results do not alias the payload.
func parseAuthSwitch(p []byte) (name string, nonce []byte, err error) {
	c := cursor{b: p}
	c.take(1)
	if len(c.b) == 0 {
		return "", nil, fmt.Errorf("the account has a password of MySQL 4.0, which is not supported")
	}
	name = string(c.untilNul())
	data := c.rest()
	if k := len(data); k > 0 && data[k-1] == 0 && k != 20 && k != 32 {
		data = data[:k-1]
	}
	if name == "" {
		return "", nil, protocolErrorf("request to switch to a login method without a name")
	}
	return name, append([]byte{}, data...), nil
}

// noMore is embedded by methods that answer once.
type noMore struct{}

func (noMore) more(*login, []byte) ([]byte, error) {
	return nil, protocolErrorf("the server goes on after a login answer that was complete")
}
