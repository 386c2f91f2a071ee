// Package postgres owns everything that is said to a PostgreSQL server: its
// catalog, its DDL, the ledger in schema bascule, COPY, sums and checks. It
// implements change.Target, change.Applier and, for the way back, change.Streamer. It never decides what a MySQL value becomes, never
// needs a superuser, and never changes an object that the migration did not make.
package postgres

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

var _ change.Target = (*End)(nil)

// Options are what an End needs beyond its connection.
type Options struct {
	// Logger receives what the server notices; nil discards.
	Logger *slog.Logger
	// Schema is the schema that Inspect, Check and the sums look at; empty means public.
	Schema schema.Name
}

// End is one PostgreSQL database as the target of migrations. It is safe for
// concurrent use.
type End struct {
	config  Config
	schema  schema.Name
	log     *slog.Logger
	control *pgxpool.Pool // short statements and sums
	lanes   *pgxpool.Pool // transactions that hold a task
	waiters *pgxpool.Pool // connections that LISTEN

	// major is the server's major version.
	major int
	// stall is how long a transaction of a cutover may stand still.
	stall time.Duration

	received atomic.Int64

	mu        sync.Mutex
	listeners []*pgxpool.Conn // idle connections that LISTEN
}

const (
	// A query of the control pool may run long (a sum), so there are more of them than lanes need.
	maxControl = 32
	// One connection a lane; more lanes than this have never been faster.
	maxLanes = 128
	// peerTimeout is how long an end waits for the other's acknowledgement before it calls
	// the connection dead: a worker whose machine vanished then frees its task.
	peerTimeout = 30 * time.Second
)

// Open connects to the database and proves that it answers. The End must be
// closed.
func Open(ctx context.Context, c Config, o Options) (*End, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	e := &End{config: c, schema: o.Schema, log: o.Logger, stall: stallTime}
	if e.schema == "" {
		e.schema = "public"
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if e.control, err = e.pool(ctx, maxControl, "", cancelOnServer); err != nil {
		return nil, err
	}
	if e.waiters, err = e.pool(ctx, maxLanes, "", nil); err != nil {
		e.control.Close()
		return nil, err
	}
	// Data and its mark commit together, so a lost commit loses both and the chunk is
	// copied again: nothing waits for the disk while copying.
	if e.lanes, err = e.pool(ctx, maxLanes, "SET synchronous_commit = off;", cancelOnServer); err != nil {
		e.waiters.Close()
		e.control.Close()
		return nil, err
	}
	if err := e.control.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000").Scan(&e.major); err != nil {
		e.Close()
		return nil, e.fail("connect to "+c.Redacted(), err)
	}
	return e, nil
}

// Close ends every connection. It waits for those in use.
func (e *End) Close() {
	e.mu.Lock()
	for _, c := range e.listeners {
		c.Release()
	}
	e.listeners = nil
	e.mu.Unlock()
	e.lanes.Close()
	e.waiters.Close()
	e.control.Close()
}

// Received returns the bytes that arrived from the server over all connections
// so far, TLS included.
func (e *End) Received() int64 { return e.received.Load() }

// cancelOnServer ends a cancelled statement on the server too, where an index
// build would go on for an hour, and breaks the connection when that does not help.
func cancelOnServer(c *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 5 * time.Second}
}

func (e *End) pool(ctx context.Context, size int32, setup string, watch func(*pgconn.PgConn) ctxwatch.Handler) (*pgxpool.Pool, error) {
	pc := e.config.pool.Copy()
	pc.MaxConns = size
	pc.MinConns, pc.MinIdleConns = 0, 0
	pc.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
		p, err := e.config.password(ctx, cc.Password)
		cc.Password = p
		return err
	}
	pc.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		return c.PgConn().Exec(ctx, session+setup).Close()
	}
	e.prepare(ctx, pc.ConnConfig, watch)
	p, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, e.fail("connect to "+e.config.Redacted(), err)
	}
	return p, nil
}

// prepare sets what all connections have in common.
func (e *End) prepare(ctx context.Context, cc *pgx.ConnConfig, watch func(*pgconn.PgConn) ctxwatch.Handler) {
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = peerTimeout
	}
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "bascule"
	}
	cc.DialFunc = e.dial
	if watch != nil {
		cc.BuildContextWatcherHandler = watch
	}
	cc.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		e.log.DebugContext(ctx, "server notice", "severity", n.Severity, "message", n.Message)
	}
}

// single opens a connection that belongs to no pool. Whoever asked closes it.
func (e *End) single(ctx context.Context, setup string) (*pgx.Conn, error) {
	cc := e.config.pool.ConnConfig.Copy()
	password, err := e.config.password(ctx, cc.Password)
	if err != nil {
		return nil, err
	}
	cc.Password = password
	e.prepare(ctx, cc, cancelOnServer)
	c, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, e.fail("connect to "+e.config.Redacted(), err)
	}
	if err := c.PgConn().Exec(ctx, session+setup).Close(); err != nil {
		hangUp(ctx, c)
		return nil, e.fail("connect to "+e.config.Redacted(), err)
	}
	return c, nil
}

// hangUp closes a connection, also after a cancel.
func hangUp(ctx context.Context, c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// session makes texts and lookups the same whatever the role's defaults are,
// and lets the server notice a dead client at once, and a dead machine within half a minute, in the middle of
// a long index build too. Settings that this version lacks are left out.
const session = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
SET extra_float_digits = 1; SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;
SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off;
SET search_path = pg_catalog; SET client_min_messages = warning; SET jit = off;
SELECT pg_catalog.set_config(name, v, false) FROM (VALUES ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'),
('tcp_keepalives_count', '3'), ('tcp_user_timeout', '30000'), ('client_connection_check_interval', '1000'),
('idle_session_timeout', '0'), ('transaction_timeout', '0')) AS w(n, v) JOIN pg_catalog.pg_settings ON name = n;
`

// dial connects with keepalives and counts what arrives.
func (e *End) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: peerTimeout / 2, Interval: peerTimeout / 6, Count: 3}}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	limitUnacknowledged(c, peerTimeout)
	return &countingConn{Conn: c, received: &e.received}, nil
}

// countingConn counts the bytes read through it.
type countingConn struct {
	net.Conn
	received *atomic.Int64
}

// Read counts what it returns.
func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	return n, err
}

// inTx runs fn in a transaction of the control pool that commits durably.
func (e *End) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, e.control, fn)
}

// unwrapPg returns the server's error in err's chain, or nil.
func unwrapPg(err error) *pgconn.PgError {
	p, _ := errors.AsType[*pgconn.PgError](err)
	return p
}

// isLoopbackOrSocket tells whether an address never leaves the machine.
func isLoopbackOrSocket(host string) bool {
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
