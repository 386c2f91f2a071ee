package crashtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/servertest"
)

// load is what the writers of one database share.
type load struct {
	name   string
	kind   servertest.Kind
	url    string
	tables []*table
	// numbers says that table numbers is there, from which big statements are made.
	numbers bool
	// whole is held for reading by statements that a server does not make durable together with their entry in the log (see fragile),
	// and for writing by whoever kills the server: after such a crash its log and its data differ, which no reader of the log can know.
	whole *sync.RWMutex

	commits, statements, rows, failed, xa, big atomic.Int64

	mu  sync.Mutex
	bad []string // errors that no writer should meet
}

// writer is one client.
type writer struct {
	*load
	name string
	r    *rand.Rand
	db   *sql.DB
	conn *sql.Conn
	id   uint64 // the server's, of conn or the one before
	// prepared are the XA transactions whose outcome the server may not know yet, and what was decided.
	prepared map[string]string
	missing  map[string]time.Time // since when the server does not list one
	number   int
}

// begin starts n writers that stop when stop is closed. The wait group is done when they have ended.
func (l *load) begin(t *testing.T, n int, seed uint64, stop <-chan struct{}) *sync.WaitGroup {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var wg sync.WaitGroup
	for i := range n {
		w := &writer{load: l, name: fmt.Sprintf("%s%d", l.name, i), r: rand.New(rand.NewPCG(seed, uint64(i)+1)), prepared: map[string]string{}, missing: map[string]time.Time{}}
		c := servertest.MySQLConfig(t, l.url)
		c.Timeout, c.Logger = 5*time.Second, &mysql.NopLogger{}
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		w.db = sql.OpenDB(connector)
		t.Cleanup(func() { w.db.Close() })
		wg.Go(func() { w.work(ctx, stop) })
	}
	return &wg
}

// work writes until it is told to stop, and then settles what it has prepared.
func (w *writer) work(ctx context.Context, stop <-chan struct{}) {
	for !closed(stop) {
		w.meet(w.transaction(ctx))
	}
	deadline := time.Now().Add(5 * time.Minute)
	for time.Now().Before(deadline) {
		err := w.settle(ctx)
		if err == nil {
			w.hangUp()
			return
		}
		w.meet(err)
	}
	w.complain(fmt.Errorf("%s: %d XA transactions are not settled", w.name, len(w.prepared)))
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// meet takes an error of a transaction: it was the server's, the connection's, or ours.
func (w *writer) meet(err error) {
	var said *mysql.MySQLError
	switch {
	case err == nil:
		return
	case errors.As(err, &said):
		w.failed.Add(1)
		if !slices.Contains(expected, said.Number) {
			w.complain(err)
		}
		w.hangUp() // whatever is open is rolled back, save for what is prepared
	case lost(err):
		w.failed.Add(1)
		w.hangUp()
		pause := time.NewTimer(50 * time.Millisecond) // a server that is down refuses at once
		<-pause.C
	default:
		w.complain(err)
	}
}

// expected are the errors that writers at random keys meet: a duplicate or NULL, foreign keys, locks, a server that goes down, and what
// becomes of an XA transaction when a lock or its connection is lost.
var expected = append([]uint16{
	1205, 1213, // locks
	1305,                                                       // a savepoint that went with its transaction: MySQL 9.7 rolled it back whole, behind an error of one of its statements
	1040, 1053, 1158, 1159, 1160, 1161, 1180, 1317, 1927, 3101, // connections and commits that end with the server
	1397, 1398, 1399, 1400, 1401, 1402, 1613, 1614, 3926, // XAER_ and XA_RB
}, ofData...)

// ofData are errors of a statement alone, which leave its transaction open.
var ofData = []uint16{1048, 1062, 1217, 1451, 1452, 1557, 1761, 1762, 3008, 6575}

func lost(err error) bool {
	var n net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, sql.ErrConnDone) ||
		errors.As(err, &n) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "malformed packet") || strings.Contains(err.Error(), "unexpected")
}

func (l *load) complain(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.bad) < 20 {
		l.bad = append(l.bad, err.Error())
	}
}

