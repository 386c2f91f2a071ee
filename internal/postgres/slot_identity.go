package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// identity is what the log holds of a table's old rows: pg_class.relreplident and, of an index, its name.
type identity struct {
	kind  string
	index schema.Name
}

// String returns the identity as bascule.object keeps it.
func (i identity) String() string { return i.kind + string(i.index) }

// sql is the end of ALTER TABLE ... REPLICA IDENTITY.
func (i identity) sql() string {
	switch i.kind {
	case "f":
		return "FULL"
	case "n":
		return "NOTHING"
	case "i":
		return "USING INDEX " + quote(i.index)
	default:
		return "DEFAULT"
	}
}

// logged is a table as far as it matters for what the log holds of it.
type logged struct {
	oid                  uint32
	kind, persistence    string
	now                  identity
	toast, parent, owned bool
	unique               []uniqueIndex
}

// uniqueIndex is an index that may be a replica identity.
type uniqueIndex struct {
	name    schema.Name
	primary bool
	columns []string
}

// covers reports whether the index holds every column of the key.
func (u uniqueIndex) covers(key []*schema.Column) bool {
	return len(key) > 0 && !slices.ContainsFunc(key, func(c *schema.Column) bool { return !slices.Contains(u.columns, string(c.Name)) })
}

// identify gives tables the replica identity that the way back needs, and notes which they had, each in a transaction of its
// own: locks of all of them together would be held for as long as the last one is waited for.
func (e *End) identify(ctx context.Context, r *change.Record, t change.Token, tables []*change.Select, p patience) error {
	for _, s := range tables {
		name := qualify(r.Schema, s.Table.Name)
		err := e.briefly(ctx, r, t, p, func(tx pgx.Tx) error { return e.identifyTable(ctx, tx, r, r.Schema, s.Table.Name, s.Key) })
		if err != nil {
			return e.fail("look after the replica identity of "+name, e.whoLocks(ctx, r.Schema, s.Table.Name, err))
		}
	}
	return nil
}

func (e *End) identifyTable(ctx context.Context, tx pgx.Tx, r *change.Record, in, table schema.Name, key []*schema.Column) error {
	l, err := logsOf(ctx, tx, in, table)
	if err != nil {
		return err
	}
	if err := l.followable(); err != nil {
		return err
	}
	want := l.wanted(key)
	if want == l.now {
		return nil
	}
	// The first is what it was before bascule came.
	_, err = tx.Exec(ctx, `INSERT INTO bascule.object (migration, kind, name, oid) SELECT $1, $2, $3, $4
		WHERE NOT EXISTS (SELECT FROM bascule.object WHERE migration = $1 AND oid = $4 AND kind LIKE 'identity %')`,
		r.ID, identityKind+l.now.String(), string(table), l.oid)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "ALTER TABLE "+qualify(in, table)+" REPLICA IDENTITY "+want.sql())
	return err
}

// identityKind begins the kind of bascule.object's entries that say which replica identity a table had.
const identityKind = "identity "

