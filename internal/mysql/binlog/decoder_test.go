package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// event makes an event without checksum.
func event(t eventType, flags uint16, body ...byte) []byte {
	le := binary.LittleEndian
	p := le.AppendUint32(nil, 1700000000)
	p = le.AppendUint32(append(p, byte(t)), 7)
	p = le.AppendUint32(p, uint32(headerSize+len(body)))
	p = le.AppendUint32(p, 4711)
	return append(le.AppendUint16(p, flags), body...)
}

// sealed gives an event a checksum.
func sealed(p []byte) []byte {
	binary.LittleEndian.PutUint32(p[9:], uint32(len(p)+4))
	return binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(p))
}

// description is a format description that says which checksums follow.
func description(algorithm byte) []byte {
	body := make([]byte, 2+50+4+1+42)
	body[0], body[56] = 4, headerSize
	for i := range body[57:] {
		body[57+i] = 8
	}
	body[57+int(typeQuery)-1] = 13
	return sealed(event(typeFormat, 0, slices.Concat(body, []byte{algorithm})...))
}

// tableMap is a TABLE_MAP of s.t with number 9.
func tableMap(types, meta []byte, more ...byte) []byte {
	body := slices.Concat([]byte{9, 0, 0, 0, 0, 0, 1, 0, 1, 's', 0, 1, 't', 0, byte(len(types))}, types, []byte{byte(len(meta))}, meta,
		make([]byte, (len(types)+7)/8), more)
	return event(typeTableMap, 0, body...)
}

// insert is a WRITE_ROWS_V1 of table 9 in which all columns are.
func insert(columns int, row ...byte) []byte {
	bits := make([]byte, (columns+7)/8)
	for i := range columns {
		bits[i/8] |= 1 << (i % 8)
	}
	return event(typeWriteRowsV1, 0, slices.Concat([]byte{9, 0, 0, 0, 0, 0, 1, 0, byte(columns)}, bits, row)...)
}

// layoutOf is a layout of s.t.
func layoutOf(types ...schema.Type) *Layout {
	l := &Layout{Schema: "s", Table: "t"}
	for i, typ := range types {
		l.Columns = append(l.Columns, Column{Column: &schema.Column{Name: schema.Name(fmt.Sprintf("c%d", i)), Type: typ}, To: i})
	}
	return l
}

func decoderOf(l *Layout, mariaDB bool) *Decoder {
	return NewDecoder(Options{Checksum: ChecksumNone, MariaDB: mariaDB, Tables: func(_, _ schema.Name) (*Layout, error) { return l, nil }})
}

// all pushes events and returns what they yield, as far as an error; rows are printed.
func all(d *Decoder, events ...[]byte) (out []string, err error) {
	for _, p := range events {
		if err := d.Push(p); err != nil {
			return out, err
		}
		for {
			e, err := d.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return out, err
			}
			switch e.Kind {
			case KindRows:
				out = append(out, fmt.Sprintf("rows %d %s %s", e.Rows.Op, dump(&e.Rows.Old), dump(&e.Rows.New)))
			default:
				out = append(out, fmt.Sprintf("%d %s:%d %s %s end %d", e.Kind, e.File, e.Pos, e.GTID.Text, e.Message, e.End))
			}
		}
	}
	return out, nil
}

func dump(b *change.Batch) string {
	var s strings.Builder
	for i := range b.Rows {
		for _, v := range b.Row(i) {
			if v.Null() {
				s.WriteString("NULL ")
			} else {
				fmt.Fprintf(&s, "%x,", b.Bytes(v))
			}
		}
		s.WriteString(";")
	}
	return s.String()
}

