package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"
)

// table is one table to fill. A parent is what its rows belong to: an order
// for the lines of an order; for most tables it is the row itself.
type table struct {
	name string
	// columns are the columns as the rows give them; a name that begins with
	// '#' takes hexadecimal text, one with '?' the text of a number for a BIT.
	columns string
	parents int
	// emit appends the rows of parent p, counted from 1, and returns how many.
	emit func(r *row, d *dice, p int) int
}

// parentsPerLoad bounds a transaction to some megabytes of binlog.
const parentsPerLoad = 25_000

// lanes is the number of connections that load; more than two does not help
// on two cores, where the server itself keeps both busy.
const lanes = 2

// load fills all tables and returns the number of rows. Tables may be loaded
// in any order, since the session's foreign-key checks are off and every
// reference is computed from the parents' numbers.
func load(ctx context.Context, db *sql.DB, seed uint64, tables []table) (int, error) {
	g, ctx := errgroup.WithContext(ctx)
	type part struct {
		t      *table
		lo, hi int
	}
	parts := make(chan part) // unbuffered: a lane takes a part when it is free
	counts := make([]int, lanes)
	g.Go(func() error {
		defer close(parts)
		for i := range tables {
			t := &tables[i]
			for lo := 1; lo <= t.parents; lo += parentsPerLoad {
				select {
				case parts <- part{t, lo, min(lo+parentsPerLoad, t.parents+1)}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for lane := range lanes {
		g.Go(func() error {
			conn, err := db.Conn(ctx)
			if err != nil {
				return fmt.Errorf("connect lane %d: %w", lane, err)
			}
			defer conn.Close()
			if _, err := conn.ExecContext(ctx, "SET foreign_key_checks=0, unique_checks=0, time_zone='+00:00'"); err != nil {
				return fmt.Errorf("prepare lane %d: %w", lane, err)
			}
			for p := range parts {
				n, err := loadPart(ctx, conn, seed, p.t, p.lo, p.hi)
				if err != nil {
					return fmt.Errorf("load table %q, parents %d to %d: %w", p.t.name, p.lo, p.hi-1, err)
				}
				counts[lane] += n
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, nil
}

// loadPart loads parents lo to hi-1 by one LOAD DATA. That statement turns a
// value that does not fit into a warning, so warnings fail the load.
func loadPart(ctx context.Context, conn *sql.Conn, seed uint64, t *table, lo, hi int) (int, error) {
	src := &source{t: t, seed: seed, next: lo, end: hi}
	handler := fmt.Sprintf("%s-%d", t.name, lo)
	mysql.RegisterReaderHandler(handler, func() io.Reader { return src })
	defer mysql.DeregisterReaderHandler(handler)
	res, err := conn.ExecContext(ctx, loadStatement(handler, t))
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, err
	}
	var level, code, message string
	switch err := conn.QueryRowContext(ctx, "SHOW WARNINGS LIMIT 1").Scan(&level, &code, &message); {
	case err == nil:
		return 0, fmt.Errorf("server warned: %s %s: %s", level, code, message)
	case !errors.Is(err, sql.ErrNoRows):
		return 0, fmt.Errorf("read warnings: %w", err)
	}
	if int(n) != src.rows {
		return 0, fmt.Errorf("server took %d of %d rows", n, src.rows)
	}
	return src.rows, nil
}

func loadStatement(handler string, t *table) string {
	var names, sets []string
	for c := range strings.FieldsSeq(t.columns) {
		switch c[0] {
		case '#':
			names = append(names, "@"+c[1:])
			sets = append(sets, fmt.Sprintf("`%s` = UNHEX(@%s)", c[1:], c[1:]))
		case '?':
			names = append(names, "@"+c[1:])
			sets = append(sets, fmt.Sprintf("`%s` = CAST(@%s AS UNSIGNED)", c[1:], c[1:]))
		default:
			names = append(names, "`"+c+"`")
		}
	}
	stmt := fmt.Sprintf("LOAD DATA LOCAL INFILE 'Reader::%s' INTO TABLE `%s` CHARACTER SET utf8mb4 (%s)", handler, t.name, strings.Join(names, ", "))
	if len(sets) > 0 {
		stmt += " SET " + strings.Join(sets, ", ")
	}
	return stmt
}

// source is the reader that the driver drains: it makes rows when asked.
type source struct {
	t         *table
	seed      uint64
	next, end int
	row       row
	off, rows int
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.off == len(s.row.buf) {
		s.row.buf, s.off = s.row.buf[:0], 0
		for s.next < s.end && len(s.row.buf) < 64<<10 {
			s.rows += s.t.emit(&s.row, newDice(s.seed, s.t.name, s.next), s.next)
			s.next++
		}
		if len(s.row.buf) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, s.row.buf[s.off:])
	s.off += n
	return n, nil
}
