package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/postgres/logical"
	"github.com/bascule/bascule/internal/schema"
)

// followed is a table of a feed: how it must look in the stream.
type followed struct {
	sel   *change.Select
	name  string   // schema.table, quoted
	types []uint32 // OIDs of sel.Columns
}

// followed looks up what the tables' columns are called and typed in the stream, and that all are in the publication.
func (e *End) followed(ctx context.Context, r *change.Record, tables []*change.Select) (map[string]*followed, error) {
	var names []string
	render := renderer{schema: r.Schema}
	for _, t := range tables {
		for _, c := range t.Columns {
			names = append(names, render.typeName(c.Type))
		}
	}
	var published []string
	var oids []*uint32
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT ARRAY(SELECT tablename::text FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2)",
			slotName(r), string(r.Schema)).Scan(&published)
		if err != nil {
			return err
		}
		if err := runStatement(ctx, tx, ""); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT ARRAY(SELECT to_regtype(n)::oid FROM unnest($1::text[]) WITH ORDINALITY AS u(n, i) ORDER BY i)", names).Scan(&oids)
	})
	if err != nil {
		return nil, err
	}
	out := map[string]*followed{}
	for _, t := range tables {
		name := string(t.Table.Name)
		f := &followed{sel: t, name: qualify(r.Schema, t.Table.Name)}
		if !slices.Contains(published, name) {
			return nil, fault.New(fault.Refused, "follow table "+f.name, fmt.Errorf("publication %s does not hold it", slotName(r)), rearm)
		}
		for _, c := range t.Columns {
			if oids[0] == nil {
				return nil, fault.New(fault.Refused, "follow table "+f.name,
					fmt.Errorf("column %s: there is no type %s in the database", quote(c.Name), names[0]), "")
			}
			f.types = append(f.types, *oids[0])
			oids, names = oids[1:], names[1:]
		}
		out[name] = f
	}
	return out, nil
}

// relation is a table as the stream describes it.
type relation struct {
	mark  bool // the ledger's own table, whose change says that bascule made the transaction
	table *followed
	// to are the positions of the columns in a row of the feed, -1 for those that do not travel.
	to []int
	// identity says which columns the old row holds where it is not full; key which of them identify it, by position.
	identity []bool
	key      []bool
	full     bool
}

// describe notes what a table looks like from here on, and refuses what is not as it was planned.
func (f *feed) describe(m *logical.Relation) error {
	if f.relations == nil {
		f.relations = map[uint32]*relation{}
	}
	if m.Schema == "bascule" && m.Name == "apply" {
		f.relations[m.ID] = &relation{mark: true}
		return nil
	}
	t := f.targets[m.Name]
	if t == nil || t.name != qualify(schema.Name(m.Schema), schema.Name(m.Name)) {
		return fault.New(fault.Refused, fmt.Sprintf("follow table %s.%s", quoteText(m.Schema), quoteText(m.Name)),
			fmt.Errorf("its changes are in publication %s, but it is none of those that are followed", f.slot),
			"if it was renamed, rename it back; if somebody added it, ALTER PUBLICATION "+quoteText(f.slot)+" DROP TABLE it")
	}
	r, err := t.relation(m)
	if err != nil {
		return err
	}
	f.relations[m.ID] = r
	return nil
}

