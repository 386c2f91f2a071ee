package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"math/big"
	"strings"

	"github.com/bascule/bascule/internal/change"
)

// numbersAtOnce bounds a statement's list of keys that are one integer. MariaDB makes a table of a list of 1000 and joins it.
const numbersAtOnce = 900

// keySums returns the rows with the query's keys. query selects all rows of its range, keys are the texts of the key's columns.
func (e *End) keySums(ctx context.Context, q *change.SumQuery, query string, keys []string) ([]change.RowSum, error) {
	word := " WHERE "
	if q.Lo != "" || q.Hi != "" || q.Mod > 0 {
		word = " AND "
	}
	most := valuesAtOnce
	numbers := len(q.Key) == 1 && q.Key[0].Form.Kind == change.FormInteger
	if numbers {
		most = numbersAtOnce
	}
	var out []change.RowSum
	for left := q.Keys; len(left) > 0; {
		n := min(len(left), most)
		rows := make([]change.RowSum, n)
		asked := make(map[string]bool, n)
		for i, k := range left[:n] {
			rows[i].Key = k
			asked[identity(rows[i], true)] = true
		}
		left = left[n:]
		var which string
		var err error
		if numbers {
			which, err = among(&q.Key[0], rows)
		} else {
			which, err = matches(q, "", keys, rows)
		}
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

// among is the condition for some keys that are one integer.
func among(c *change.SumColumn, rows []change.RowSum) (string, error) {
	list := make([]string, len(rows))
	for i, r := range rows {
		if len(r.Key) != 1 {
			return "", fmt.Errorf("a key of %d values for 1 column", len(r.Key))
		}
		n, ok := new(big.Int).SetString(r.Key[0], 10)
		if !ok {
			return "", fmt.Errorf("the key %q of %s is no integer", r.Key[0], c.Column.Name)
		}
		list[i] = n.String()
	}
	return quote(c.Column.Name) + " IN (" + strings.Join(list, ", ") + ")", nil
}
