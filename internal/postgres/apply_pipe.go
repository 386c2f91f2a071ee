package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// pipeBytes is how much is gathered before it is sent without a commit. It bounds memory on
// both sides; a step of small rows fits, and then the whole transaction is one round trip.
const pipeBytes = 4 << 20

// pipe gathers prepared statements and sends them in one round trip.
type pipe struct {
	data []byte // parameters, one after the other
	list []queued
}

// queued is a prepared statement with its parameters.
type queued struct {
	name   string
	from   int   // where the first parameter begins in data
	params []int // where each ends
	format int16 // 0 text, 1 binary
	expectation
}

// expectation is what a statement does, for errors, and who looks at its result.
type expectation struct {
	op    string
	fault func(error) error          // gives the server's error a meaning; may be nil
	took  func(*pgconn.Result) error // may be nil
}

func (p *pipe) reset() {
	if cap(p.data) > 4*pipeBytes {
		p.data = nil
	}
	clear(p.list)
	p.data, p.list = p.data[:0], p.list[:0]
}

// add queues a statement with text parameters.
func (p *pipe) add(name string, params []string, x expectation) {
	q := queued{name: name, from: len(p.data), expectation: x}
	for _, s := range params {
		p.data = append(p.data, s...)
		q.params = append(q.params, len(p.data))
	}
	p.list = append(p.list, q)
}

// addBinary queues a statement with binary parameters.
func (p *pipe) addBinary(name string, params [][]byte, x expectation) {
	q := queued{name: name, from: len(p.data), format: 1, expectation: x}
	for _, b := range params {
		p.data = append(p.data, b...)
		q.params = append(q.params, len(p.data))
	}
	p.list = append(p.list, q)
}

// addWritten queues a statement whose one binary parameter stands in data from there on.
func (p *pipe) addWritten(name string, from int, x expectation) {
	p.list = append(p.list, queued{name: name, from: from, params: []int{len(p.data)}, format: 1, expectation: x})
}

// flush sends everything and reads every result. The first error, or the first result that
// is refused, is returned; the server carries out nothing that stands behind its own error.
func (p *pipe) flush(ctx context.Context, c *pgconn.PgConn) error {
	if len(p.list) == 0 {
		return nil
	}
	defer p.reset()
	if p.data == nil {
		p.data = []byte{} // an empty parameter is not NULL
	}
	pl := c.StartPipeline(ctx)
	binary := []int16{1}
	for i := range p.list {
		q := &p.list[i]
		params, from := make([][]byte, len(q.params)), q.from
		for j, end := range q.params {
			params[j], from = p.data[from:end:end], end
		}
		pl.SendQueryPrepared(q.name, params, []int16{q.format}, binary)
	}
	err := pl.Sync()
	if err == nil {
		err = p.read(pl)
	}
	if closing := pl.Close(); err == nil {
		err = closing
	}
	return err
}

func (p *pipe) read(pl *pgconn.Pipeline) error {
	for i := range p.list {
		q := &p.list[i]
		got, err := pl.GetResults()
		var res *pgconn.Result
		if r, ok := got.(*pgconn.ResultReader); ok {
			res = r.Read()
			err = res.Err
		}
		switch {
		case err != nil && q.fault != nil:
			return q.fault(err)
		case err != nil:
			return &opError{q.op, err}
		case res == nil:
			return &opError{q.op, errors.New("the server sent no result")}
		case q.took != nil:
			if err := q.took(res); err != nil {
				return err
			}
		}
	}
	return nil
}

// opError carries what was done to where errors are classified.
type opError struct {
	op  string
	err error
}

// Error returns the operation and its cause.
func (o *opError) Error() string { return o.op + ": " + o.err.Error() }

// Unwrap returns the cause.
func (o *opError) Unwrap() error { return o.err }
