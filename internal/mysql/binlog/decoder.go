package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Options say what a Decoder decodes.
type Options struct {
	// Tables says how the columns of a table stand in its events, or nil for a table whose rows are not wanted. It is asked
	// whenever the server gives a table a new number, which it does after each change of its definition, and after each start
	// of a binlog file. Its error comes back from Next.
	Tables func(database, table schema.Name) (*Layout, error)
	// MariaDB says that the server is one; both number their later events differently.
	MariaDB bool
	// Checksum is what the client told the server that it understands (@source_binlog_checksum). It matters for events that
	// come before the first format description, which then decides.
	Checksum Checksum
}

// Decoder turns events as a server sends them into Events. It is not safe for concurrent use.
//
// Each event is pushed and then asked for what it yields, until io.EOF. A row event yields its rows in one Event or in several,
// so that no Event needs more than about a MiB beyond its largest row; a compressed transaction yields what is in it, one event
// at a time, and is never expanded as a whole.
//
// Which columns stand in row events, found on the servers (MySQL 9.7, MariaDB 10.11): all of the table, in its order, invisible
// and generated ones included, stored and virtual alike, the latter with their values. MySQL leaves out the hidden columns
// of functional indexes; MariaDB appends DB_ROW_HASH_1 and so on, one for each UNIQUE over a BLOB, which are skipped.
//
// After an error the pushed event is given up; what was decoded before it may have been handed out already.
type Decoder struct {
	o          Options
	checksum   Checksum
	postHeader []byte // of each type, from 1 on, as the format description gives them
	tables     map[uint64]*table
	generation uint64 // counts transactions: a TABLE_MAP holds within one

	h       header
	body    []byte // the pushed event between header and checksum
	pending bool   // the pushed event has not been looked at
	rows    rowReader
	payload payload
	inflate inflater
	ev      Event
	names   nameCache
}

// NewDecoder returns a Decoder at the beginning of a dump or of a file.
func NewDecoder(o Options) *Decoder {
	return &Decoder{o: o, checksum: o.Checksum, tables: map[uint64]*table{}, rows: rowReader{limit: batchBytes}}
}

// Push takes the next event: its header, body and, where checksums are on, its checksum. raw must stay as it is until the next Push.
// The one before must have been asked until io.EOF, or have failed.
func (d *Decoder) Push(raw []byte) error {
	if d.pending || d.rows.open() || d.payload.open() {
		return fmt.Errorf("push a binlog event: the %v before it has not been read to its end", d.h.typ)
	}
	if len(raw) < headerSize {
		return fault.New(fault.Data, "decode a binlog event", fmt.Errorf("%d bytes are less than a header", len(raw)), hintDamaged)
	}
	d.h = parseHeader(raw)
	if uint64(d.h.size) != uint64(len(raw)) {
		return damaged(d.h, fmt.Errorf("it says that it has %d bytes and has %d", d.h.size, len(raw)))
	}
	body, err := d.strip(raw)
	if err != nil {
		return err
	}
	d.body, d.pending = body, true
	return nil
}

// strip checks the checksum and returns the body without it.
func (d *Decoder) strip(raw []byte) ([]byte, error) {
	body := raw[headerSize:]
	if d.h.typ == typeFormat {
		return d.format(raw)
	}
	on := d.checksum == ChecksumCRC32
	if d.checksum == ChecksumUnknown {
		// Before the first format description only the event itself can tell: the ROTATE that the server makes up.
		on = len(body) >= checksumSize && crcMatches(raw)
	}
	if !on {
		return body, nil
	}
	if len(body) < checksumSize {
		return nil, damaged(d.h, errShort)
	}
	if !crcMatches(raw) {
		return nil, damaged(d.h, errChecksum)
	}
	return body[:len(body)-checksumSize], nil
}

// format reads a format description: binlog version 2, server version 50, creation time 4, header length 1, the length of
// each type's post-header, and since MySQL 5.6.1 and MariaDB 5.3 one byte for the checksum of the events that follow and a checksum of its own.
func (d *Decoder) format(raw []byte) ([]byte, error) {
	const fixed = 2 + 50 + 4 + 1
	body := raw[headerSize:]
	if len(body) < fixed+1+checksumSize {
		return nil, unsupported(d.h, fmt.Sprintf("its %d bytes are those of a server older than MySQL 5.6.1", len(raw)), "")
	}
	if v := binary.LittleEndian.Uint16(body); v != 4 {
		return nil, unsupported(d.h, fmt.Sprintf("binlog version %d is not known", v), "")
	}
	if body[fixed-1] != headerSize {
		return nil, unsupported(d.h, fmt.Sprintf("headers of %d bytes are not known", body[fixed-1]), "")
	}
	at := len(body) - checksumSize - 1
	switch body[at] {
	case 0:
		d.checksum = ChecksumNone
	case 1:
		if !crcMatches(raw) {
			return nil, damaged(d.h, errChecksum)
		}
		d.checksum = ChecksumCRC32
	default:
		return nil, unsupported(d.h, fmt.Sprintf("checksum algorithm %d is not known", body[at]), "SET GLOBAL binlog_checksum = CRC32")
	}
	d.postHeader = append(d.postHeader[:0], body[fixed:at]...)
	// A server that was restarted numbers its tables anew.
	clear(d.tables)
	return nil, nil
}

// postHeaderSize returns how long the fixed part of an event of that type is, or otherwise when no format description told.
func (d *Decoder) postHeaderSize(t eventType, otherwise int) int {
	if i := int(t) - 1; i < len(d.postHeader) {
		return int(d.postHeader[i])
	}
	return otherwise
}

// Next returns what the pushed event yields next, or io.EOF.
func (d *Decoder) Next() (*Event, error) {
	for {
		switch {
		case d.rows.open():
			if err := d.rows.read(&d.ev.Rows); err != nil {
				h := d.rows.h
				return nil, d.giveUp(fault.New(fault.Data, h.op(), err, hintAltered))
			}
			return &d.ev, nil
		case d.payload.open():
			h, body, err := d.payload.next()
			if errors.Is(err, io.EOF) {
				return nil, d.giveUp(io.EOF)
			}
			if err != nil {
				return nil, d.giveUp(damaged(d.h, err))
			}
			if found, err := d.decode(h, body); err != nil {
				return nil, d.giveUp(err)
			} else if found {
				return &d.ev, nil
			}
		case d.pending:
			d.pending = false
			if found, err := d.decode(d.h, d.body); err != nil {
				return nil, d.giveUp(err)
			} else if found {
				return &d.ev, nil
			}
		default:
			return nil, io.EOF
		}
	}
}

// giveUp forgets what is left of the pushed event.
func (d *Decoder) giveUp(err error) error {
	d.pending = false
	d.rows.close()
	d.payload.close()
	return err
}

// begin prepares the Event of an event; the batches keep their buffers.
func (d *Decoder) begin(k Kind, h header) *Event {
	e := &d.ev
	before, after := e.Rows.Old, e.Rows.New
	before.Reset(0)
	after.Reset(0)
	*e = Event{Kind: k, Time: time.Unix(int64(h.time), 0).UTC(), Server: h.server, End: h.end}
	e.Rows.Old, e.Rows.New = before, after
	if h.inner {
		e.End = 0
	}
	return e
}
