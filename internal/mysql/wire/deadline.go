package wire

import (
	"context"
	"net"
	"sync"
	"time"
)

// A deadline owns the deadlines of one socket. Two parties set them: the reader and the writer before each call, for the
// timeouts of the configuration, and a cancelled context, which must win. Safe for concurrent use.
type deadline struct {
	nc          net.Conn
	read, write time.Duration

	mu        sync.Mutex
	cancelled bool
}

// longAgo is a deadline that has passed: it ends a blocked call at once.
var longAgo = time.Unix(1, 0)

// watch ends blocked and future calls when ctx is done. The function that it returns must be called when the operation is
// over; it takes the watch off and, had it struck, makes the socket usable again.
func (d *deadline) watch(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	struck := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(struck)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.cancelled = true
		_ = d.nc.SetDeadline(longAgo) // fails on a closed socket, which blocks nobody
	})
	return func() {
		if unwatch() {
			return
		}
		<-struck
		d.mu.Lock()
		defer d.mu.Unlock()
		d.cancelled = false
		_ = d.nc.SetDeadline(time.Time{}) // as above
	}
}

func (d *deadline) arm(timeout time.Duration, set func(time.Time) error) {
	if timeout <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.cancelled {
		_ = set(time.Now().Add(timeout)) // fails on a closed socket, as the call that follows does
	}
}

// A timedConn applies the configured timeouts to every single read and write: a server that keeps sending may take as long
// as it needs.
type timedConn struct {
	nc net.Conn
	dl *deadline
}

func (t timedConn) Read(p []byte) (int, error) {
	t.dl.arm(t.dl.read, t.nc.SetReadDeadline)
	return t.nc.Read(p)
}

func (t timedConn) Write(p []byte) (int, error) {
	t.dl.arm(t.dl.write, t.nc.SetWriteDeadline)
	return t.nc.Write(p)
}
