package mysql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

const (
	// heartbeat is how often a server that has nothing to send says so.
	heartbeat = 500 * time.Millisecond
	// silence is how long none may come before the connection counts as broken: a busy server beats late.
	silence = 20 * time.Second
	// firstSilence is the same for the first event, which a server with many files has to look for.
	firstSilence = 5 * time.Minute
	// firstEvent is the offset of the first event of every binlog file.
	firstEvent = 4
	// executedPatience is how long a server may take to execute what the position says was executed: a moment between log
	// and gtid_executed, or a replica's lag after a failover.
	executedPatience = 10 * time.Second
)

// lostHint is what helps when the log is not the one that the position was read from.
const lostHint = "the source's log was reset or lost its end, or this is another server: copy again (bascule db drop, then bascule db copy)"

// otherHint is what helps when the server does not know what was read.
const otherHint = "this is another server, or one that lost transactions in a failover or was reset: copy again (bascule db drop, then bascule db copy); if it is a replica that lags, wait for it"

var _ change.Streamer = (*End)(nil)

// Stream opens a feed of the tables' changes behind at and closes it when fn returns. The account needs REPLICATION SLAVE, and
// REPLICATION CLIENT (BINLOG MONITOR on MariaDB).
func (e *End) Stream(ctx context.Context, at change.Position, tables []*change.Select, fn func(context.Context, change.Feed) error) error {
	const op = "follow the source's binlog"
	p, err := parsePosition(at)
	if err != nil {
		return err
	}
	if p.kind == positionNone {
		return fault.New(fault.Refused, op, errors.New("the source wrote no binlog when the copy began"),
			"set log_bin and binlog_format = ROW on the source, then copy again (bascule db drop, bascule db copy)")
	}
	if (p.kind == positionSnapshot) != (e.server.dialect == schema.MariaDB) {
		return fault.New(fault.Refused, op, fmt.Errorf("position %s is not one of %s", shorten(p.String()), e.server.dialect), lostHint)
	}
	follow, err := e.follow(ctx, tables)
	if err != nil {
		return e.explain(op, err)
	}
	follow.mark = &binlog.Layout{Schema: e.ledgerName, Table: "apply", Bare: true}
	f := &feed{e: e, follow: follow, dec: follow.decoder(), last: time.Now(), held: held{tables: tables}}
	if f.at, err = newSpot(p); err != nil {
		return err
	}
	if err := f.connect(ctx, p); err != nil {
		return e.explain(op, f.explain(err))
	}
	defer f.disconnect()
	defer f.held.close()
	defer func() {
		if f.replay != nil {
			f.replay.x.close()
		}
	}()
	f.lag = newLag(ctx, e)
	defer f.lag.close()
	return fn(ctx, f)
}