// relation compares a table with what was planned.
func (t *followed) relation(m *logical.Relation) (*relation, error) {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Refused, "follow table "+t.name, fmt.Errorf(format, args...),
			"the table was altered while it was followed: undo that, or give up the way back and make it anew")
	}
	columns := t.sel.Columns
	r := &relation{table: t, full: m.Identity == logical.IdentityFull, key: make([]bool, len(columns))}
	seen := make([]bool, len(columns))
	for _, c := range m.Columns {
		i := slices.IndexFunc(columns, func(s *schema.Column) bool { return string(s.Name) == c.Name })
		r.to, r.identity = append(r.to, i), append(r.identity, c.Key)
		switch {
		case i < 0 && t.sel.Table.Column(schema.Name(c.Name)) == nil:
			return nil, refuse("column %s has come to it", quoteText(c.Name))
		case i < 0:
		case c.Type != t.types[i]:
			return nil, refuse("column %s now has another type: OID %d, not %d", quoteText(c.Name), c.Type, t.types[i])
		default:
			seen[i] = true
			r.key[i] = c.Key && slices.ContainsFunc(t.sel.Key, func(k *schema.Column) bool { return string(k.Name) == c.Name })
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		return nil, refuse("column %s is gone, or generated now", quote(columns[i].Name))
	}
	if r.full {
		return r, nil
	}
	for _, k := range t.sel.Key {
		i := slices.IndexFunc(columns, func(c *schema.Column) bool { return c.Name == k.Name })
		if i < 0 || !r.key[i] {
			return nil, t.identify(fmt.Errorf("its replica identity does not hold column %s, by which rows are found", quote(k.Name)))
		}
	}
	if len(t.sel.Key) == 0 {
		return nil, t.identify(errors.New("it has no key, and its replica identity is not FULL"))
	}
	return r, nil
}

// identify is the error of a table whose old rows are not in the log.
func (t *followed) identify(err error) error {
	return fault.New(fault.Refused, "follow table "+t.name, err, "ALTER TABLE "+t.name+" REPLICA IDENTITY FULL; "+
		"what was written before is not in the log: give up the way back and make it anew")
}

// append adds a change to rows.
func (r *relation) append(rows *change.Rows, c *logical.Change) error {
	for _, tuple := range [][]logical.Value{c.Old, c.New} {
		if tuple != nil && len(tuple) != len(r.to) {
			return fault.New(fault.Internal, "read table "+r.table.name, fmt.Errorf("a row has %d columns, its description %d", len(tuple), len(r.to)), "")
		}
	}
	if rows.Op != change.Insert {
		if err := r.appendOld(&rows.Old, c); err != nil {
			return err
		}
	}
	if rows.Op == change.Delete {
		return nil
	}
	spans := grow(&rows.New)
	for i, v := range c.New {
		if r.to[i] < 0 {
			continue
		}
		if v.Kind == logical.ValueUnchanged && c.Old != nil && (!c.OldKey || r.identity[i]) {
			v = c.Old[i]
		}
		if err := r.put(&rows.New, &spans[r.to[i]], i, v); err != nil {
			return err
		}
	}
	return nil
}

// appendOld adds the row before: whole, or only its key.
func (r *relation) appendOld(b *change.Batch, c *logical.Change) error {
	from := c.Old
	switch {
	case r.full && (c.Old == nil || c.OldKey), !r.full && c.Old != nil && !c.OldKey, c.Old == nil && c.New == nil:
		return r.table.identify(errors.New("the row as it was before is not as its replica identity promises"))
	case c.Old == nil:
		from = c.New // the key did not change
	}
	spans := grow(b)
	for i, v := range from {
		to := r.to[i]
		if to < 0 || !r.full && !r.key[to] {
			continue
		}
		if err := r.put(b, &spans[to], i, v); err != nil {
			return err
		}
	}
	return nil
}

// grow adds a row of NULLs and returns its spans.
func grow(b *change.Batch) []change.Span {
	for range b.Columns {
		b.Spans = append(b.Spans, change.Span{Len: change.NullLen})
	}
	b.Rows++
	return b.Row(b.Rows - 1)
}

// put adds the value of the i-th column.
func (r *relation) put(b *change.Batch, s *change.Span, i int, v logical.Value) error {
	switch v.Kind {
	case logical.ValueNull:
		return nil
	case logical.ValueBinary:
		*s = change.Span{Off: uint32(len(b.Data)), Len: uint32(len(v.Data))}
		b.Data = append(b.Data, v.Data...)
		return nil
	case logical.ValueUnchanged:
		return r.table.identify(fmt.Errorf("an update left the large value of column %s alone, so that it is not in the log", r.column(i)))
	default:
		return fault.New(fault.Unsupported, "follow table "+r.table.name,
			fmt.Errorf("the type of column %s has no binary form", r.column(i)), "exclude the table, or give the column another type")
	}
}

func (r *relation) column(i int) string { return quote(r.table.sel.Columns[r.to[i]].Name) }