// logsOf reads what matters of one table.
func logsOf(ctx context.Context, tx pgx.Tx, in, table schema.Name) (*logged, error) {
	var l logged
	err := tx.QueryRow(ctx, `SELECT c.oid, relkind::text, relpersistence::text, relreplident::text, reltoastrelid <> 0,
			EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid), pg_has_role(relowner, 'USAGE')
		FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = $2`, string(in), string(table)).
		Scan(&l.oid, &l.kind, &l.persistence, &l.now.kind, &l.toast, &l.parent, &l.owned)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.Refused, "look at the table", errors.New("it is gone"), "")
	}
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT c.relname::text, i.indisprimary, i.indisreplident, k.columns
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid, LATERAL (
			SELECT array_agg(attname::text) AS columns, bool_and(attnotnull) AS filled FROM pg_attribute a
			WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) AS k
		WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND k.filled
		ORDER BY c.relname COLLATE "C"`, l.oid)
	if err != nil {
		return nil, err
	}
	var u uniqueIndex
	var current bool
	_, err = pgx.ForEachRow(rows, []any{&u.name, &u.primary, &current, &u.columns}, func() error {
		if current && l.now.kind == "i" {
			l.now.index = u.name
		}
		l.unique = append(l.unique, uniqueIndex{u.name, u.primary, slices.Clone(u.columns)})
		return nil
	})
	return &l, err
}

// followable refuses tables whose changes the log does not hold, or not under their name.
func (l *logged) followable() error {
	unsupported := func(what, do string) error {
		return fault.New(fault.Unsupported, "follow the table", errors.New(what), do)
	}
	switch {
	case l.kind != "r":
		return unsupported("it is partitioned, or no table", "make it a plain table, or exclude it")
	case l.persistence != "p":
		return unsupported("it is unlogged or temporary, so that its changes are not in the log", "ALTER TABLE ... SET LOGGED")
	case l.parent:
		return unsupported("other tables inherit from it: their changes come under their own names", "ALTER TABLE child NO INHERIT")
	case !l.owned:
		return fault.New(fault.Privilege, "publish the table", errors.New("only its owner may"), "connect as the owner, or GRANT the owning role")
	}
	return nil
}

// wanted is the replica identity that lets every row be found, and no large value be missing: only a table with a TOAST table can
// hold values outside of its rows, which an update that leaves them alone does not log. What already suffices stays.
func (l *logged) wanted(key []*schema.Column) identity {
	full := identity{kind: "f"}
	if l.now == full || l.toast || len(key) == 0 {
		return full
	}
	best := full
	for _, u := range l.unique {
		switch {
		case !u.covers(key):
		case l.now.kind == "i" && l.now.index == u.name, l.now.kind == "d" && u.primary:
			return l.now
		case u.primary:
			best = identity{kind: "d"}
		case best == full:
			best = identity{kind: "i", index: u.name}
		}
	}
	return best
}

// restoreIdentities gives tables back what they had.
func (e *End) restoreIdentities(ctx context.Context, r *change.Record, t change.Token) error {
	rows, err := e.control.Query(ctx, `SELECT substr(o.kind, length($2) + 1), o.oid, COALESCE(n.nspname::text, ''), COALESCE(c.relname::text, '')
		FROM bascule.object o LEFT JOIN pg_class c ON c.oid = o.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE o.migration = $1 AND o.kind LIKE $2 || '%' ORDER BY o.name`, r.ID, identityKind)
	if err != nil {
		return err
	}
	type noted struct {
		Was       string
		OID       uint32
		In, Table schema.Name
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[noted])
	if err != nil {
		return err
	}
	for _, n := range list {
		err := e.briefly(ctx, r, t, defaultPatience, func(tx pgx.Tx) error {
			if n.Table != "" {
				if err := e.restoreIdentity(ctx, tx, n.In, n.Table, n.Was); err != nil {
					return err
				}
			}
			_, err := tx.Exec(ctx, "DELETE FROM bascule.object WHERE migration = $1 AND oid = $2 AND kind LIKE $3 || '%'", r.ID, n.OID, identityKind)
			return err
		})
		if err != nil {
			return fmt.Errorf("give table %s its replica identity back: %w", qualify(n.In, n.Table), e.whoLocks(ctx, n.In, n.Table, err))
		}
	}
	return nil
}

func (e *End) restoreIdentity(ctx context.Context, tx pgx.Tx, in, table schema.Name, was string) error {
	l, err := logsOf(ctx, tx, in, table)
	if err != nil {
		return err
	}
	old := identity{kind: was[:1], index: schema.Name(was[1:])}
	if old.kind == "i" && !slices.ContainsFunc(l.unique, func(u uniqueIndex) bool { return u.name == old.index }) {
		e.log.WarnContext(ctx, "the index that was the replica identity is gone", "table", qualify(in, table), "index", string(old.index))
		old = identity{kind: "d"}
	}
	if old == l.now {
		return nil
	}
	_, err = tx.Exec(ctx, "ALTER TABLE "+qualify(in, table)+" REPLICA IDENTITY "+old.sql())
	return err
}

// whoLocks adds to a lock that was waited for in vain who holds it.
func (e *End) whoLocks(ctx context.Context, in, table schema.Name, err error) error {
	p := unwrapPg(err)
	if p == nil || p.Code != "55P03" {
		return err
	}
	rows, qerr := e.control.Query(ctx, `SELECT DISTINCT 'process ' || l.pid || ' of ' || COALESCE(a.usename, '?')
			|| COALESCE(' (' || NULLIF(a.application_name, '') || ')', '') || COALESCE(', for ' || date_trunc('second', clock_timestamp() - a.xact_start), '')
		FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE l.locktype = 'relation' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND l.pid <> pg_backend_pid() AND n.nspname = $1 AND c.relname = $2`, string(in), string(table))
	if qerr != nil {
		return errors.Join(err, qerr)
	}
	who, qerr := pgx.CollectRows(rows, pgx.RowTo[string])
	if qerr != nil || len(who) == 0 {
		return errors.Join(err, qerr)
	}
	return fault.New(fault.Resource, "lock "+qualify(in, table), fmt.Errorf("others hold it: %s", strings.Join(who, "; ")),
		"let them end, or SELECT pg_terminate_backend(pid), then run the same command again")
}
