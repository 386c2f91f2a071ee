package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

const (
	// batchBytes is what a batch holds: enough that handing one over costs nothing beside its rows, small enough to stay in
	// the cores' caches from the socket to COPY.
	batchBytes = 256 << 10
	// maxStatements bounds the prepared statements that a reader keeps; a copy reads a table at a time, a few shapes each.
	maxStatements = 8
)

// reader implements change.Reader on one connection.
type reader struct {
	e     *End
	conn  *wire.Conn
	stmts map[string]*wire.Stmt
	small change.Batch // for single rows
	// seesAll says that the account is known to see the sessions of others.
	seesAll bool
}

var _ change.Reader = (*reader)(nil)

// withReader runs fn with a reader on a new connection and closes it.
func (e *End) withReader(ctx context.Context, fn func(context.Context, *reader) error) error {
	c, err := e.connect(ctx)
	if err != nil {
		return err
	}
	// A farewell that fails costs nothing: the server drops the connection either way.
	defer c.Close()
	return fn(ctx, &reader{e: e, conn: c, stmts: map[string]*wire.Stmt{}})
}

// Read streams the rows of a range in key order.
func (r *reader) Read(ctx context.Context, s *change.Select, rg change.Range, limit int64, swap func(*change.Batch) (*change.Batch, error)) (change.Key, error) {
	op := "read " + string(s.Table.Name)
	if err := r.e.throttle.wait(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	at := keyPositions(s)
	if at == nil && limit > 0 && len(s.Key) > 0 {
		// The key does not travel, so the last row cannot tell where it stands: look first.
		next, err := r.next(ctx, s, rg, limit)
		if err != nil {
			return nil, r.e.explain(op, err)
		}
		if next != nil {
			rg.UpTo = next
		}
		_, err = r.stream(ctx, s, rg, 0, nil, swap)
		return next, r.e.explain(op, err)
	}
	last, err := r.stream(ctx, s, rg, limit, at, swap)
	return last, r.e.explain(op, err)
}

// stream runs the statement and hands its rows over. It returns the key of the row that reached the limit.
func (r *reader) stream(ctx context.Context, s *change.Select, rg change.Range, limit int64, at []int, swap func(*change.Batch) (*change.Batch, error)) (change.Key, error) {
	parts := keyParts(s)
	var c condition
	c.sql.WriteString("SELECT " + quoteAll(s.Columns) + from(s))
	if err := c.bounds(parts, rg); err != nil {
		return nil, err
	}
	c.order(parts, false)
	c.limit(limit)
	rows, err := r.execute(ctx, &c)
	if err != nil {
		return nil, err
	}
	if err := planned(s, rows.Columns(), r.conn.Capabilities()); err != nil {
		return nil, r.abandon(err)
	}
	b, err := swap(nil)
	if err != nil {
		return nil, r.abandon(err)
	}
	var n int64
	end := lastKey{cols: s.Key, at: at}
	var last change.Key
	for {
		err := rows.ReadParts(ctx, batchBytes, b)
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return nil, err
		}
		n += int64(b.Rows)
		r.e.received.Add(int64(len(b.Data)))
		if limit > 0 {
			if last, err = end.follow(b, n == limit); err != nil {
				return nil, r.abandon(err)
			}
		}
		if b, err = swap(b); err != nil {
			return nil, r.abandon(err)
		}
	}
}

// abandon closes a connection in the middle of its rows, which is the only way to stop them.
func (r *reader) abandon(err error) error {
	r.conn.Close()
	return err
}

