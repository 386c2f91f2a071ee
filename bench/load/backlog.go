package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

// writers are the connections that make a backlog. Each changes keys of its own, so that none waits for another.
const writers = 4

// backlog commits a number of row changes in transactions of per changes each: half updates, a quarter inserts, a quarter deletes.
func backlog(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("backlog", flag.ContinueOnError)
	source := fs.String("source", "", "URL of the database that holds the orders table")
	changes := fs.Int("changes", 1_000_000, "row changes to make")
	per := fs.Int("per", 4, "row changes of one transaction")
	if err := fs.Parse(args); err != nil {
		return err
	}
	db, err := open(ctx, *source, writers)
	if err != nil {
		return err
	}
	defer db.Close()
	var low, high int64
	if err := db.QueryRowContext(ctx, "SELECT MIN(id), MAX(id) FROM orders").Scan(&low, &high); err != nil {
		return fmt.Errorf("find the keys of orders: %w", err)
	}
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for w := range writers {
		part := (high - low + 1) / writers
		first := low + int64(w)*part
		g.Go(func() error {
			c := &changer{low: first, high: first + part - 1, draw: rand.New(rand.NewPCG(uint64(began.UnixNano()), uint64(w)))}
			for left := *changes / writers; left > 0; left -= *per {
				if err := c.transaction(ctx, db, min(*per, left)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Printf("%d row changes in transactions of %d: %.1f s, %.0f transactions/s\n",
		*changes, *per, took.Seconds(), float64(*changes / *per)/took.Seconds())
	return nil
}

// changer changes orders between two keys.
type changer struct {
	low, high int64
	draw      *rand.Rand
}

const insertOrder = `INSERT INTO orders (order_no, customer_id, seller_id, status, currency, total, discount, items, note, created_at)
	VALUES (?, ?, ?, 'new', 'EUR', ?, NULL, 1, ?, NOW())`

// transaction makes n changes. Large transactions are made by statements over ranges, as batch jobs write them.
func (c *changer) transaction(ctx context.Context, db *sql.DB, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if n > 100 {
		err = c.ranges(ctx, tx, n)
	} else {
		for i := 0; i < n && err == nil; i++ {
			err = c.change(ctx, tx, i)
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// change makes the i-th change of a transaction.
func (c *changer) change(ctx context.Context, tx *sql.Tx, i int) error {
	id := c.low + c.draw.Int64N(c.high-c.low+1)
	var err error
	switch i % 4 {
	case 0, 2:
		_, err = tx.ExecContext(ctx, "UPDATE orders SET status = ?, total = total + 0.01 WHERE id = ?", status[c.draw.IntN(len(status))], id)
	case 1:
		_, err = tx.ExecContext(ctx, insertOrder, fmt.Sprintf("N%d", c.draw.Int64()%1e12), 1+c.draw.IntN(100_000), 1+c.draw.IntN(1000), c.draw.Float64()*1000, "a new order")
	case 3:
		_, err = tx.ExecContext(ctx, "DELETE FROM orders WHERE id = ?", id)
	}
	return err
}

var status = []string{"paid", "packed", "shipped", "delivered", "returned"}

// ranges updates n-n/4 neighbours, and inserts as many as it deletes.
func (c *changer) ranges(ctx context.Context, tx *sql.Tx, n int) error {
	at := c.low + c.draw.Int64N(max(1, c.high-c.low-int64(2*n)))
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE orders SET status = ?, total = total + 0.01 WHERE id >= ? ORDER BY id LIMIT ?", []any{status[c.draw.IntN(len(status))], at, n / 2}},
		{`INSERT INTO orders (order_no, customer_id, seller_id, status, currency, total, discount, items, note, created_at)
			SELECT CONCAT('L', CONV(UUID_SHORT(), 10, 36)), customer_id, seller_id, 'new', currency, total, discount, items, note, NOW() FROM orders WHERE id >= ? AND id < ? ORDER BY id LIMIT ?`, []any{at, at + int64(2*n), n / 4}},
		{"DELETE FROM orders WHERE id >= ? ORDER BY id LIMIT ?", []any{at + int64(n), n / 4}},
	} {
		if _, err := tx.ExecContext(ctx, s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}
