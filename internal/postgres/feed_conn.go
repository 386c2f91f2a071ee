package postgres

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/postgres/logical"
)

const (
	// A message of this size or less is read without being copied.
	readBuffer = 256 << 10
	// A buffer that one huge value made larger than this is let go of when the value is done with.
	keepBuffer = 16 << 20
	// The server's own limit of a message.
	maxMessage = 1 << 30
	// quietTime is how long a feed waits before it says that nothing has come.
	quietTime = 3 * time.Second
	// slowestBeat is the longest time between two status updates.
	slowestBeat = 10 * time.Second
	// slotPoll is how often a slot in use is looked at.
	slotPoll = 100 * time.Millisecond
	// releaseTime is how long the server may take to notice that a connection has ended.
	releaseTime = 5 * time.Second
)

// replication is a connection that streams from a slot. One goroutine reads; status may be called by others too.
type replication struct {
	conn  net.Conn
	in    *intake
	r     *bufio.Reader // of in
	beat  time.Duration
	taken int    // bytes of r that the last message occupies
	large []byte // a message that r cannot hold, of need bytes, of which got have come
	need  int    // 0 when there is none
	got   int
	held  bool // large was returned and is in use

	filler sync.WaitGroup
	stop   func() // lets a filler go that waits for room

	received, flushed, end atomic.Uint64 // LSNs; end is the log's, 0 when it is not known

	mu     sync.Mutex // of what follows, and of writing
	out    []byte
	broken error
}

// replicate opens a connection that streams from a slot. An earlier connection that the server has not seen end yet is
// waited for, a little.
func (e *End) replicate(ctx context.Context, slot string, from logical.LSN) (*replication, error) {
	deadline := time.Now().Add(releaseTime)
	for {
		c, err := e.tryReplicate(ctx, slot, from)
		p := unwrapPg(err)
		if p == nil || p.Code != "55006" {
			return c, e.slotError(slot, err)
		}
		if time.Now().After(deadline) {
			return nil, e.slotBusy(ctx, slot, p)
		}
		if err := wait(ctx, slotPoll); err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (e *End) tryReplicate(ctx context.Context, slot string, from logical.LSN) (*replication, error) {
	cc := e.config.pool.ConnConfig.Config.Copy()
	var err error
	if cc.Password, err = e.config.password(ctx, cc.Password); err != nil {
		return nil, err
	}
	if cc.RuntimeParams["application_name"] == "" {
		cc.RuntimeParams["application_name"] = "bascule"
	}
	cc.RuntimeParams["replication"] = "database"
	cc.DialFunc = e.dial
	// It would ask by a prepared statement, which such a connection does not have.
	cc.ValidateConnect = nil
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = peerTimeout
	}
	pg, err := pgconn.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, err
	}
	timeout, err := setUpReplication(ctx, pg)
	if err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	// After a write that took long, pgconn may still have a reader at work, which would take the stream's first bytes.
	if err := pg.SyncConn(ctx); err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	h, err := pg.Hijack()
	if err != nil {
		return nil, err
	}
	c := &replication{conn: h.Conn, in: newIntake(), beat: slowestBeat}
	c.r = bufio.NewReaderSize(c.in, readBuffer)
	filling, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.filler.Go(func() { c.in.fill(filling, c.conn) })
	if timeout > 0 {
		c.beat = min(c.beat, timeout/3)
	}
	c.received.Store(uint64(from))
	if err := c.start(ctx, slot, from); err != nil {
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// setUpReplication makes the session as every other, and returns after how long without a word the server hangs up.
func setUpReplication(ctx context.Context, pg *pgconn.PgConn) (time.Duration, error) {
	// A receiver may take minutes over what it was given. Meanwhile its window is full, which Linux counts as
	// unacknowledged; whether the receiver lives is told by its status updates.
	const patient = "SELECT pg_catalog.set_config('tcp_user_timeout', '0', false);"
	rs, err := pg.Exec(ctx, session+patient+"SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'").ReadAll()
	if err != nil {
		return 0, err
	}
	rows := rs[len(rs)-1].Rows
	if len(rows) != 1 {
		return 0, errors.New("the server does not say what its wal_sender_timeout is")
	}
	return time.ParseDuration(string(rows[0][0]) + "ms")
}

// start sends START_REPLICATION and waits for the stream to begin.
func (c *replication) start(ctx context.Context, slot string, from logical.LSN) error {
	sql := fmt.Sprintf(`START_REPLICATION SLOT %s LOGICAL %s (proto_version '1', publication_names %s, binary 'true', messages 'true')`,
		quoteText(slot), from, literal(quoteText(slot)))
	out, err := (&pgproto3.Query{String: sql}).Encode(nil)
	if err != nil {
		return err
	}
	if err := c.write(out); err != nil {
		return err
	}
	for {
		kind, body, err := c.read(ctx)
		switch {
		case errors.Is(err, errQuiet):
		case err != nil:
			return err
		case kind == 'W': // CopyBothResponse
			return nil
		case kind == 'E':
			return serverSays(body)
		case kind != 'N' && kind != 'S':
			return fmt.Errorf("the server answers START_REPLICATION with a message of kind %q", kind)
		}
	}
}

func serverSays(body []byte) error {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return err
	}
	return pgconn.ErrorResponseToPgError(&m)
}

// header is a message's type byte and its length, which counts itself.
const header = 5

// size returns how many bytes the next message has, its type byte included; 0 while that is not known.
func (c *replication) size() (int, error) {
	if c.r.Buffered() < c.taken+header {
		return 0, nil
	}
	b, err := c.r.Peek(c.taken + header)
	if err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint32(b[c.taken+1:]))
	if n < 4 || n > maxMessage {
		return 0, fault.New(fault.Internal, "read from the server", fmt.Errorf("a message of kind %q says that it has %d bytes", b[c.taken], n), "")
	}
	return n + 1, nil
}

