package binlog

import (
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// Kind tells what an Event is. Events that carry nothing for a reader of rows (Previous_gtids, Annotate_rows,
// Rows_query, Binlog_checkpoint, Gtid_list of a file's start, Start_encryption of a stream that arrives decrypted) are not returned.
type Kind uint8

// The kinds of events.
const (
	// KindRotate names the file that follows: File and Pos.
	KindRotate Kind = iota + 1
	// KindHeartbeat comes when the server has nothing else: File and Pos.
	KindHeartbeat
	// KindGTID begins a transaction or stands before a single statement: GTID.
	KindGTID
	// KindQuery is a statement: Query. BEGIN, COMMIT, ROLLBACK, XA START, XA END, XA COMMIT, XA ROLLBACK and DDL come as such.
	KindQuery
	// KindRows are row changes: Rows.
	KindRows
	// KindXID commits a transaction.
	KindXID
	// KindXAPrepare ends the first phase of an XA transaction: XA. With OnePhase it commits it.
	KindXAPrepare
	// KindIncident says that the server lost events: Message.
	KindIncident
	// KindStop says that the server that wrote the file went down.
	KindStop
)

// Event is one decoded event; which fields are set depends on Kind. It and all that it points to are valid until the next call
// of Decoder.Next.
type Event struct {
	Kind Kind
	// Time is when the statement began, by the server's clock, to the second; for KindGTID of MySQL 8.0.1 and later when the
	// transaction was committed, to the microsecond.
	Time time.Time
	// Server is the server_id that the event was born on.
	Server uint32
	// End is the position in its file behind the event, modulo 2^32 (a file can be larger); 0 for events that the server made up,
	// and inside a compressed payload.
	End uint32

	File    string // Rotate, Heartbeat
	Pos     uint64 // Rotate, Heartbeat
	GTID    GTIDEvent
	Query   QueryEvent
	Rows    RowsEvent
	XA      XAEvent
	Message string
}

// GTIDEvent identifies a transaction.
type GTIDEvent struct {
	// Text is UUID:NUMBER or UUID:TAG:NUMBER on MySQL, DOMAIN-SERVER-SEQUENCE on MariaDB, empty for an anonymous one.
	Text string
	// Standalone says that no BEGIN and no COMMIT belong to it (MariaDB's FL_STANDALONE: one event follows).
	Standalone bool
	// XAPrepared and XACompleted are MariaDB's FL_PREPARED_XA and FL_COMPLETED_XA; then XA names it.
	XAPrepared, XACompleted bool
	XA                      XAID
}

// XAID identifies an XA transaction.
type XAID struct {
	Format         int32
	Global, Branch string // bytes: gtrid and bqual
}

// XAEvent is an XA_prepare_log_event.
type XAEvent struct {
	ID       XAID
	OnePhase bool
}

// QueryEvent is a statement as it was logged.
type QueryEvent struct {
	Schema schema.Name // the default database
	SQL    string      // the bytes as they were logged, in Charset
	// Charset is the number of a collation of the statement's character set (@@character_set_client), as
	// information_schema.COLLATIONS has it; 0 when it was not logged.
	Charset uint16
	// Error is the code with which the statement ended on the server, 0 for success.
	Error uint16
}

// RowsEvent is one row event of a table that the Decoder was asked for.
type RowsEvent struct {
	Layout *Layout
	Op     change.Op
	// Old and New are as in change.Rows, with the columns of Layout.Columns that travel.
	Old, New change.Batch
	// NoForeignKeyChecks: the session had foreign_key_checks = 0, so no action ran (NO_FOREIGN_KEY_CHECKS_F).
	NoForeignKeyChecks bool
	// CascadesLogged: the server logs the rows that actions change (USE_SQL_FOREIGN_KEY_F, MySQL 9.6).
	CascadesLogged bool
}

// Layout says how the columns of a followed table stand in its row events.
type Layout struct {
	Schema, Table schema.Name
	// Columns are all columns of the table in the order in which the table has them, invisible and stored generated ones
	// included, virtual ones as the server logs them (see Decoder).
	Columns []Column
	// Bare says that only the table's name matters: each of its row events comes without rows, and Columns is not looked at.
	Bare bool
	// Tag is the caller's own, for instance its *change.Select.
	Tag any
}

// Column is one column of a Layout.
type Column struct {
	*schema.Column
	// To is the position in the batches' rows, -1 when the column does not travel.
	To int
	// Text turns bytes of the column's character set into utf8mb4, appended to dst, as the server's own CONVERT does. nil: the bytes
	// are utf8mb4, utf8mb3, ascii or binary already.
	Text func(dst, src []byte) ([]byte, error)
}