func (w *writer) hangUp() {
	if w.conn != nil {
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // the pool must not keep it
		w.conn.Close()
		w.conn = nil
	}
}

// session opens a connection with settings that differ between clients.
func (w *writer) session(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	var err error
	if w.conn, err = w.db.Conn(ctx); err != nil {
		w.conn = nil
		return err
	}
	set := []string{"SET SESSION sql_mode = '', innodb_lock_wait_timeout = 1, time_zone = " + one("'+00:00'", "'+05:30'", "'-08:00'")(w.r)}
	if w.kind == servertest.KindMySQL && w.r.IntN(3) == 0 {
		set = append(set, "SET SESSION binlog_transaction_compression = ON")
	}
	for _, s := range set {
		if _, err := w.conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return w.succeed(ctx)
}

// succeed waits until the writer's connection before this one has left the server. MariaDB can log an XA COMMIT and not carry it out while the
// connection that prepared is still going, and so list the transaction for ever.
func (w *writer) succeed(ctx context.Context) error {
	before := w.id
	if err := w.conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&w.id); err != nil {
		return err
	}
	for deadline := time.Now().Add(detached); w.kind == servertest.KindMariaDB && before != 0 && time.Now().Before(deadline); {
		var n int
		err := w.conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ?", before).Scan(&n)
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// fragile tells whether a statement must not be cut short by a crash. MariaDB prepares XA transactions, and those that it commits in one
// phase, in the engine under a name that its recovery does not look for in the log (MDEV-21469), and truncates before it logs.
func (l *load) fragile(q string) bool {
	return l.kind == servertest.KindMariaDB && (strings.HasPrefix(q, "XA ") || strings.HasPrefix(q, "TRUNCATE "))
}

func (w *writer) exec(ctx context.Context, q string) error {
	if w.fragile(q) {
		w.whole.RLock()
		defer w.whole.RUnlock()
	}
	res, err := w.conn.ExecContext(ctx, q)
	if err != nil {
		return fmt.Errorf("%s: %w", q[:min(len(q), 300)], err)
	}
	w.statements.Add(1)
	if n, err := res.RowsAffected(); err == nil {
		w.rows.Add(n)
	}
	return nil
}

// transaction does one at random.
func (w *writer) transaction(ctx context.Context) error {
	if err := w.settle(ctx); err != nil {
		return err
	}
	if err := w.session(ctx); err != nil {
		return err
	}
	switch k := w.r.IntN(1000); {
	case k < 2 && w.numbers:
		return w.bulk(ctx)
	case k < 6:
		return w.empty(ctx)
	case k < 8:
		return w.exec(ctx, "FLUSH BINARY LOGS")
	case k < 80:
		return w.twoPhases(ctx)
	case k < 250: // no transaction around it
		for _, q := range w.statement() {
			if err := w.try(ctx, q); err != nil {
				return err
			}
			w.commits.Add(1)
		}
		return nil
	}
	if err := w.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := w.some(ctx); err != nil {
		return err
	}
	if w.r.IntN(12) == 0 {
		return w.exec(ctx, "ROLLBACK")
	}
	if err := w.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	w.commits.Add(1)
	return nil
}

// some runs the statements of a transaction, with savepoints between them.
func (w *writer) some(ctx context.Context) error {
	n := 1 + w.r.IntN(4)
	if w.r.IntN(8) == 0 {
		n = 1 + w.r.IntN(50)
	}
	saved := false
	for range n {
		for _, q := range w.statement() {
			if err := w.try(ctx, q); err != nil {
				return err
			}
		}
		switch k := w.r.IntN(20); {
		case k < 2:
			if err := w.exec(ctx, "SAVEPOINT here"); err != nil {
				return err
			}
			saved = true
		case k == 2 && saved:
			if err := w.exec(ctx, "ROLLBACK TO SAVEPOINT here"); err != nil {
				return err
			}
		}
	}
	return nil
}

// try runs a statement that may fail on the data alone; then the transaction goes on without it.
func (w *writer) try(ctx context.Context, q string) error {
	err := w.exec(ctx, q)
	var said *mysql.MySQLError
	if errors.As(err, &said) && slices.Contains(ofData, said.Number) {
		w.failed.Add(1)
		return nil
	}
	return err
}

// twoPhases does an XA transaction. What becomes of it is decided before it is prepared, as a coordinator does, so
// that it comes to that after a crash too; some are committed over another connection.
func (w *writer) twoPhases(ctx context.Context) error {
	w.number++
	id := fmt.Sprintf("'%s','%d',7", w.name, w.number)
	if err := w.exec(ctx, "XA START "+id); err != nil {
		return err
	}
	if err := w.some(ctx); err != nil {
		return err
	}
	if err := w.exec(ctx, "XA END "+id); err != nil {
		return err
	}
	end := []string{"COMMIT", "COMMIT", "ROLLBACK"}[w.r.IntN(3)]
	if w.r.IntN(5) == 0 {
		if err := w.exec(ctx, "XA COMMIT "+id+" ONE PHASE"); err != nil {
			return err
		}
		w.commits.Add(1)
		return nil
	}
	w.prepared[id] = end
	if err := w.exec(ctx, "XA PREPARE "+id); err != nil {
		return err
	}
	w.xa.Add(1)
	if w.r.IntN(3) == 0 {
		w.hangUp()
		return nil // the next transaction begins by settling it
	}
	return w.settle(ctx)
}

// settle ends what was prepared. A transaction that the server no longer lists has ended.
func (w *writer) settle(ctx context.Context) error {
	if len(w.prepared) == 0 {
		return nil
	}
	if err := w.session(ctx); err != nil {
		return err
	}
	for id, end := range w.prepared {
		err := w.exec(ctx, "XA "+end+" "+id)
		if err == nil {
			delete(w.prepared, id)
			w.commits.Add(1)
			continue
		}
		if _, ok := errors.AsType[*mysql.MySQLError](err); !ok {
			return err
		}
		there, listErr := w.listed(ctx, id)
		if listErr != nil {
			return listErr
		}
		switch missing := w.missing[id]; {
		case there:
			delete(w.missing, id) // its connection is not gone yet
		case missing.IsZero():
			w.missing[id] = time.Now()
		case time.Since(missing) > detached: // it was rolled back with its server, or had ended
			delete(w.prepared, id)
			delete(w.missing, id)
			continue
		}
		return err
	}
	return nil
}

// detached is how long a server may take to list a transaction whose connection has just gone: until what the connection has asked for last is
// carried out, on a busy machine.
const detached = 10 * time.Second

func (w *writer) listed(ctx context.Context, id string) (bool, error) {
	rows, err := w.conn.QueryContext(ctx, "XA RECOVER")
	if err != nil {
		return false, err
	}
	defer rows.Close()
	want := strings.NewReplacer("'", "", ",7", "", ",", "").Replace(id)
	found := false
	for rows.Next() {
		var format, global, branch int
		var data string
		if err := rows.Scan(&format, &global, &branch, &data); err != nil {
			return false, err
		}
		found = found || data == want
	}
	return found, rows.Err()
}

// empty truncates a table, or deletes all its rows.
func (w *writer) empty(ctx context.Context) error {
	for _, t := range w.tables {
		if t.truncated {
			if w.r.IntN(2) == 0 {
				return w.exec(ctx, "DELETE FROM "+t.name)
			}
			return w.exec(ctx, "TRUNCATE TABLE "+t.name)
		}
	}
	return nil
}

// bulk changes 20,000 rows at once.
func (w *writer) bulk(ctx context.Context) error {
	w.big.Add(1)
	base := w.r.IntN(2) * 20_000
	q := []string{
		fmt.Sprintf("INSERT INTO bulk (id, v, w) SELECT n + %d, n %% 7, 'x' FROM numbers ON DUPLICATE KEY UPDATE v = bulk.v + 1", base),
		fmt.Sprintf("UPDATE bulk SET v = v + 1, w = CONCAT('y', id %% 10) WHERE id > %d", base),
		fmt.Sprintf("DELETE FROM bulk WHERE id %% 3 = %d", w.r.IntN(3)),
	}[w.r.IntN(3)]
	if err := w.exec(ctx, q); err != nil {
		return err
	}
	w.commits.Add(1)
	return nil
}
