package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// attribute is a column of the server's table, dropped ones left out.
type attribute struct {
	name    schema.Name
	num     int16
	typ     uint32
	notNull bool
	// collation is its SQL name, empty for types without one; deterministic tells whether equal means
	// the same bytes.
	collation     string
	deterministic bool
	enum          bool
	spelling      string // of the type
	// at is its position in Into.Columns, -1 when it does not travel.
	at int
}

// shape is what the server's catalog says of a replica, and what follows from it.
type shape struct {
	*change.Replica
	name  string
	oid   uint32
	row   uint32 // the type of its rows
	attrs []attribute
	// indexed says that an index begins with the key's columns; inPlace that the key is unique and that an
	// update can be told from one that must be a delete and an insert: unique are the columns that it must not change.
	indexed, inPlace bool
	unique           []int // attributes
	// probe are NOT NULL attributes that indexes begin with, for tables without a key.
	probe []int
	sql   *statements
}

// statements are those of a shape, by what they do. Lanes share them.
type statements struct {
	mu  sync.Mutex
	sql map[string]string
}

const attributesSQL = `SELECT c.relname::text, c.oid, c.relkind::text, c.reltype, row_security_active(c.oid),
	a.attname::text, a.attnum, a.atttypid, a.attnotnull,
	COALESCE(quote_ident(cn.nspname) || '.' || quote_ident(co.collname), ''), COALESCE(co.collisdeterministic, true),
	at.typtype = 'e', format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type at ON at.oid = a.atttypid
LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE n.nspname = $1 AND c.relname = ANY($2) ORDER BY c.relname, a.attnum`

// indexesSQL gives, an index each: its columns (0 for an expression), and whether it can be reasoned about by
// them: all of them under the columns' own collations, complete, checked at once.
const indexesSQL = `SELECT indrelid, indkey::int2[], indnkeyatts, indisunique OR indisexclusion, indisvalid AND amname = 'btree',
	indpred IS NULL AND indexprs IS NULL AND NOT indisexclusion AND indimmediate AND NOT EXISTS (
		SELECT FROM unnest(indkey::int2[], indcollation::oid[]) AS k(num, coll) JOIN pg_attribute a ON attrelid = indrelid AND attnum = num
		WHERE coll <> 0 AND coll <> attcollation)
FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_am ON pg_am.oid = i.relam
WHERE indislive AND indrelid = ANY($1) ORDER BY indexrelid`

// look reads the shapes of all tables and refuses when something is live on them.
func (s *applier) look(ctx context.Context, q querier) error {
	shapes, err := s.readShapes(ctx, q)
	if err != nil {
		return err
	}
	oids := make([]uint32, 0, len(shapes))
	for _, h := range shapes {
		oids = append(oids, h.oid)
	}
	if err := readIndexes(ctx, q, shapes, oids); err != nil {
		return err
	}
	if err := s.assertPassive(ctx, q, oids); err != nil {
		return err
	}
	if err := q.QueryRow(ctx, uniquesSQL, oids).Scan(&s.uniques); err != nil {
		return err
	}
	for t, h := range shapes {
		if err := h.check(); err != nil {
			return err
		}
		// Statements are kept as long as what they were made of.
		if old := s.shapes[t]; old != nil && old.same(h) {
			h.sql = old.sql
		}
	}
	s.shapes, s.looked = shapes, time.Now()
	return nil
}

const uniquesSQL = "SELECT count(*)::int FROM pg_index WHERE indrelid = ANY($1) AND indislive AND (indisunique OR indisexclusion)"

// outdated reports whether the tables have other unique indexes than when they were looked at: then a violation only says that a
// row was changed in place which had to be deleted first.
func (x *applyTx) outdated(ctx context.Context) bool {
	var oids []uint32
	for _, h := range x.shapes {
		oids = append(oids, h.oid)
	}
	var now int
	err := x.end.control.QueryRow(ctx, uniquesSQL, oids).Scan(&now)
	return err == nil && now != x.uniques
}

func (h *shape) same(o *shape) bool {
	return h.oid == o.oid && h.indexed == o.indexed && h.inPlace == o.inPlace && slices.Equal(h.unique, o.unique) &&
		slices.Equal(h.probe, o.probe) && slices.Equal(h.attrs, o.attrs)
}

