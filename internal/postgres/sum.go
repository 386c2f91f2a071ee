package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// hashOf returns the first 60 bits of the SHA-256 of the columns' row text, as
// bigint. Of several ways to cut them out, measured on 2 million rows, the shift is the
// cheapest before version 18, which turns bytes into integers itself.
func (e *End) hashOf(cols []change.SumColumn) string {
	fields := make([]string, len(cols))
	for i, c := range cols {
		fields[i] = field(c)
	}
	bits := "substr(sha256(convert_to(" + concat(fields) + ", 'UTF8')), 1, 8)"
	if e.major >= 18 {
		return "((" + bits + "::bigint >> 4) & 1152921504606846975)"
	}
	return "((('x' || encode(" + bits + ", 'hex'))::bit(64)::bigint >> 4) & 1152921504606846975)"
}

// concat joins fields. A function takes at most 100 arguments and a field is up to 3 of them.
func concat(fields []string) string {
	const most = 30
	if len(fields) <= most {
		return "concat(" + strings.Join(fields, ", ") + ")"
	}
	var parts []string
	for len(fields) > 0 {
		n := min(most, len(fields))
		parts = append(parts, "concat("+strings.Join(fields[:n], ", ")+")")
		fields = fields[n:]
	}
	return strings.Join(parts, " || ")
}

// sumSQL builds the parts that the three questions share.
type sumSQL struct {
	end *End
	q   *change.SumQuery
	// row and key are the hash expressions; without a key they are the same.
	row, key string
}

func (e *End) sumSQL(q *change.SumQuery) sumSQL {
	s := sumSQL{end: e, q: q, row: e.hashOf(q.Columns)}
	s.key = s.row
	if len(q.Key) > 0 {
		s.key = e.hashOf(q.Key)
	}
	return s
}

// rows returns a subquery of the rows of the query's range and bucket: columns h
// (row hash), k (key hash, 0 when nobody needs it) and extra.
func (s sumSQL) rows(extra, where string) (string, error) {
	conds := []string{}
	if where != "" {
		conds = append(conds, where)
	}
	if s.q.Lo != "" || s.q.Hi != "" {
		if len(s.q.Key) == 0 {
			return "", fmt.Errorf("sum %s: a range without a key", s.q.Table)
		}
	}
	for _, b := range []struct{ op, bound string }{{">=", s.q.Lo}, {"<=", s.q.Hi}} {
		if b.bound == "" {
			continue
		}
		if _, err := strconv.ParseInt(b.bound, 10, 64); err != nil {
			if _, err := strconv.ParseUint(b.bound, 10, 64); err != nil {
				return "", fmt.Errorf("sum %s: the bound %q is no integer", s.q.Table, b.bound)
			}
		}
		conds = append(conds, fmt.Sprintf("%s %s %s", quote(s.q.Key[0].Column.Name), b.op, b.bound))
	}
	key := "0::bigint"
	if s.q.Mod > 0 || s.q.Buckets > 1 {
		key = s.key
		if key == s.row {
			key = "NULL::bigint"
		}
	}
	filter := ""
	if len(conds) > 0 {
		filter = " WHERE " + strings.Join(conds, " AND ")
	}
	// OFFSET 0 keeps the hash from being computed once for every use.
	inner := fmt.Sprintf("SELECT %s AS h, %s AS k%s FROM %s%s OFFSET 0", s.row, key, extra, qualify(s.end.schema, s.q.Table), filter)
	if s.q.Mod == 0 {
		return "(" + inner + ") r", nil
	}
	return fmt.Sprintf("(SELECT * FROM (%s) i WHERE coalesce(k, h) %% %d IN (%s)) r", inner, s.q.Mod, s.q.RemList()), nil
}

