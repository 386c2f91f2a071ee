package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// identityGap is how much further than needed a counter of keys is put. The other side's counter says what it would hand out next, but not
// what it has handed out to sessions that keep numbers in store, and an application may still hold keys of rows that were rolled back
// or deleted there. Numbers that nobody ever saw cost nothing.
const identityGap = 1000

// reservedGap is how much further than that a counter is put in advance, for rows that still come; of the numbers that are left a
// thousandth at most.
const reservedGap = 50_000

var (
	_ change.Reserver = (*End)(nil)
	_ change.Openable = (*End)(nil)
	_ change.Opening  = (*opening)(nil)
)

// opening implements change.Opening.
type opening struct {
	e      *End
	record *change.Record
	db     *schema.Database
}

// Opening returns the opening of a migration; db describes its tables.
func (e *End) Opening(r *change.Record, db *schema.Database) change.Opening {
	return &opening{e: e, record: r, db: db}
}

// Prepare makes the saved triggers again and puts the counters of keys behind everything. Foreign keys are live for all but the
// applier. The events stay off until the fence is lowered.
func (o *opening) Prepare(ctx context.Context, t change.Token, next map[schema.Name]uint64) error {
	for n := range next {
		if o.db.Table(n) == nil {
			return fmt.Errorf("prepare %s: there is no table %q whose keys could be counted", o.e.cfg.label(), n)
		}
	}
	return o.e.guarded(ctx, o.record, t, "prepare "+o.e.cfg.label()+" for the application", func(ctx context.Context, w *reader) error {
		if err := o.e.restoreTriggers(ctx, w, o.record); err != nil {
			return err
		}
		return o.e.explain("put the counters of keys behind the keys", o.count(ctx, w, next, 0))
	})
}

// Reserve implements change.Reserver: every ALTER TABLE costs the server some writes to the disk.
func (e *End) Reserve(ctx context.Context, r *change.Record, t change.Token, db *schema.Database, next map[schema.Name]uint64) error {
	o := opening{e, r, db}
	return e.guarded(ctx, r, t, "reserve keys of "+e.cfg.label(), func(ctx context.Context, w *reader) error {
		return e.explain("put the counters of keys ahead", o.count(ctx, w, next, reservedGap))
	})
}

// count raises each table's counter to a gap behind the highest key and behind what the other side would hand out next, and further by more where there
// is room. It takes the highest key, not the counter, so that it does the same each time that it is repeated; a counter that is further already stays.
func (o *opening) count(ctx context.Context, w *reader, next map[schema.Name]uint64, more uint64) error {
	have, err := w.identities(ctx, o.db)
	if err != nil {
		return err
	}
	if err := w.exec(ctx, "SET SESSION lock_wait_timeout = "+fenceLockWait); err != nil {
		return err
	}
	due := map[schema.Name]uint64{}
	for _, t := range o.db.Tables {
		c := identityOf(t)
		if c == nil {
			continue
		}
		row, err := w.row(ctx, fmt.Sprintf("SELECT CAST(GREATEST(COALESCE(MAX(%s), 0), 0) AS UNSIGNED) FROM %s.%s", quote(c.Name), quote(o.db.Name), quote(t.Name)))
		if err != nil {
			return err
		}
		highest, err := strconv.ParseUint(row[0], 10, 64)
		if err != nil {
			return fmt.Errorf("read the highest key %q of %s: %w", row[0], t.Name, err)
		}
		limit := identityLimit(c)
		to := min(ahead(max(ahead(highest, 1), next[t.Name]), identityGap), limit)
		if to += min(more, (limit-to)/1000); have[t.Name] >= to {
			continue
		}
		due[t.Name] = to
		err = w.exec(ctx, fmt.Sprintf("ALTER TABLE %s.%s AUTO_INCREMENT = %d", quote(o.db.Name), quote(t.Name), to))
		if err != nil {
			return o.e.explainWrite("raise the counter of "+string(t.Name), err, "ALTER", quote(o.db.Name)+".*")
		}
	}
	if have, err = w.identities(ctx, o.db); err != nil {
		return err
	}
	for name, to := range due {
		if have[name] < to {
			return fmt.Errorf("the server took %d for the counter of %s and shows %d", to, name, have[name])
		}
	}
	return nil
}

// ahead is n+by, or the highest number there is.
func ahead(n, by uint64) uint64 {
	if n > math.MaxUint64-by {
		return math.MaxUint64
	}
	return n + by
}

// identityOf is the column that the server numbers, or nil.
func identityOf(t *schema.Table) *schema.Column {
	for _, c := range t.Columns {
		if c.Identity {
			return c
		}
	}
	return nil
}

