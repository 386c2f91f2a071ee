package wire

import (
	"context"
	"io"
)

// readWriter joins two halves.
type readWriter struct {
	io.Reader
	io.Writer
}

// request begins a command on an idle connection. Bytes that arrived unasked mean that the two sides are out of step, unless
// the server says goodbye.
func (c *Conn) request(command byte) error {
	if c.s.pending() {
		p, err := c.s.readPacket()
		if err == nil && len(p) > 0 && p[0] == headERR {
			c.closed = true
			_ = c.nc.Close() // the server has gone
			return parseERR(p)
		}
		return protocolErrorf("the server sent data that nothing asked for")
	}
	c.s.begin(command)
	return nil
}

// Ping asks the server for a sign of life.
func (c *Conn) Ping(ctx context.Context) error {
	return c.do(ctx, "ping", func() error {
		if err := c.request(comPing); err != nil {
			return err
		}
		if err := c.s.flush(); err != nil {
			return err
		}
		return c.readOK()
	})
}

// Exec runs one statement and returns what it reports. Rows, if it gives any, are read and dropped.
func (c *Conn) Exec(ctx context.Context, sql string) (Result, error) {
	rows, err := c.Query(ctx, sql)
	if err != nil {
		return Result{}, err
	}
	if err := rows.Close(ctx); err != nil {
		return Result{}, err
	}
	return rows.Result(), nil
}

// Query runs one statement as text. All values of its rows are text in the character set of the session, numbers and times
// too. The rows must be read to their end, or closed, before the next statement.
func (c *Conn) Query(ctx context.Context, sql string) (*Rows, error) {
	var rows *Rows
	err := c.do(ctx, "query", func() error {
		if err := c.request(comQuery); err != nil {
			return err
		}
		c.s.wbuf = append(c.s.wbuf, sql...)
		if err := c.s.flush(); err != nil {
			return err
		}
		var err error
		rows, err = c.readHead(false)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// readOK reads a reply that can only be OK or ERR.
func (c *Conn) readOK() error {
	p, err := c.s.readPacket()
	if err != nil {
		return err
	}
	switch {
	case len(p) > 0 && p[0] == headOK:
		r, err := parseOK(p)
		c.status = r.Status
		return err
	case len(p) > 0 && p[0] == headERR:
		return parseERR(p)
	}
	return protocolErrorf("neither OK nor ERR where one of them was due")
}

// maxColumns is more than a server can have in a result (4096).
const maxColumns = 1<<16 - 1

// readHead reads a reply up to its first row.
func (c *Conn) readHead(binary bool) (*Rows, error) {
	p, err := c.s.readPacket()
	if err != nil {
		return nil, err
	}
	if len(p) == 0 {
		return nil, protocolErrorf("empty packet where a result was due")
	}
	switch p[0] {
	case headOK:
		r, err := parseOK(p)
		c.status = r.Status
		return &Rows{c: c, done: true, result: r}, err
	case headERR:
		return nil, parseERR(p)
	case headLocalFile:
		return nil, protocolErrorf("the server asks for a local file, which nobody allowed")
	}
	cur := cursor{b: p}
	n := cur.lenenc()
	if cur.bad || len(cur.b) > 0 || n == 0 || n > maxColumns {
		return nil, protocolErrorf("number of columns in %d bytes", len(p))
	}
	columns, err := c.readColumns(int(n))
	if err != nil {
		return nil, err
	}
	r := &Rows{c: c, columns: columns, binary: binary}
	if binary {
		if r.kinds, err = planKinds(columns); err != nil {
			return nil, err
		}
	}
	c.rows = r
	return r, nil
}

// readColumns reads n column definitions and what follows them.
func (c *Conn) readColumns(n int) ([]Column, error) {
	var columns []Column
	for range n {
		p, err := c.s.readPacket()
		if err != nil {
			return nil, err
		}
		if len(p) > 0 && p[0] == headERR {
			return nil, parseERR(p)
		}
		col, err := parseColumn(p, c.caps)
		if err != nil {
			return nil, err
		}
		columns = append(columns, col)
	}
	if n == 0 || c.caps.Has(CapDeprecateEOF) {
		return columns, nil
	}
	p, err := c.s.readPacket()
	if err != nil {
		return nil, err
	}
	if len(p) == 0 || p[0] != headEOF {
		return nil, protocolErrorf("no EOF after %d column definitions", n)
	}
	_, err = parseEOF(p, c.caps)
	return columns, err
}