// dumpConn opens a connection that may be asked for the binlog: it says, as a replica does, that it knows checksums and MariaDB's GTIDs.
func (e *End) dumpConn(ctx context.Context) (*wire.Conn, error) {
	c, err := e.connectWithin(ctx, firstSilence)
	if err != nil {
		return nil, err
	}
	beat := strconv.FormatInt(heartbeat.Nanoseconds(), 10)
	set := "SET @master_binlog_checksum = 'CRC32', @master_heartbeat_period = " + beat
	if e.server.dialect == schema.MariaDB {
		set += ", @mariadb_slave_capability = 4, @slave_gtid_ignore_duplicates = 0"
	} else {
		// A dump ends another one of the same UUID, or without one of the same server id.
		set += ", @source_binlog_checksum = 'CRC32', @source_heartbeat_period = " + beat + ", @slave_uuid = UUID(), @replica_uuid = @slave_uuid"
	}
	if _, err := c.Exec(ctx, set); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// dumpRequest has a number of its own: of the upper half, which hardly anybody gives to a server. Should another dump have it, the
// one that comes first is ended, which is a broken connection to it.
func dumpRequest() wire.DumpRequest {
	return wire.DumpRequest{ServerID: 1<<31 + rand.Uint32N(1<<31-1), Name: program, Silence: silence} //nolint:gosec // no secret
}

// start connects, proves that the server can go on at the position, and asks for the log behind it.
func (f *feed) start(ctx context.Context, p position) (err error) {
	if f.conn, err = f.e.dumpConn(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.conn.Close()
		}
	}()
	r := &reader{e: f.e, conn: f.conn}
	rows, err := r.rows(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+quoteStrings(identifying)+")")
	if err != nil {
		return err
	}
	vars := map[string]string{}
	for _, row := range rows {
		vars[strings.ToLower(row[0])] = row[1]
	}
	f.server = serverID(vars)
	if f.server == f.e.server.id {
		if err = f.e.reach.prove(ctx, r); err != nil {
			return err
		}
	}
	req := dumpRequest()
	switch {
	case p.kind == positionGTID:
		if err = f.proveGTIDs(ctx, r); err != nil {
			return err
		}
		req.GTIDs, req.Pos = f.at.set.encode(), firstEvent
	case p.gtids != "":
		// The server tells what its log lacks, save for domains that it never saw: those it takes for new.
		if err = f.proveDomains(ctx, r); err != nil {
			return err
		}
		req.Pos = firstEvent
		err = r.exec(ctx, "SET @slave_connect_state = "+quoteString(f.at.list.String())+", @slave_gtid_strict_mode = 1")
	default:
		err = f.startAtFile(ctx, p, &req)
	}
	if err != nil {
		return err
	}
	d, err := f.conn.Dump(ctx, req)
	if err != nil {
		return err
	}
	f.dump = d
	return nil
}

// startAtFile asks for a place in a file of this very server.
func (f *feed) startAtFile(ctx context.Context, p position, req *wire.DumpRequest) error {
	if p.server != f.server {
		return fault.New(fault.Refused, "compare servers", fmt.Errorf("the position is one of server %s and this is %s; without GTIDs they cannot be compared", p.server, f.server),
			"use the address of the server that the copy began with; or enable GTIDs and copy again (bascule db drop, bascule db copy)")
	}
	files, err := f.e.binlogFiles(ctx)
	if err != nil {
		return err
	}
	size := uint64(0)
	for _, file := range files {
		if file.name == p.file {
			size = file.size
		}
	}
	switch {
	case size == 0:
		return f.purged(ctx, fmt.Errorf("the source no longer has binlog file %s", p.file))
	case size < p.pos:
		return fault.New(fault.Refused, "find the position", fmt.Errorf("%s has %d bytes and the position is %d", p.file, size, p.pos), lostHint)
	}
	req.File, req.Pos = p.file, firstEvent
	if p.pos>>32 == 0 {
		req.Pos = max(uint32(p.pos), firstEvent)
	} else {
		f.skipTo = p.pos
	}
	return nil
}

// proveGTIDs makes sure that the server has all that comes after the set, and that it has executed the set.
func (f *feed) proveGTIDs(ctx context.Context, r *reader) error {
	row, err := r.row(ctx, "SELECT @@global.gtid_mode, @@global.gtid_purged")
	if err != nil {
		return err
	}
	if row[0] != "ON" {
		return fault.New(fault.Refused, "read gtid_mode", fmt.Errorf("the position counts GTIDs, and gtid_mode is %s", row[0]), "set gtid_mode = ON on the source")
	}
	purged, err := parseGTIDSet(row[1])
	if err != nil {
		return err
	}
	if gone := purged.minus(f.at.set); len(gone) > 0 {
		return f.purged(ctx, fmt.Errorf("the source no longer has the transactions %s", shorten(gone.String())))
	}
	if len(f.at.set) == 0 {
		return nil
	}
	ours := f.at.set.String()
	row, err = r.row(ctx, fmt.Sprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %d), @@global.gtid_executed", quoteString(ours), int(executedPatience.Seconds())))
	if err != nil || row[0] == "0" {
		return err
	}
	executed, err := parseGTIDSet(row[1])
	if err != nil {
		return err
	}
	missing := f.at.set.minus(executed)
	if len(missing) == 0 {
		return nil
	}
	return fault.New(fault.Refused, "compare GTIDs", fmt.Errorf("the source has not executed %s, which was read already", shorten(missing.String())),
		otherHint)
}