// ready reports whether the message behind the last one has arrived whole, or what makes reading it fail.
func (c *replication) ready() bool {
	if c.need > 0 && !c.held {
		return false
	}
	for {
		n, err := c.size()
		if err != nil || n > 0 && c.r.Buffered() >= c.taken+n {
			return true
		}
		if c.r.Buffered() == c.r.Size() { // the last message still takes up room
			return n > 0 && c.r.Buffered()+c.in.size() >= c.taken+n
		}
		if !c.in.waiting() {
			return false
		}
		if _, err := c.r.Peek(c.r.Buffered() + 1); err != nil {
			return true
		}
	}
}

// read returns the next message, which is valid until the next call. After errQuiet it may be called again, and goes on
// where it was.
func (c *replication) read(ctx context.Context) (kind byte, body []byte, err error) {
	if c.held {
		c.held, c.need, c.got = false, 0, 0
		if cap(c.large) > keepBuffer {
			c.large = nil
		}
	}
	if _, err := c.r.Discard(c.taken); err != nil {
		return 0, nil, err
	}
	c.taken = 0
	if !c.ready() {
		if err := c.await(ctx); err != nil {
			return 0, nil, err
		}
	}
	if c.need > 0 {
		c.held = true
		return c.large[0], c.large[header:c.need], nil
	}
	if c.taken, err = c.size(); err != nil {
		c.taken = 0
		return 0, nil, err
	}
	b, err := c.r.Peek(c.taken)
	if err != nil {
		return 0, nil, err
	}
	return b[0], b[header:], nil
}

// await reads from the network until a whole message is there, in the buffer or in c.large.
func (c *replication) await(ctx context.Context) error {
	for {
		err := c.fetch()
		if errors.Is(err, errQuiet) {
			if err = c.in.await(ctx); err == nil {
				continue
			}
			return err
		}
		return c.because(err)
	}
}

// fetch takes what was read of the next message. It returns errQuiet when that is not all.
func (c *replication) fetch() error {
	if c.need == 0 {
		if _, err := c.r.Peek(header); err != nil {
			return err
		}
		n, err := c.size()
		if err != nil {
			return err
		}
		if n <= c.r.Size() {
			_, err := c.r.Peek(n)
			return err
		}
		c.need = n
		c.large = slices.Grow(c.large[:0], n)[:n]
	}
	for c.got < c.need {
		m, err := c.r.Read(c.large[c.got:])
		c.got += m
		if err != nil {
			return err
		}
	}
	return nil
}

// because puts the reason why a connection broke before what reading from it says.
func (c *replication) because(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// write sends bytes, within peerTimeout. An error ends the connection: nobody knows how much was sent.
func (c *replication) write(out []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(peerTimeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(out)
	return err
}

// status tells the server how far the client is.
func (c *replication) status(reply bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	c.out = append(c.out[:0], 'd', 0, 0, 0, 0)
	c.out = logical.AppendStatus(c.out, logical.Status{
		Written: logical.LSN(c.received.Load()), Flushed: logical.LSN(c.flushed.Load()), Time: time.Now(), Reply: reply,
	})
	binary.BigEndian.PutUint32(c.out[1:], uint32(len(c.out)-1))
	if err := c.write(c.out); err != nil {
		c.broken = err
		_ = c.conn.Close()
	}
	return c.broken
}

// keepAlive tells the server that the client lives, whatever the reader does, and measures how far the log is. It
// returns the function that ends it.
func (c *replication) keepAlive(ctx context.Context, written func() (logical.LSN, error)) (stop func()) {
	var wg sync.WaitGroup
	measure := func() {
		l, err := written()
		if err != nil {
			l = 0
		}
		c.end.Store(uint64(l))
	}
	measure()
	wg.Go(func() {
		// Asking for an answer shows a quiet feed how far the server has read; its own keepalives may be off.
		for wait(ctx, min(c.beat, quietTime/2)) == nil {
			if c.status(true) != nil {
				return // the reader meets it too
			}
		}
	})
	wg.Go(func() {
		for wait(ctx, quietTime) == nil {
			measure()
		}
	})
	return wg.Wait
}

// close tells the server what was confirmed, and waits until the server has let go of the slot.
func (c *replication) close() {
	c.stop()
	c.hold()
	if c.status(false) == nil {
		c.mu.Lock()
		err := c.write([]byte{'X', 0, 0, 0, 4})
		c.mu.Unlock()
		if err == nil {
			// The connection ends when the server's process does. What comes before is of no use to anybody.
			_ = c.conn.SetReadDeadline(time.Now().Add(releaseTime))
			_, _ = io.Copy(io.Discard, c.conn)
		}
	}
	c.hangUp()
}

// hold ends the filler, which may be waiting for the network, and leaves the connection to the caller.
func (c *replication) hold() {
	_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	c.filler.Wait()
}

// hangUp ends the connection.
func (c *replication) hangUp() {
	c.stop()
	_ = c.conn.Close()
	c.filler.Wait()
}
