package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// SSLMode says how far a connection must be protected, with the words of MySQL's own clients.
type SSLMode string

// The modes, in rising order of trust.
const (
	Disabled       SSLMode = "DISABLED"
	Preferred      SSLMode = "PREFERRED" // the default: encrypt if the server can, trust anyone
	Required       SSLMode = "REQUIRED"
	VerifyCA       SSLMode = "VERIFY_CA"
	VerifyIdentity SSLMode = "VERIFY_IDENTITY"
)

const (
	defaultPort    = 3306
	defaultTimeout = 10 * time.Second
)

// Config says how to reach one database. ParseConfig fills it; the zero value of every field but Host (or Socket), User and
// Database is usable.
type Config struct {
	Host   string
	Port   int    // 0 means 3306
	Socket string // path of a Unix socket, instead of Host
	User   string
	// Password is asked for at every connect, so that a token that expires can be renewed; nil means none.
	Password func(ctx context.Context) (string, error)
	Database schema.Name

	SSLMode                SSLMode // empty means PREFERRED
	SSLCA, SSLCert, SSLKey string  // PEM files
	// Compression of the rows on the wire: "zstd" (MySQL 8.0.18 and later), "zlib", or empty for none.
	Compression    string
	ConnectTimeout time.Duration // 0 means 10 s
}

// ParseConfig reads a URL, mysql://user:password@host:3306/database?ssl-mode=VERIFY_CA&ssl-ca=ca.pem&compression=zstd
// (mariadb:// too; socket=/path for a Unix socket), or a DSN of go-sql-driver, user:password@tcp(host:3306)/database?tls=true. No
// error repeats the input, which may hold a password.
func ParseConfig(s string) (Config, error) {
	var c Config
	var err error
	if strings.Contains(s, "://") {
		c, err = parseURL(s)
	} else {
		c, err = parseDSN(s)
	}
	if err == nil {
		err = c.validate()
	}
	const hint = "write mysql://USER:PASSWORD@HOST:3306/DATABASE; special characters of the password are %-escaped, or name it: env:NAME" //nolint:gosec // an example
	return c, fault.New(fault.Usage, "parse the source's address", err, hint)
}

