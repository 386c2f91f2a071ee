// Package crashtest owns the proof that a copy survives SIGKILL: of bascule's own
// processes, of the source server and of the target server, at random points, with
// the same command run again. It is tests only; it never runs against a server
// that it did not start.
package crashtest
