package binlog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

var updateSeeds = flag.Bool("update-seeds", false, "write the logs of the servers from which FuzzEvents starts to testdata/fuzz")

// fuzzColumns are the columns of the table t whose events FuzzEvents starts from: how they are declared, and as what the decoder knows them.
var fuzzColumns = []struct {
	only    servertest.Kind
	declare string
	typ     schema.Type
}{
	{"", "TINYINT UNSIGNED", schema.Int{Bits: 8, Unsigned: true}},
	{"", "SMALLINT", schema.Int{Bits: 16}},
	{"", "MEDIUMINT", schema.Int{Bits: 24}},
	{"", "INT", schema.Int{Bits: 32}},
	{"", "BIGINT", schema.Int{Bits: 64}},
	{"", "FLOAT", schema.Float{Bits: 32}},
	{"", "DOUBLE", schema.Float{Bits: 64}},
	{"", "DECIMAL(20,6)", schema.Decimal{Precision: 20, Scale: 6}},
	{"", "BIT(9)", schema.Bit{N: 9}},
	{"", "YEAR", schema.Year{}},
	{"", "DATE", schema.Date{}},
	{"", "TIME(3)", schema.Time{Precision: 3}},
	{"", "DATETIME(6)", schema.DateTime{Precision: 6}},
	{"", "TIMESTAMP NULL", schema.Timestamp{}},
	{"", "CHAR(9)", schema.Text{Length: 9, Fixed: true}},
	{"", "VARCHAR(300)", schema.Text{Length: 300}},
	{"", "TEXT", schema.Text{MaxBytes: 65535}},
	{"", "BINARY(4)", schema.Binary{Length: 4, Fixed: true}},
	{"", "LONGBLOB", schema.Binary{MaxBytes: 1<<32 - 1}},
	{"", "ENUM('a','b')", schema.Enum{Members: []string{"a", "b"}, Charset: "utf8mb4"}},
	{"", "SET('x','y','z')", schema.Set{Members: []string{"x", "y", "z"}, Charset: "utf8mb4"}},
	{"", "POINT", schema.Geometry{Shape: "POINT", SRID: -1}},
	{servertest.KindMySQL, "JSON", schema.JSON{Parsed: true}},
	{servertest.KindMySQL, "VECTOR(2)", schema.Vector{N: 2}},
	{servertest.KindMariaDB, "UUID", schema.UUID{}},
	{servertest.KindMariaDB, "INET6", schema.Inet{Version: 6}},
	{servertest.KindMariaDB, "BLOB COMPRESSED", schema.Binary{MaxBytes: 65535}},
}

// fuzzLayout is the layout of t.
func fuzzLayout(kind servertest.Kind) *binlog.Layout {
	l := &binlog.Layout{Schema: "fuzz", Table: "t"}
	for i, c := range fuzzColumns {
		if c.only == "" || c.only == kind {
			to := len(l.Columns)
			l.Columns = append(l.Columns, binlog.Column{Column: &schema.Column{Name: schema.Name(fmt.Sprintf("c%d", i)), Type: c.typ}, To: to})
		}
	}
	return l
}

// FuzzEvents pushes what may be a log. Whatever it is, each event ends, each error says what to do about it, and each batch is whole.
func FuzzEvents(f *testing.F) {
	f.Fuzz(func(t *testing.T, log []byte, mariaDB bool) {
		kind := servertest.KindMySQL
		if mariaDB {
			kind = servertest.KindMariaDB
		}
		layout := fuzzLayout(kind)
		d := binlog.NewDecoder(binlog.Options{MariaDB: mariaDB, Tables: func(_, table schema.Name) (*binlog.Layout, error) {
			if table != "t" {
				return nil, nil
			}
			return layout, nil
		}})
		for len(log) >= 19 {
			n := min(max(19, int(binary.LittleEndian.Uint32(log[9:]))), len(log))
			err := d.Push(log[:n:n])
			log = log[n:]
			for err == nil {
				var e *binlog.Event
				if e, err = d.Next(); err == nil {
					whole(t, e)
				}
			}
			var known *fault.Error
			if !errors.Is(err, io.EOF) && (!errors.As(err, &known) || known.Class != fault.Data && known.Class != fault.Unsupported) {
				t.Fatalf("an error that nobody knows: %v", err)
			}
		}
	})
}

