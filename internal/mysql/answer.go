package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

const (
	// rangeBytes is how much of a table one statement of a scan covers, where the key can be cut: about a second of reading, after
	// which the throttle looks again.
	rangeBytes = 64 << 20
	// maxRanges bounds the statements for one table, however sparse its keys are.
	maxRanges = 4096
	samples   = 3
)

// Answer answers every question, in the order asked. Each table is read once, whatever is asked of it, in ranges of its
// key where that begins with an integer; a maximum that leads an index costs no scan.
func (e *End) Answer(ctx context.Context, db *schema.Database, qs []schema.Question) ([]schema.Answer, error) {
	out := make([]schema.Answer, len(qs))
	scans := map[schema.Name]*tableScan{}
	var order []*tableScan
	for i, q := range qs {
		out[i].Question = q
		t := db.Table(q.Table)
		if t == nil || t.Column(q.Column) == nil {
			return nil, fmt.Errorf("answer %s about %s.%s: no such column", q.Ask, q.Table, q.Column)
		}
		c := t.Column(q.Column)
		if q.Ask == schema.AskMax && leadsIndex(t, c) {
			var err error
			if out[i].Max, err = e.indexMax(ctx, t, c); err != nil {
				return nil, e.explain(fmt.Sprintf("read the maximum of %s.%s", t.Name, c.Name), err)
			}
			continue
		}
		a, err := e.asked(q.Ask, c)
		if err != nil {
			return nil, fmt.Errorf("answer %s about %s.%s: %w", q.Ask, t.Name, c.Name, err)
		}
		a.answer = &out[i]
		if scans[q.Table] == nil {
			scans[q.Table] = &tableScan{e: e, table: t}
			order = append(order, scans[q.Table])
		}
		scans[q.Table].asks = append(scans[q.Table].asks, a)
	}
	for _, s := range order {
		if err := s.run(ctx); err != nil {
			return nil, e.explain("read "+string(s.table.Name)+" for its statistics", err)
		}
	}
	return out, nil
}

// leadsIndex reports whether a column is the first of an index that the optimizer may use and that holds whole values.
func leadsIndex(t *schema.Table, c *schema.Column) bool {
	all := t.Indexes
	if t.PrimaryKey != nil {
		all = append([]*schema.Index{t.PrimaryKey}, all...)
	}
	for _, ix := range all {
		plain := ix.Method == "" || ix.Method == schema.BTree
		if p := ix.Parts[0]; plain && !ix.Invisible && p.Column == c.Name && p.Prefix == 0 {
			return true
		}
	}
	return false
}

func (e *End) indexMax(ctx context.Context, t *schema.Table, c *schema.Column) (string, error) {
	if err := e.throttle.wait(ctx); err != nil {
		return "", err
	}
	var v sql.NullString
	err := e.db.QueryRowContext(ctx, "SELECT MAX("+quote(c.Name)+") + 0 FROM "+quote(t.Name)).Scan(&v)
	return v.String, err
}

// tableScan answers all questions about one table.
type tableScan struct {
	e     *End
	table *schema.Table
	asks  []*ask
}

// ask is one question within a scan: a condition to count, or a value whose maximum is sought.
type ask struct {
	answer *schema.Answer
	column *schema.Column
	where  string // counted
	max    string // integer expression
	seen   *big.Int
}

func (s *tableScan) run(ctx context.Context) error {
	ranges, err := s.ranges(ctx)
	if err != nil {
		return err
	}
	parts := make([]string, len(s.asks))
	for i, a := range s.asks {
		if a.max != "" {
			parts[i] = "MAX(" + a.max + ")"
		} else {
			parts[i] = "SUM(" + a.where + ")"
		}
	}
	for _, r := range ranges {
		if err := s.e.throttle.wait(ctx); err != nil {
			return err
		}
		query := "SELECT " + strings.Join(parts, ", ") + " FROM " + quote(s.table.Name)
		if r != "" {
			query += " WHERE " + r
		}
		if err := s.one(ctx, query, r); err != nil {
			return err
		}
	}
	for _, a := range s.asks {
		if a.seen != nil {
			a.answer.Max = a.seen.String()
		}
	}
	return nil
}

