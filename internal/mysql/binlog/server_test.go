package binlog_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// mark is a place in a server's log.
type mark struct {
	file string
	pos  int64
}

// source is a fresh database on one server, and the place in the log where it began.
type source struct {
	*servertest.Server
	url, name string
	dir       string // the log files'
	from      mark
}

func (s *source) isMariaDB() bool { return s.Kind == servertest.KindMariaDB }

// fresh makes a database on a server whose log files can be read, or skips.
func fresh(t testing.TB, s *servertest.Server) *source {
	t.Helper()
	src := &source{Server: s, url: s.Database(t)}
	u, err := url.Parse(src.url)
	if err != nil {
		t.Fatal(err)
	}
	src.name = strings.TrimPrefix(u.Path, "/")
	src.from = src.here(t)
	data := s.Query(t, s.URL, "SELECT @@datadir")[0][0]
	bed := os.Getenv("BASCULE_TESTBED")
	if bed == "" {
		bed = "/var/tmp/bascule-testbed"
	}
	for _, dir := range []string{data, filepath.Join(bed, "sid", data)} {
		if f, err := os.Open(filepath.Join(dir, src.from.file)); err == nil {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			src.dir = dir
			return src
		}
	}
	t.Skipf("the log files of %s in %s cannot be read", s.Name, data)
	return nil
}

// here is the end of the server's log.
func (s *source) here(t testing.TB) mark {
	t.Helper()
	q := "SHOW BINARY LOG STATUS"
	if s.isMariaDB() {
		q = "SHOW MASTER STATUS"
	}
	r := s.Query(t, s.URL, q)[0]
	pos, err := strconv.ParseInt(r[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mark{r[0], pos}
}

// each hands every event of the log since the database was made to fn, each file's format description first.
func (s *source) each(t testing.TB, fn func(raw []byte)) {
	t.Helper()
	to := s.here(t)
	for at := s.from; ; {
		end := int64(math.MaxInt64)
		if at.file == to.file {
			end = to.pos
		}
		readFile(t, filepath.Join(s.dir, at.file), at.pos, end, fn)
		if at.file == to.file {
			return
		}
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Ext(at.file), "."))
		if err != nil {
			t.Fatal(err)
		}
		at = mark{fmt.Sprintf("binlog.%06d", n+1), 0}
	}
}

// readFile hands the first event of a file to fn and those from one position to another.
func readFile(t testing.TB, name string, from, to int64, fn func(raw []byte)) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	in := bufio.NewReaderSize(f, 1<<20)
	for pos := int64(4); pos < to; {
		if pos == 4 {
			_, err = in.Discard(4)
		}
		head, peek := in.Peek(19)
		if errors.Is(peek, io.EOF) && len(head) == 0 {
			return
		}
		if err = errors.Join(err, peek); err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, binary.LittleEndian.Uint32(head[9:]))
		if _, err := io.ReadFull(in, raw); err != nil {
			t.Fatal(err)
		}
		fn(raw)
		if pos += int64(len(raw)); pos < from {
			if pos, err = f.Seek(from, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			in.Reset(f)
		}
	}
}

