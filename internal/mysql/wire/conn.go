package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// The commands that are used.
const (
	comQuit        = 0x01
	comQuery       = 0x03
	comPing        = 0x0e
	comStmtPrepare = 0x16
	comStmtExecute = 0x17
	comStmtClose   = 0x19
)

const (
	// maxLoginPayload bounds what an unknown server can make this side allocate before the login is through.
	maxLoginPayload = 64 << 10
	// quitTimeout bounds the farewell of Close.
	quitTimeout = time.Second
)

// Conn is one connection to a server. Not safe for concurrent use; one statement runs at a time, and its rows are read to
// the end before the next one.
type Conn struct {
	s  *stream
	dl *deadline
	nc net.Conn

	greeting    *greeting
	caps        Capability
	compression Compression
	tls         bool
	status      Status
	name        string // for messages
	rows        *Rows  // unread rows, or nil
	closed      bool
}

// Connect dials, encrypts, logs in and returns a connection that is ready for statements. Errors are [*ConnError]; they wrap
// a [*ServerError] where the server refused.
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	cfg = cfg.WithDefaults()
	op := fmt.Sprintf("connect to %s as %q", cfg.Address, cfg.User)
	if err := cfg.Validate(); err != nil {
		return nil, &ConnError{Op: op, Err: err}
	}
	if cfg.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cfg.ConnectTimeout)
		defer cancel()
	}
	password := ""
	if cfg.Password != nil {
		var err error
		if password, err = cfg.Password(ctx); err != nil {
			return nil, &ConnError{Op: op, Err: fmt.Errorf("get the password: %w", err)}
		}
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, cfg.Network, cfg.Address)
	if err != nil {
		return nil, connectError(ctx, op, err)
	}
	c := &Conn{nc: nc, dl: &deadline{nc: nc, read: cfg.ReadTimeout, write: cfg.WriteTimeout}, name: cfg.Address}
	c.s = newStream(timedConn{nc, c.dl}, maxLoginPayload)
	stop := c.dl.watch(ctx)
	err = c.handshake(ctx, cfg, password)
	stop()
	if err != nil {
		_ = nc.Close() // the error above is the one that matters
		return nil, connectError(ctx, op, err)
	}
	c.s.maxPayload = cfg.MaxAllowedPacket
	return c, nil
}

// connectError wraps a failed Connect. Nothing that was sent so far can run twice.
func connectError(ctx context.Context, op string, err error) error {
	e := &ConnError{Op: op, Err: err}
	var server *ServerError
	switch {
	case errors.As(err, &server) && server.Code == 1045:
		e.Hint = "check user, password and the host that the account allows"
	case errors.As(err, &server) && server.Code == 1049:
		e.Hint = "check the name of the database"
	case errors.As(err, &server) && server.Code == 3159:
		e.Hint = "the server wants TLS"
	case errors.As(err, &server):
	case ctx.Err() != nil:
		e.Err = fmt.Errorf("%w: %w", contextError(ctx), err)
	}
	return e
}

// handshake carries the exchange from the greeting to the end of the login.
func (c *Conn) handshake(ctx context.Context, cfg Config, password string) error {
	p, err := c.s.readPacket()
	if err != nil {
		return fmt.Errorf("read the greeting: %w", err)
	}
	if c.greeting, err = parseGreeting(p); err != nil {
		return err
	}
	if err := c.negotiate(cfg); err != nil {
		return err
	}
	r := &response{
		caps: c.caps, maxPacket: uint32(cfg.MaxAllowedPacket), user: cfg.User, database: cfg.Database,
		attributes: cfg.Attributes, zstdLevel: 3,
	}
	if c.tls {
		if err := c.startTLS(ctx, cfg, r); err != nil {
			return err
		}
	}
	l := &login{
		password: password, nonce: c.greeting.nonce, tls: c.tls, local: cfg.Network == "unix",
		cleartext: cfg.AllowCleartext, key: cfg.ServerPublicKey,
	}
	// Methods that hand the password over wait until the server asks for them.
	r.plugin = c.greeting.plugin
	if r.plugin != "caching_sha2_password" {
		r.plugin = defaultMethod
	}
	m := newMethod(r.plugin)
	if r.auth, err = m.start(l); err != nil {
		return err
	}
	c.s.reply()
	c.s.wbuf = r.append(c.s.wbuf)
	if err := c.s.flush(); err != nil {
		return fmt.Errorf("send the login: %w", err)
	}
	if err := authenticate(c.s, l, m); err != nil {
		return err
	}
	return c.startCompression()
}

// negotiate decides the capabilities, TLS and the compression.
func (c *Conn) negotiate(cfg Config) error {
	server := c.greeting.caps
	c.caps = server & (capWanted | CapMySQL)
	if cfg.Database != "" {
		c.caps |= CapConnectWithDB
	}
	switch {
	case cfg.TLSMode == TLSDisabled:
	case server.Has(CapTLS):
		c.caps |= CapTLS
		c.tls = true
	case cfg.TLSMode == TLSRequired:
		return errors.New("TLS is required and the server does not offer it")
	}
	switch {
	case cfg.Compression == CompressionZlib && server.Has(CapCompress):
		c.caps |= CapCompress
		c.compression = CompressionZlib
	case cfg.Compression == CompressionZstd && server.Has(CapZstd):
		c.caps |= CapZstd
		c.compression = CompressionZstd
	}
	return nil
}

