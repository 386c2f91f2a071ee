package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// Positions as text, each a lower bound of what a SELECT on that server sees:
//
//	gtid:SET                          MySQL's @@global.gtid_executed
//	file:SERVER:FILE                  MySQL without GTIDs: the start of the binlog file that was current
//	file:SERVER:FILE:POS              the same, behind a transaction of its log
//	snapshot:SERVER:FILE:POS:GTIDS    MariaDB: Binlog_snapshot_* and their BINLOG_GTID_POS; or behind a transaction of its log, with what that is
//	                                  in file and offset and the last GTID of each domain
//	none:                             no binlog: nothing can be replayed after it
type position struct {
	kind   string
	server string
	file   string
	pos    uint64
	gtids  string
}

const (
	positionGTID     = "gtid"
	positionFile     = "file"
	positionSnapshot = "snapshot"
	positionNone     = "none"
)

func (p position) String() string {
	switch p.kind {
	case positionGTID:
		return "gtid:" + p.gtids
	case positionFile:
		if p.pos > 0 {
			return fmt.Sprintf("file:%s:%s:%d", p.server, p.file, p.pos)
		}
		return "file:" + p.server + ":" + p.file
	case positionSnapshot:
		return fmt.Sprintf("snapshot:%s:%s:%d:%s", p.server, p.file, p.pos, p.gtids)
	}
	return "none:"
}

func parsePosition(s change.Position) (position, error) {
	kind, rest, ok := strings.Cut(string(s), ":")
	p := position{kind: kind}
	switch {
	case ok && kind == positionNone && rest == "":
		return p, nil
	case ok && kind == positionGTID:
		p.gtids = rest
		return p, nil
	case ok && kind == positionFile:
		if p.server, p.file, ok = strings.Cut(rest, ":"); ok {
			if file, pos, more := cutLast(p.file, ":"); more {
				if n, err := strconv.ParseUint(pos, 10, 64); err == nil {
					p.file, p.pos = file, n
				}
			}
		}
	case ok && kind == positionSnapshot:
		parts := strings.SplitN(rest, ":", 4)
		if len(parts) == 4 {
			var err error
			p.server, p.file, p.gtids = parts[0], parts[1], parts[3]
			if p.pos, err = strconv.ParseUint(parts[2], 10, 64); err == nil {
				return p, nil
			}
		}
		ok = false
	default:
		ok = false
	}
	if !ok {
		return p, fmt.Errorf("%q is no position of a MySQL or MariaDB server", s)
	}
	return p, nil
}

const (
	// visiblePatience is how long a lane waits for a lagging server to show the position. A commit that stalls between binlog and engine
	// (semi-synchronous replication) takes seconds; a replica's lag is the throttle's affair.
	visiblePatience = time.Minute
	visiblePause    = 100 * time.Millisecond
)

// Position returns a lower bound of what a SELECT sees from now on.
func (e *End) Position(ctx context.Context) (change.Position, error) {
	var p position
	err := e.withReader(ctx, func(ctx context.Context, r *reader) (err error) {
		p, err = r.position(ctx)
		return err
	})
	return change.Position(p.String()), e.explain("read the binlog position", err)
}

// position reads a lower bound. On MariaDB it opens and closes a consistent snapshot.
func (r *reader) position(ctx context.Context) (position, error) {
	if r.e.server.dialect == schema.MariaDB {
		if err := r.begin(ctx); err != nil {
			return position{}, err
		}
		p, err := r.snapshotPosition(ctx)
		if err != nil {
			return p, err
		}
		return p, r.exec(ctx, "ROLLBACK")
	}
	row, err := r.row(ctx, "SELECT @@global.log_bin, @@global.gtid_mode, @@global.gtid_executed")
	switch {
	case err != nil:
		return position{}, err
	case row[0] != "1":
		return position{kind: positionNone}, nil
	case row[1] == "ON": // ON_PERMISSIVE serves no dump by GTID
		return position{kind: positionGTID, gtids: strings.NewReplacer("\n", "", " ", "").Replace(row[2])}, nil
	}
	// The position inside the file may run ahead of what is visible (a transaction is in the log before it is committed in the engine).
	// The start of the file does not, save for what is being committed while the file is rotated; a file's first event is
	// written after all commits of the one before, so its start is safe.
	status, err := r.row(ctx, r.e.binlogStatement())
	if err != nil {
		return position{}, err
	}
	return position{kind: positionFile, server: r.e.server.id, file: status[0]}, nil
}

// binlogStatement names the statement that shows the binlog's end.
func (e *End) binlogStatement() string {
	switch {
	case e.server.atLeast(schema.MySQL, 80200):
		return "SHOW BINARY LOG STATUS"
	case e.server.atLeast(schema.MariaDB, 100502):
		return "SHOW BINLOG STATUS"
	}
	return "SHOW MASTER STATUS"
}

// begin opens a consistent snapshot.
func (r *reader) begin(ctx context.Context) error {
	return r.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
}

