package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/change"
)

// textsAtOnce bounds the values in a statement's list of keys: beyond 200 servers stop to look up each key when they plan, and from 1000 on
// MariaDB makes a table of the list.
const textsAtOnce = 900

// keySums returns the rows with the query's keys. query selects all rows of its range, keys are the texts of the key's columns.
func (e *End) keySums(ctx context.Context, q *change.SumQuery, query string, keys []string) ([]change.RowSum, error) {
	word := " WHERE "
	if q.Lo != "" || q.Hi != "" || q.Mod > 0 {
		word = " AND "
	}
	var out []change.RowSum
	for left := q.Keys; len(left) > 0; {
		n := min(len(left), max(1, textsAtOnce/max(1, len(keys))))
		rows := make([]change.RowSum, n)
		asked := make(map[string]bool, n)
		for i, k := range left[:n] {
			rows[i].Key = k
			asked[identity(rows[i], true)] = true
		}
		left = left[n:]
		which, err := among(q, keys, rows)
		if err != nil {
			return nil, err
		}
		err = e.summed(ctx, query+word+which, func(rows *sql.Rows) error {
			r, _, err := scanRow(rows, len(keys), 0)
			// A comparison under a collation finds more than the text asked for.
			if err == nil && asked[identity(r, true)] {
				out = append(out, r)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// among is the condition for some keys. As a list of values it costs the planner a tenth of what alternatives cost; where one of them has
// no value that an index could be searched for, it is alternatives.
func among(q *change.SumQuery, keys []string, rows []change.RowSum) (string, error) {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = quote(q.Key[i].Column.Name)
	}
	list := make([]string, len(rows))
	for i, r := range rows {
		if len(r.Key) != len(keys) {
			return "", fmt.Errorf("a key of %d values for %d columns", len(r.Key), len(keys))
		}
		values := make([]string, len(keys))
		for k, text := range r.Key {
			if values[k] = keyValue(&q.Key[k], text); values[k] == "" {
				return matches(q, "", keys, rows)
			}
		}
		list[i] = strings.Join(values, ", ")
	}
	if len(keys) == 1 {
		return names[0] + " IN (" + strings.Join(list, ", ") + ")", nil
	}
	return "(" + strings.Join(names, ", ") + ") IN ((" + strings.Join(list, "), (") + "))", nil
}