// Sums implements change.Summer: one scan, aggregated where the rows are.
func (e *End) Sums(ctx context.Context, q *change.SumQuery) ([]change.Sum, error) {
	from, err := e.sumSQL(q).rows("", "")
	if err != nil {
		return nil, err
	}
	group, tail := "0::bigint", ""
	if q.Buckets > 1 {
		group, tail = fmt.Sprintf("(coalesce(k, h) / %d) %% %d", max(q.Mod, 1), q.Buckets), " GROUP BY 1"
	}
	// The sum is an exact numeric; what travels is what is left of it modulo 2^64.
	sql := fmt.Sprintf("SELECT %s, count(*), (sum(h) %% 18446744073709551616)::text FROM %s%s", group, from, tail)
	var (
		sums []change.Sum
		g, n int64
		hash *string
	)
	err = e.each(ctx, sql, nil, []any{&g, &n, &hash}, func() error {
		if n == 0 {
			return nil
		}
		if hash == nil {
			return fmt.Errorf("%d rows hash to NULL", n)
		}
		h, err := strconv.ParseUint(*hash, 10, 64)
		sums = append(sums, change.Sum{Group: uint64(g), Rows: n, Hash: h})
		return err
	})
	return sums, e.fail(fmt.Sprintf("sum %s.%s", e.schema, q.Table), err)
}

// each runs a query in a read-only transaction that finds PostGIS, and calls fn
// for every row after it is scanned into dest.
func (e *End) each(ctx context.Context, sql string, args, dest []any, fn func() error) error {
	opts := pgx.TxOptions{AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, e.control, opts, func(tx pgx.Tx) error {
		if strings.Contains(sql, "ST_SRID(") {
			if err := runStatement(ctx, tx, ""); err != nil {
				return err
			}
		}
		// A statement of its own each time: plans are not worth keeping, and parameters must not
		// hide the bounds from the planner.
		rows, err := tx.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, dest, fn)
		return err
	})
}

