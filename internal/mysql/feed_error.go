package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/bascule/bascule/internal/fault"
)

// errDump is ER_MASTER_FATAL_ERROR_READING_BINLOG: whatever is wrong with a dump, told by its text alone.
const errDump = 1236

// errAccount is ER_ACCESS_DENIED_ERROR.
const errAccount = 1045

var ownerOf = regexp.MustCompile(`#\d+`)

// where says how far the feed was read.
func (f *feed) where() string {
	if f.txn.open {
		return "in transaction " + f.txn.name()
	}
	return fmt.Sprintf("behind %s:%d", f.file, f.off)
}

// explain says where in the log an error happened and what to do about those that a dump gives.
func (f *feed) explain(err error) error {
	op := "read the binlog " + f.where()
	if f.file == "" {
		op = "ask for the binlog"
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Connect, op, errors.New("the server ended the dump"), "somebody killed the connection or the server shuts down; it is tried again")
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", op, err)
	}
	code, msg := serverCode(err)
	if code == errDump {
		return f.explainDump(op, err, strings.ToLower(msg))
	}
	if code == errAccount && f.conn != nil {
		// What servers say, once the login is through, to an account that may not register as a replica.
		return fault.New(fault.Privilege, op, err, f.e.grant("REPLICATION SLAVE", "*.*", msg))
	}
	return f.e.explain(op, err)
}

// explainDump sorts the texts of error 1236; those of MySQL say source or master, by version.
func (f *feed) explainDump(op string, err error, msg string) error {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(msg, p) {
				return true
			}
		}
		return false
	}
	const again = "copy again (bascule db drop, then bascule db copy)"
	retention := "keep the source's binlog longer: SET PERSIST binlog_expire_logs_seconds = 604800; on RDS and Aurora CALL mysql.rds_set_configuration('binlog retention hours', 168);"
	switch {
	case has("purged", "could not find first log file name", "could not find gtid state"):
		return fault.New(fault.Refused, op, fmt.Errorf("the source no longer has the log at the position: %w", err), again+", and "+retention)
	case has("same server_uuid/server_id", "same server_id"):
		return fault.New(fault.Connect, op, err, "another replica has the same number; it is tried again with another one")
	case has("max_allowed_packet"):
		return fault.New(fault.Resource, op, err, "raise max_allowed_packet on the source")
	case has("is not in the master's binlog", "missing the gtid", "position > file size", "impossible position", "not in the binlog"):
		return fault.New(fault.Refused, op, err, lostHint)
	case has("binary log is not open"):
		return fault.New(fault.Refused, op, err, "set log_bin and binlog_format = ROW on the source, then "+again)
	case has("gtid_mode", "auto_position"):
		return fault.New(fault.Refused, op, err, "set gtid_mode = ON on the source")
	case has("checksum", "truncated", "bogus data", "corrupt", "crc"):
		return fault.New(fault.Data, op, err, "the source's binlog is damaged there: "+again)
	case has("killed", "shutdown", "disconnect"):
		return fault.New(fault.Connect, op, err, "the server ended the dump; it is tried again")
	}
	return fault.New(fault.Refused, op, err, "the source refuses to send its log from here; "+again)
}
