package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// unhashable is what a row without a hash adds to a sum. No sum of hashes reaches it: each is below 2^60, so it would take more than
// 10^12 rows; and a DECIMAL holds 10^35 of it.
const unhashable = "1e30"

var (
	unhashableSum, _ = new(big.Int).SetString("1"+strings.Repeat("0", 30), 10)
	twoTo64          = new(big.Int).Lsh(big.NewInt(1), 64)
)

// errUnhashable says that a row's text is longer than the server can make.
var errUnhashable = fault.New(fault.Resource, "hash rows", errors.New("the text of a row is longer than max_allowed_packet"),
	"raise max_allowed_packet on the source to more than twice the longest row")

// sumPlan is a SumQuery in SQL.
type sumPlan struct {
	from  string // FROM ... WHERE ...
	hash  string // of the row
	key   string // hash of the key
	group string
	keyed bool
}

func (e *End) planSum(q *change.SumQuery) (*sumPlan, error) {
	hash, err := e.rowHash(q.Columns)
	if err != nil {
		return nil, err
	}
	p := &sumPlan{hash: hash, key: hash, keyed: len(q.Key) > 0}
	if p.keyed {
		if p.key, err = e.rowHash(q.Key); err != nil {
			return nil, err
		}
	}
	where, err := sumRange(q)
	if err != nil {
		return nil, err
	}
	if q.Mod > 0 {
		where = append(where, fmt.Sprintf("%s %% %d IN (%s)", p.key, q.Mod, q.RemList()))
	}
	p.from = " FROM " + quote(q.Table)
	if len(where) > 0 {
		p.from += " WHERE " + strings.Join(where, " AND ")
	}
	if q.Buckets > 1 {
		p.group = fmt.Sprintf("%s DIV %d %% %d", p.key, max(q.Mod, 1), q.Buckets)
	}
	return p, nil
}

// sumRange is the condition on an integer key.
func sumRange(q *change.SumQuery) ([]string, error) {
	var where []string
	for _, b := range []struct{ op, value string }{{">=", q.Lo}, {"<=", q.Hi}} {
		if b.value == "" {
			continue
		}
		if _, ok := new(big.Int).SetString(b.value, 10); !ok || len(q.Key) == 0 {
			return nil, fmt.Errorf("sum %s: bound %q is no integer of a key", q.Table, b.value)
		}
		where = append(where, quote(q.Key[0].Column.Name)+" "+b.op+" "+b.value)
	}
	return where, nil
}