// proveDomains makes sure that MariaDB has logged the last transaction of each domain, or one behind it.
func (f *feed) proveDomains(ctx context.Context, r *reader) error {
	row, err := r.row(ctx, "SELECT @@global.gtid_binlog_state")
	if err != nil {
		return err
	}
	state, err := parseGTIDList(row[0])
	if err != nil || state.includes(f.at.list) {
		return err
	}
	return fault.New(fault.Refused, "compare GTIDs", fmt.Errorf("the source has logged %s, and %s was read already", shorten(state.String()), shorten(f.at.list.String())), otherHint)
}

// purged is the error for a log that begins too late.
func (f *feed) purged(ctx context.Context, cause error) error {
	return fault.New(fault.Refused, "find the position", cause, "copy again (bascule db drop, then bascule db copy), and "+f.e.retentionHint(ctx))
}

// retentionHint says how to keep the log longer.
func (e *End) retentionHint(ctx context.Context) string {
	hint := "keep the source's binlog longer: "
	vars, err := e.variables(ctx, "aurora_version", "basedir", "binlog_expire_logs_seconds")
	c := &checkup{e: e, vars: vars}
	_, seconds := vars["binlog_expire_logs_seconds"]
	switch {
	case err != nil:
		return hint + "raise binlog_expire_logs_seconds (on RDS and Aurora: CALL mysql.rds_set_configuration('binlog retention hours', 168);)"
	case c.managed():
		return hint + "CALL mysql.rds_set_configuration('binlog retention hours', 168);"
	case seconds && e.server.atLeast(schema.MySQL, 80000):
		return hint + "SET PERSIST binlog_expire_logs_seconds = 604800;"
	case seconds:
		return hint + "SET GLOBAL binlog_expire_logs_seconds = 604800; and the same under [mysqld] in my.cnf"
	}
	return hint + "SET GLOBAL expire_logs_days = 7; and the same under [mysqld] in my.cnf"
}

// follow prepares what a feed knows of its tables.
func (e *End) follow(ctx context.Context, tables []*change.Select) (*followed, error) {
	var names int
	var database string
	if err := e.db.QueryRowContext(ctx, "SELECT @@lower_case_table_names, DATABASE()").Scan(&names, &database); err != nil {
		return nil, err
	}
	f := &followed{
		database: schema.Name(database), fold: names != 0, tables: map[schema.Name]*change.Select{}, layouts: map[*change.Select]*binlog.Layout{}, mariaDB: e.server.dialect == schema.MariaDB,
	}
	for _, s := range tables {
		l, err := e.layout(ctx, f.database, s)
		if err != nil {
			return nil, err
		}
		f.tables[s.Table.Name], f.layouts[s] = s, l
	}
	return f, nil
}

// decoder returns a decoder of the followed tables' rows.
func (f *followed) decoder() *binlog.Decoder { return f.decoderWhile(func() bool { return true }) }

// decoderWhile is a decoder that plans tables only while wanted says so: what else is in an old log may be of tables as they were. Whoever begins to
// want them makes it forget the others.
func (f *followed) decoderWhile(wanted func() bool) *binlog.Decoder {
	return binlog.NewDecoder(binlog.Options{MariaDB: f.mariaDB, Tables: func(database, table schema.Name) (*binlog.Layout, error) {
		if !wanted() {
			return nil, nil
		}
		if f.marks(database, table) {
			return f.mark, nil
		}
		if s := f.table(string(database), string(table)); s != nil {
			return f.layouts[s], nil
		}
		return nil, nil
	}})
}

