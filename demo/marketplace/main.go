// Command marketplace owns the demonstration's data: it creates and fills, from
// a seed alone, the MySQL or MariaDB database of a marketplace of refurbished
// devices, or one of the two tables that the benchmarks read. It replaces the
// database that its URL names and never touches another.
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/crosscheck"
)

//go:embed schema.sql
var schemaSQL string

//go:embed views.sql
var viewsSQL string

//go:embed orders.sql
var ordersSQL string

// dataVersion is part of the marker: a changed generator makes the data again.
const dataVersion = 1

type options struct {
	source string
	seed   uint64
	rows   int
	orders int
	blobs  int
	blobMB int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "marketplace:", err)
		}
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("marketplace", flag.ContinueOnError)
	fs.StringVar(&o.source, "source", "", "URL of the database to make, mysql://user:password@host:port/name")
	fs.Uint64Var(&o.seed, "seed", 1, "the data's seed: equal seeds give equal databases")
	fs.IntVar(&o.rows, "rows", 2_000_000, "about how many rows the marketplace has over all its tables")
	fs.IntVar(&o.orders, "orders", 0, "make only the benchmark's orders table, with this many rows")
	fs.IntVar(&o.blobs, "blobs", 0, "make only a table of this many LONGBLOB values")
	fs.IntVar(&o.blobMB, "blob-mib", 64, "size of one LONGBLOB value in MiB")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case o.source == "":
		return o, errors.New("option --source is missing (example: --source mysql://root:secret@127.0.0.1:3306/marketplace)")
	case o.rows < 2000:
		return o, fmt.Errorf("--rows %d is too small: the marketplace starts at 2000", o.rows)
	case o.orders < 0 || o.blobs < 0 || o.blobMB < 1:
		return o, errors.New("--orders, --blobs and --blob-mib take positive numbers")
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	start := time.Now()
	name, db, done, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	if done {
		fmt.Printf("database %s is there already: %s\n", name, o.marker())
		return nil
	}
	defer db.Close()
	n, err := o.make(ctx, db)
	if err != nil {
		return fmt.Errorf("fill database %q: %w", name, err)
	}
	if err := mark(ctx, db, o.marker()); err != nil {
		return fmt.Errorf("mark database %q as complete: %w", name, err)
	}
	fmt.Printf("database %s: %d rows in %.1f s\n", name, n, time.Since(start).Seconds())
	return nil
}

func (o options) make(ctx context.Context, db *sql.DB) (int, error) {
	switch {
	case o.blobs > 0:
		return fillBlobs(ctx, db, o)
	case o.orders > 0:
		if err := execAll(ctx, db, ordersSQL); err != nil {
			return 0, err
		}
		n, err := load(ctx, db, o.seed, []table{benchOrders(o.orders)})
		if err != nil {
			return 0, err
		}
		if _, err := db.ExecContext(ctx, benchIndexes); err != nil {
			return 0, fmt.Errorf("build indexes: %w", err)
		}
		return n, analyze(ctx, db)
	default:
		if err := execAll(ctx, db, schemaSQL); err != nil {
			return 0, err
		}
		s := sizeFor(o.rows)
		tables := append(append(catalogue(s), people(s)...), trade(s)...)
		n, err := load(ctx, db, o.seed, tables)
		if err != nil {
			return 0, err
		}
		if err := execAll(ctx, db, viewsSQL); err != nil {
			return 0, err
		}
		return n, analyze(ctx, db)
	}
}

// marker describes the data set; it is the comment of the first table made,
// set when all rows are in, so a broken-off fill is never taken for complete.
func (o options) marker() string {
	switch {
	case o.blobs > 0:
		return fmt.Sprintf("blobs v%d: seed %d, %d of %d MiB", dataVersion, o.seed, o.blobs, o.blobMB)
	case o.orders > 0:
		return fmt.Sprintf("orders v%d: seed %d, %d rows", dataVersion, o.seed, o.orders)
	default:
		return fmt.Sprintf("marketplace v%d: seed %d, about %d rows", dataVersion, o.seed, o.rows)
	}
}

