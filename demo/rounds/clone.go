package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver «pgx»
)

// oldSide opens a database of the old side; an empty name is none.
func oldSide(server, name string) (*sql.DB, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.DBName = "tcp", u.Host, u.User.Username(), name
	c.Passwd, _ = u.User.Password()
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// clone makes a database that equals another, of the same server: tables with their keys, rows and triggers. Views stay behind.
func clone(ctx context.Context, server, from, to string) error {
	db, err := oldSide(server, "")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, text := range []string{"SET foreign_key_checks = 0, unique_checks = 0, sql_log_bin = 0", "CREATE DATABASE `" + to + "` CHARACTER SET utf8mb4", "USE `" + to + "`"} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	tables, err := texts(ctx, conn, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'", from)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := cloneTable(ctx, conn, from, t); err != nil {
			return fmt.Errorf("table %s: %w", t, err)
		}
	}
	return cloneTriggers(ctx, conn, from)
}

func cloneTable(ctx context.Context, conn *sql.Conn, from, table string) error {
	var name, made string
	if err := conn.QueryRowContext(ctx, "SHOW CREATE TABLE `"+from+"`.`"+table+"`").Scan(&name, &made); err != nil {
		return err
	}
	columns, err := texts(ctx, conn, "SELECT CONCAT('`', column_name, '`') FROM information_schema.columns WHERE table_schema = ? AND table_name = ? AND is_generated = 'NEVER'", from, table)
	if err != nil {
		return err
	}
	list := strings.Join(columns, ", ")
	_, err = conn.ExecContext(ctx, made)
	if err == nil {
		_, err = conn.ExecContext(ctx, "INSERT INTO `"+table+"` ("+list+") SELECT "+list+" FROM `"+from+"`.`"+table+"`")
	}
	return err
}

func cloneTriggers(ctx context.Context, conn *sql.Conn, from string) error {
	triggers, err := texts(ctx, conn, "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = ?", from)
	if err != nil {
		return err
	}
	for _, t := range triggers {
		row := make([]sql.NullString, 7) // trigger, sql_mode, the statement, and what it was made under
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		if err := conn.QueryRowContext(ctx, "SHOW CREATE TRIGGER `"+from+"`.`"+t+"`").Scan(into...); err != nil {
			return fmt.Errorf("trigger %s: %w", t, err)
		}
		if _, err := conn.ExecContext(ctx, row[2].String); err != nil {
			return fmt.Errorf("trigger %s: %w", t, err)
		}
	}
	return nil
}

// texts returns the first column.
func texts(ctx context.Context, conn *sql.Conn, query string, args ...any) (out []string, err error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
