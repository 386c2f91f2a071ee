package storefront

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// refusal reports whether an error is one that a client answers by trying again, on the other side first: the side is closed, or cannot be
// reached, or has ended the session, or another client had a lock.
func refusal(err error) bool {
	if m, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return slices.Contains([]uint16{
			1045, 3118, 4151, // the account is locked
			1290, 1836, // read_only
			1053, 1927, 1317, // the server, or the session, ends
			1205, 1213, // locks
		}, m.Number)
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.Contains([]string{
			"25006", "42501", "28000", // closed
			"57P01", "57P02", "57P03", "08006", "53300", // the server ends or starts
			"40001", "40P01", "55P03", // locks
		}, p.Code)
	}
	var n net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, sql.ErrTxDone) || errors.As(err, &n) || errors.Is(err, net.ErrClosed) || pgconn.Timeout(err) || strings.Contains(err.Error(), "conn closed") ||
		strings.Contains(err.Error(), "failed to connect")
}
