package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// work is the transaction that holds a claimed task. It is not safe for concurrent use.
type work struct {
	end    *End
	schema schema.Name
	task   *claimed
	conn   *pgx.Conn
}

// Exec runs one statement of the task, or several separated by semicolons.
func (w *work) Exec(ctx context.Context, sql string) error {
	err := w.conn.PgConn().Exec(ctx, w.settings()+findPostGIS+sql).Close()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return w.end.fail(fmt.Sprintf("run %s of %s", w.task.What, w.task.Table), err)
}

// settings are those of an index build: one process a build, since several builds run beside each other, and the least memory
// that lets the sort merge all its runs at once, which is the square root of the table's size times the 272 kB that a run takes
// while it is merged: sorting a run that fits the processor's cache is faster than merging fewer runs (on 2 million rows 8 MB
// took 10 % less CPU than 32 MB, and 64 or 512 MB took more).
func (w *work) settings() string {
	if w.task.Stage != change.StageIndex {
		return ""
	}
	return fmt.Sprintf(`SET LOCAL max_parallel_maintenance_workers = 0;
SELECT pg_catalog.set_config('maintenance_work_mem', LEAST(GREATEST(pg_catalog.sqrt(pg_catalog.pg_table_size(pg_catalog.to_regclass(%s)) / 1024 * 272)::bigint, 4096), 262144)::text || 'kB', true);
`, literal(qualify(w.schema, w.task.Table)))
}

// Empty truncates tables within the task's transaction.
func (w *work) Empty(ctx context.Context, tables []schema.Name) error {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = qualify(w.schema, t)
	}
	_, err := w.conn.Exec(ctx, "TRUNCATE "+strings.Join(names, ", "))
	return w.end.fail("empty "+strings.Join(names, ", "), err)
}

// Load writes the rows of every batch with COPY BINARY. Its memory is one buffer
// of flushBytes and the largest value that a codec rewrites, twice; a value that
// travels verbatim is sent from the batches themselves, part by part.
func (w *work) Load(ctx context.Context, into *change.Into, batches iter.Seq2[*change.Batch, error]) (int64, error) {
	if len(into.Columns) != len(into.Codecs) {
		return 0, fmt.Errorf("load %s: %d columns, %d codecs", into.Table, len(into.Columns), len(into.Codecs))
	}
	enc := newEncoder(into, batches)
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", qualify(w.schema, into.Table), quoteList(into.Columns))
	tag, err := w.conn.PgConn().CopyFrom(ctx, enc, sql)
	rows, own := enc.close()
	switch {
	case own != nil:
		return 0, own
	case err != nil && ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, w.end.copyFault(into, err)
	case tag.RowsAffected() != rows:
		return 0, fmt.Errorf("load %s: sent %d rows, the server took %d", into.Table, rows, tag.RowsAffected())
	}
	return rows, nil
}

// copyPlace is how the server says where COPY stood, in every language: the row and,
// where it knows it, the column come last.
var copyPlace = regexp.MustCompile(`^COPY [^\n]*?(\d+)(?:[^\n"]* ([^\s,:]+))?$`)

// copyFault names table, row and column of an error that COPY met.
func (e *End) copyFault(into *change.Into, err error) error {
	op := fmt.Sprintf("load %s.%s", e.schema, into.Table)
	if p := unwrapPg(err); p != nil {
		op = "load " + copyTarget(into, p)
	}
	return e.fail(op, err)
}

// copyTarget returns table, column and row of this load, as far as p tells.
func copyTarget(into *change.Into, p *pgconn.PgError) string {
	at := string(into.Table)
	column, row := p.ColumnName, ""
	if m := copyPlace.FindStringSubmatch(p.Where); m != nil {
		row = m[1]
		if column == "" {
			column = m[2]
		}
	}
	if column != "" {
		at += "." + column
	}
	if row != "" {
		at += " (row " + row + " of this chunk)"
	}
	return at
}

const (
	// flushBytes is what is encoded before it is sent; pgconn sends messages of 64 KiB.
	flushBytes = 64 << 10
	// directBytes is from where a verbatim value is sent from the batch: below, copying it is
	// cheaper than a message of its own.
	directBytes = 16 << 10
	// keepBytes is the largest buffer kept after a long value was rewritten.
	keepBytes = 4 << 20
)

// copyHeader opens a binary COPY: signature, flags, length of the extension
// (PostgreSQL documentation, COPY, Binary Format).
const copyHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// encoder is the stream that COPY reads. pgconn reads it in a goroutine of its
// own, which outlives CopyFrom when the connection breaks; mu keeps the two apart.
type encoder struct {
	mu   sync.Mutex
	into *change.Into
	next func() (*change.Batch, error, bool)
	stop func()

	batch   *change.Batch
	span    int // the next of the batch's spans
	col     int // the column that it belongs to
	part    part
	rows    int64
	started bool
	ended   bool
	err     error

	buf  []byte
	out  []byte // what is encoded and not read yet; part of buf
	long []byte // the verbatim value that follows out; part of the batch
}