func TestChecksums(t *testing.T) {
	rotate := append([]byte{4, 0, 0, 0, 0, 0, 0, 0}, "binlog.000007"...)
	stop := sealed(event(typeStop, 0))
	broken := slices.Clone(stop)
	broken[0]++
	inUse := description(1)
	inUse[17] |= flagInUse // the server sets it after it has computed the checksum
	cases := map[string]struct {
		checksum Checksum
		events   [][]byte
		want     string // or the error
	}{
		"RotateWithout":        {ChecksumUnknown, [][]byte{event(typeRotate, flagArtificial, rotate...)}, "[1 binlog.000007:4   end 0]"},
		"RotateWith":           {ChecksumUnknown, [][]byte{sealed(event(typeRotate, flagArtificial, rotate...))}, "[1 binlog.000007:4   end 0]"},
		"RotateKnown":          {ChecksumCRC32, [][]byte{sealed(event(typeRotate, 0, rotate...))}, "[1 binlog.000007:4   end 4711]"},
		"RotateWithoutButOn":   {ChecksumCRC32, [][]byte{event(typeRotate, flagArtificial, rotate...)}, "checksum does not match"},
		"DescriptionTurnsOn":   {ChecksumNone, [][]byte{description(1), stop}, "[9 :0   end 4711]"},
		"DescriptionTurnsOff":  {ChecksumCRC32, [][]byte{description(0), event(typeStop, 0)}, "[9 :0   end 4711]"},
		"DescriptionInUse":     {ChecksumUnknown, [][]byte{inUse, stop}, "[9 :0   end 4711]"},
		"Damaged":              {ChecksumUnknown, [][]byte{description(1), broken}, "checksum does not match"},
		"Missing":              {ChecksumUnknown, [][]byte{description(1), event(typeStop, 0)}, "ends within a field"},
		"UnknownAlgorithm":     {ChecksumUnknown, [][]byte{description(2)}, "checksum algorithm 2"},
		"Truncated":            {ChecksumUnknown, [][]byte{stop[:20]}, "it says that it has 23 bytes"},
		"LessThanAHeader":      {ChecksumUnknown, [][]byte{stop[:18]}, "less than a header"},
		"DescriptionTruncated": {ChecksumUnknown, [][]byte{event(typeFormat, 0, 4, 0)}, "older than"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := all(NewDecoder(Options{Checksum: tc.checksum}), tc.events...)
			if err != nil && !strings.Contains(err.Error(), tc.want) || err == nil && fmt.Sprint(out) != tc.want {
				t.Errorf("%v, %v, want %s", out, err, tc.want)
			}
			if err != nil && fault.ClassOf(err) != fault.Data && fault.ClassOf(err) != fault.Unsupported {
				t.Errorf("class %s", fault.ClassOf(err))
			}
		})
	}
}

func TestHeartbeats(t *testing.T) {
	v2 := append([]byte{1, 13}, "binlog.000007"...)
	v2 = append(v2, 2, 9, 0xfe, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 'x', 0)
	out, err := all(decoderOf(nil, false), event(typeHeartbeat, 0, []byte("binlog.000007")...), event(typeHeartbeatV2, 0, v2...))
	if want := "[2 binlog.000007:4711   end 0 2 binlog.000007:4294967297   end 0]"; fmt.Sprint(out) != want || err != nil {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := all(decoderOf(nil, false), event(typeHeartbeatV2, 0, 1, 20, 'x')); fault.ClassOf(err) != fault.Data {
		t.Error(err)
	}
}

// TestRefused says which events are errors, of which class, and what they tell to do.
func TestRefused(t *testing.T) {
	cases := map[string]struct {
		event   []byte
		mariaDB bool
		hint    string // "": the event is skipped
	}{
		"Partial":       {event(typePartialUpdateRows, 0), false, "binlog_row_value_options = ''"},
		"Intvar":        {event(typeIntvar, 0), false, "binlog_format = 'ROW'"},
		"Rand":          {event(typeRand, 0), true, "binlog_format = 'ROW'"},
		"UserVar":       {event(typeUserVar, 0), false, "binlog_format = 'ROW'"},
		"BeginLoad":     {event(typeBeginLoadQuery, 0), true, "binlog_format = 'ROW'"},
		"ExecuteLoad":   {event(typeExecuteLoadQuery, 0), false, "binlog_format = 'ROW'"},
		"Unknown":       {event(99, 0), false, "newer than this program"},
		"Maria172":      {event(172, 0), true, "newer than this program"},
		"OtherFlavour":  {event(typeMariaGTID, 0), false, "not from MySQL"},
		"MySQLInMaria":  {event(typeTransactionPayload, 0), true, "not from MariaDB"},
		"Ignorable":     {event(99, flagIgnorable), false, ""},
		"RowsQuery":     {event(typeRowsQuery, flagIgnorable, 1, 'x'), false, ""},
		"PreviousGTIDs": {event(typePreviousGTIDs, 0), false, ""},
		"ViewChange":    {event(typeViewChange, 0), false, ""},
		"Annotate":      {event(typeMariaAnnotateRows, 0, 'x'), true, ""},
		"Checkpoint":    {event(typeMariaBinlogCheckpoint, 0), true, ""},
		"GTIDList":      {event(typeMariaGTIDList, 0), true, ""},
		"Encryption":    {event(typeMariaStartEncryption, 0), true, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := all(decoderOf(nil, tc.mariaDB), tc.event)
			if tc.hint == "" {
				if len(out) != 0 || err != nil {
					t.Errorf("%v, %v", out, err)
				}
				return
			}
			if fault.ClassOf(err) != fault.Unsupported || !strings.Contains(fault.HintOf(err), tc.hint) || !strings.Contains(err.Error(), eventType(tc.event[4]).String()) {
				t.Errorf("%v (%s, %s)", err, fault.ClassOf(err), fault.HintOf(err))
			}
		})
	}
}

