package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// program is how connections name themselves in the server's session tables.
const program = "bascule"

// controls bounds the pool of control connections: sums run on as many at once as a copy has lanes at most.
const controls = 16

// session is what every connection sets, in one statement that both dialects understand: /*!N ... */ is read by MySQL from
// version N on (MariaDB skips N >= 50700), /*M! ... */ by MariaDB alone.
//
// sql_mode: dates stay as they are stored (ALLOW_INVALID_DATES, no NO_ZERO_DATE), CHAR is not padded, and quotes and
// backslashes mean what this package writes. lock_wait_timeout bounds the wait behind somebody's DDL, whose default is a
// year. net_write_timeout is raised because the target may be slow to take the rows, wait_timeout because a lane may build an index for
// hours between two reads.
const session = "SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', wait_timeout = 28800, " +
	"net_write_timeout = 3600, net_read_timeout = 600, lock_wait_timeout = 60, sql_quote_show_create = 1" +
	" /*!50708 , max_execution_time = 0 */ /*!80000 , information_schema_stats_expiry = 0 */ /*M!100102 , max_statement_time = 0 */"

// readOnly makes the server refuse any write of this program.
const readOnly = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

// Options are what an End takes beside its address. The zero value works.
type Options struct {
	Logger   *slog.Logger // nil discards
	Throttle Throttle
	// Follow says that changes will be followed: what stands against that is a blocker then, and not a warning.
	Follow bool
	// Ledger is the database for what is remembered on the server once changes are applied to it or it is fenced; empty means bascule.
	Ledger schema.Name
	Spool  *SpoolOptions // nil neither writes nor reads a spool
}

// End is one MySQL or MariaDB database as a source. It is safe for concurrent use; the Readers that it hands out are not.
type End struct {
	cfg      Config
	log      *slog.Logger
	db       *sql.DB
	aside    *sql.DB // for KILL alone: when the pool is full of scans, it must not wait for one of them
	server   server
	throttle *throttle
	received atomic.Int64
	charsets sync.Map // name to *charset, once a server was asked
	reach    reach    // of the server whose id is server.id
	undone   sync.Map // place of a transaction to []undoing: what a feed learnt too late

	ledgerName schema.Name
	willFollow bool
	spool      *SpoolOptions
	holding    holding
}

var _ change.Source = (*End)(nil)

// server is what the first connection found out.
type server struct {
	dialect schema.Dialect
	version string // as printed
	number  int    // 80036, 90704, 101119
	id      string // server_uuid, or what MariaDB has instead
	user    string // CURRENT_USER(): the account that matched, user@host
}

// atLeast reports whether the server is of that dialect and at least that version.
func (s *server) atLeast(d schema.Dialect, number int) bool {
	return s.dialect == d && s.number >= number
}

// Open connects, refuses servers that are too old, and returns the end. Close it.
func Open(ctx context.Context, cfg Config, o Options) (*End, error) {
	cfg = cfg.withDefaults()
	e := &End{cfg: cfg, log: o.Logger, ledgerName: o.Ledger, willFollow: o.Follow, spool: o.Spool}
	if e.ledgerName == "" {
		e.ledgerName = defaultLedger
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	d, err := cfg.control()
	if err != nil {
		return nil, fault.New(fault.Usage, "prepare TLS for "+cfg.Redacted(), err, "check ssl-ca, ssl-cert and ssl-key")
	}
	d.DialFunc = e.dial
	c, err := driver.NewConnector(d)
	if err != nil {
		return nil, fault.New(fault.Usage, "configure "+cfg.Redacted(), err, "")
	}
	e.db = sql.OpenDB(connector{c, e.cfg.ConnectTimeout})
	e.db.SetMaxOpenConns(controls)
	e.db.SetMaxIdleConns(controls)
	e.aside = sql.OpenDB(connector{c, e.cfg.ConnectTimeout})
	e.aside.SetMaxIdleConns(-1) // it is rarely needed
	if err := e.greet(ctx); err != nil {
		_ = e.Close() // the error above is the one that matters
		return nil, err
	}
	e.throttle = newThrottle(o.Throttle, e)
	return e, nil
}

// Close closes the control connections. Lanes close their own.
func (e *End) Close() error { return errors.Join(e.aside.Close(), e.db.Close()) }

// Received is how many bytes all connections of this end have received: those of control statements as they came over the
// network (below TLS), those of readers as rows (before compression).
func (e *End) Received() int64 { return e.received.Load() }

// Dialect tells MySQL from MariaDB.
func (e *End) Dialect() schema.Dialect { return e.server.dialect }

// Identity returns the server's own id with the database's name, and host:port/database.
func (e *End) Identity(context.Context) (id, label string, err error) {
	return e.server.id + "/" + string(e.cfg.Database), e.cfg.label(), nil
}

// greet learns what the server is.
func (e *End) greet(ctx context.Context) error {
	op := "connect to " + e.cfg.Redacted()
	var s server
	// Nothing is known yet of versions; both variables stand in SHOW VARIABLES where they exist.
	vars, err := e.variables(ctx, identifying...)
	if err != nil {
		return e.explain(op, err)
	}
	s.version = vars["version"]
	s.dialect, s.number = parseVersion(s.version)
	s.id = serverID(vars)
	if err := e.db.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&s.user); err != nil {
		return e.explain(op, err)
	}
	e.server = s
	if s.number < 50700 || s.dialect == schema.MariaDB && s.number < 100300 {
		return fault.New(fault.Unsupported, op, fmt.Errorf("the server is %s %s", s.dialect, s.version),
			"bascule reads MySQL 5.7 and later, MariaDB 10.3 and later: upgrade a replica or a restored snapshot and read from that")
	}
	return nil
}