// one runs the statement of one range and adds what it says.
func (s *tableScan) one(ctx context.Context, query, r string) error {
	values := make([]sql.NullString, len(s.asks))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	err := s.e.scan(ctx, func(ctx context.Context, c *sql.Conn) error {
		return c.QueryRowContext(ctx, query).Scan(into...)
	})
	if err != nil {
		return err
	}
	for i, a := range s.asks {
		if !values[i].Valid {
			continue
		}
		n, ok := new(big.Int).SetString(values[i].String, 10)
		switch {
		case !ok:
			return fmt.Errorf("column %q: the server counts %q", a.column.Name, values[i].String)
		case a.max != "":
			if a.seen == nil || n.Cmp(a.seen) > 0 {
				a.seen = n
			}
		case n.Sign() > 0:
			a.answer.Count += n.Int64()
			if err := s.sample(ctx, a, r, min(n.Int64(), samples)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sample fetches a few of the rows that were just counted in a range. It asks for no more than there are, so that the server stops when it
// has them.
func (s *tableScan) sample(ctx context.Context, a *ask, r string, n int64) error {
	if n = min(n, samples-int64(len(a.answer.Samples))); n <= 0 {
		return nil
	}
	var key []string
	if pk := s.table.PrimaryKey; pk != nil {
		for _, p := range pk.Parts {
			key = append(key, "CAST("+quote(p.Column)+" AS CHAR)")
		}
	}
	keyText := "''"
	if len(key) > 0 {
		keyText = "CONCAT_WS(', ', " + strings.Join(key, ", ") + ")"
	}
	query := "SELECT " + keyText + ", " + sampleText(a.column) + " FROM " + quote(s.table.Name) + " WHERE (" + a.where + ")"
	if r != "" {
		query += " AND " + r
	}
	return s.e.scan(ctx, func(ctx context.Context, c *sql.Conn) error {
		rows, err := c.QueryContext(ctx, query+" LIMIT "+strconv.FormatInt(n, 10))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k, v sql.NullString
			if err := rows.Scan(&k, &v); err != nil {
				return err
			}
			a.answer.Samples = append(a.answer.Samples, schema.Sample{Key: k.String, Value: v.String})
		}
		return rows.Err()
	})
}

// sampleText is a value as text, cut where nobody would read on.
func sampleText(c *schema.Column) string {
	v := quote(c.Name)
	if _, ok := c.Type.(schema.Enum); ok {
		return "CONCAT(" + v + " + 0, '=', " + v + ")"
	}
	return "LEFT(CAST(" + v + " AS CHAR), 100)"
}

// ranges cuts the table by the first column of its primary key when that is an integer; otherwise there is one range.
func (s *tableScan) ranges(ctx context.Context) ([]string, error) {
	whole := []string{""}
	pk := s.table.PrimaryKey
	if pk == nil || s.table.Bytes <= rangeBytes || pk.Parts[0].Column == "" {
		return whole, nil
	}
	c := s.table.Column(pk.Parts[0].Column)
	if _, ok := c.Type.(schema.Int); !ok {
		return whole, nil
	}
	var lo, hi sql.NullString
	name := quote(c.Name)
	if err := s.e.db.QueryRowContext(ctx, "SELECT MIN("+name+") + 0, MAX("+name+") + 0 FROM "+quote(s.table.Name)).Scan(&lo, &hi); err != nil {
		return nil, err
	}
	from, ok1 := new(big.Int).SetString(lo.String, 10)
	to, ok2 := new(big.Int).SetString(hi.String, 10)
	if !ok1 || !ok2 {
		return whole, nil
	}
	return cut(name, from, to, min(s.table.Bytes/rangeBytes+1, maxRanges)), nil
}

// cut returns n conditions that together hold for every integer; the first and the last are open.
func cut(name string, from, to *big.Int, n int64) []string {
	width := new(big.Int).Sub(to, from)
	if width.Cmp(big.NewInt(n)) < 0 {
		return []string{""}
	}
	var out []string
	before := ""
	for i := int64(1); i < n; i++ {
		at := new(big.Int).Mul(width, big.NewInt(i))
		at.Div(at, big.NewInt(n)).Add(at, from)
		upper := name + " < " + at.String()
		if before == "" {
			out = append(out, upper)
		} else {
			out = append(out, before+" AND "+upper)
		}
		before = name + " >= " + at.String()
	}
	return append(out, before)
}
