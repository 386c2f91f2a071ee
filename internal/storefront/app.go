package storefront

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver «pgx»
)

// App is an application of several clients. Each order is one transaction: a row of entry, and the balance of its account.
type App struct {
	// Old and New are the two sides' URLs (mysql://, postgres://), of the application's own account.
	Old, New string
	// Schema is the schema on the new side.
	Schema string
	// Clients write at once; Rate is how many orders a second all of them make, 0 for as many as they can.
	Clients int
	Rate    float64
	// Accounts is how many there are; NoteBytes how long an order's note is.
	Accounts, NoteBytes int

	clients []*client
	stop    chan struct{}
	wg      sync.WaitGroup
	acked   atomic.Int64

	mu   sync.Mutex
	last time.Time     // when something was acknowledged last
	gap  time.Duration // the longest time between two acknowledgements since ResetGap
	bad  error         // what no client should meet
}

// client is one connection's worth of the application.
type client struct {
	app    *App
	number int
	sides  [2]*sql.DB
	at     int // the side that answered last
	r      *rand.Rand
	acked  int64 // orders 1 to acked are acknowledged
	doubt  bool  // the next one was sent, and nobody knows what became of it
}

// Start lets the clients write until Stop, whatever becomes of ctx: what is under way then has an outcome.
func (a *App) Start(ctx context.Context) error {
	a.stop, a.last = make(chan struct{}), time.Now()
	for i := range a.Clients {
		c := &client{app: a, number: i, r: rand.New(rand.NewPCG(uint64(i), 7))} //nolint:gosec // it draws amounts
		for side, u := range []string{a.Old, a.New} {
			db, err := open(u)
			if err != nil {
				return err
			}
			db.SetMaxOpenConns(1)
			c.sides[side] = db
		}
		a.clients = append(a.clients, c)
	}
	ctx = context.WithoutCancel(ctx)
	for _, c := range a.clients {
		a.wg.Go(func() { c.work(ctx) })
	}
	return nil
}

// open opens a database by its URL.
func open(u string) (*sql.DB, error) {
	if strings.HasPrefix(u, "postgres") {
		return sql.Open("pgx", u)
	}
	p, err := url.Parse(u)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User = "tcp", p.Host, strings.TrimPrefix(p.Path, "/"), p.User.Username()
	c.Passwd, _ = p.User.Password()
	c.Timeout, c.Logger = 2*time.Second, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Stop ends the clients and returns what none of them should have met.
func (a *App) Stop() error {
	close(a.stop)
	a.wg.Wait()
	for _, c := range a.clients {
		for _, db := range c.sides {
			_ = db.Close()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bad
}

// Acked is how many orders were acknowledged.
func (a *App) Acked() int64 { return a.acked.Load() }

// ResetGap begins to measure anew.
func (a *App) ResetGap() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gap = 0
}

// Gap is the longest time in which nothing was acknowledged to any client since ResetGap.
func (a *App) Gap() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gap
}

func (a *App) acknowledge() {
	a.acked.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.gap, a.last = max(a.gap, now.Sub(a.last)), now
}

// work makes orders.
func (c *client) work(ctx context.Context) {
	pace := time.Duration(0)
	if c.app.Rate > 0 {
		pace = time.Duration(float64(time.Second) * float64(c.app.Clients) / c.app.Rate)
	}
	next := time.Now().Add(time.Duration(c.r.Int64N(int64(pace) + 1)))
	for !c.stopped() {
		if pace > 0 {
			if !c.until(next) {
				return
			}
			if next = next.Add(pace); time.Since(next) > time.Second {
				next = time.Now() // what was missed in a freeze is not made up for at once
			}
		}
		c.order(ctx)
	}
}

func (c *client) stopped() bool {
	select {
	case <-c.app.stop:
		return true
	default:
		return false
	}
}

// until waits for a moment, or for the end.
func (c *client) until(t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.app.stop:
		return false
	}
}

// retry is how long a client waits before it tries the other side.
const retry = 10 * time.Millisecond

// order makes one order, on whichever side takes it, unless the application is stopped before.
func (c *client) order(ctx context.Context) {
	seq := c.acked + 1
	account, amount := 1+c.r.IntN(c.app.Accounts), 1+c.r.IntN(1000)
	note := strings.Repeat(string(rune('a'+c.r.IntN(26))), c.app.NoteBytes)
	for {
		err := c.try(ctx, seq, account, amount, note)
		if err == nil {
			c.acked, c.doubt = seq, false
			c.app.acknowledge()
			return
		}
		if !refusal(err) {
			c.app.mu.Lock()
			c.app.bad = errors.Join(c.app.bad, fmt.Errorf("client %d at order %d: %w", c.number, seq, err))
			c.app.mu.Unlock()
			return
		}
		c.at = 1 - c.at
		if !c.until(time.Now().Add(retry)) {
			return
		}
	}
}

// try makes the order on the present side. When an earlier try may have succeeded, it looks first.
func (c *client) try(ctx context.Context, seq int64, account, amount int, note string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	q := statementsOf(c.at, c.app.Schema)
	tx, err := c.sides[c.at].BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	// The balance first: whoever orders from one account waits here.
	if _, err := tx.ExecContext(ctx, q.balance, amount, account); err != nil {
		return err
	}
	if c.doubt {
		var there int
		if err := tx.QueryRowContext(ctx, q.look, c.number, seq).Scan(&there); err != nil {
			return err
		}
		if there > 0 {
			return nil // and the balance is rolled back
		}
	}
	if _, err := tx.ExecContext(ctx, q.entry, c.number, seq, account, amount, note); err != nil {
		return err
	}
	c.doubt = true
	return tx.Commit()
}

// statements are what the application sends to a side.
type statements struct{ balance, look, entry string }

func statementsOf(side int, schema string) statements {
	if side == 0 {
		return statements{
			"UPDATE account SET balance = balance + ? WHERE id = ?",
			"SELECT COUNT(*) FROM entry WHERE client = ? AND seq = ?",
			"INSERT INTO entry (client, seq, account_id, amount, note) VALUES (?, ?, ?, ?, ?)",
		}
	}
	return statements{
		"UPDATE " + schema + ".account SET balance = balance + $1 WHERE id = $2",
		"SELECT count(*) FROM " + schema + ".entry WHERE client = $1 AND seq = $2",
		"INSERT INTO " + schema + ".entry (client, seq, account_id, amount, note) VALUES ($1, $2, $3, $4, $5)",
	}
}