// identifying are the variables that greet and serverID read.
var identifying = []string{"version", "server_uuid", "server_uid", "server_id", "hostname", "port"}

// serverID tells one server from another.
func serverID(vars map[string]string) string {
	switch {
	case vars["server_uuid"] != "":
		return vars["server_uuid"]
	case vars["server_uid"] != "": // MariaDB 10.11: from MAC address and port, the same until they change
		return vars["server_uid"]
	}
	return vars["hostname"] + "/" + vars["port"] + "/" + vars["server_id"]
}

// parseVersion reads 8.0.36-28, 5.5.5-10.6.12-MariaDB-log and the like.
func parseVersion(s string) (schema.Dialect, int) {
	d := schema.MySQL
	if strings.Contains(strings.ToLower(s), "mariadb") {
		d, s = schema.MariaDB, strings.TrimPrefix(s, "5.5.5-")
	}
	n := 0
	parts := strings.SplitN(s, ".", 3)
	for i := range 3 {
		v := 0
		if i < len(parts) {
			digits := strings.IndexFunc(parts[i], func(r rune) bool { return r < '0' || r > '9' })
			if digits < 0 {
				digits = len(parts[i])
			}
			v, _ = strconv.Atoi(parts[i][:digits])
		}
		n = n*100 + v
	}
	return d, n
}

// variables reads global variables; those that the server does not know are absent.
func (e *End) variables(ctx context.Context, names ...string) (map[string]string, error) {
	return e.pairs(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+quoteStrings(names)+")")
}

// pairs runs a statement whose rows are a name and a value.
func (e *End) pairs(ctx context.Context, query string) (map[string]string, error) {
	rows, err := e.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := map[string]string{}
	for rows.Next() {
		var k, v sql.NullString
		if err := rows.Scan(&k, &v); err != nil {
			return nil, err
		}
		m[strings.ToLower(k.String)] = v.String
	}
	return m, rows.Err()
}

// scan runs fn on one control connection for a statement that may take long. When ctx ends, the statement is killed on the
// server: a server notices a client that has gone only when it has something to send, so it would finish a scan for nobody.
func (e *End) scan(ctx context.Context, fn func(ctx context.Context, c *sql.Conn) error) error {
	c, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var id uint64
	if err := c.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return err
	}
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		// The context that ended cannot carry its own undoing.
		kill, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := e.aside.ExecContext(kill, "KILL QUERY "+strconv.FormatUint(id, 10)); err != nil {
			e.log.DebugContext(ctx, "kill a cancelled statement", "connection", id, "error", err)
		}
	})
	err = fn(ctx, c)
	if !stop() {
		<-killed
	}
	return err
}

// dial counts what control connections receive.
func (e *End) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return counted{c, &e.received}, nil
}

type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// connector prepares the session of every control connection. The driver's own
// timeout ends with the TCP connection; patience covers the login too, so that a
// port where nobody answers is an error and not a wait without end.
type connector struct {
	sqldriver.Connector
	patience time.Duration
}

func (c connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	login, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	conn, err := c.Connector.Connect(login)
	if err != nil && ctx.Err() == nil && login.Err() != nil {
		return nil, fmt.Errorf("no answer within %s: %w", c.patience, os.ErrDeadlineExceeded)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range []string{session, readOnly} {
		if _, err := conn.(sqldriver.ExecerContext).ExecContext(ctx, s, nil); err != nil {
			_ = conn.Close() // the error above is the one that matters
			return nil, fmt.Errorf("prepare the session: %w", err)
		}
	}
	return conn, nil
}

// connect opens a connection for rows that may only read.
func (e *End) connect(ctx context.Context) (*wire.Conn, error) {
	return e.connectAs(ctx, 0, session, readOnly)
}

// connectWithin is connect for a server that may be silent for that long.
func (e *End) connectWithin(ctx context.Context, silence time.Duration) (*wire.Conn, error) {
	return e.connectAs(ctx, silence, session, readOnly)
}

// connectAs opens a connection for rows, on which the server may be silent for that long (0: without a limit), and prepares its
// session.
func (e *End) connectAs(ctx context.Context, silence time.Duration, setup ...string) (*wire.Conn, error) {
	op := "connect to " + e.cfg.Redacted()
	w, err := e.cfg.wire()
	if err != nil {
		return nil, fault.New(fault.Usage, op, err, "check ssl-ca, ssl-cert and ssl-key")
	}
	w.ReadTimeout = silence
	c, err := login(ctx, w)
	if err != nil {
		return nil, e.explain(op, err)
	}
	for _, s := range setup {
		if _, err := c.Exec(ctx, s); err != nil {
			c.Close()
			return nil, e.explain("prepare the session", err)
		}
	}
	return c, nil
}

// logins is how often a login is begun that the server breaks off.
const logins = 5

// login connects. A fence ends logins that have no user yet, since they might become the application's; so another migration on the same server may break
// one of ours off while it raises its own.
func login(ctx context.Context, w wire.Config) (*wire.Conn, error) {
	for try := 1; ; try++ {
		c, err := wire.Connect(ctx, w)
		broken := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
		if !broken || try == logins {
			return c, err
		}
	}
}