// snapshotPosition reads, inside a consistent snapshot of MariaDB, where in the binlog the snapshot stands.
func (r *reader) snapshotPosition(ctx context.Context) (position, error) {
	rows, err := r.rows(ctx, "SHOW STATUS WHERE Variable_name IN ('Binlog_snapshot_file', 'Binlog_snapshot_position')")
	if err != nil {
		return position{}, err
	}
	p := position{kind: positionSnapshot, server: r.e.server.id}
	for _, row := range rows {
		if strings.EqualFold(row[0], "Binlog_snapshot_file") {
			p.file = row[1]
		} else if p.pos, err = strconv.ParseUint(row[1], 10, 64); err != nil {
			return p, fmt.Errorf("read Binlog_snapshot_position %q: %w", row[1], err)
		}
	}
	if p.file == "" {
		return position{kind: positionNone}, nil
	}
	row, err := r.row(ctx, "SELECT BINLOG_GTID_POS("+quoteString(p.file)+", "+strconv.FormatUint(p.pos, 10)+")")
	if err != nil {
		return p, err
	}
	p.gtids = row[0]
	return p, nil
}

// Lane opens a connection that has proved it sees at, and closes it when fn returns.
func (e *End) Lane(ctx context.Context, at change.Position, fn func(context.Context, change.Reader) error) error {
	p, err := parsePosition(at)
	if err != nil {
		return err
	}
	return e.withReader(ctx, func(ctx context.Context, r *reader) error {
		if err := e.explain("prove that the source shows the start position", r.prove(ctx, p)); err != nil {
			return err
		}
		return fn(ctx, r)
	})
}

// prove waits until the connection's reads include the position: behind one address may be replicas, or another server after a failover.
func (r *reader) prove(ctx context.Context, p position) error {
	const hint = "the address may lead to a replica that lags, or to another server since the copy began: use the address of the server that it began with"
	switch p.kind {
	case positionNone:
		return nil
	case positionGTID:
		if p.gtids == "" {
			return nil // nothing had been executed yet
		}
		row, err := r.row(ctx, fmt.Sprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %d)", quoteString(p.gtids), int(visiblePatience.Seconds())))
		if err == nil && row[0] != "0" {
			err = fault.New(fault.Connect, "wait for GTIDs", fmt.Errorf("not all of %s is visible after %s", shorten(p.gtids), visiblePatience), hint)
		}
		return err
	case positionFile:
		if p.server != r.e.server.id {
			return fault.New(fault.Refused, "compare servers", fmt.Errorf("the copy began on server %s and this is %s; without GTIDs their positions cannot be compared", p.server, r.e.server.id),
				"copy from the server that it began with, or enable gtid_mode and begin again")
		}
		return r.sameServer(ctx)
	}
	deadline := time.Now().Add(visiblePatience)
	for {
		if err := r.begin(ctx); err != nil {
			return err
		}
		now, err := r.snapshotPosition(ctx)
		if err := errors.Join(err, r.exec(ctx, "ROLLBACK")); err != nil {
			return err
		}
		if now.includes(p) {
			return nil
		}
		if time.Now().After(deadline) {
			return fault.New(fault.Connect, "wait for the binlog position", fmt.Errorf("the server shows %s, the copy began at %s", now, p), hint)
		}
		timer := time.NewTimer(visiblePause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// sameServer makes sure that this very connection leads to the server that the end was opened on.
func (r *reader) sameServer(ctx context.Context) error {
	row, err := r.row(ctx, "SELECT @@global.server_uuid")
	if err == nil && row[0] != r.e.server.id {
		err = fault.New(fault.Refused, "compare servers", fmt.Errorf("the address leads to %s and to %s", r.e.server.id, row[0]),
			"use the address of one server")
	}
	return err
}

// includes reports whether p is at or behind q, both of one kind. GTIDs tell, across servers too; on MariaDB the sequence number
// grows within a domain. On the same server, file and offset tell, which hold before the first GTID too.
func (p position) includes(q position) bool {
	if p.kind == positionGTID {
		have, err1 := parseGTIDSet(p.gtids)
		want, err2 := parseGTIDSet(q.gtids)
		return err1 == nil && err2 == nil && have.contains(want)
	}
	if p.server == q.server && p.kind == q.kind {
		return fileAfter(p.file, q.file) || p.file == q.file && p.pos >= q.pos
	}
	if q.gtids == "" {
		return false
	}
	have, err1 := parseGTIDList(p.gtids)
	want, err2 := parseGTIDList(q.gtids)
	return err1 == nil && err2 == nil && have.includes(want)
}

// fileAfter reports whether binlog file a comes after b: their numbers have six digits, and more when those are used up.
func fileAfter(a, b string) bool {
	return len(a) > len(b) || len(a) == len(b) && a > b
}

func (r *reader) exec(ctx context.Context, sql string) error {
	_, err := r.conn.Exec(ctx, sql)
	return err
}

// row runs a statement that gives one row, as text; NULL is empty.
func (r *reader) row(ctx context.Context, sql string) ([]string, error) {
	rows, err := r.rows(ctx, sql)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("%d rows from %s where one was due", len(rows), sql)
	}
	return rows[0], nil
}

func (r *reader) rows(ctx context.Context, sql string) ([][]string, error) {
	rows, err := r.conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return texts(ctx, rows)
}

func texts(ctx context.Context, rows *wire.Rows) ([][]string, error) {
	var out [][]string
	var b change.Batch
	for {
		err := rows.ReadBatch(ctx, batchBytes, &b)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Rows {
			row := make([]string, b.Columns)
			for j, s := range b.Row(i) {
				if !s.Null() {
					row[j] = string(b.Bytes(s))
				}
			}
			out = append(out, row)
		}
	}
}

// shorten keeps a long set or text readable in a message.
func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
