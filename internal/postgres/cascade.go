package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// cascadeDepth is how many levels InnoDB goes down before it refuses a statement.
const cascadeDepth = 15

// cascade carries out the foreign keys' actions for rows of a table, in SQL, a statement an action and level. What a
// statement changed comes back as an array of rows, which is the next level's parameter as it is.
func (x *applyTx) cascade(ctx context.Context, c *change.Cascade) error {
	h := x.shapes[c.Table]
	if h == nil {
		return fmt.Errorf("table %s was not named when the session was opened", c.Table.Into.Table)
	}
	width := len(h.Into.Columns)
	deleted := c.New.Rows == 0
	if !deleted && c.New.Rows != c.Old.Rows || c.Old.Rows > 0 && c.Old.Columns != width || !deleted && c.New.Columns != width {
		return fmt.Errorf("cascade from %s: %d rows of %d columns became %d of %d", h.name, c.Old.Rows, c.Old.Columns, c.New.Rows, c.New.Columns)
	}
	if c.Old.Rows == 0 || len(h.Actions) == 0 {
		return nil
	}
	cols := h.columnsOf(upTo(width), h.referenced())
	run := cascading{applyTx: x, single: x.single(h, deleted), reached: c.Reached}
	for from := 0; from < c.Old.Rows; {
		to := from + 1
		switch {
		case run.single:
		case deleted:
			to = c.Old.Rows
		default:
			to = h.simultaneous(c, from)
		}
		old, err := h.array(&c.Old, from, to, cols)
		if err != nil {
			return err
		}
		var changed []byte
		if !deleted {
			if changed, err = h.array(&c.New, from, to, cols); err != nil {
				return err
			}
		}
		if err := run.act(ctx, h, old, changed, 1); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// referenced are the attributes that foreign keys refer to.
func (h *shape) referenced() []int {
	var as []int
	for _, f := range h.Actions {
		for _, p := range f.Parent {
			if a := h.attribute(p); !slices.Contains(as, a) {
				as = append(as, a)
			}
		}
	}
	return as
}

// simultaneous returns up to where rows from there on can act at once. The source changed one after the other: a
// key that an earlier row took or left must not be met by a later row in the same statement. Keys are
// compared as bytes; where equal keys may differ in them, rows act one by one.
func (h *shape) simultaneous(c *change.Cascade, from int) int {
	for _, a := range h.referenced() {
		if !h.attrs[a].deterministic {
			return from + 1
		}
	}
	seen := make([]map[uint64]bool, len(h.Actions))
	for i := range seen {
		seen[i] = map[uint64]bool{}
	}
	for row := from; row < c.Old.Rows; row++ {
		for i, f := range h.Actions {
			old, now := hashKey(&c.Old, row, f.Parent), hashKey(&c.New, row, f.Parent)
			if seen[i][old] {
				return row
			}
			if old != now {
				seen[i][old], seen[i][now] = true, true
			}
		}
	}
	return c.Old.Rows
}

// array encodes rows of a batch as one parameter.
func (h *shape) array(b *change.Batch, from, to int, cols []int) ([]byte, error) {
	dst := h.beginArray(nil)
	for i := from; i < to; i++ {
		var err error
		if dst, err = h.appendRow(dst, b, i, cols); err != nil {
			return nil, err
		}
	}
	endArray(dst, 0, to-from)
	return dst, nil
}

// cascading is one Cascade being carried out.
type cascading struct {
	*applyTx
	// single says that rows act one by one, on every level: see the function.
	single  bool
	reached func(*change.Replica, *change.Batch) // nil when nobody asks
}

// single tells whether the outcome depends on the order in which rows act, so that they must act one by one as on the
// source. It does not when no table is reached on two ways; nor when rows are only deleted and columns that nothing
// refers to are set, each by one foreign key or to NULL.
func (x *applyTx) single(root *shape, deleted bool) bool {
	type visit struct {
		h       *shape
		deleted bool
	}
	tree, plain := true, true
	reached := map[*shape]bool{root: true}
	walked := map[visit]bool{}
	set := map[*shape][]int{}
	var walk func(visit)
	walk = func(v visit) {
		if walked[v] {
			return
		}
		walked[v] = true
		for i := range v.h.Actions {
			f := &v.h.Actions[i]
			action := f.OnUpdate
			if v.deleted {
				action = f.OnDelete
			}
			if action != schema.Cascade && action != schema.SetNull {
				continue
			}
			child := x.shapes[f.Child]
			tree = tree && !reached[child]
			reached[child] = true
			removes := v.deleted && action == schema.Cascade
			if !removes {
				referenced := child.referenced()
				pairs(v.h, child, f, func(_, c int) {
					plain = plain && !slices.Contains(referenced, c) && (action == schema.SetNull && v.deleted || !slices.Contains(set[child], c))
					set[child] = append(set[child], c)
				})
			}
			walk(visit{child, removes})
		}
	}
	walk(visit{root, deleted})
	return !tree && !plain
}

// act carries out the actions of every foreign key that refers to parent. old and changed are arrays of its rows;
// changed is nil when they were deleted.
func (x *cascading) act(ctx context.Context, parent *shape, old, changed []byte, depth int) error {
	for i, f := range parent.Actions {
		action := f.OnDelete
		if changed != nil {
			action = f.OnUpdate
		}
		if action != schema.Cascade && action != schema.SetNull {
			continue
		}
		child := x.shapes[f.Child]
		removes := action == schema.Cascade && changed == nil
		sql := parent.once(fmt.Sprint("cascade ", i, changed == nil), func() string {
			if removes {
				return cascadeDelete(parent, child, &f)
			}
			return cascadeUpdate(parent, child, &f, changed != nil, action == schema.SetNull)
		})
		params := [][]byte{old}
		if changed != nil {
			params = append(params, changed)
		}
		got, err := x.cascadeLevel(ctx, child, sql, params, depth)
		if err != nil {
			return err
		}
		if err := x.next(ctx, child, got, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// next lets act on a child what a level did to it.
func (x *cascading) next(ctx context.Context, child *shape, got *affected, depth int) error {
	switch {
	case got.old == nil:
		return nil
	case !x.single:
		return x.act(ctx, child, got.old, got.changed, depth)
	}
	olds, changed := elements(got.old), elements(got.changed)
	for i, old := range olds {
		var now []byte
		if changed != nil {
			now = child.arrayOf(changed[i])
		}
		if err := x.act(ctx, child, child.arrayOf(old), now, depth); err != nil {
			return err
		}
	}
	return nil
}

// elements parts an array that the server sent; none of its rows is NULL.
func elements(array []byte) (rows [][]byte) {
	for len(array) > arrayHeader {
		n := int(binary.BigEndian.Uint32(array[arrayHeader:])) + 4
		rows = append(rows, array[arrayHeader:arrayHeader+n])
		array = array[n:]
	}
	return rows
}

// arrayOf is an array of one element, its length included.
func (h *shape) arrayOf(element []byte) []byte {
	dst := append(h.beginArray(nil), element...)
	endArray(dst, 0, 1)
	return dst
}

// affected is what a level changed: arrays of the child's rows, nil when there are none.
type affected struct{ old, changed []byte }

// cascadeLevel runs one statement and returns what it did, for the next level.
func (x *cascading) cascadeLevel(ctx context.Context, child *shape, sql string, params [][]byte, depth int) (*affected, error) {
	name, err := x.statement(ctx, sql)
	if err != nil {
		return nil, err
	}
	got := &affected{}
	op := "cascade to " + child.name
	quiet := expectation{op: "set enable_hashjoin"}
	x.pipe.add(hashOn, nil, quiet)
	x.pipe.addBinary(name, params, expectation{op: op, took: func(r *pgconn.Result) error {
		if len(r.Rows) != 1 || len(r.Rows[0]) < 2 || len(r.Rows[0][0]) != 8 {
			return errors.New(op + ": an unexpected result")
		}
		if binary.BigEndian.Uint64(r.Rows[0][0]) > 0 {
			if depth > cascadeDepth {
				return fault.New(fault.Data, op, fmt.Errorf("foreign keys lead down more than %d levels, which the source does not do", cascadeDepth),
					"the tables differ from the source: copy them again")
			}
			got.old = r.Rows[0][1]
			if len(r.Rows[0]) == 3 {
				got.changed = r.Rows[0][2]
			}
			return x.tell(child, got)
		}
		return nil
	}})
	x.pipe.add(hashOff, nil, quiet)
	if len(child.Actions) == 0 && depth <= cascadeDepth {
		// Nobody needs to know before the next flush.
		return &affected{}, nil
	}
	return got, x.pipe.flush(ctx, x.conn.PgConn())
}

// rowOf is a row of the table that has only its key and what foreign keys refer to; t is the table's alias.
func (h *shape) rowOf(t string) string {
	need := append(h.referenced(), h.keyAttributes()...)
	parts := make([]string, len(h.attrs))
	for i := range h.attrs {
		parts[i] = "NULL"
		if slices.Contains(need, i) {
			parts[i] = t + "." + quote(h.attrs[i].name)
		}
	}
	return fmt.Sprintf("ROW(%s)::%s", strings.Join(parts, ", "), h.name)
}

// pairs calls fn for every pair of columns of a foreign key, as attributes of parent and child.
func pairs(parent, child *shape, f *change.ForeignAction, fn func(p, c int)) {
	for i := range f.Columns {
		fn(parent.attribute(f.Parent[i]), child.attribute(f.Columns[i]))
	}
}

// refers is the condition that a row c of the child refers to the old row of k. Collations are the child's.
func refers(parent, child *shape, f *change.ForeignAction) string {
	var parts []string
	pairs(parent, child, f, func(p, c int) {
		pa, ca := &parent.attrs[p], &child.attrs[c]
		left, right := "c."+quote(ca.name), fmt.Sprintf("k.o%d", p)
		switch {
		case pa.typ != ca.typ && (pa.enum || ca.enum):
			left, right = left+"::text", right+"::text"
		case pa.collation != ca.collation && ca.collation != "" && pa.collation != "":
			right += " COLLATE " + ca.collation
		}
		parts = append(parts, left+" = "+right)
	})
	return strings.Join(parts, " AND ")
}

// cascadeDelete deletes the child's rows that refer to deleted rows.
func cascadeDelete(parent, child *shape, f *change.ForeignAction) string {
	return fmt.Sprintf(`WITH d AS (DELETE FROM %s AS c USING unnest($1::%s[]) AS k(%s) WHERE %s RETURNING %s AS r)
SELECT count(*), %s FROM d`, child.name, parent.name, parent.aliases("o"), refers(parent, child, f), child.rowOf("c"), child.gathered("r"))
}

// cascadeUpdate sets the columns that refer to deleted or changed rows to NULL or to the new values.
func cascadeUpdate(parent, child *shape, f *change.ForeignAction, changed, toNull bool) string {
	given := fmt.Sprintf("unnest($1::%s[]) AS k(%s)", parent.name, parent.aliases("o"))
	where := refers(parent, child, f)
	var sets, values, olds, news []string
	pairs(parent, child, f, func(p, c int) {
		v := "NULL"
		if !toNull {
			v = fmt.Sprintf("s.v%d", p)
			from := fmt.Sprintf("k.n%d", p)
			if pa, ca := &parent.attrs[p], &child.attrs[c]; pa.typ != ca.typ && (pa.enum || ca.enum) {
				from += "::text::" + ca.spelling
			}
			values = append(values, fmt.Sprintf(", %s AS v%d", from, p))
		}
		sets = append(sets, quote(child.attrs[c].name)+" = "+v)
		olds, news = append(olds, fmt.Sprintf("k.o%d", p)), append(news, fmt.Sprintf("k.n%d", p))
	})
	if changed {
		given = fmt.Sprintf("unnest($1::%[1]s[], $2::%[1]s[]) AS k(%[2]s, %[3]s)", parent.name, parent.aliases("o"), parent.aliases("n"))
		where += fmt.Sprintf(" AND ROW(%s)::record *<> ROW(%s)::record", strings.Join(olds, ", "), strings.Join(news, ", "))
	}
	return fmt.Sprintf(`WITH s AS MATERIALIZED (SELECT c.ctid AS i, %[1]s AS r%[2]s FROM %[3]s AS c, %[4]s WHERE %[5]s),
w AS (UPDATE %[3]s AS c SET %[6]s FROM s WHERE c.ctid = s.i RETURNING s.r AS old, %[1]s AS new)
SELECT count(*), %[7]s, %[8]s FROM w`,
		child.rowOf("c"), strings.Join(values, ""), child.name, given, where, strings.Join(sets, ", "), child.gathered("old"), child.gathered("new"))
}