func parseURL(s string) (Config, error) {
	u, err := url.Parse(s)
	if err != nil {
		// The parser's message holds the URL, and with it the password.
		return Config{}, errors.New("it is not a well-formed URL")
	}
	if u.Scheme != "mysql" && u.Scheme != "mariadb" {
		return Config{}, fmt.Errorf("scheme %q is neither mysql nor mariadb", u.Scheme)
	}
	c := Config{Host: u.Hostname(), User: u.User.Username(), Database: schema.Name(strings.TrimPrefix(u.Path, "/"))}
	if p, ok := u.User.Password(); ok {
		c.Password = fixed(p)
	}
	if u.Port() != "" {
		if c.Port, err = strconv.Atoi(u.Port()); err != nil {
			return Config{}, fmt.Errorf("port %q is not a number", u.Port())
		}
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, errors.New("the part after ? is not well-formed")
	}
	for k, v := range q {
		if err := set(&c, k, v[len(v)-1]); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

// set takes one parameter of a URL. Underscores and hyphens are the same in names.
func set(c *Config, key, value string) (err error) {
	switch strings.ReplaceAll(strings.ToLower(key), "_", "-") {
	case "ssl-mode", "sslmode":
		c.SSLMode = SSLMode(strings.ReplaceAll(strings.ToUpper(value), "-", "_"))
	case "ssl-ca":
		c.SSLCA = value
	case "ssl-cert":
		c.SSLCert = value
	case "ssl-key":
		c.SSLKey = value
	case "socket":
		c.Socket = value
	case "compression":
		c.Compression = strings.ToLower(value)
	case "connect-timeout":
		c.ConnectTimeout, err = duration(value)
	default:
		err = fmt.Errorf("unknown parameter %q: know ssl-mode, ssl-ca, ssl-cert, ssl-key, socket, compression, connect-timeout", key)
	}
	return err
}

// duration reads 10s, or 10 as MySQL's clients write it.
func duration(s string) (time.Duration, error) {
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("connect-timeout %q is neither seconds nor a duration such as 10s", s)
	}
	return d, nil
}

func parseDSN(s string) (Config, error) {
	d, err := driver.ParseDSN(s)
	if err != nil {
		// Its messages speak of the form, never of the values, save for parameters: leave those out.
		return Config{}, errors.New("it is neither a URL nor a DSN of the form user:password@tcp(host:3306)/database")
	}
	c := Config{User: d.User, Database: schema.Name(d.DBName), ConnectTimeout: d.Timeout}
	if d.Passwd != "" {
		c.Password = fixed(d.Passwd)
	}
	switch d.Net {
	case "unix":
		c.Socket = d.Addr
	case "tcp", "tcp4", "tcp6":
		host, port, err := net.SplitHostPort(d.Addr)
		if err != nil {
			return Config{}, fmt.Errorf("address %q is not host:port", d.Addr)
		}
		c.Host = host
		if c.Port, err = strconv.Atoi(port); err != nil {
			return Config{}, fmt.Errorf("port %q is not a number", port)
		}
	default:
		return Config{}, fmt.Errorf("network %q is neither tcp nor unix", d.Net)
	}
	switch strings.ToLower(d.TLSConfig) {
	case "true":
		c.SSLMode = VerifyIdentity
	case "skip-verify":
		c.SSLMode = Required
	case "", "preferred":
		c.SSLMode = Preferred
	case "false":
		c.SSLMode = Disabled
	default:
		return Config{}, fmt.Errorf("tls=%q names a configuration of a program: use ssl-ca in a URL", d.TLSConfig)
	}
	return c, nil
}

func fixed(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

func (c Config) validate() error {
	switch c.SSLMode {
	case "", Disabled, Preferred, Required, VerifyCA, VerifyIdentity:
	default:
		return fmt.Errorf("ssl-mode %q: know DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY", c.SSLMode)
	}
	switch c.Compression {
	case "", "none", "zlib", "zstd":
	default:
		return fmt.Errorf("compression %q: know zstd, zlib, none", c.Compression)
	}
	switch {
	case c.Host == "" && c.Socket == "":
		return errors.New("it names no host")
	case c.User == "":
		return errors.New("it names no user")
	case c.Database == "":
		return errors.New("it names no database")
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("port %d does not exist", c.Port)
	case (c.SSLCert == "") != (c.SSLKey == ""):
		return errors.New("ssl-cert and ssl-key go together")
	case c.ConnectTimeout < 0:
		return fmt.Errorf("connect-timeout %s is negative", c.ConnectTimeout)
	}
	return nil
}

// withDefaults returns the configuration with its zero values replaced.
func (c Config) withDefaults() Config {
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.SSLMode == "" {
		c.SSLMode = Preferred
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = defaultTimeout
	}
	return c
}

// Redacted returns the address for messages: a URL without password and parameters.
func (c Config) Redacted() string {
	return "mysql://" + url.User(c.User).String() + "@" + c.label()
}

// label is host:port/database.
func (c Config) label() string {
	_, addr := c.withDefaults().network()
	return addr + "/" + string(c.Database)
}

func (c Config) network() (network, addr string) {
	if c.Socket != "" {
		return "unix", c.Socket
	}
	return "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
}

// tls returns what to trust, or nil when TLS is off.
func (c Config) tls() (*tls.Config, error) {
	if c.SSLMode == Disabled || c.Socket != "" && c.SSLMode == Preferred {
		return nil, nil
	}
	// Servers of MySQL 5.7 offer TLS 1.1 at most where they were built with yaSSL; those are refused.
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.Host}
	if c.SSLCA != "" {
		pem, err := os.ReadFile(c.SSLCA)
		if err != nil {
			return nil, fmt.Errorf("read ssl-ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read ssl-ca: %q holds no certificate in PEM", c.SSLCA)
		}
	}
	if c.SSLCert != "" {
		pair, err := tls.LoadX509KeyPair(c.SSLCert, c.SSLKey)
		if err != nil {
			return nil, fmt.Errorf("read ssl-cert and ssl-key: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	switch c.SSLMode {
	case Disabled, VerifyIdentity: // no TLS at all, and what crypto/tls does by itself
	case Preferred, Required:
		t.InsecureSkipVerify = true // these modes promise encryption, not identity, as MySQL defines them
	case VerifyCA:
		t.InsecureSkipVerify = true // the name only: VerifyConnection checks the chain
		t.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, t.RootCAs) }
	}
	return t, nil
}

func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server sent no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(cert)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err
}

// secure reports whether TLS is certain, so that a password may travel in clear inside it (IAM tokens).
func (c Config) secure() bool {
	return c.SSLMode == Required || c.SSLMode == VerifyCA || c.SSLMode == VerifyIdentity
}

// wire returns the configuration of a connection for rows.
func (c Config) wire() (wire.Config, error) {
	network, addr := c.network()
	w := wire.Config{
		Network: network, Address: addr, User: c.User, Password: c.Password, Database: string(c.Database),
		ConnectTimeout: c.ConnectTimeout, AllowCleartext: c.secure(),
		Attributes: [][2]string{{"program_name", program}},
	}
	t, err := c.tls()
	if err != nil {
		return w, err
	}
	if w.TLS = t; t != nil {
		w.TLSMode = wire.TLSPreferred
		if c.secure() {
			w.TLSMode = wire.TLSRequired
		}
	}
	switch c.Compression {
	case "zlib":
		w.Compression = wire.CompressionZlib
	case "zstd":
		w.Compression = wire.CompressionZstd
	}
	return w, nil
}

// control returns the configuration of a connection for control statements.
func (c Config) control() (*driver.Config, error) {
	d := driver.NewConfig()
	d.Net, d.Addr = c.network()
	d.User, d.DBName, d.Timeout = c.User, string(c.Database), c.ConnectTimeout
	d.AllowCleartextPasswords = c.secure()
	d.MaxAllowedPacket = 0 // ask the server
	d.ConnectionAttributes = "program_name:" + program
	d.Logger = &driver.NopLogger{}
	t, err := c.tls()
	if err != nil {
		return nil, err
	}
	d.TLS, d.AllowFallbackToPlaintext = t, t != nil && !c.secure()
	if c.Password == nil {
		return d, nil
	}
	return d, d.Apply(driver.BeforeConnect(func(ctx context.Context, d *driver.Config) (err error) {
		d.Passwd, err = c.Password(ctx)
		return err
	}))
}
