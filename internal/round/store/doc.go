// Package store owns the journal of rounds on disk: SQLite for one machine, PostgreSQL for a team. It appends and never changes an entry, chains them by
// their hashes, and lets one driver at a time write a round. It never decides what an event makes of a round, and keeps no secret.
package store