// size holds how many rows the tables have that others refer to.
type size struct{ models, sellers, listings, customers, carts, audit, orders int }

// sizeFor spreads about n rows over the tables. One order brings about 5.6
// rows with its lines, payment, shipment, events, review and refund, which
// together are 70 of 100 rows.
func sizeFor(n int) size {
	return size{
		models:    max(n/1000, 50),
		sellers:   max(n/800, 20),
		listings:  max(n*3/100, 100),
		customers: max(n*5/100, 200),
		carts:     n * 2 / 100,
		audit:     n * 55 / 1000,
		orders:    n * 119 / 1000,
	}
}

// prepare opens the database, made anew unless it holds the wanted data.
func prepare(ctx context.Context, o options) (name string, db *sql.DB, done bool, err error) {
	cfg, err := crosscheck.SourceConfig(o.source)
	if err != nil {
		return "", nil, false, err
	}
	name = cfg.DBName
	server := cfg.Clone()
	server.DBName = ""
	admin, err := open(server)
	if err != nil {
		return name, nil, false, err
	}
	defer admin.Close()
	var found int
	err = admin.QueryRowContext(ctx, "SELECT count(*) FROM information_schema.tables WHERE table_schema = ? AND table_comment = ?", name, o.marker()).Scan(&found)
	if err != nil {
		return name, nil, false, fmt.Errorf("look for database %q: %w", name, err)
	}
	if found > 0 {
		return name, nil, true, nil
	}
	quoted := "`" + strings.ReplaceAll(name, "`", "``") + "`"
	for _, stmt := range []string{"DROP DATABASE IF EXISTS " + quoted, "CREATE DATABASE " + quoted + " CHARACTER SET utf8mb4"} {
		if _, err := admin.ExecContext(ctx, stmt); err != nil {
			return name, nil, false, fmt.Errorf("make database %q: %w", name, err)
		}
	}
	if err := allowLoad(ctx, admin); err != nil {
		return name, nil, false, err
	}
	db, err = open(cfg)
	return name, db, false, err
}

func open(cfg *mysql.Config) (*sql.DB, error) {
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure connection: %w", err)
	}
	return sql.OpenDB(c), nil
}

// allowLoad switches LOAD DATA LOCAL on, which MySQL 8 and later start without.
func allowLoad(ctx context.Context, db *sql.DB) error {
	var on bool
	if err := db.QueryRowContext(ctx, "SELECT @@global.local_infile").Scan(&on); err != nil {
		return fmt.Errorf("read local_infile: %w", err)
	}
	if on {
		return nil
	}
	if _, err := db.ExecContext(ctx, "SET GLOBAL local_infile = ON"); err != nil {
		return fmt.Errorf("switch local_infile on (let an administrator run SET GLOBAL local_infile = ON): %w", err)
	}
	return nil
}

// execAll runs the statements of a file, each ended by a semicolon and newline.
func execAll(ctx context.Context, db *sql.DB, script string) error {
	for stmt := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(stmt) == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, stmt); err != nil {
			return fmt.Errorf("run %.60q: %w", strings.TrimSpace(stmt), err)
		}
	}
	return nil
}

// tableNames lists the base tables in the order of their names.
func tableNames(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE' ORDER BY table_name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, rows.Err()
}

// analyze refreshes the optimizer's statistics, which planners read.
func analyze(ctx context.Context, db *sql.DB) error {
	names, err := tableNames(ctx, db)
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	rows, err := db.QueryContext(ctx, "ANALYZE TABLE `"+strings.Join(names, "`, `")+"`")
	if err != nil {
		return fmt.Errorf("analyze tables: %w", err)
	}
	defer rows.Close()
	for rows.Next() { // drained: the server reports per table
	}
	return rows.Err()
}

func mark(ctx context.Context, db *sql.DB, marker string) error {
	names, err := tableNames(ctx, db)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("ALTER TABLE `%s` COMMENT = '%s'", names[0], marker))
	return err
}
