// Package fault owns the error that an operator meets: what was done, what went
// wrong, what to do next, and the class that decides the exit code and whether
// to try again. It never prints and never exits.
package fault

import "errors"

// Class sorts errors by what the operator, or the program, does about them.
type Class string

// The classes. The CLI maps each to a documented exit code.
const (
	// Internal is everything not foreseen: a bug, or a server answer never seen before.
	Internal Class = "internal"
	// Usage is a command line or configuration that cannot be carried out.
	Usage Class = "usage"
	// Connect is a server that cannot be reached, or a connection that broke. Trying
	// again may help.
	Connect Class = "connect"
	// Login is a refused user, password, certificate or database.
	Login Class = "login"
	// Privilege is a missing right; the hint holds the GRANT.
	Privilege Class = "privilege"
	// Unsupported is a server version, setting or type that cannot be handled.
	Unsupported Class = "unsupported"
	// Refused is work that would lose or overwrite something nobody named: losses,
	// a target that is not empty, a plan that changed.
	Refused Class = "refused"
	// Resource is a full disk, a limit, a timeout on the server's side.
	Resource Class = "resource"
	// Data is data that contradicts the plan, such as a duplicate key.
	Data Class = "data"
	// Busy is work that another process is doing: who, and since when, is in the error.
	Busy Class = "busy"
	// Ambiguous is a commit of which nobody knows whether it is durable, and on which everything depends. It is never tried again:
	// somebody has to look.
	Ambiguous Class = "ambiguous"
	// Difference is a verification that found differences.
	Difference Class = "difference"
)

// Error is an error with its class and the next step.
type Error struct {
	Class Class
	// Op says what was being done, bare verb first, with the object it was done to:
	// connect to mysql://app@db:3306/shop.
	Op  string
	Err error
	// Hint is the statement, setting or command that helps; may be empty.
	Hint string
}

// New returns an *Error. It returns nil when err is nil.
func New(class Class, op string, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Class: class, Op: op, Err: err, Hint: hint}
}

// Error returns the operation and its cause, without the hint.
func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of the outermost *Error in err's chain, or Internal.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Internal
}

// HintOf returns the first hint in err's chain, or an empty string.
func HintOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