// layout says how a table's columns stand in its events.
func (e *End) layout(ctx context.Context, database schema.Name, s *change.Select) (*binlog.Layout, error) {
	l := &binlog.Layout{Schema: database, Table: s.Table.Name, Tag: s}
	found := 0
	for _, c := range s.Table.Columns {
		col := binlog.Column{Column: c, To: -1}
		for i, want := range s.Columns {
			if strings.EqualFold(string(want.Name), string(c.Name)) {
				col.To = i
				found++
			}
		}
		if t, ok := c.Type.(schema.Text); ok && col.To >= 0 {
			var err error
			if col.Text, err = e.toUTF8(ctx, t.Charset); err != nil {
				return nil, fmt.Errorf("table %q, column %q: %w", s.Table.Name, c.Name, err)
			}
		}
		l.Columns = append(l.Columns, col)
	}
	if found != len(s.Columns) {
		return nil, fmt.Errorf("table %q has %d of the %d columns that are to travel", s.Table.Name, found, len(s.Columns))
	}
	return l, nil
}

// End returns the end of the log, behind all that a SELECT which has ended until now can have seen.
//
// On MySQL with GTIDs that is gtid_executed with gtid_owned: a transaction is owned from before it is written to the log until it is
// in gtid_executed, and becomes visible in between. Owned is read first, so that one that moves on between the two
// reads shows in one of them at least. On MariaDB, and without GTIDs, it is where the server writes: a transaction is in the log before it is visible.
func (e *End) End(ctx context.Context) (change.Position, error) {
	const op = "read the binlog's end"
	var p position
	err := e.withReader(ctx, func(ctx context.Context, r *reader) error {
		var err error
		if p, err = r.position(ctx); err != nil || p.kind == positionNone {
			return err
		}
		if p.kind == positionGTID {
			return r.endGTIDs(ctx, &p)
		}
		status, err := r.row(ctx, e.binlogStatement())
		if err != nil {
			return err
		}
		p.file = status[0]
		if p.pos, err = strconv.ParseUint(status[1], 10, 64); err != nil {
			return fmt.Errorf("read the offset %q: %w", status[1], err)
		}
		if p.kind == positionSnapshot {
			row, err := r.row(ctx, "SELECT @@global.gtid_binlog_pos")
			if err != nil {
				return err
			}
			p.gtids = row[0]
		}
		return nil
	})
	return change.Position(p.String()), e.explain(op, err)
}

// endGTIDs reads gtid_owned, which has #THREAD behind each number, and then gtid_executed.
func (r *reader) endGTIDs(ctx context.Context, p *position) error {
	owned, err := r.row(ctx, "SELECT @@global.gtid_owned")
	if err != nil {
		return err
	}
	executed, err := r.row(ctx, "SELECT @@global.gtid_executed")
	if err != nil {
		return err
	}
	set, err := parseGTIDSet(executed[0])
	if err != nil {
		return err
	}
	more, err := parseGTIDSet(ownerOf.ReplaceAllString(owned[0], ""))
	if err != nil {
		return err
	}
	set.union(more)
	p.gtids = set.String()
	return nil
}

// Includes reports whether everything up to b is also within a.
func (e *End) Includes(_ context.Context, a, b change.Position) (bool, error) {
	p, err := parsePosition(a)
	if err != nil {
		return false, err
	}
	q, err := parsePosition(b)
	if err != nil {
		return false, err
	}
	switch {
	case p.kind != q.kind, p.kind == positionNone:
		return false, fmt.Errorf("positions %s and %s cannot be compared", shorten(p.String()), shorten(q.String()))
	case p.kind == positionFile && p.server != q.server:
		return false, fmt.Errorf("positions of two servers, %s and %s, cannot be compared without GTIDs", p.server, q.server)
	}
	for _, x := range []position{p, q} {
		if _, err := newSpot(x); err != nil {
			return false, err
		}
	}
	return p.includes(q), nil
}