// startTLS asks for TLS and lets the packets go through it.
func (c *Conn) startTLS(ctx context.Context, cfg Config, r *response) error {
	c.s.reply()
	c.s.wbuf = r.appendHead(c.s.wbuf)
	if err := c.s.flush(); err != nil {
		return fmt.Errorf("ask for TLS: %w", err)
	}
	// Whatever came in the clear after the greeting could have been put there by somebody else.
	if c.s.pending() {
		return protocolErrorf("the server sent data before TLS began")
	}
	// The raw connection is the one that the timeouts and a cancelled context act upon.
	t := tls.Client(timedNetConn{c.nc, c.dl}, cfg.tlsConfig())
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("begin TLS: %w", err)
	}
	c.s.in, c.s.out = t, t
	return nil
}

// timedNetConn is a net.Conn below TLS whose single reads and writes have the configured timeouts.
type timedNetConn struct {
	net.Conn
	dl *deadline
}

func (t timedNetConn) Read(p []byte) (int, error)  { return timedConn{t.Conn, t.dl}.Read(p) }
func (t timedNetConn) Write(p []byte) (int, error) { return timedConn{t.Conn, t.dl}.Write(p) }

// startCompression wraps the packets of all further requests in frames, as the server does after its OK to the login.
func (c *Conn) startCompression() error {
	var k codec
	switch c.compression {
	case CompressionZlib:
		k = &zlibCodec{}
	case CompressionZstd:
		z, err := newZstdCodec()
		if err != nil {
			return err
		}
		k = z
	default:
		return nil
	}
	f := newFrames(readWriter{c.s.in, c.s.out}, k)
	c.s.in, c.s.out, c.s.restart, c.s.looseSeq = f, f, f.restart, true
	return nil
}

// do runs one exchange under ctx. An error of the server leaves the connection usable; any other closes it.
func (c *Conn) do(ctx context.Context, op string, exchange func() error) error {
	op += " on " + c.name
	switch {
	case c.closed:
		return &ConnError{Op: op, Err: ErrClosed}
	case c.rows != nil:
		return &ConnError{Op: op, Err: ErrBusy}
	case ctx.Err() != nil:
		return &ConnError{Op: op, Err: contextError(ctx)}
	}
	c.s.sent = false
	return c.run(ctx, op, exchange)
}

// run is do without the checks, for rows that are being read.
func (c *Conn) run(ctx context.Context, op string, exchange func() error) error {
	stop := c.dl.watch(ctx)
	err := exchange()
	stop()
	var server *ServerError
	if err == nil || errors.As(err, &server) {
		return err
	}
	c.abandon()
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", contextError(ctx), err)
	}
	return &ConnError{Op: op, Err: err, sent: c.s.sent}
}

// abandon closes a connection whose state is unknown.
func (c *Conn) abandon() {
	c.closed, c.rows = true, nil
	_ = c.nc.Close() // what was wrong is known already
}

// Close says goodbye to the server, without waiting for it, and closes the connection. Closing twice does nothing.
func (c *Conn) Close() error {
	if c.closed {
		return nil
	}
	_ = c.nc.SetDeadline(time.Now().Add(quitTimeout)) // fails on a closed socket, as the farewell then does
	c.dl.write = quitTimeout
	if c.rows == nil {
		c.s.begin(comQuit)
		// The server closes its side either way.
		_ = c.s.flush()
	}
	c.closed, c.rows = true, nil
	if err := c.nc.Close(); err != nil {
		return &ConnError{Op: "close the connection to " + c.name, Err: err, sent: true}
	}
	return nil
}

// Closed reports whether the connection can no longer be used.
func (c *Conn) Closed() bool { return c.closed }

// ConnectionID is the server's number for this connection: what KILL takes.
func (c *Conn) ConnectionID() uint32 { return c.greeting.connectionID }

// ServerVersion is the version as the server greets with; MariaDB 10 puts "5.5.5-" before its own.
func (c *Conn) ServerVersion() string { return c.greeting.version }

// IsMariaDB reports whether the server is MariaDB.
func (c *Conn) IsMariaDB() bool { return c.greeting.mariaDB() }

// Status is the server's status word from the last result.
func (c *Conn) Status() Status { return c.status }

// Capabilities is what both sides agreed on.
func (c *Conn) Capabilities() Capability { return c.caps }

// Compression is the algorithm in use, which is none if the server does not offer the one asked for.
func (c *Conn) Compression() Compression { return c.compression }

// TLS reports whether the connection is encrypted.
func (c *Conn) TLS() bool { return c.tls }
