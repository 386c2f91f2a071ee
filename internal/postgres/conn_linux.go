package postgres

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// limitUnacknowledged has the kernel break the connection when sent bytes stay
// unacknowledged for d: keepalives do not run while data is in flight. Failing to
// set it leaves the kernel's default of about 15 minutes, so errors are ignored.
func limitUnacknowledged(c net.Conn, d time.Duration) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
