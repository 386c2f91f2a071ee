package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"
)

// The commands of a replica.
const (
	comBinlogDump     = 0x12
	comRegisterSlave  = 0x15
	comBinlogDumpGTID = 0x1e
)

const (
	// dumpNonBlock asks for an EOF packet at the end of the log, in place of waiting for more (BINLOG_DUMP_NON_BLOCK).
	dumpNonBlock = 1
	// peekTime is how long Buffered waits for bytes that the kernel may have already. Zero would not even ask it.
	peekTime = 50 * time.Microsecond
	// maxReported is the longest text in COM_REGISTER_SLAVE that all servers take.
	maxReported = 60
)

// DumpRequest says which part of the binlog a server is to send.
type DumpRequest struct {
	// ServerID tells this client from all replicas of the server; a server ends an older dump with the same number.
	ServerID uint32
	// Name is what SHOW REPLICAS shows as the host; cut after 60 bytes.
	Name string
	// File is the first file to be sent; empty for the server's first one, or for the one that GTIDs choose.
	File string
	// Pos is the offset in File of the first event: 4 for its beginning.
	Pos uint32
	// GTIDs is the encoded set of transactions that are not to be sent (MySQL's Gtid_set::encode). nil asks by File and Pos:
	// COM_BINLOG_DUMP, which is also what MariaDB takes GTIDs with, from the session's @slave_connect_state.
	GTIDs []byte
	// ToEnd ends the dump with io.EOF where the log ends now; otherwise it goes on as long as the connection does.
	ToEnd bool
	// Silence is the longest that the server may be silent after its first event; zero leaves it at Config.ReadTimeout. The
	// first one can take long on a server with many files.
	Silence time.Duration
}

// Dump is the stream of a server's binlog events. Not safe for concurrent use.
type Dump struct {
	c       *Conn
	silence time.Duration
	started bool
	done    bool
}

// Dump registers the client as a replica and asks for the binlog. The connection serves nothing
// else from then on: other requests fail with [ErrBusy]. An error of the server arrives from Dump when it refuses the registration, and
// from Next when it refuses the position.
func (c *Conn) Dump(ctx context.Context, r DumpRequest) (*Dump, error) {
	err := c.do(ctx, "ask for the binlog", func() error {
		if err := c.request(comRegisterSlave); err != nil {
			return err
		}
		c.s.wbuf = appendRegister(c.s.wbuf, r)
		if err := c.s.flush(); err != nil {
			return err
		}
		if err := c.readOK(); err != nil {
			return err
		}
		command := byte(comBinlogDump)
		if r.GTIDs != nil {
			command = comBinlogDumpGTID
		}
		if err := c.request(command); err != nil {
			return err
		}
		c.s.wbuf = appendDump(c.s.wbuf, r)
		return c.s.flush()
	})
	if err != nil {
		return nil, err
	}
	c.rows = &Rows{c: c} // marks the connection busy
	return &Dump{c: c, silence: r.Silence}, nil
}

// appendRegister appends the payload of COM_REGISTER_SLAVE: id, host, user and password with a byte of length each, port,
// rank (unused) and the id of the source (0: whoever it is).
func appendRegister(b []byte, r DumpRequest) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.ServerID)
	name := r.Name[:min(len(r.Name), maxReported)]
	b = append(append(b, byte(len(name))), name...)
	b = append(b, 0, 0, 0, 0) // no user, no password, no port
	return append(b, make([]byte, 8)...)
}

// appendDump appends the payload of COM_BINLOG_DUMP or, with a set, COM_BINLOG_DUMP_GTID.
func appendDump(b []byte, r DumpRequest) []byte {
	flags := uint16(0)
	if r.ToEnd {
		flags = dumpNonBlock
	}
	if r.GTIDs == nil {
		b = binary.LittleEndian.AppendUint32(b, r.Pos)
		b = binary.LittleEndian.AppendUint16(b, flags)
		b = binary.LittleEndian.AppendUint32(b, r.ServerID)
		return append(b, r.File...)
	}
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint32(b, r.ServerID)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.File)))
	b = append(b, r.File...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Pos))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.GTIDs)))
	return append(b, r.GTIDs...)
}

// Next waits for the next event and returns it as the log has it, its header and checksum included. It is valid until the next call of Next or
// Buffered. io.EOF says that the server ended the dump: at the end of the log when that was asked for, else because somebody killed it. After
// any error the connection is closed: servers hang up when a dump ends.
func (d *Dump) Next(ctx context.Context) ([]byte, error) {
	c := d.c
	if d.done {
		return nil, io.EOF
	}
	if c.closed {
		return nil, &ConnError{Op: "read the binlog on " + c.name, Err: ErrClosed, sent: true}
	}
	var p []byte
	err := c.run(ctx, "read the binlog on "+c.name, func() (err error) {
		if p, err = c.s.readPacket(); err != nil {
			return err
		}
		switch {
		case len(p) == 0:
			return protocolErrorf("empty packet where an event was due")
		case p[0] == headOK:
			p = p[1:]
			return nil
		case p[0] == headERR:
			d.done = true
			return parseERR(p)
		case p[0] == headEOF:
			d.done = true
			return nil
		}
		return protocolErrorf("packet of kind %#x where an event was due", p[0])
	})
	if d.done {
		c.abandon()
	}
	switch {
	case err != nil:
		return nil, err
	case d.done:
		return nil, io.EOF
	}
	if !d.started {
		d.started = true
		if d.silence > 0 {
			c.dl.read = d.silence
		}
	}
	return p, nil
}

// Close closes the connection: a server hangs up when a dump ends.
func (d *Dump) Close() error { return d.c.Close() }

// Buffered reports whether the next event has arrived whole, so that Next will not wait. An event of more than 128 KiB
// never counts as such. It may take some microseconds to look.
func (d *Dump) Buffered() bool {
	if d.done || d.c.closed {
		return true // Next says so at once
	}
	dl := d.c.dl
	patience := dl.read
	dl.read = peekTime
	defer func() {
		dl.read = patience
		if patience <= 0 {
			_ = dl.nc.SetReadDeadline(time.Time{}) // fails on a closed socket, which the next read finds
		}
	}()
	s := d.c.s
	for {
		have := s.w - s.r
		if have >= headerSize {
			n := headerSize + getUint24(s.buf[s.r:])
			if n > len(s.buf) {
				return false
			}
			if have >= n {
				return true
			}
		}
		if f, ok := s.in.(*frames); ok && !f.ready() {
			return false
		}
		if err := s.more(); err != nil {
			// What ended the connection meets Next again.
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// more reads once, behind what is buffered.
func (s *stream) more() error {
	s.w, s.r = copy(s.buf, s.buf[s.r:s.w]), 0
	n, err := s.in.Read(s.buf[s.w:])
	s.w += n
	if n > 0 {
		return nil
	}
	return err
}

// ready reports whether Read has bytes without asking the layer below for any that may not come. An interrupted Read would
// lose the bytes of a header, Peek does not.
func (f *frames) ready() bool {
	if len(f.plain) > 0 || f.left > 0 && f.in.Buffered() > 0 {
		return true
	}
	if f.left > 0 {
		_, err := f.in.Peek(1)
		return err == nil
	}
	head, err := f.in.Peek(frameHeader)
	if err != nil {
		return false
	}
	n, size := getUint24(head), getUint24(head[4:])
	if size == 0 {
		n = min(n, 1) // Read gives what there is
	}
	if frameHeader+n > f.in.Size() {
		return false
	}
	_, err = f.in.Peek(frameHeader + n)
	return err == nil
}
