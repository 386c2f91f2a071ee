package store

import (
	"context"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
)

// steps make the store's tables: the first makes version 1, the next would make version 2 of it. A step that was released is never changed. Times are in
// microseconds since 1970, and 0 is none.
var steps = [][]string{{
	`CREATE TABLE @meta (version bigint NOT NULL)`,
	`INSERT INTO @meta VALUES (0)`,
	// body is the round's JSON, over which the chain begins. seq, head and at are the last entry's; until is 0 when the lease was released.
	`CREATE TABLE @rounds (
		id text NOT NULL PRIMARY KEY, place bigint NOT NULL UNIQUE, environment text NOT NULL, kind text NOT NULL, number bigint NOT NULL,
		began bigint NOT NULL, body text NOT NULL,
		seq bigint NOT NULL, head text NOT NULL, at bigint NOT NULL,
		who text NOT NULL, epoch bigint NOT NULL, since bigint NOT NULL, renewed bigint NOT NULL, lease bigint NOT NULL, until bigint NOT NULL,
		UNIQUE (environment, kind, number))`,
	`CREATE TABLE @entries (
		round text NOT NULL, seq bigint NOT NULL, at bigint NOT NULL, epoch bigint NOT NULL, event text NOT NULL, hash text NOT NULL,
		PRIMARY KEY (round, seq))`,
	`CREATE TABLE @signs (round text NOT NULL, name text NOT NULL, at bigint NOT NULL, body text NOT NULL, PRIMARY KEY (round, name))`,
	`CREATE TABLE @tokens (
		id text NOT NULL PRIMARY KEY, person text NOT NULL, hash text NOT NULL UNIQUE, created bigint NOT NULL, expires bigint NOT NULL, revoked bigint NOT NULL)`,
}}

// raise brings the tables from a version to this program's.
func raise(ctx context.Context, t *tx, from int64) error {
	for _, step := range steps[from:] {
		for _, q := range step {
			if err := t.exec(ctx, q); err != nil {
				return err
			}
		}
	}
	return t.exec(ctx, `UPDATE @meta SET version = $1`, len(steps))
}

// known refuses a store that a newer program made.
func known(place string, version int64) error {
	if version >= 0 && version <= int64(len(steps)) {
		return nil
	}
	return fault.New(fault.Unsupported, "open the journal at "+place,
		fmt.Errorf("its version is %d, and this program knows %d", version, len(steps)), "use the program that made it, or a newer one")
}
