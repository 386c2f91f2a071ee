// Package crashtest owns the proof that a copy and a follow survive SIGKILL: of bascule's own
// processes, of the source server and of the target server, at random points, with
// the same command run again, and while clients write to the source. It is tests only; it never runs against a server
// that it did not start.
package crashtest
