package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// rate writes transactions of two changes each, as evenly as the machine allows, and measures on the target how old a beat is when it
// first shows: a beat is a row whose time is taken right before its commit. Source, target and this program share a clock.
func rate(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("rate", flag.ContinueOnError)
	source := fs.String("source", "", "URL of the database that holds the orders table")
	target := fs.String("target", "", "URL of the PostgreSQL database that a follower keeps current")
	tps := fs.Int("tps", 2000, "transactions a second")
	seconds := fs.Int("seconds", 30, "how long")
	if err := fs.Parse(args); err != nil {
		return err
	}
	const connections = 16
	db, err := open(ctx, *source, connections)
	if err != nil {
		return err
	}
	defer db.Close()
	pg, err := pgx.Connect(ctx, *target)
	if err != nil {
		return fmt.Errorf("connect to the target: %w", err)
	}
	defer pg.Close(ctx)
	watch, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	ages := make(chan []time.Duration, 1)
	go func() { ages <- beats(watch, pg) }()
	var done atomic.Int64
	began := time.Now()
	until := began.Add(time.Duration(*seconds) * time.Second)
	g, gctx := errgroup.WithContext(ctx)
	for w := range connections {
		g.Go(func() error {
			return write(gctx, db, w, time.Duration(connections)*time.Second/time.Duration(*tps), until, &done)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	stopWatch()
	seen := <-ages
	if len(seen) == 0 {
		return fmt.Errorf("no beat of %d transactions showed on the target", done.Load())
	}
	slices.Sort(seen)
	at := func(share float64) time.Duration {
		return seen[min(len(seen)-1, int(share*float64(len(seen))))].Round(time.Millisecond)
	}
	fmt.Printf("%d transactions in %.1f s: %.0f/s of %d/s asked; lag over %d looks: p50 %s, p99 %s, max %s; goal: p99 under 1 s: %s\n",
		done.Load(), took.Seconds(), float64(done.Load())/took.Seconds(), *tps, len(seen), at(0.5), at(0.99), seen[len(seen)-1].Round(time.Millisecond), met(at(0.99) < time.Second))
	return nil
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "MISSED"
}

// write commits one transaction every pause; what was late is not caught up in a burst.
func write(ctx context.Context, db *sql.DB, w int, pause time.Duration, until time.Time, done *atomic.Int64) error {
	draw := rand.New(rand.NewPCG(uint64(w), uint64(until.UnixNano())))
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	next := time.Now().Add(time.Duration(w) * pause / 16)
	for time.Now().Before(until) {
		wait := time.NewTimer(time.Until(next))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE orders SET total = total + 0.01 WHERE id = ?", 1+draw.IntN(100_000)*16+w)
		if err == nil {
			_, err = tx.ExecContext(ctx, "REPLACE INTO beat (id, at) VALUES (?, ?)", w, time.Now().UnixMicro())
		}
		if err != nil {
			_ = tx.Rollback() // the error above is the one that matters
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		done.Add(1)
		if next = next.Add(pause); time.Until(next) < -pause {
			next = time.Now()
		}
	}
	return nil
}

// beats looks at the newest beat of the target every 5 ms and returns how old it was at each look, from the first on that is not of an earlier run.
func beats(ctx context.Context, pg *pgx.Conn) (ages []time.Duration) {
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ages
		}
		var at *int64
		if err := pg.QueryRow(context.WithoutCancel(ctx), "SELECT max(at) FROM beat").Scan(&at); err != nil || at == nil || time.UnixMicro(*at).Before(began) {
			continue
		}
		ages = append(ages, time.Since(time.UnixMicro(*at)))
	}
}
