package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/mysql/wire"
)

// A proxy carries one connection to a server and, after a number of bytes from it, cuts or stalls.
type proxy struct {
	ln    net.Listener
	wg    sync.WaitGroup
	done  chan struct{}
	total int64 // bytes carried from the server, once done
}

// newProxy carries limit bytes from the server, then cuts the connection, or says nothing any more if stall is set.
func newProxy(t *testing.T, target string, limit int64, stall bool) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, done: make(chan struct{})}
	p.wg.Go(func() {
		client, err := ln.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer server.Close()
		p.wg.Go(func() {
			_, _ = io.Copy(server, client) // how it ends is not this test's concern
			server.Close()
		})
		p.total, _ = io.Copy(client, io.LimitReader(server, limit))
		if stall {
			<-p.done
		}
	})
	t.Cleanup(p.close)
	return p
}

func (p *proxy) close() {
	select {
	case <-p.done:
		return
	default:
	}
	close(p.done)
	p.ln.Close()
	p.wg.Wait()
}

// numbered creates a table of n rows whose blob can be computed from the id, in a database of its own.
func numbered(t testing.TB, sv server, n int) (cfg wire.Config) {
	t.Helper()
	cfg = sv.config()
	cfg.Database = sv.database(t)
	c := connect(t, cfg)
	exec(t, c, "CREATE TABLE n (id INT PRIMARY KEY, txt VARCHAR(40), d DATETIME)", "INSERT INTO n VALUES (0, 'row 0', '2024-01-01')")
	for have := 1; have < n; have *= 2 {
		exec(t, c, fmt.Sprintf("INSERT INTO n SELECT id + %d, CONCAT('row ', id + %d), d FROM n WHERE id + %d < %d", have, have, have, n))
	}
	return cfg
}

// readNumbered reads table n and checks each row; it returns how many arrived before the error.
func readNumbered(ctx context.Context, t *testing.T, cfg wire.Config) (int, error) {
	t.Helper()
	c, err := wire.Connect(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	st, err := c.Prepare(ctx, "SELECT id, txt FROM n ORDER BY id")
	if err != nil {
		return 0, err
	}
	rows, err := st.Execute(ctx)
	if err != nil {
		return 0, err
	}
	var b change.Batch
	for n := 0; ; {
		if err := rows.ReadBatch(ctx, 4<<10, &b); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			if b.Rows != 0 {
				t.Errorf("%d rows came with error %v", b.Rows, err)
			}
			return n, err
		}
		for i := range b.Rows {
			row := b.Row(i)
			id := b.Bytes(row[0])
			got := int(id[0]) | int(id[1])<<8 | int(id[2])<<16
			if txt := string(b.Bytes(row[1])); got != n || txt != fmt.Sprintf("row %d", n) {
				t.Fatalf("row %d is %d %q", n, got, txt)
			}
			n++
		}
	}
}

func TestCutConnectionsGiveErrorsAndNeverWrongRows(t *testing.T) {
	const rows, cuts = 3000, 60
	each(t, func(t *testing.T, sv server) {
		cfg := numbered(t, sv, rows)
		for _, comp := range []wire.Compression{wire.CompressionNone, wire.CompressionZlib, wire.CompressionZstd} {
			cfg.Compression = comp
			whole := newProxy(t, sv.addr, 1<<40, false)
			cfg.Address = whole.ln.Addr().String()
			if n, err := readNumbered(t.Context(), t, cfg); n != rows || err != nil {
				t.Fatalf("%v, uncut: %d rows, %v", comp, n, err)
			}
			whole.close()
			rng := rand.New(rand.NewPCG(uint64(comp), 1))
			for i := range cuts {
				at := rng.Int64N(whole.total)
				if i < 20 {
					at = rng.Int64N(400) // within the login and the definitions
				}
				p := newProxy(t, sv.addr, at, false)
				cfg.Address = p.ln.Addr().String()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				n, err := readNumbered(ctx, t, cfg)
				var conn *wire.ConnError
				if !errors.As(err, &conn) || ctx.Err() != nil {
					t.Errorf("%v, cut at byte %d of %d: %d rows, error %v", comp, at, whole.total, n, err)
				}
				cancel()
				p.close()
			}
		}
	})
}

func TestSilentServerEndsWithTheReadTimeout(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		cfg := numbered(t, sv, 3000)
		cfg.ReadTimeout = 150 * time.Millisecond
		for _, at := range []int64{0, 30, 20_000} {
			p := newProxy(t, sv.addr, at, true)
			cfg.Address = p.ln.Addr().String()
			_, err := readNumbered(t.Context(), t, cfg)
			var conn *wire.ConnError
			if !errors.As(err, &conn) || !conn.Timeout() {
				t.Errorf("silence after %d bytes: %v", at, err)
			}
			p.close()
		}
	})
}

