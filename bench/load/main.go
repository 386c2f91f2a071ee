// Command load owns the writers of the benchmarks: it changes rows of the orders table on a MySQL or MariaDB server, as a
// backlog of a fixed size or at a fixed rate, and watches how late a follower shows them. It never creates or drops the data
// that it changes, apart from its own table of beats.
//
//	load backlog --source URL --changes N --per N
//	load rate --source URL --target URL --tps N --seconds N
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"

	"github.com/go-sql-driver/mysql"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "backlog":
			return backlog(ctx, args[1:])
		case "rate":
			return rate(ctx, args[1:])
		}
	}
	return errors.New("usage: load backlog | rate")
}

// open connects to mysql://user:password@host:port/database.
func open(ctx context.Context, address string, connections int) (*sql.DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("read the source's URL: %w", err)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.DBName = "tcp", u.Host, u.User.Username(), strings.Trim(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	c.InterpolateParams = true
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("configure the source: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, db.PingContext(ctx)
}