// Sums returns the groups that have rows.
func (e *End) Sums(ctx context.Context, q *change.SumQuery) ([]change.Sum, error) {
	op := "sum " + string(q.Table)
	p, err := e.planSum(q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	group, by := "0", ""
	if p.group != "" {
		group, by = p.group, " GROUP BY 1"
	}
	var out []change.Sum
	query := "SELECT " + group + ", COUNT(*), SUM(COALESCE(" + p.hash + ", CAST(" + unhashable + " AS DECIMAL(31,0))))" + p.from + by
	err = e.summed(ctx, query, func(rows *sql.Rows) error {
		var s change.Sum
		var sum sql.NullString
		if err := rows.Scan(&s.Group, &s.Rows, &sum); err != nil {
			return err
		}
		if s.Rows == 0 {
			return nil
		}
		n, ok := new(big.Int).SetString(sum.String, 10)
		switch {
		case !ok:
			return fmt.Errorf("the server sums hashes to %q, which is not exact", sum.String)
		case n.Cmp(unhashableSum) >= 0:
			return errUnhashable
		}
		s.Hash = n.Mod(n, twoTo64).Uint64()
		out = append(out, s)
		return nil
	})
	return out, e.explain(op, err)
}

// summed runs a statement that reads many rows, one result row at a time.
func (e *End) summed(ctx context.Context, query string, fn func(*sql.Rows) error) error {
	if err := e.throttle.wait(ctx); err != nil {
		return err
	}
	return e.scan(ctx, func(ctx context.Context, c *sql.Conn) error {
		rows, err := c.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := fn(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// RowSums returns every row of the query's range or bucket. Without a key, rows with the same hash count as one with Rows.
func (e *End) RowSums(ctx context.Context, q *change.SumQuery) ([]change.RowSum, error) {
	op := "hash the rows of " + string(q.Table)
	p, err := e.planSum(q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	query := "SELECT " + p.hash + ", COUNT(*)" + p.from + " GROUP BY 1"
	var keys []string
	if p.keyed {
		if keys, err = e.canonicals(q.Key); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		query = "SELECT " + p.hash + ", 1, " + strings.Join(keys, ", ") + p.from
	}
	var out []change.RowSum
	if len(q.Keys) > 0 {
		out, err = e.keySums(ctx, q, query, keys)
		return out, e.explain(op, err)
	}
	err = e.summed(ctx, query, func(rows *sql.Rows) error {
		r, _, err := scanRow(rows, len(keys), 0)
		out = append(out, r)
		return err
	})
	return out, e.explain(op, err)
}

// nullKey is the text of a NULL in a key.
const nullKey = "\x00"

// scanRow reads a row of: hash, count, key texts, value texts.
func scanRow(rows *sql.Rows, keys, values int) (change.RowSum, []change.Value, error) {
	var hash sql.NullString
	var r change.RowSum
	texts := make([]sql.NullString, keys+values)
	into := []any{&hash, &r.Rows}
	for i := range texts {
		into = append(into, &texts[i])
	}
	if err := rows.Scan(into...); err != nil {
		return r, nil, err
	}
	if !hash.Valid {
		return r, nil, errUnhashable
	}
	var err error
	if r.Hash, err = strconv.ParseUint(hash.String, 10, 64); err != nil {
		return r, nil, fmt.Errorf("read the hash %q: %w", hash.String, err)
	}
	for _, k := range texts[:keys] {
		if !k.Valid {
			k.String = nullKey
		}
		r.Key = append(r.Key, k.String)
	}
	var out []change.Value
	for _, v := range texts[keys:] {
		out = append(out, change.Value{Text: v.String, Null: !v.Valid})
	}
	return r, out, nil
}

// canonicals are the columns' texts for a result, NULL where the target has NULL. A text that the server cannot make is NULL too;
// the row's hash, which is selected with them, is NULL then and tells.
func (e *End) canonicals(cols []change.SumColumn) ([]string, error) {
	out := make([]string, len(cols))
	for i := range cols {
		text, err := e.canonical(&cols[i])
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", cols[i].Column.Name, err)
		}
		if cols[i].Form.Long && !cols[i].Form.ByClient() { // what the client compares it must see
			text = e.shown(&cols[i], text)
		}
		if null := isNull(&cols[i]); null != "" {
			text = "IF(" + null + ", NULL, " + text + ")"
		}
		// As bytes: what is a number stays text, and nothing is converted on its way.
		out[i] = "CAST(" + text + " AS BINARY)"
	}
	return out, nil
}

const (
	// valuesAtOnce bounds a statement's list of keys.
	valuesAtOnce = 200
	// hashesAtOnce bounds its list of hashes, which costs a scan of the table. MariaDB makes a table of a list of 1000 and joins it.
	hashesAtOnce = 900
)

// Values returns the texts of the rows with those keys or, without a key, those hashes.
func (e *End) Values(ctx context.Context, q *change.SumQuery, rows []change.RowSum) ([]change.RowValues, error) {
	op := "read differing rows of " + string(q.Table)
	var out []change.RowValues
	most := valuesAtOnce
	if len(q.Key) == 0 {
		most = hashesAtOnce
	}
	for len(rows) > 0 {
		n := min(len(rows), most)
		part, err := e.values(ctx, q, rows[:n])
		if err != nil {
			return nil, e.explain(op, err)
		}
		out, rows = append(out, part...), rows[n:]
	}
	return out, nil
}

func (e *End) values(ctx context.Context, q *change.SumQuery, want []change.RowSum) ([]change.RowValues, error) {
	hash, err := e.rowHash(q.Columns)
	if err != nil {
		return nil, err
	}
	keys, err := e.canonicals(q.Key)
	if err != nil {
		return nil, err
	}
	values, err := e.canonicals(q.Columns)
	if err != nil {
		return nil, err
	}
	where, err := sumRange(q)
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	for _, r := range want {
		asked[identity(r, len(keys) > 0)] = true
	}
	which, err := matches(q, hash, keys, want)
	if err != nil {
		return nil, err
	}
	where = append(where, which)
	list := append(append([]string{hash, "1"}, keys...), values...)
	query := "SELECT " + strings.Join(list, ", ") + " FROM " + quote(q.Table) + " WHERE " + strings.Join(where, " AND ")
	var out []change.RowValues
	same := map[uint64]int{}
	err = e.summed(ctx, query, func(rows *sql.Rows) error {
		r, v, err := scanRow(rows, len(keys), len(values))
		if err != nil {
			return err
		}
		// A comparison under a collation finds more than the text asked for.
		if !asked[identity(r, len(keys) > 0)] {
			return nil
		}
		if at, ok := same[r.Hash]; ok && len(keys) == 0 {
			out[at].Rows++
			return nil
		}
		same[r.Hash] = len(out)
		out = append(out, change.RowValues{RowSum: r, Values: v})
		return nil
	})
	return out, err
}

func identity(r change.RowSum, keyed bool) string {
	if !keyed {
		return strconv.FormatUint(r.Hash, 10)
	}
	var b strings.Builder
	for _, k := range r.Key {
		fmt.Fprintf(&b, "%d:%s", len(k), k)
	}
	return b.String()
}

// matches is the condition for some rows: by hash without a key, computed once a row, else by each column of the key, in a form
// that an index serves where there is one.
func matches(q *change.SumQuery, hash string, keys []string, want []change.RowSum) (string, error) {
	either := make([]string, len(want))
	for i, r := range want {
		if len(keys) == 0 {
			either[i] = strconv.FormatUint(r.Hash, 10)
			continue
		}
		if len(r.Key) != len(keys) {
			return "", fmt.Errorf("a key of %d values for %d columns", len(r.Key), len(keys))
		}
		and := make([]string, len(keys))
		for k, text := range r.Key {
			and[k] = keyEquals(&q.Key[k], keys[k], text)
		}
		either[i] = "(" + strings.Join(and, " AND ") + ")"
	}
	if len(keys) == 0 {
		return hash + " IN (" + strings.Join(either, ", ") + ")", nil
	}
	return "(" + strings.Join(either, " OR ") + ")", nil
}

func keyEquals(c *change.SumColumn, canonical, text string) string {
	if text == nullKey {
		return "(" + canonical + " IS NULL OR " + canonical + " = " + "0x00)"
	}
	if v := keyValue(c, text); v != "" {
		return quote(c.Column.Name) + " = " + v
	}
	return canonical + " = CAST(" + quoteString(text) + " AS BINARY)"
}

// keyValue is the value of a column that a canonical text stands for, as SQL that an index can be searched for; nothing where that is not
// certain.
func keyValue(c *change.SumColumn, text string) string {
	if n, ok := new(big.Int).SetString(text, 10); ok && c.Form.Kind == change.FormInteger {
		return n.String()
	}
	switch t := c.Column.Type.(type) {
	case schema.Decimal, schema.Date, schema.DateTime, schema.Timestamp:
		return sameValue(c, text)
	case schema.UUID:
		if isHex(strings.ReplaceAll(text, "-", "")) {
			return "'" + text + "'"
		}
	case schema.Text:
		if c.Form.Kind == change.FormText && !c.Form.Long && t.Charset != "" && t.Collation != "" {
			return "CONVERT(" + quoteString(text) + " USING " + t.Charset + ") COLLATE " + t.Collation
		}
	case schema.Binary:
		if isHex(text) && c.Form.Kind == change.FormBytes {
			return "UNHEX('" + text + "')"
		}
		if h := strings.ReplaceAll(text, "-", ""); isHex(h) && c.Form.Kind == change.FormUUID {
			return "UNHEX('" + h + "')"
		}
	}
	return ""
}

// sameValue is the value that a canonical text stands for, as SQL; nothing where it may stand for others too.
func sameValue(c *change.SumColumn, text string) string {
	if len(c.Form.Accepted) > 0 || strings.Trim(text, "-+0123456789.: ") != "" {
		return ""
	}
	switch c.Form.Kind {
	case change.FormDecimal:
		if _, ok := new(big.Rat).SetString(text); ok {
			return text
		}
	case change.FormDate:
		return "CAST('" + text + "' AS DATE)"
	case change.FormDateTime:
		return "CAST('" + text + "' AS DATETIME(6))"
	default:
	}
	return ""
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