func TestConnectTimeoutEndsASilentLogin(t *testing.T) {
	sv := servers(t)[0]
	p := newProxy(t, sv.addr, 10, true)
	cfg := sv.config()
	cfg.Address, cfg.ConnectTimeout = p.ln.Addr().String(), 100*time.Millisecond
	_, err := wire.Connect(t.Context(), cfg)
	var conn *wire.ConnError
	if !errors.As(err, &conn) || !conn.Timeout() || !errors.Is(err, context.DeadlineExceeded) || !conn.SafeToRetry() {
		t.Errorf("error %v", err)
	}
}

// waitFor polls until a query on admin returns want.
func waitFor(t *testing.T, admin *wire.Conn, query, want string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for one(t, admin, query) != want {
		select {
		case <-deadline:
			t.Fatalf("%s does not become %s", query, want)
		case <-tick.C:
		}
	}
}

// running is the query that counts the sleeping statements of a connection.
func running(c *wire.Conn) string {
	return fmt.Sprintf("SELECT COUNT(*) FROM information_schema.processlist WHERE id=%d AND info LIKE 'SELECT SLEEP%%'", c.ConnectionID())
}

func TestCancelEndsAStatementAtOnce(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		admin := connect(t, sv.config())
		for _, mode := range []wire.TLSMode{wire.TLSDisabled, wire.TLSRequired} {
			cfg := sv.config()
			cfg.TLSMode, cfg.TLS = mode, insecure
			c := connect(t, cfg)
			reason := errors.New("the operator stopped it")
			ctx, cancel := context.WithCancelCause(t.Context())
			result := make(chan error)
			go func() {
				_, err := c.Exec(ctx, "SELECT SLEEP(60)")
				result <- err
			}()
			waitFor(t, admin, running(c), "1")
			began := time.Now()
			cancel(reason)
			err := <-result
			var conn *wire.ConnError
			if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) || !errors.As(err, &conn) || conn.SafeToRetry() || conn.Timeout() {
				t.Errorf("error %v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if err := c.Ping(t.Context()); !errors.Is(err, wire.ErrClosed) || !errors.As(err, &conn) || !conn.SafeToRetry() {
				t.Errorf("ping after a cancelled statement: %v", err)
			}
			exec(t, admin, fmt.Sprintf("KILL %d", c.ConnectionID()))
		}
	})
}

func TestKilledStatementLeavesTheConnectionUsable(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		admin, c := connect(t, sv.config()), connect(t, sv.config())
		result := make(chan error)
		go func() {
			_, err := c.Exec(t.Context(), "SELECT SLEEP(60) FROM information_schema.character_sets")
			result <- err
		}()
		waitFor(t, admin, running(c), "1")
		exec(t, admin, fmt.Sprintf("KILL QUERY %d", c.ConnectionID()))
		var server *wire.ServerError
		if err := <-result; !errors.As(err, &server) || server.Code != 1317 || server.State != "70100" {
			t.Errorf("killed query: %v", err)
		}
		if got := one(t, c, "SELECT 'alive'"); got != "alive" {
			t.Errorf("after the kill: %q", got)
		}
		exec(t, admin, fmt.Sprintf("KILL %d", c.ConnectionID()))
		waitFor(t, admin, fmt.Sprintf("SELECT COUNT(*) FROM information_schema.processlist WHERE id=%d", c.ConnectionID()), "0")
		_, err := c.Exec(t.Context(), "SELECT 1")
		if err == nil {
			t.Error("a killed connection answered")
		}
		if _, err := c.Exec(t.Context(), "SELECT 1"); err == nil {
			t.Error("a killed connection answered the second time")
		}
	})
}

func TestMisuseIsRefusedBeforeAnythingIsSent(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		c := connect(t, sv.config())
		var conn *wire.ConnError
		done, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Ping(done); !errors.Is(err, context.Canceled) || !errors.As(err, &conn) || !conn.SafeToRetry() || c.Closed() {
			t.Errorf("cancelled before the request: %v", err)
		}
		rows, err := c.Query(t.Context(), "SELECT 1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Query(t.Context(), "SELECT 2"); !errors.Is(err, wire.ErrBusy) || !errors.As(err, &conn) || !conn.SafeToRetry() {
			t.Errorf("second statement beside unread rows: %v", err)
		}
		if err := rows.Close(t.Context()); err != nil {
			t.Error(err)
		}
		st, err := c.Prepare(t.Context(), "SELECT ?")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Execute(t.Context()); !errors.As(err, &conn) || !conn.SafeToRetry() || c.Closed() {
			t.Errorf("too few arguments: %v", err)
		}
		if got := one(t, c, "SELECT 3"); got != "3" {
			t.Errorf("after misuse: %q", got)
		}
		for range 2 {
			if err := c.Close(); err != nil {
				t.Errorf("closing twice: %v", err)
			}
		}
	})
}

func TestRowBeyondTheLimitIsRefused(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		cfg := sv.config()
		cfg.MaxAllowedPacket = 1 << 20
		for _, size := range []int{2 << 20, 20 << 20} {
			c := connect(t, cfg)
			rows, err := c.Query(t.Context(), fmt.Sprintf("SELECT REPEAT('x', %d)", size))
			if err == nil {
				_, err = drain(t, rows, 64<<10)
			}
			var violation *wire.ProtocolError
			if !errors.As(err, &violation) || !c.Closed() {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	})
}
