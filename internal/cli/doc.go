// Package cli owns the face that a person and a script see: commands, flags, the
// configuration file, progress in its three renderings, errors and exit codes.
// It never talks to a server itself and never decides about data: it builds a
// migration, hands it a sink for events, and prints what comes back.
package cli
