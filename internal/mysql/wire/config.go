package wire

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// TLSMode says whether the connection is encrypted. Whom it trusts is up to [Config].TLS.
type TLSMode uint8

// The modes. TLSDisabled is the zero value.
const (
	TLSDisabled TLSMode = iota
	// TLSPreferred encrypts if the server offers it. Whoever sits in between can hide the offer.
	TLSPreferred
	// TLSRequired refuses a server that does not offer it.
	TLSRequired
)

// Config says how to reach a server and how to log in. The zero value of each field is usable, but Address is needed.
type Config struct {
	// Network is "tcp" or "unix"; empty means "tcp".
	Network string
	// Address is host:port, or the path of a Unix socket.
	Address string
	User    string
	// Password is asked for at each Connect, so that a token that expires can be renewed; nil means no password.
	Password func(ctx context.Context) (string, error)
	// Database is the default database, or empty.
	Database string

	TLSMode TLSMode
	// TLS is needed unless TLSMode is TLSDisabled. An empty ServerName becomes the host of Address.
	TLS *tls.Config
	// AllowCleartext lets the server ask for the password in clear text, which is then sent over TLS only.
	AllowCleartext bool
	// ServerPublicKey encrypts the password on a connection without TLS; nil asks the server for its key.
	ServerPublicKey *rsa.PublicKey

	// Compression is used if the server offers it; [Conn.Compression] tells.
	Compression Compression
	// ConnectTimeout bounds Connect, from the dial to the end of the login; zero means 10 s, negative means none.
	ConnectTimeout time.Duration
	// ReadTimeout is the longest that the server may be silent when something is due from it; zero means no limit.
	ReadTimeout time.Duration
	// WriteTimeout is the longest that the server may refuse to take bytes; zero means no limit.
	WriteTimeout time.Duration
	// MaxAllowedPacket bounds the size in bytes of a row or any other payload from the server; zero means 1 GiB, which is
	// the most that a server can send.
	MaxAllowedPacket int
	// Attributes show in performance_schema.session_connect_attrs, in this order of name and value.
	Attributes [][2]string
}

const (
	defaultConnectTimeout = 10 * time.Second
	defaultMaxPacket      = 1 << 30
	minMaxPacket          = 64 << 10
	maxAttributes         = 60 << 10 // servers take 64 KiB
)

// WithDefaults returns the configuration with its zero values replaced.
func (c Config) WithDefaults() Config {
	if c.Network == "" {
		c.Network = "tcp"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = defaultConnectTimeout
	}
	if c.MaxAllowedPacket == 0 {
		c.MaxAllowedPacket = defaultMaxPacket
	}
	return c
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.Network != "tcp" && c.Network != "unix":
		return fmt.Errorf("network %q is neither tcp nor unix", c.Network)
	case c.Address == "":
		return errors.New("no address")
	case c.TLSMode > TLSRequired:
		return fmt.Errorf("unknown TLS mode %d", c.TLSMode)
	case c.TLSMode != TLSDisabled && c.TLS == nil:
		return errors.New("TLS is asked for without a configuration that says whom to trust")
	case c.Compression > CompressionZstd:
		return fmt.Errorf("unknown compression %d", c.Compression)
	case c.MaxAllowedPacket < minMaxPacket || c.MaxAllowedPacket > defaultMaxPacket:
		return fmt.Errorf("max allowed packet of %d bytes is not within %d and %d", c.MaxAllowedPacket, minMaxPacket, defaultMaxPacket)
	}
	size := 0
	for _, a := range c.Attributes {
		size += len(a[0]) + len(a[1])
	}
	if size > maxAttributes {
		return fmt.Errorf("connection attributes of %d bytes, at most %d", size, maxAttributes)
	}
	return nil
}

// tlsConfig returns the TLS configuration with a server name to verify.
func (c Config) tlsConfig() *tls.Config {
	if c.TLS.ServerName != "" || c.TLS.InsecureSkipVerify {
		return c.TLS
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return c.TLS
	}
	t := c.TLS.Clone()
	t.ServerName = host
	return t
}