// whole fails unless an event's batches are what their rows say.
func whole(t *testing.T, e *binlog.Event) {
	t.Helper()
	if e.Kind == 0 || e.Kind != binlog.KindRows && e.Rows.Old.Rows+e.Rows.New.Rows != 0 {
		t.Fatalf("event of kind %d", e.Kind)
	}
	if e.Kind != binlog.KindRows {
		return
	}
	if e.Rows.Old.Rows+e.Rows.New.Rows == 0 || e.Rows.Op == change.Update && e.Rows.Old.Rows != e.Rows.New.Rows {
		t.Fatalf("%d rows before, %d after", e.Rows.Old.Rows, e.Rows.New.Rows)
	}
	for _, b := range []*change.Batch{&e.Rows.Old, &e.Rows.New} {
		if len(b.Spans) != b.Rows*b.Columns || b.Rows > 0 && b.Columns != len(e.Rows.Layout.Columns) {
			t.Fatalf("%d spans, %d rows of %d columns", len(b.Spans), b.Rows, b.Columns)
		}
		for _, s := range b.Spans {
			if !s.Null() && uint64(s.Off)+uint64(s.Len) > uint64(len(b.Data)) {
				t.Fatalf("span %+v of %d bytes", s, len(b.Data))
			}
		}
	}
}

// TestSeeds writes the seeds, with -update-seeds, and otherwise looks whether those that are there say what they should.
func TestSeeds(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzEvents")
	if *updateSeeds {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, s := range servertest.Sources(t) {
			writeSeed(t, s, filepath.Join(dir, s.Name), "")
			if s.Kind == servertest.KindMySQL {
				writeSeed(t, s, filepath.Join(dir, s.Name+"-compressed"), "SET SESSION binlog_transaction_compression = ON, gtid_next = 'AUTOMATIC:tag'")
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "m*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d seeds, %v", len(files), err)
	}
	for _, file := range files {
		p, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(p) > 32<<10 {
			t.Errorf("%s has %d bytes", file, len(p))
		}
	}
}

// writeSeed makes the fuzzed table's events on a server and keeps them, without checksums, which no mutation survives.
func writeSeed(t *testing.T, s *servertest.Server, file, first string) {
	t.Helper()
	src := fresh(t, s)
	var columns []string
	values := []string{
		"1", "-2", "-3", "4", "-5", "0.5", "-1e100", "-12345.678", "5", "2024", "'2024-02-29'", "'-12:34:56.789'", "'2024-02-29 01:02:03.000004'",
		"'2024-02-29'", "'char'", "REPEAT('v', 10)", "'text'", "x'61'", "x'00ff'", "'b'", "'x,z'", "ST_GeomFromText('POINT(1 2)')",
	}
	for i, c := range fuzzColumns {
		if c.only == "" || c.only == s.Kind {
			columns = append(columns, fmt.Sprintf("c%d %s", i, c.declare))
		}
	}
	if s.Kind == servertest.KindMySQL {
		values = append(values, `'{"a": [1, 2.5, null, "b"], "c": {"d": 70000}}'`, "STRING_TO_VECTOR('[1,2]')")
	} else {
		values = append(values, "UUID()", "'::1'", "REPEAT('c', 200)")
	}
	statements := []string{"SET time_zone = '+00:00'"}
	if first != "" {
		statements = append(statements, first)
	}
	src.Exec(t, src.url, append(statements, "CREATE TABLE t ("+strings.Join(columns, ", ")+")", "BEGIN", "INSERT INTO t VALUES ("+strings.Join(values, ", ")+")",
		"INSERT INTO t () VALUES ()", "SAVEPOINT s", "UPDATE t SET c3 = 7", "DELETE FROM t", "COMMIT", "XA START 'g','b'", "INSERT INTO t (c0) VALUES (1)", "XA END 'g','b'",
		"XA PREPARE 'g','b'", "XA COMMIT 'g','b'")...)
	var log []byte
	src.each(t, func(raw []byte) {
		raw = bytes.Clone(raw)
		if raw[4] == 15 {
			raw[len(raw)-5] = 0 // checksums are off
		} else {
			raw = raw[:len(raw)-4]
			binary.LittleEndian.PutUint32(raw[9:], uint32(len(raw)))
		}
		log = append(log, raw...)
	})
	text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\nbool(%t)\n", log, s.Kind == servertest.KindMariaDB)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