// identityLimit is the highest number that the column holds: a counter beyond it would let no row in at all.
func identityLimit(c *schema.Column) uint64 {
	switch t := c.Type.(type) {
	case schema.Int:
		if t.Unsigned {
			return math.MaxUint64 >> (64 - t.Bits)
		}
		return math.MaxUint64 >> (64 - t.Bits + 1)
	case schema.Float: // what it tells apart
		if t.Bits == 32 {
			return 1 << 24
		}
		return 1 << 53
	}
	return math.MaxInt64
}

// NextIdentities returns, for each table of db that hands out keys, the next one that it would hand out.
func (e *End) NextIdentities(ctx context.Context, _ *change.Record, db *schema.Database) (next map[schema.Name]uint64, err error) {
	err = e.withReader(ctx, func(ctx context.Context, r *reader) (err error) {
		next, err = r.identities(ctx, db)
		return err
	})
	return next, e.explain("read the counters of keys", err)
}

// identities reads the counters as they are: what every session sets keeps MySQL 8 from answering out of its statistics.
func (r *reader) identities(ctx context.Context, db *schema.Database) (map[schema.Name]uint64, error) {
	rows, err := r.rows(ctx, "SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+quoteString(string(db.Name)))
	if err != nil {
		return nil, err
	}
	shown := map[schema.Name]string{}
	for _, v := range rows {
		shown[schema.Name(v[0])] = v[1]
	}
	next := map[schema.Name]uint64{}
	for _, t := range db.Tables {
		if identityOf(t) == nil {
			continue
		}
		text, there := shown[t.Name]
		if !there {
			return nil, fault.New(fault.Refused, "read the counter of "+string(t.Name), errors.New("there is no such table"), "it is gone since it was inspected")
		}
		if text == "" { // MySQL, as long as the table never had a row
			text = "1"
		}
		if next[t.Name], err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, fmt.Errorf("read the counter %q of %s: %w", text, t.Name, err)
		}
	}
	return next, nil
}

// Restore saves and drops the triggers and disables the events.
func (o *opening) Restore(ctx context.Context, t change.Token) error {
	return o.e.guarded(ctx, o.record, t, "make "+o.e.cfg.label()+" passive", func(ctx context.Context, w *reader) error {
		var tables []schema.Name
		for _, t := range o.db.Tables {
			tables = append(tables, t.Name)
		}
		if err := o.e.saveTriggers(ctx, w, o.record, tables); err != nil {
			return err
		}
		return o.e.disableEvents(ctx, w, o.record)
	})
}

// Validate looks for rows without the parent that a foreign key wants: nobody looked while changes were applied. It shows the token
// and holds nobody up meanwhile, since it only reads.
func (o *opening) Validate(ctx context.Context, t change.Token) error {
	op := "look at the foreign keys of " + o.e.cfg.label()
	if err := o.e.guarded(ctx, o.record, t, op, func(context.Context, *reader) error { return nil }); err != nil {
		return err
	}
	var found []error
	for _, t := range o.db.Tables {
		for _, fk := range t.ForeignKeys {
			n, err := o.orphans(ctx, t, fk)
			if err != nil {
				return o.e.explain(op+": "+string(fk.Name), err)
			}
			if n > 0 {
				found = append(found, fmt.Errorf("%s: %d rows have no parent in %s (foreign key %s)", t.Name, n, fk.Parent, fk.Name))
			}
		}
	}
	return fault.New(fault.Difference, op, errors.Join(found...), "the other side allowed them: add the parents, or remove the rows")
}

// orphans counts the rows of a table whose parent is missing. A key with a NULL in it wants none.
func (o *opening) orphans(ctx context.Context, t *schema.Table, fk *schema.ForeignKey) (n int64, err error) {
	in := fk.ParentSchema
	if in == "" {
		in = o.db.Name
	}
	var set, same []string
	for i, c := range fk.Columns {
		set = append(set, "c."+quote(c)+" IS NOT NULL")
		same = append(same, "p."+quote(fk.ParentColumns[i])+" = c."+quote(c))
	}
	query := fmt.Sprintf("SELECT COUNT(*) FROM %s.%s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s.%s p WHERE %s)",
		quote(o.db.Name), quote(t.Name), strings.Join(set, " AND "), quote(in), quote(fk.Parent), strings.Join(same, " AND "))
	err = o.e.scan(ctx, func(ctx context.Context, c *sql.Conn) error { return c.QueryRowContext(ctx, query).Scan(&n) })
	return n, err
}
