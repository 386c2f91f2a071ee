package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/bascule/bascule/internal/fault"
)

// A reach is how far a server's log was read, in its own files. A server that loses the end of its log (a crash, with sync_binlog other than 1) gives the
// GTIDs that it lost to other transactions: their numbers alone would say that those were read. Its files say otherwise, for they are shorter then.
type reach struct {
	mu   sync.Mutex
	file string
	off  uint64
}

// errLostEnd says that a server no longer has what was read of its log.
var errLostEnd = errors.New("it lost transactions that were committed")

// note remembers a place behind a transaction that was read.
func (r *reach) note(file string, off uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if file != "" && (r.file == "" || fileAfter(file, r.file) || file == r.file && off > r.off) {
		r.file, r.off = file, off
	}
}

// prove makes sure that the server still has all of its log that was read. What it has purged it once had.
func (r *reach) prove(ctx context.Context, from *reader) error {
	r.mu.Lock()
	file, off := r.file, r.off
	r.mu.Unlock()
	if file == "" {
		return nil
	}
	rows, err := from.rows(ctx, "SHOW BINARY LOGS") // Log_name, File_size, and more with the years
	if err != nil {
		return err
	}
	for _, row := range rows {
		size, err := strconv.ParseUint(row[1], 10, 64)
		if err != nil {
			return fmt.Errorf("read the size of %s: %w", row[0], err)
		}
		if row[0] == file && size < off {
			return fault.New(fault.Refused, "compare the logs", fmt.Errorf("%s of the source has %d bytes, and %d were read from it: %w", file, size, off, errLostEnd), lostHint)
		}
	}
	if n := len(rows); n > 0 && fileAfter(file, rows[n-1][0]) {
		return fault.New(fault.Refused, "compare the logs", fmt.Errorf("the source's log ends with %s, and %s was read: %w, or its log was reset", rows[n-1][0], file, errLostEnd), lostHint)
	}
	return nil
}
