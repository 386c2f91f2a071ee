package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
)

var (
	// ErrClosed says that the connection was closed, by Close or by an earlier ConnError. It arrives wrapped.
	ErrClosed = errors.New("connection is closed")
	// ErrBusy says that rows of an earlier statement were not read to their end. It arrives wrapped.
	ErrBusy = errors.New("connection still has unread rows")
)

// ServerError is an error that the server reported in an ERR packet. The connection stays usable unless the server
// closed it, which the next request then finds.
type ServerError struct {
	// Code is the server's error number, for example 1045 for access denied.
	Code uint16
	// State is the five-character SQLSTATE, "HY000" where the server sent none.
	State string
	// Message is the server's own text.
	Message string
}

// Error gives the message in the form of the servers' own clients.
func (e *ServerError) Error() string {
	return fmt.Sprintf("server error %d (%s): %s", e.Code, e.State, e.Message)
}

// ProtocolError says that the server sent bytes that do not follow the protocol, or a payload beyond the agreed limit.
type ProtocolError struct {
	// What names the packet or the field and what is wrong with it.
	What string
}

// Error describes the violation.
func (e *ProtocolError) Error() string { return "protocol violation: " + e.What }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{What: fmt.Sprintf(format, args...)}
}

// ConnError is a failure of the connection itself: refused, lost, timed out, cancelled, or out of step with the protocol.
// The connection is closed when one is returned, except where the request was refused before anything was sent.
type ConnError struct {
	// Op is what was being done, for example "connect to db:3306" or "read rows".
	Op string
	// Err is the cause; for a cancelled context it wraps both the context's error and its cause.
	Err error
	// Hint is what an operator can do about it, or empty.
	Hint string

	sent bool
}

// Error gives operation, cause and hint in one line.
func (e *ConnError) Error() string {
	if e.Hint != "" {
		return fmt.Sprintf("%s: %v (%s)", e.Op, e.Err, e.Hint)
	}
	return fmt.Sprintf("%s: %v", e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *ConnError) Unwrap() error { return e.Err }

// SafeToRetry reports whether the same request may be sent again on another connection without running twice: true only
// if no byte of it left this process.
func (e *ConnError) SafeToRetry() bool { return !e.sent }

// Timeout reports whether a timeout of [Config] or a context's deadline ended the operation, rather than a cancellation
// or a failure.
func (e *ConnError) Timeout() bool {
	if errors.Is(e.Err, context.Canceled) {
		return false
	}
	return errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, context.DeadlineExceeded)
}

// contextError joins a finished context's error with its cause, so that errors.Is finds either.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