func TestIncident(t *testing.T) {
	out, err := all(decoderOf(nil, false), event(typeIncident, 0, 1, 0, 4, 'l', 'o', 's', 't'))
	if fmt.Sprint(out) != "[8 :0  lost end 4711]" || err != nil {
		t.Errorf("%v, %v", out, err)
	}
}

// TestLayoutMismatch pushes a table that is not what the layout says: each must be an error, never rows.
func TestLayoutMismatch(t *testing.T) {
	i32, blob := schema.Int{Bits: 32}, schema.Binary{MaxBytes: 65535}
	long := []byte{byte(fieldLong)}
	cases := map[string]struct {
		layout  *Layout
		mariaDB bool
		event   []byte
		want    string
	}{
		"Fewer":       {layoutOf(i32, i32), false, tableMap(long, nil), "1 columns, the table 2"},
		"More":        {layoutOf(i32), false, tableMap([]byte{3, 3}, nil), "2 columns, the table 1"},
		"MoreMaria":   {layoutOf(i32), true, tableMap([]byte{3, 3}, nil), "2 columns, the table 1"},
		"Type":        {layoutOf(schema.Int{Bits: 64}), false, tableMap(long, nil), "another type"},
		"Sign":        {layoutOf(i32), false, tableMap(long, nil, 1, 1, 0x80), "another sign"},
		"Name":        {layoutOf(i32), false, tableMap(long, nil, 4, 3, 2, 'd', '0'), `"d0" in the log and "c0"`},
		"Scale":       {layoutOf(schema.Decimal{Precision: 10, Scale: 2}), false, tableMap([]byte{246}, []byte{10, 3}), "another type"},
		"Fraction":    {layoutOf(schema.DateTime{Precision: 3}), false, tableMap([]byte{18}, []byte{6}), "another type"},
		"BlobLength":  {layoutOf(blob), false, tableMap([]byte{252}, []byte{3}), "another type"},
		"Bits":        {layoutOf(schema.Bit{N: 9}), false, tableMap([]byte{16}, []byte{0, 1}), "another type"},
		"Members":     {layoutOf(schema.Enum{Members: []string{"a", "b"}, Charset: "utf8mb4"}), false, tableMap([]byte{254}, []byte{247, 1}, 6, 5, 2, 1, 'b', 1, 'a'), "other members"},
		"OldFraction": {layoutOf(schema.Time{Precision: 2}), true, tableMap([]byte{11}, nil), "mysql56_temporal_format"},
		"Unknown":     {layoutOf(i32), false, tableMap([]byte{200}, nil), "type 200 is not known"},
		"NotInALog":   {layoutOf(schema.Interval{}), false, tableMap(long, nil), "never in a log"},
		"Meta":        {layoutOf(i32), false, tableMap(long, []byte{1}), "within a field"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := all(decoderOf(tc.layout, tc.mariaDB), tc.event)
			if len(out) != 0 || err == nil || !strings.Contains(err.Error(), tc.want) || fault.ClassOf(err) != fault.Data {
				t.Errorf("%v, %v (%s)", out, err, fault.ClassOf(err))
			}
		})
	}
}

