package wire

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Args are the arguments of one execution of a prepared statement, gathered in the form in which they travel: no Param and no
// copy of a value for each. Types are sent with every execution, for NULLs too, so that they stay the same from one execution
// to the next and servers need not prepare anew. The zero value is empty. It is not safe for concurrent use.
type Args struct {
	nulls, types, values []byte
	n                    int
}

// Reset empties the list and keeps its buffers, save for those that a giant value made large.
func (a *Args) Reset() {
	if cap(a.values) > keepBuffer {
		a.values = nil
	}
	a.nulls, a.types, a.values, a.n = a.nulls[:0], a.types[:0], a.values[:0], 0
}

// Len is the number of arguments.
func (a *Args) Len() int { return a.n }

// Size is how many bytes the arguments take in a request.
func (a *Args) Size() int { return len(a.nulls) + len(a.types) + len(a.values) + executeHead }

// Null adds a NULL of that type.
func (a *Args) Null(t FieldType, unsigned bool) {
	a.head(t, unsigned)
	a.nulls[(a.n-1)/8] |= 1 << ((a.n - 1) % 8)
}

// Add adds a value: its bytes as the binary protocol has them, without a length prefix (see change.Batch). A value whose length its
// type does not allow is an error, and then a must be reset.
func (a *Args) Add(t FieldType, unsigned bool, v []byte) error {
	a.head(t, unsigned)
	var width int
	switch t {
	case TypeTiny:
		width = 1
	case TypeShort, TypeYear:
		width = 2
	case TypeLong, TypeInt24, TypeFloat:
		width = 4
	case TypeLongLong, TypeDouble:
		width = 8
	case TypeDate, TypeDatetime, TypeTimestamp:
		if n := len(v); n != 0 && n != 4 && n != 7 && n != 11 {
			return fmt.Errorf("a date of %d bytes", n)
		}
		a.values = append(append(a.values, byte(len(v))), v...)
		return nil
	case TypeTime:
		if n := len(v); n != 0 && n != 8 && n != 12 {
			return fmt.Errorf("a time of %d bytes", n)
		}
		a.values = append(append(a.values, byte(len(v))), v...)
		return nil
	default:
		a.values = append(appendLenenc(a.values, uint64(len(v))), v...)
		return nil
	}
	if len(v) != width {
		return fmt.Errorf("a number of %d bytes where its type has %d", len(v), width)
	}
	a.values = append(a.values, v...)
	return nil
}

func (a *Args) head(t FieldType, unsigned bool) {
	if a.n%8 == 0 {
		a.nulls = append(a.nulls, 0)
	}
	flag := byte(0)
	if unsigned {
		flag = 0x80
	}
	a.types = append(a.types, byte(t), flag)
	a.n++
}

// executeHead is what COM_STMT_EXECUTE has before and between the parts of Args: command, statement, flags, iterations, and the mark
// that types follow.
const executeHead = 11

// ExecuteArgs runs the statement with one argument for each placeholder and returns what it reports. Rows, if it gives any, are
// read and dropped.
func (st *Stmt) ExecuteArgs(ctx context.Context, a *Args) (Result, error) {
	c := st.c
	if a.n != st.params {
		return Result{}, &ConnError{Op: "execute on " + c.name, Err: fmt.Errorf("%d arguments for %d placeholders", a.n, st.params)}
	}
	var rows *Rows
	err := c.do(ctx, "execute", func() error {
		if err := c.request(comStmtExecute); err != nil {
			return err
		}
		b := binary.LittleEndian.AppendUint32(c.s.wbuf, st.id)
		b = append(b, 0, 1, 0, 0, 0) // no cursor, one iteration
		if a.n > 0 {
			b = append(append(b, a.nulls...), 1) // types follow
			b = append(append(b, a.types...), a.values...)
		}
		c.s.wbuf = b
		if err := c.s.flush(); err != nil {
			return err
		}
		var err error
		rows, err = c.readHead(true)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	if err := rows.Close(ctx); err != nil {
		return Result{}, err
	}
	return rows.Result(), nil
}
