package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/bascule/bascule/internal/fault"
)

// headerSize is the length of an event's common header since MySQL 4.0: time 4, type 1, server id 4, size 4, end position 4, flags 2.
const headerSize = 19

// An eventType is byte 4 of an event: Log_event_type of MySQL's binlog_event.h and of MariaDB's log_event.h.
type eventType uint8

const (
	typeStartV3            eventType = 1
	typeQuery              eventType = 2
	typeStop               eventType = 3
	typeRotate             eventType = 4
	typeIntvar             eventType = 5
	typeLoad               eventType = 6
	typeCreateFile         eventType = 8
	typeAppendBlock        eventType = 9
	typeExecLoad           eventType = 10
	typeDeleteFile         eventType = 11
	typeNewLoad            eventType = 12
	typeRand               eventType = 13
	typeUserVar            eventType = 14
	typeFormat             eventType = 15
	typeXID                eventType = 16
	typeBeginLoadQuery     eventType = 17
	typeExecuteLoadQuery   eventType = 18
	typeTableMap           eventType = 19
	typeWriteRowsV1        eventType = 23
	typeUpdateRowsV1       eventType = 24
	typeDeleteRowsV1       eventType = 25
	typeIncident           eventType = 26
	typeHeartbeat          eventType = 27
	typeIgnorable          eventType = 28
	typeRowsQuery          eventType = 29
	typeWriteRows          eventType = 30
	typeUpdateRows         eventType = 31
	typeDeleteRows         eventType = 32
	typeGTID               eventType = 33
	typeAnonymousGTID      eventType = 34
	typePreviousGTIDs      eventType = 35
	typeTransactionContext eventType = 36
	typeViewChange         eventType = 37
	typeXAPrepare          eventType = 38
	typePartialUpdateRows  eventType = 39
	typeTransactionPayload eventType = 40
	typeHeartbeatV2        eventType = 41
	typeGTIDTagged         eventType = 42

	typeMariaAnnotateRows     eventType = 160
	typeMariaBinlogCheckpoint eventType = 161
	typeMariaGTID             eventType = 162
	typeMariaGTIDList         eventType = 163
	typeMariaStartEncryption  eventType = 164
	typeMariaQueryCompressed  eventType = 165
	typeMariaWriteRowsV1      eventType = 166
	typeMariaUpdateRowsV1     eventType = 167
	typeMariaDeleteRowsV1     eventType = 168
	typeMariaWriteRows        eventType = 169
	typeMariaUpdateRows       eventType = 170
	typeMariaDeleteRows       eventType = 171
)

var typeNames = map[eventType]string{
	typeStartV3: "START_V3", typeQuery: "QUERY", typeStop: "STOP", typeRotate: "ROTATE", typeIntvar: "INTVAR", typeLoad: "LOAD",
	typeCreateFile: "CREATE_FILE", typeAppendBlock: "APPEND_BLOCK", typeExecLoad: "EXEC_LOAD", typeDeleteFile: "DELETE_FILE",
	typeNewLoad: "NEW_LOAD", typeRand: "RAND", typeUserVar: "USER_VAR", typeFormat: "FORMAT_DESCRIPTION", typeXID: "XID",
	typeBeginLoadQuery: "BEGIN_LOAD_QUERY", typeExecuteLoadQuery: "EXECUTE_LOAD_QUERY", typeTableMap: "TABLE_MAP",
	typeWriteRowsV1: "WRITE_ROWS_V1", typeUpdateRowsV1: "UPDATE_ROWS_V1", typeDeleteRowsV1: "DELETE_ROWS_V1", typeIncident: "INCIDENT",
	typeHeartbeat: "HEARTBEAT", typeIgnorable: "IGNORABLE", typeRowsQuery: "ROWS_QUERY", typeWriteRows: "WRITE_ROWS",
	typeUpdateRows: "UPDATE_ROWS", typeDeleteRows: "DELETE_ROWS", typeGTID: "GTID", typeAnonymousGTID: "ANONYMOUS_GTID",
	typePreviousGTIDs: "PREVIOUS_GTIDS", typeTransactionContext: "TRANSACTION_CONTEXT", typeViewChange: "VIEW_CHANGE",
	typeXAPrepare: "XA_PREPARE", typePartialUpdateRows: "PARTIAL_UPDATE_ROWS", typeTransactionPayload: "TRANSACTION_PAYLOAD",
	typeHeartbeatV2: "HEARTBEAT_V2", typeGTIDTagged: "GTID_TAGGED",
	typeMariaAnnotateRows: "ANNOTATE_ROWS", typeMariaBinlogCheckpoint: "BINLOG_CHECKPOINT", typeMariaGTID: "GTID",
	typeMariaGTIDList: "GTID_LIST", typeMariaStartEncryption: "START_ENCRYPTION", typeMariaQueryCompressed: "QUERY_COMPRESSED",
	typeMariaWriteRowsV1: "WRITE_ROWS_COMPRESSED_V1", typeMariaUpdateRowsV1: "UPDATE_ROWS_COMPRESSED_V1",
	typeMariaDeleteRowsV1: "DELETE_ROWS_COMPRESSED_V1", typeMariaWriteRows: "WRITE_ROWS_COMPRESSED",
	typeMariaUpdateRows: "UPDATE_ROWS_COMPRESSED", typeMariaDeleteRows: "DELETE_ROWS_COMPRESSED",
}