func TestRows(t *testing.T) {
	i32 := schema.Int{Bits: 32}
	table := tableMap([]byte{3, 3}, nil)
	two := insert(2, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0xfd, 3, 0, 0, 0) // the second row's first is NULL
	partly := layoutOf(i32, i32)
	partly.Columns[0].To, partly.Columns[1].To = -1, 0
	hidden := tableMap([]byte{3, 8}, nil)
	lacking := event(typeUpdateRowsV1, 0, 9, 0, 0, 0, 0, 0, 1, 0, 2, 3, 2, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0)
	cases := map[string]struct {
		layout *Layout
		events [][]byte
		want   string // or the error
	}{
		"Two":        {layoutOf(i32, i32), [][]byte{table, two}, "[rows 1  01000000,02000000,;NULL 03000000,;]"},
		"Partly":     {partly, [][]byte{table, insert(2, 1, 2, 0, 0, 0)}, "[rows 1  02000000,;]"},
		"NotTravels": {partly, [][]byte{table, lacking}, "[rows 2 02000000,; 03000000,;]"},
		"Lacking":    {layoutOf(i32, i32), [][]byte{table, lacking}, "lack column c0 of s.t"},
		"Hidden":     {layoutOf(i32), [][]byte{hidden, insert(2, 0, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)}, "[rows 1  01000000,;]"},
		"NotWanted":  {nil, [][]byte{table, two}, "[]"},
		"NoTableMap": {layoutOf(i32, i32), [][]byte{two}, "no TABLE_MAP"},
		"Stale":      {layoutOf(i32, i32), [][]byte{table, event(typeXID, 0, 1, 2, 3, 4, 5, 6, 7, 8), two}, "no TABLE_MAP"},
		"NewFile":    {layoutOf(i32, i32), [][]byte{table, description(0), two}, "no TABLE_MAP"},
		"Width":      {layoutOf(i32, i32), [][]byte{table, insert(3, 0)}, "3 columns, its TABLE_MAP 2"},
		"Short":      {layoutOf(i32, i32), [][]byte{table, insert(2, 0, 1, 0, 0, 0, 2)}, "within a field"},
		"Dummy":      {layoutOf(i32), [][]byte{event(typeWriteRowsV1, 0, 255, 255, 255, 0, 0, 0, 1, 0, 0)}, "[]"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := all(decoderOf(tc.layout, name == "Hidden"), tc.events...)
			if err != nil && !strings.Contains(err.Error(), tc.want) || err == nil && fmt.Sprint(out) != tc.want {
				t.Errorf("%v, %v, want %s", out, err, tc.want)
			}
		})
	}
}

// TestLargeEventInPieces reads an event of many rows with a small limit.
func TestLargeEventInPieces(t *testing.T) {
	d := decoderOf(layoutOf(schema.Int{Bits: 32}), false)
	d.rows.limit = 100
	var rows []byte
	for i := range byte(50) {
		rows = append(rows, 0, i, 0, 0, 0)
	}
	if err := errors.Join(d.Push(tableMap([]byte{3}, nil)), second(d.Next()), d.Push(insert(1, rows...))); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var next byte
	pieces := 0
	for {
		e, err := d.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		pieces++
		for i := range e.Rows.New.Rows {
			if got := e.Rows.New.Bytes(e.Rows.New.Row(i)[0])[0]; got != next {
				t.Fatalf("row %d, want %d", got, next)
			}
			next++
		}
		if pieces == 1 && d.Push(event(typeStop, 0)) == nil {
			t.Fatal("an event was pushed over rows that were not read")
		}
	}
	if next != 50 || pieces < 5 {
		t.Errorf("%d rows in %d pieces", next, pieces)
	}
}

func second(_ *Event, err error) error { return err }
