package wire

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Stmt is a prepared statement. It belongs to its connection and shares its limits on concurrency.
type Stmt struct {
	c       *Conn
	id      uint32
	params  int
	columns []Column
}

// Prepare has the server parse one statement.
func (c *Conn) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	st := &Stmt{c: c}
	err := c.do(ctx, "prepare", func() error {
		if err := c.request(comStmtPrepare); err != nil {
			return err
		}
		c.s.wbuf = append(c.s.wbuf, sql...)
		if err := c.s.flush(); err != nil {
			return err
		}
		return st.readHead()
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// readHead reads the reply to COM_STMT_PREPARE. Servers describe every parameter in the same empty way, so only their number
// is kept.
func (st *Stmt) readHead() error {
	p, err := st.c.s.readPacket()
	if err != nil {
		return err
	}
	id, columns, params, err := parsePrepareOK(p)
	if err != nil {
		return err
	}
	st.id, st.params = id, params
	if _, err := st.c.readColumns(params); err != nil {
		return err
	}
	st.columns, err = st.c.readColumns(columns)
	return err
}

// parsePrepareOK decodes the first packet of the reply to COM_STMT_PREPARE.
func parsePrepareOK(p []byte) (id uint32, columns, params int, err error) {
	if len(p) > 0 && p[0] == headERR {
		return 0, 0, 0, parseERR(p)
	}
	c := cursor{b: p}
	head := c.u8()
	id, columns, params = c.u32(), int(c.u16()), int(c.u16())
	if c.bad || head != headOK {
		return 0, 0, 0, protocolErrorf("reply of %d bytes to prepare", len(p))
	}
	return id, columns, params, nil
}

// NumParams is the number of placeholders.
func (st *Stmt) NumParams() int { return st.params }

// Columns describes the result as the server expects it. A change of the table before Execute can change it;
// [Rows.Columns] then tells the truth.
func (st *Stmt) Columns() []Column { return st.columns }

// Execute runs the statement with one argument for each placeholder. The values of its rows are in binary form. The rows
// must be read to their end, or closed, before the next statement.
func (st *Stmt) Execute(ctx context.Context, args ...Param) (*Rows, error) {
	c := st.c
	if len(args) != st.params {
		return nil, &ConnError{Op: "execute on " + c.name, Err: fmt.Errorf("%d arguments for %d placeholders", len(args), st.params)}
	}
	var rows *Rows
	err := c.do(ctx, "execute", func() error {
		if err := c.request(comStmtExecute); err != nil {
			return err
		}
		b := binary.LittleEndian.AppendUint32(c.s.wbuf, st.id)
		b = append(b, 0, 1, 0, 0, 0) // no cursor, one iteration
		c.s.wbuf = appendParams(b, args)
		if err := c.s.flush(); err != nil {
			return err
		}
		var err error
		rows, err = c.readHead(true)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Close makes the server forget the statement. The server does not answer. On a closed connection there is nothing to do.
func (st *Stmt) Close(ctx context.Context) error {
	c := st.c
	if c.closed {
		return nil
	}
	return c.do(ctx, "close a statement", func() error {
		if err := c.request(comStmtClose); err != nil {
			return err
		}
		c.s.wbuf = binary.LittleEndian.AppendUint32(c.s.wbuf, st.id)
		return c.s.flush()
	})
}