// String returns the servers' name for the type, or its number.
func (t eventType) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return "of type " + strconv.Itoa(int(t))
}

const (
	flagInUse      = 0x0001 // LOG_EVENT_BINLOG_IN_USE_F
	flagArtificial = 0x0020 // LOG_EVENT_ARTIFICIAL_F
	flagIgnorable  = 0x0080 // LOG_EVENT_IGNORABLE_F
)

// header is an event's common header.
type header struct {
	time   uint32 // seconds since 1970
	typ    eventType
	flags  uint16
	server uint32
	size   uint32
	end    uint32
	inner  bool // within a TRANSACTION_PAYLOAD
}

// parseHeader reads a header from p, which has at least headerSize bytes.
func parseHeader(p []byte) header {
	le := binary.LittleEndian
	return header{
		time: le.Uint32(p), typ: eventType(p[4]), server: le.Uint32(p[5:]), size: le.Uint32(p[9:]), end: le.Uint32(p[13:]),
		flags: le.Uint16(p[17:]),
	}
}

// op says what was being decoded, for an error.
func (h header) op() string {
	where := "that ends at " + strconv.FormatUint(uint64(h.end), 10)
	if h.inner {
		where = "within a compressed transaction"
	}
	return fmt.Sprintf("decode the binlog event %v %s", h.typ, where)
}

// checksumSize is the length of the trailer that an event has when checksums are on, and a format description always.
const checksumSize = 4

// A Checksum says what stands behind an event.
type Checksum uint8

// The checksums: the servers' binlog_checksum. ChecksumUnknown, the zero value, takes it from the events themselves.
const (
	ChecksumUnknown Checksum = iota
	ChecksumNone
	ChecksumCRC32
)

// crcMatches reports whether raw ends with the CRC32 of what stands before. The server computes it without the flag that says
// that the file is still being written.
func crcMatches(raw []byte) bool {
	n := len(raw) - checksumSize
	sum := crc32.ChecksumIEEE(raw[:17])
	sum = crc32.Update(sum, crc32.IEEETable, []byte{raw[17] &^ flagInUse})
	return crc32.Update(sum, crc32.IEEETable, raw[18:n]) == binary.LittleEndian.Uint32(raw[n:])
}

var (
	errShort    = errors.New("the event ends within a field")
	errChecksum = errors.New("its checksum does not match: it was damaged on the server's disk or on the way")
)

const (
	hintDamaged = "look at the server's binlog with mysqlbinlog --verify-binlog-checksum; a damaged one cannot be followed: copy again"
	hintAltered = "the table is not what it was when its columns were read: copy it again"
	hintRow     = "SET GLOBAL binlog_format = 'ROW', end the sessions that have another one, and copy again"
)

// damaged is an event that contradicts its format.
func damaged(h header, err error) error { return fault.New(fault.Data, h.op(), err, hintDamaged) }

// unsupported is an event that cannot be turned into rows.
func unsupported(h header, why, hint string) error {
	return fault.New(fault.Unsupported, h.op(), errors.New(why), hint)
}
