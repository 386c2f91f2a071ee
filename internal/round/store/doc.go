// Package store owns the journal of rounds on disk: SQLite for one machine, PostgreSQL for a team. It appends and never changes an entry, chains them by
// their hashes, and lets one driver at a time write a round. It never decides what an event makes of a round, and keeps no secret.
//
// Whatever it has acknowledged survives a crash of the program and of the machine, save for signs of life. All times are the store's own: PostgreSQL's
// clock, or, with SQLite, the machine's. They are kept to the microsecond. See Store.Claim for what a clock that jumps does to a lease.
package store