func (s *applier) readShapes(ctx context.Context, q querier) (map[*change.Replica]*shape, error) {
	var names []string
	for _, t := range s.tables {
		names = append(names, string(t.Into.Table))
	}
	rows, err := q.Query(ctx, attributesSQL, string(s.schema), names)
	if err != nil {
		return nil, err
	}
	byName := map[schema.Name]*shape{}
	var (
		table    schema.Name
		kind     string
		security bool
		h        shape
		a        attribute
	)
	_, err = pgx.ForEachRow(rows, []any{&table, &h.oid, &kind, &h.row, &security, &a.name, &a.num, &a.typ, &a.notNull, &a.collation, &a.deterministic, &a.enum, &a.spelling}, func() error {
		if kind != "r" {
			return fault.New(fault.Unsupported, fmt.Sprintf("apply changes to %s.%s", s.schema, table), fmt.Errorf("it is not an ordinary table (relkind %s)", kind), "let bascule db copy make it")
		}
		if security {
			return fault.New(fault.Refused, fmt.Sprintf("apply changes to %s.%s", s.schema, table),
				fmt.Errorf("row security is active for this role: rows could be hidden"), "connect as the table's owner")
		}
		if byName[table] == nil {
			n := h
			n.name = qualify(s.schema, table)
			byName[table] = &n
		}
		byName[table].attrs = append(byName[table].attrs, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	shapes := map[*change.Replica]*shape{}
	for _, t := range s.tables {
		known := byName[t.Into.Table]
		if known == nil {
			return nil, fault.New(fault.Refused, fmt.Sprintf("apply changes to %s.%s", s.schema, t.Into.Table),
				fmt.Errorf("there is no such table"), "somebody dropped or renamed it: run bascule db status")
		}
		own := *known
		own.Replica, own.sql = t, &statements{sql: map[string]string{}}
		own.attrs = slices.Clone(known.attrs)
		for j := range own.attrs {
			own.attrs[j].at = slices.Index(t.Into.Columns, own.attrs[j].name)
		}
		shapes[t] = &own
	}
	return shapes, nil
}

// check refuses a replica that does not fit its table.
func (h *shape) check() error {
	op := "apply changes to " + h.name
	if len(h.Into.Columns) != len(h.Into.Codecs) {
		return fmt.Errorf("%s: %d columns, %d codecs", op, len(h.Into.Columns), len(h.Into.Codecs))
	}
	for i, c := range h.Into.Columns {
		if h.attribute(i) < 0 {
			return fault.New(fault.Refused, op, fmt.Errorf("it has no column %s", quote(c)), "somebody altered the table: undo that, or drop and copy it again")
		}
	}
	for _, a := range h.Actions {
		if a.OnDelete == schema.SetDefault || a.OnUpdate == schema.SetDefault {
			return fault.New(fault.Unsupported, op, fmt.Errorf("a foreign key of %s has the action SET DEFAULT, which no source carries out", a.Child.Into.Table), "")
		}
	}
	return nil
}

// attribute returns where a column of Into stands in attrs, or -1.
func (h *shape) attribute(at int) int {
	return slices.IndexFunc(h.attrs, func(a attribute) bool { return a.at == at })
}

func readIndexes(ctx context.Context, q querier, shapes map[*change.Replica]*shape, oids []uint32) error {
	rows, err := q.Query(ctx, indexesSQL, oids)
	if err != nil {
		return err
	}
	var x tableIndex
	indexes := map[uint32][]tableIndex{}
	_, err = pgx.ForEachRow(rows, []any{&x.table, &x.columns, &x.keys, &x.unique, &x.usable, &x.plain}, func() error {
		n := x
		n.columns = slices.Clone(x.columns[:x.keys])
		indexes[x.table] = append(indexes[x.table], n)
		return nil
	})
	if err != nil {
		return err
	}
	for _, h := range shapes {
		h.judge(indexes[h.oid])
	}
	return nil
}

// tableIndex is a row of indexesSQL.
type tableIndex struct {
	table                 uint32
	columns               []int16
	keys                  int16
	unique, usable, plain bool
}

// judge derives from the indexes how the table may be changed.
func (h *shape) judge(indexes []tableIndex) {
	var key []int16
	for _, k := range h.Key {
		if a := h.attribute(k); a >= 0 {
			key = append(key, h.attrs[a].num)
		}
	}
	told := len(key) > 0
	for _, x := range indexes {
		if !x.usable || !x.plain {
			told = told && !x.unique
			continue
		}
		first := h.byNumber(x.columns[0])
		if len(key) == 0 && first >= 0 && h.attrs[first].notNull && h.attrs[first].at >= 0 && !slices.Contains(h.probe, first) {
			h.probe = append(h.probe, first)
		}
		if len(key) == 0 {
			continue
		}
		if len(x.columns) >= len(key) && sameSet(x.columns[:len(key)], key) {
			h.indexed = true
			h.inPlace = h.inPlace || x.unique && len(x.columns) == len(key)
		}
		if x.unique && !contains(x.columns, key) {
			told = h.addUnique(x.columns) && told
		}
	}
	h.inPlace = h.inPlace && told
}

// addUnique notes columns that an update in place must not change; false when one of them does not travel.
func (h *shape) addUnique(columns []int16) bool {
	for _, num := range columns {
		a := h.byNumber(num)
		if a < 0 || h.attrs[a].at < 0 {
			return false
		}
		if !slices.Contains(h.unique, a) {
			h.unique = append(h.unique, a)
		}
	}
	return true
}

func (h *shape) byNumber(num int16) int {
	return slices.IndexFunc(h.attrs, func(a attribute) bool { return a.num == num })
}

func sameSet(a, b []int16) bool { return len(a) == len(b) && contains(a, b) }

// contains tells whether all of b are in a.
func contains(a, b []int16) bool {
	return !slices.ContainsFunc(b, func(n int16) bool { return !slices.Contains(a, n) })
}
