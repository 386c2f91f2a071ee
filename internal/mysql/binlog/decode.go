package binlog

import (
	"fmt"

	"github.com/bascule/bascule/internal/change"
)

// decode looks at one event. It reports whether d.ev holds what it yields; rows and what is in a payload come later.
func (d *Decoder) decode(h header, body []byte) (found bool, err error) {
	if h.inner {
		switch h.typ {
		case typeFormat, typeRotate, typeStop, typeHeartbeat, typeHeartbeatV2, typeGTID, typeAnonymousGTID, typeGTIDTagged, typeTransactionPayload:
			return false, damaged(h, fmt.Errorf("a compressed transaction must not contain it"))
		}
	}
	switch h.typ {
	case typeFormat, typePreviousGTIDs, typeIgnorable, typeRowsQuery, typeTransactionContext, typeViewChange:
		return false, nil
	case typeRotate:
		return true, d.rotate(h, body)
	case typeHeartbeat:
		e := d.begin(KindHeartbeat, h)
		e.File, e.Pos, e.End = string(body), uint64(h.end), 0
		return true, nil
	case typeQuery:
		return true, d.query(h, body, false)
	case typeXID:
		if len(body) != 8 {
			return false, damaged(h, errShort)
		}
		d.begin(KindXID, h)
		d.generation++
		return true, nil
	case typeXAPrepare:
		return true, d.xaPrepare(h, body)
	case typeTableMap:
		return false, d.tableMap(h, body)
	case typeWriteRowsV1, typeWriteRows:
		return false, d.rowsEvent(h, body, change.Insert, false)
	case typeUpdateRowsV1, typeUpdateRows:
		return false, d.rowsEvent(h, body, change.Update, false)
	case typeDeleteRowsV1, typeDeleteRows:
		return false, d.rowsEvent(h, body, change.Delete, false)
	case typeIncident:
		return true, d.incident(h, body)
	case typeStop:
		d.begin(KindStop, h)
		return true, nil
	case typeIntvar, typeRand, typeUserVar, typeLoad, typeCreateFile, typeAppendBlock, typeExecLoad, typeDeleteFile, typeNewLoad,
		typeBeginLoadQuery, typeExecuteLoadQuery:
		return false, unsupported(h, "it belongs to a statement that was logged as SQL, not as the rows that it changed", hintRow)
	}
	if d.o.MariaDB {
		return d.decodeMariaDB(h, body)
	}
	return d.decodeMySQL(h, body)
}

// decodeMySQL looks at an event that only MySQL writes.
func (d *Decoder) decodeMySQL(h header, body []byte) (bool, error) {
	switch h.typ {
	case typeGTID, typeAnonymousGTID:
		return true, d.gtid(h, body)
	case typeGTIDTagged:
		return true, d.gtidTagged(h, body)
	case typeHeartbeatV2:
		return true, d.heartbeatV2(h, body)
	case typeTransactionPayload:
		return false, d.openPayload(h, body)
	case typePartialUpdateRows:
		return false, unsupported(h, "it holds parts of JSON documents instead of whole rows",
			"SET GLOBAL binlog_row_value_options = '', end the sessions that have PARTIAL_JSON, and copy again")
	}
	return d.unknown(h)
}

// decodeMariaDB looks at an event that only MariaDB writes.
func (d *Decoder) decodeMariaDB(h header, body []byte) (bool, error) {
	switch h.typ {
	case typeMariaAnnotateRows, typeMariaBinlogCheckpoint, typeMariaGTIDList, typeMariaStartEncryption:
		return false, nil
	case typeMariaGTID:
		return true, d.gtidMariaDB(h, body)
	case typeMariaQueryCompressed:
		return true, d.query(h, body, true)
	case typeMariaWriteRowsV1, typeMariaWriteRows:
		return false, d.rowsEvent(h, body, change.Insert, true)
	case typeMariaUpdateRowsV1, typeMariaUpdateRows:
		return false, d.rowsEvent(h, body, change.Update, true)
	case typeMariaDeleteRowsV1, typeMariaDeleteRows:
		return false, d.rowsEvent(h, body, change.Delete, true)
	}
	return d.unknown(h)
}

// unknown skips an event of which its server says that whoever does not know it may, and refuses any other.
func (d *Decoder) unknown(h header) (bool, error) {
	if h.flags&flagIgnorable != 0 {
		return false, nil
	}
	server := "MySQL"
	if d.o.MariaDB {
		server = "MariaDB"
	}
	return false, unsupported(h, "this program does not know what it says, so it may be changes that would be lost",
		"the log comes from a "+server+" that is newer than this program, or is not from "+server)
}

// rotate reads the name of the file that follows: position 8, name.
func (d *Decoder) rotate(h header, body []byte) error {
	c := cursor{b: body}
	pos := c.u64()
	if c.bad || len(c.b) == 0 {
		return damaged(h, errShort)
	}
	e := d.begin(KindRotate, h)
	e.File, e.Pos = string(c.b), pos
	if h.flags&flagArtificial != 0 {
		e.End = 0
	}
	return nil
}

// heartbeatV2 reads fields of type, length, value, each number length-encoded (Heartbeat_event_v2): 1 is the file, 2 the
// position, itself length-encoded, and 0 the end.
func (d *Decoder) heartbeatV2(h header, body []byte) error {
	c := cursor{b: body}
	e := d.begin(KindHeartbeat, h)
	e.End = 0
	for len(c.b) > 0 {
		field := c.lenenc()
		if field == 0 {
			break
		}
		value := cursor{b: c.take(c.length())}
		switch field {
		case 1:
			e.File = string(value.b)
		case 2:
			e.Pos = value.lenenc()
		}
		c.bad = c.bad || value.bad
	}
	if c.bad || e.File == "" {
		return damaged(h, errShort)
	}
	return nil
}

// incident reads what the server says that it lost: number 2, message with its length in one byte.
func (d *Decoder) incident(h header, body []byte) error {
	c := cursor{b: body}
	number := c.u16()
	text := string(c.take(int(c.u8())))
	if c.bad {
		return damaged(h, errShort)
	}
	if text == "" {
		text = fmt.Sprintf("incident %d", number)
	}
	d.begin(KindIncident, h).Message = text
	return nil
}

// xaPrepare reads one_phase 1, format 4, lengths 4 and 4, gtrid, bqual (XA_prepare_event).
func (d *Decoder) xaPrepare(h header, body []byte) error {
	c := cursor{b: body}
	one := c.u8() != 0
	id := XAID{Format: int32(c.u32())}
	global, branch := int(c.u32()), int(c.u32())
	id.Global, id.Branch = string(c.take(global)), string(c.take(branch))
	if c.bad {
		return damaged(h, errShort)
	}
	d.begin(KindXAPrepare, h).XA = XAEvent{ID: id, OnePhase: one}
	d.generation++
	return nil
}