// RowSums implements change.Summer. A NULL in a key has the text "\x00": a key that was
// never made, or was dropped, lets NULLs in, and the rows must be told apart all the same.
func (e *End) RowSums(ctx context.Context, q *change.SumQuery) ([]change.RowSum, error) {
	op := fmt.Sprintf("hash the rows of %s.%s", e.schema, q.Table)
	extra, names := texts("c", q.Key, text)
	where, args, err := ofKeys(q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	from, err := e.sumSQL(q).rows(extra, where)
	if err != nil {
		return nil, err
	}
	sql := "SELECT h, count(*) FROM " + from + " GROUP BY h"
	if len(q.Key) > 0 {
		sql = "SELECT h, 1::bigint, " + strings.Join(names, ", ") + " FROM " + from
	}
	var (
		sums []change.RowSum
		h, n int64
		key  = make([]*string, len(q.Key))
	)
	err = e.each(ctx, sql, args, append([]any{&h, &n}, pointers(key)...), func() error {
		sums = append(sums, change.RowSum{Key: keyOf(key), Hash: uint64(h), Rows: n})
		return nil
	})
	return sums, e.fail(op, err)
}

// texts returns texts of columns as further outputs, and their names.
func texts(prefix string, cols []change.SumColumn, text func(change.SumColumn) string) (extra string, names []string) {
	var b strings.Builder
	for i, c := range cols {
		name := prefix + strconv.Itoa(i)
		fmt.Fprintf(&b, ", %s AS %s", text(c), name)
		names = append(names, name)
	}
	return b.String(), names
}

func pointers(values []*string) []any {
	ps := make([]any, len(values))
	for i := range values {
		ps[i] = &values[i]
	}
	return ps
}

// nullKey is the text of a NULL in a key: no text of this server holds a 0x00.
const nullKey = "\x00"

func keyOf(texts []*string) []string {
	if len(texts) == 0 {
		return nil
	}
	key := make([]string, len(texts))
	for i, t := range texts {
		key[i] = nullKey
		if t != nil {
			key[i] = *t
		}
	}
	return key
}

// Values implements change.Summer. Rows without a key that are the same in every
// value come once, with their number. A long form's text of more than 64 KiB comes as
// "sha256:", the hex hash of the value's bytes and " (N bytes)".
func (e *End) Values(ctx context.Context, q *change.SumQuery, rows []change.RowSum) ([]change.RowValues, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	keyTexts, keyNames := texts("c", q.Key, text)
	valueTexts, names := texts("v", q.Columns, shown)
	where, args := wanted(q, rows)
	from, err := e.sumSQL(q).rows(keyTexts+valueTexts, where)
	if err != nil {
		return nil, err
	}
	out := append(append([]string{"h"}, keyNames...), names...)
	list := strings.Join(out, ", ")
	sql := fmt.Sprintf("SELECT 1::bigint, %s FROM %s", list, from)
	if len(q.Key) == 0 {
		sql = fmt.Sprintf("SELECT count(*), %s FROM %s WHERE h = ANY($1::text[]::bigint[]) GROUP BY %s", list, from, list)
	}
	var (
		found  []change.RowValues
		n, h   int64
		key    = make([]*string, len(q.Key))
		values = make([]*string, len(q.Columns))
	)
	dest := append(append([]any{&n, &h}, pointers(key)...), pointers(values)...)
	err = e.each(ctx, sql, args, dest, func() error {
		v := change.RowValues{RowSum: change.RowSum{Key: keyOf(key), Hash: uint64(h), Rows: n}, Values: make([]change.Value, len(values))}
		for i, t := range values {
			if t == nil {
				v.Values[i].Null = true
				continue
			}
			v.Values[i].Text = *t
		}
		found = append(found, v)
		return nil
	})
	return found, e.fail(fmt.Sprintf("read rows of %s.%s", e.schema, q.Table), err)
}

// ofKeys is the condition for the query's keys, if it has any.
func ofKeys(q *change.SumQuery) (where string, args []any, err error) {
	if len(q.Keys) == 0 {
		return "", nil, nil
	}
	rows := make([]change.RowSum, len(q.Keys))
	for i, k := range q.Keys {
		if len(k) != len(q.Key) || len(k) == 0 {
			return "", nil, fmt.Errorf("a key of %d values for %d columns", len(k), len(q.Key))
		}
		rows[i].Key = k
	}
	where, args = wanted(q, rows)
	return where, args, nil
}

// wanted returns the condition that picks the rows, and its arguments: one array
// a key column, or one of hashes.
func wanted(q *change.SumQuery, rows []change.RowSum) (where string, args []any) {
	if len(q.Key) == 0 {
		hashes := make([]string, len(rows))
		for i, r := range rows {
			hashes[i] = strconv.FormatUint(r.Hash, 10)
		}
		return "", []any{hashes}
	}
	null := slices.ContainsFunc(rows, func(r change.RowSum) bool { return slices.Contains(r.Key, nullKey) })
	var exprs, params []string
	for i, c := range q.Key {
		column := make([]string, len(rows))
		expr := text(c)
		for j, r := range rows {
			column[j] = r.Key[i]
			if null {
				column[j] = nullable(r.Key[i])
			}
		}
		if null {
			expr = fmt.Sprintf("coalesce('=' || %s, 'N')", expr)
		}
		args = append(args, column)
		// A loose collation of the column must not make different keys equal.
		exprs = append(exprs, "("+expr+`) COLLATE "C"`)
		params = append(params, fmt.Sprintf("$%d::text[]", i+1))
	}
	where = fmt.Sprintf("(%s) IN (SELECT * FROM unnest(%s))", strings.Join(exprs, ", "), strings.Join(params, ", "))
	if !null {
		where = byIndex(q.Key, params) + where
	}
	return where, args
}

// byIndex is a condition that an index on the key serves, as far as texts can be turned into values again. A canonical text is no
// index's order; the value it came from is.
func byIndex(key []change.SumColumn, params []string) string {
	var names, values []string
	for i, c := range key {
		t := indexable(c)
		if t == "" {
			break
		}
		names, values = append(names, quote(c.Column.Name)), append(values, params[i]+"::"+t+"[]")
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%s = ANY(%s) AND ", names[0], values[0])
	}
	return fmt.Sprintf("(%s) IN (SELECT * FROM unnest(%s)) AND ", strings.Join(names, ", "), strings.Join(values, ", "))
}

// nullable writes a key's text so that IN finds NULL too, which equals nothing as it is.
func nullable(text string) string {
	if text == nullKey {
		return "N"
	}
	return "=" + text
}

// indexable returns the type that a key's canonical text can be cast back to, or
// nothing where that is not certain.
func indexable(c change.SumColumn) string {
	switch c.Column.Type.(type) {
	case schema.Int, schema.Year, schema.Decimal, schema.UUID, schema.Date, schema.Text, schema.DateTime:
		switch c.Form.Kind {
		case change.FormInteger, change.FormDecimal, change.FormUUID, change.FormDate, change.FormText, change.FormDateTime:
			if t := sqlType(c.Column.Type); !strings.HasPrefix(t, "char(") {
				t, _, _ = strings.Cut(t, "(")
				return t
			}
		case change.FormBytes, change.FormBits, change.FormMicros, change.FormLabels, change.FormGeometry, change.FormFloat, change.FormJSON:
		}
	}
	return ""
}