func newEncoder(into *change.Into, batches iter.Seq2[*change.Batch, error]) *encoder {
	next, stop := iter.Pull2(batches)
	return &encoder{into: into, next: next, stop: stop}
}

// Read gives the next bytes of the stream; io.EOF after the trailer.
func (n *encoder) Read(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.out) == 0 && len(n.long) == 0 {
		if n.err != nil {
			return 0, n.err
		}
		if n.ended {
			return 0, io.EOF
		}
		n.err = n.fill()
	}
	k := copy(p, n.out)
	n.out = n.out[k:]
	if len(n.out) == 0 {
		l := copy(p[k:], n.long)
		if n.long = n.long[l:]; len(n.long) == 0 {
			n.long = nil
		}
		k += l
	}
	return k, nil
}

// close ends the batches and returns the rows sent and the error that is the
// stream's own, not the server's.
func (n *encoder) close() (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop()
	n.batch = nil
	err := n.err
	if err == nil && !n.ended {
		n.err = errAborted // for a goroutine that still reads
	}
	return n.rows, err
}

// errAborted ends a stream whose COPY is over. Nobody above sees it.
var errAborted = errors.New("the COPY was aborted")

// fill encodes until the buffer is full, the stream ends, or a long value has to
// be sent from where it stands.
func (n *encoder) fill() error {
	if cap(n.buf) > keepBytes {
		n.buf = nil
	}
	if n.buf == nil {
		n.buf = make([]byte, 0, flushBytes+flushBytes/4)
	}
	buf := n.buf[:0]
	if !n.started {
		buf = append(buf, copyHeader...)
		n.started = true
	}
	for len(buf) < flushBytes && n.long == nil && !n.ended {
		var err error
		switch {
		case n.batch == nil || n.span == len(n.batch.Spans):
			buf, err = n.nextBatch(buf)
		case n.span == len(n.batch.Spans)-1 && n.batch.Open > 0:
			buf, err = n.beginPart(buf)
		default:
			buf, err = n.appendRow(buf)
		}
		if err != nil {
			return err
		}
	}
	n.buf, n.out = buf, buf
	return nil
}

// nextBatch takes the next batch, or ends the stream.
func (n *encoder) nextBatch(buf []byte) ([]byte, error) {
	b, err, ok := n.next()
	switch {
	case err != nil:
		return nil, err
	case !ok && (n.col > 0 || n.part.rest > 0):
		return nil, fmt.Errorf("load %s: the rows end within row %d", n.into.Table, n.rows+1)
	case !ok:
		n.ended = true
		return binary.BigEndian.AppendUint16(buf, 0xffff), nil
	case b.Columns != len(n.into.Codecs) && len(b.Spans) > 0:
		return nil, fmt.Errorf("load %s: a batch of %d columns for %d", n.into.Table, b.Columns, len(n.into.Codecs))
	}
	n.batch, n.span = b, 0
	return n.goOn(buf)
}

// appendRow appends the rest of the current row, up to the batch's end or a value that is sent from the batch.
func (n *encoder) appendRow(buf []byte) ([]byte, error) {
	buf = n.beginRow(buf)
	spans := n.batch.Spans
	if n.batch.Open > 0 {
		spans = spans[:len(spans)-1]
	}
	for n.span < len(spans) {
		s, c := spans[n.span], &n.into.Codecs[n.col]
		n.span++
		if s.Null() {
			buf = append(buf, 0xff, 0xff, 0xff, 0xff)
		} else if src := n.batch.Bytes(s); c.Verbatim && len(src) >= directBytes {
			if c.Check != nil {
				if err := c.Check(src); err != nil {
					return nil, n.locate(err)
				}
			}
			n.long = src
			buf = binary.BigEndian.AppendUint32(buf, uint32(len(src)))
		} else {
			var err error
			if buf, err = c.Append(buf, src); err != nil {
				return nil, n.locate(err)
			}
		}
		if n.endValue() || n.long != nil {
			break
		}
	}
	return buf, nil
}

// beginRow appends the number of fields at the beginning of a row.
func (n *encoder) beginRow(buf []byte) []byte {
	if n.col == 0 {
		buf = binary.BigEndian.AppendUint16(buf, uint16(n.batch.Columns))
	}
	return buf
}

// endValue goes to the next column and reports whether the row has ended.
func (n *encoder) endValue() bool {
	if n.col++; n.col < n.batch.Columns {
		return false
	}
	n.col = 0
	n.rows++
	return true
}

// locate names the row and column of a codec's error. A loss names them itself.
func (n *encoder) locate(err error) error {
	if _, ok := errors.AsType[*change.LossError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.New(fault.Data, fmt.Sprintf("convert row %d of this chunk for %s.%s", n.rows+1, n.into.Table, n.into.Columns[n.col]), err,
		"look at that value on the source; bascule db plan says which values each column takes")
}