// Walk looks ahead on the server: only the key that is found travels.
func (r *reader) Walk(ctx context.Context, s *change.Select, after change.Key, rows int64) (change.Key, error) {
	op := "walk " + string(s.Table.Name)
	if err := r.e.throttle.wait(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	k, err := r.next(ctx, s, change.Range{After: after}, rows)
	return k, r.e.explain(op, err)
}

// next returns the key of the n-th row of a range, or nil when no row follows it: then what is left is one piece.
func (r *reader) next(ctx context.Context, s *change.Select, rg change.Range, n int64) (change.Key, error) {
	parts := keyParts(s)
	var c condition
	c.sql.WriteString("SELECT " + quoteAll(s.Key) + " FROM (SELECT " + quoteAll(s.Key) + from(s))
	if err := c.bounds(parts, rg); err != nil {
		return nil, err
	}
	c.order(parts, false)
	c.limit(n)
	c.sql.WriteString(") AS ahead")
	c.order(parts, true)
	c.limit(1)
	k, err := r.one(ctx, s, &c)
	if err != nil || k == nil {
		return nil, err
	}
	var more condition
	more.sql.WriteString("SELECT " + quoteAll(s.Key) + from(s))
	if err := more.bounds(parts, change.Range{After: k, UpTo: rg.UpTo}); err != nil {
		return nil, err
	}
	more.order(parts, false)
	more.limit(1)
	if following, err := r.one(ctx, s, &more); err != nil || following == nil {
		return nil, err
	}
	return k, nil
}

// Bounds returns the first and the last key.
func (r *reader) Bounds(ctx context.Context, s *change.Select) (first, last change.Key, err error) {
	op := "find the bounds of " + string(s.Table.Name)
	if len(s.Key) == 0 {
		return nil, nil, fmt.Errorf("%s: the table has no key", op)
	}
	parts := keyParts(s)
	for _, end := range []struct {
		reverse bool
		into    *change.Key
	}{{false, &first}, {true, &last}} {
		var c condition
		c.sql.WriteString("SELECT " + quoteAll(s.Key) + from(s))
		c.order(parts, end.reverse)
		c.limit(1)
		if *end.into, err = r.one(ctx, s, &c); err != nil {
			return nil, nil, r.e.explain(op, err)
		}
	}
	return first, last, nil
}

// one runs a statement that selects the key and returns its only row, or nil.
func (r *reader) one(ctx context.Context, s *change.Select, c *condition) (change.Key, error) {
	rows, err := r.execute(ctx, c)
	if err != nil {
		return nil, err
	}
	err = rows.ReadBatch(ctx, batchBytes, &r.small)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := make([]int, len(s.Key))
	for i := range all {
		all[i] = i
	}
	k, err := rowKey(s.Key, &r.small, 0, all)
	return k, errors.Join(err, rows.Close(ctx))
}

// execute runs a statement, prepared once per text.
func (r *reader) execute(ctx context.Context, c *condition) (*wire.Rows, error) {
	sql := c.sql.String()
	st := r.stmts[sql]
	if st == nil {
		if len(r.stmts) == maxStatements {
			for _, old := range r.stmts {
				if err := old.Close(ctx); err != nil {
					return nil, err
				}
			}
			clear(r.stmts)
		}
		var err error
		if st, err = r.conn.Prepare(ctx, sql); err != nil {
			return nil, err
		}
		r.stmts[sql] = st
	}
	return st.Execute(ctx, c.args...)
}

// from names the table and, where there is a key, its index: the optimizer must not think of a sort.
func from(s *change.Select) string {
	f := " FROM " + quote(s.Table.Name)
	if s.Index != "" && len(s.Key) > 0 {
		f += " FORCE INDEX (" + quote(s.Index) + ")"
	}
	return f
}

// order adds ORDER BY in the index's order, or against it.
func (c *condition) order(parts []keyPart, reverse bool) {
	for i, p := range parts {
		if i == 0 {
			c.sql.WriteString(" ORDER BY ")
		} else {
			c.sql.WriteString(", ")
		}
		c.sql.WriteString(p.sql)
		if p.desc != reverse {
			c.sql.WriteString(" DESC")
		}
	}
}

func (c *condition) limit(n int64) {
	if n > 0 {
		c.sql.WriteString(" LIMIT " + strconv.FormatInt(n, 10))
	}
}

// keyPositions says where the key's columns stand in a row, or nil when one does not travel.
func keyPositions(s *change.Select) []int {
	at := make([]int, len(s.Key))
	for i, k := range s.Key {
		at[i] = slices.IndexFunc(s.Columns, func(c *schema.Column) bool { return strings.EqualFold(string(c.Name), string(k.Name)) })
		if at[i] < 0 {
			return nil
		}
	}
	return at
}

// lastKey finds the key of the last row of a read. A row that comes in parts may bring its key in any of them, but never cut:
// the reader cuts only what is far longer than a key can be.
type lastKey struct {
	cols  []*schema.Column
	at    []int      // where the key stands in a row
	next  int        // the column of the next span
	parts change.Key // of the row that comes in parts
}

// follow looks at the next batch and returns the key of its last row when it is asked for.
func (k *lastKey) follow(b *change.Batch, wanted bool) (change.Key, error) {
	if k.next == 0 && b.Whole() {
		if !wanted {
			return nil, nil
		}
		return rowKey(k.cols, b, b.Rows-1, k.at)
	}
	if k.parts == nil {
		k.parts = make(change.Key, len(k.cols))
	}
	if b.Lead > 0 && (b.Open == 0 || len(b.Spans) > 0) {
		k.next = (k.next + 1) % b.Columns
	}
	for i, s := range b.Spans {
		cut := i == len(b.Spans)-1 && b.Open > 0
		if at := slices.Index(k.at, k.next); at >= 0 {
			if cut {
				return nil, fmt.Errorf("column %q of the key has a value of %d bytes", k.cols[at].Name, int(s.Len)+b.Open)
			}
			var err error
			if k.parts[at], err = keyField(k.cols[at], b, s); err != nil {
				return nil, err
			}
		}
		if !cut {
			k.next = (k.next + 1) % b.Columns
		}
	}
	if !wanted {
		return nil, nil
	}
	return slices.Clone(k.parts), nil
}

// rowKey copies the key of one row out of a batch.
func rowKey(cols []*schema.Column, b *change.Batch, row int, at []int) (change.Key, error) {
	spans := b.Row(row)
	k := make(change.Key, len(cols))
	for i, c := range cols {
		var err error
		if k[i], err = keyField(c, b, spans[at[i]]); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func keyField(c *schema.Column, b *change.Batch, s change.Span) ([]byte, error) {
	if s.Null() {
		return nil, fmt.Errorf("column %q of the key is NULL", c.Name)
	}
	v, err := keyText(nil, c, b.Bytes(s))
	if v == nil && err == nil {
		v = []byte{} // an empty string is a value, not an open end
	}
	return v, err
}
