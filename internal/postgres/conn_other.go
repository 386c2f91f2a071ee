//go:build !linux

package postgres

import (
	"net"
	"time"
)

// limitUnacknowledged does nothing where the kernel has no such option.
func limitUnacknowledged(net.Conn, time.Duration) {}