// open opens the database through the package whose reader is the authority.
func (s *source) open(t testing.TB) *mysql.End {
	t.Helper()
	cfg, err := mysql.ParseConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	e, err := mysql.Open(t.Context(), cfg, mysql.Options{Throttle: mysql.Throttle{MaxThreadsRunning: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// layout is the layout of a table all of whose columns travel.
func (s *source) layout(t testing.TB, table *schema.Table) *binlog.Layout {
	t.Helper()
	l := &binlog.Layout{Schema: schema.Name(s.name), Table: table.Name}
	for i, c := range table.Columns {
		l.Columns = append(l.Columns, binlog.Column{Column: c, To: i, Text: s.text(t, c)})
	}
	return l
}

// text asks the server what each string of the column's character set is in utf8mb4.
func (s *source) text(t testing.TB, c *schema.Column) func(dst, src []byte) ([]byte, error) {
	t.Helper()
	var set string
	if text, ok := c.Type.(schema.Text); ok {
		set = text.Charset
	}
	switch set {
	case "", "utf8mb4", "utf8mb3", "utf8", "ascii":
		return nil
	}
	known := map[string]string{}
	return func(dst, src []byte) ([]byte, error) {
		v, ok := known[string(src)]
		if !ok {
			v = s.Query(t, s.URL, fmt.Sprintf("SELECT HEX(CONVERT(CONVERT(x'%x' USING %s) USING utf8mb4))", src, set))[0][0]
			known[string(src)] = v
		}
		return hex.AppendDecode(dst, []byte(v))
	}
}

// rows counts the rows of one table by their values.
type rows map[string]int

// key prints a row such that different rows differ.
func key(b *change.Batch, i int) string {
	var k strings.Builder
	for _, s := range b.Row(i) {
		if s.Null() {
			k.WriteString("NULL ")
		} else {
			fmt.Fprintf(&k, "%x, ", b.Bytes(s))
		}
	}
	return k.String()
}

func (r rows) add(b *change.Batch, by int) error {
	for i := range b.Rows {
		k := key(b, i)
		if r[k] += by; r[k] < 0 {
			return fmt.Errorf("a row goes that is not there: %s", k)
		}
		if r[k] == 0 {
			delete(r, k)
		}
	}
	return nil
}

// replay decodes the log since the database was made and returns what its tables hold then, by name.
func (s *source) replay(t testing.TB, db *schema.Database) map[schema.Name]rows {
	t.Helper()
	held := map[schema.Name]rows{}
	d := binlog.NewDecoder(binlog.Options{MariaDB: s.isMariaDB(), Tables: func(database, table schema.Name) (*binlog.Layout, error) {
		if string(database) != s.name || db.Table(table) == nil {
			return nil, nil
		}
		return s.layout(t, db.Table(table)), nil
	}})
	s.each(t, func(raw []byte) {
		err := d.Push(raw)
		for err == nil {
			var e *binlog.Event
			if e, err = d.Next(); err != nil || e.Kind != binlog.KindRows {
				continue
			}
			name := e.Rows.Layout.Table
			if held[name] == nil {
				held[name] = rows{}
			}
			err = errors.Join(held[name].add(&e.Rows.Old, -1), held[name].add(&e.Rows.New, 1))
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
		if !errors.Is(err, io.EOF) && !foreign(err) {
			t.Errorf("%v (%s)", err, fault.HintOf(err))
		}
	})
	return held
}

// foreign reports whether another test, on the same server, logged statements.
func foreign(err error) bool { return strings.Contains(err.Error(), "was logged as SQL") }

// join adds what a batch holds, which may be parts of rows.
func join(all, b *change.Batch) {
	base := uint32(len(all.Data))
	all.Data = append(all.Data, b.Data...)
	if b.Lead > 0 {
		all.Spans[len(all.Spans)-1].Len += uint32(b.Lead)
	}
	for _, s := range b.Spans {
		all.Spans = append(all.Spans, change.Span{Off: s.Off + base, Len: s.Len})
	}
	all.Rows += b.Rows
}

// read reads a table through the package whose reader is the authority.
func read(t testing.TB, e *mysql.End, table *schema.Table) rows {
	t.Helper()
	held := rows{}
	err := e.Lane(t.Context(), "none:", func(ctx context.Context, r change.Reader) error {
		b, all := &change.Batch{}, &change.Batch{Columns: len(table.Columns)}
		_, err := r.Read(ctx, &change.Select{Table: table, Columns: table.Columns}, change.Range{}, 0, func(full *change.Batch) (*change.Batch, error) {
			if full != nil {
				join(all, full)
			}
			return b, nil
		})
		return errors.Join(err, held.add(all, 1))
	})
	if err != nil {
		t.Fatalf("read %s: %v", table.Name, err)
	}
	return held
}

// compare fails for each row that the log and the tables do not have in common.
func (s *source) compare(t *testing.T) {
	t.Helper()
	e := s.open(t)
	db, err := e.Inspect(t.Context(), change.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	logged := s.replay(t, db)
	total := 0
	for _, table := range db.Tables {
		want := read(t, e, table)
		total += len(want)
		differ(t, table, logged[table.Name], want)
	}
	if total == 0 {
		t.Error("there was nothing to compare")
	}
}

// differ reports each row that one side has another number of times than the other, once if rows of the same first value differ.
func differ(t *testing.T, table *schema.Table, got, want rows) {
	t.Helper()
	first := func(k string) string { v, _, _ := strings.Cut(k, " "); return v }
	extra := map[string]string{}
	for k, n := range got {
		if want[k] != n {
			extra[first(k)] = k
		}
	}
	for k, n := range want {
		if got[k] == n {
			continue
		}
		other := strings.Fields(extra[first(k)])
		delete(extra, first(k))
		if len(other) == 0 {
			t.Errorf("%s: row %s is %d times in the table and %d in the log", table.Name, first(k), n, got[k])
			continue
		}
		for i, v := range strings.Fields(k) {
			if other[i] != v {
				t.Errorf("%s: row %s: %s %T%+v:\n%s in the log,\n%s in the table", table.Name, first(k), table.Columns[i].Name, table.Columns[i].Type, table.Columns[i].Type, shown(other[i], v), shown(v, other[i]))
			}
		}
	}
	for k := range extra {
		t.Errorf("%s: row %s is in the log only", table.Name, k)
	}
}

// shown returns what surrounds the first difference of two values, as text where it is.
func shown(a, b string) string {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	at = max(0, at/2*2-80)
	a = a[at:min(len(a), at+200)]
	if p, err := hex.DecodeString(a); err == nil && bytes.IndexFunc(p, func(r rune) bool { return r < ' ' || r == 0xfffd }) < 0 {
		return fmt.Sprintf("…%q (%s)", p, a)
	}
	return "…" + a
}
