package wire_test

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/mysql/wire"
)

// typeCases maps a column's declaration to literals. Every column is nullable; a row of NULLs comes first.
var typeCases = []struct {
	only     string // "mysql", "mariadb" or both
	declare  string
	literals []string
}{
	{"", "TINYINT", []string{"-128", "127", "0", "-1"}},
	{"", "TINYINT UNSIGNED", []string{"0", "255", "128"}},
	{"", "BOOLEAN", []string{"TRUE", "FALSE"}},
	{"", "SMALLINT", []string{"-32768", "32767"}},
	{"", "SMALLINT UNSIGNED", []string{"65535", "0"}},
	{"", "MEDIUMINT", []string{"-8388608", "8388607"}},
	{"", "MEDIUMINT UNSIGNED", []string{"16777215"}},
	{"", "INT", []string{"-2147483648", "2147483647"}},
	{"", "INT UNSIGNED", []string{"4294967295", "2147483648"}},
	{"", "INT(8) UNSIGNED ZEROFILL", []string{"42"}},
	{"", "BIGINT", []string{"-9223372036854775808", "9223372036854775807", "-1"}},
	{"", "BIGINT UNSIGNED", []string{"18446744073709551615", "9223372036854775808", "0"}},
	{"", "FLOAT", []string{"16777217", "3.4028234e38", "-3.4028234e38", "1e-45", "0.1", "-0.0"}},
	{"", "DOUBLE", []string{"1.7976931348623157e308", "4.9e-324", "0.1", "-0.0", "9007199254740993"}},
	{"", "DECIMAL(65,30)", []string{"99999999999999999999999999999999999.999999999999999999999999999999", "-0.000000000000000000000000000001"}},
	{"", "DECIMAL(10,0)", []string{"-9999999999", "0"}},
	{"", "BIT(1)", []string{"b'1'", "b'0'"}},
	{"", "BIT(64)", []string{"0xffffffffffffffff", "0x8000000000000000", "0"}},
	{"", "YEAR", []string{"1901", "2155", "0000"}},
	{"", "DATE", []string{"'0000-00-00'", "'2024-00-15'", "'9999-12-31'", "'1000-01-01'", "'0001-01-01'"}},
	{"", "TIME", []string{"'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'", "'24:00:00'"}},
	{"", "TIME(6)", []string{"'-838:59:58.999999'", "'-00:00:00.000001'", "'12:34:56.000000'", "'100:00:00.5'"}},
	{"", "DATETIME", []string{"'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'", "'2024-02-29 00:00:00'"}},
	{"", "DATETIME(6)", []string{"'2024-02-29 12:00:00.000001'", "'0000-00-00 00:00:00'", "'2024-06-01 00:00:00'"}},
	{"", "DATETIME(3)", []string{"'2024-02-29 12:00:00.120'"}},
	{"", "TIMESTAMP(6) NULL", []string{"'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.499999'", "'0000-00-00 00:00:00'"}},
	{"", "CHAR(10)", []string{"''", "'a  '", "'é€😀'"}},
	{"", "VARCHAR(300)", []string{"''", "'trailing '", "REPEAT('x', 250)", "REPEAT('x', 251)", "REPEAT('é', 128)", "'a\\0b'"}},
	{"", "VARCHAR(50) CHARACTER SET latin1", []string{"'Ünïcode'"}},
	{"", "BINARY(5)", []string{"''", "x'00ff'"}},
	{"", "VARBINARY(300)", []string{"''", "x'fbfcfdfeff00'", "REPEAT(x'fb', 251)"}},
	{"", "TINYTEXT", []string{"''", "'t'"}},
	{"", "TEXT", []string{"''", "REPEAT('y', 65535)"}},
	{"", "MEDIUMTEXT", []string{"REPEAT('y', 65536)"}},
	{"", "LONGTEXT", []string{"''", "REPEAT('z', 300000)"}},
	{"", "TINYBLOB", []string{"''", "x'00'"}},
	{"", "BLOB", []string{"REPEAT(x'00', 65535)"}},
	{"", "MEDIUMBLOB", []string{"REPEAT(x'fe', 70000)"}},
	{"", "LONGBLOB", []string{"''", "REPEAT(x'ff', 200000)"}},
	{"", "ENUM('a','b,c','é')", []string{"'a'", "'b,c'", "'é'", "''"}},
	{"", "SET('x','y','z')", []string{"''", "'x,z'"}},
	{"", "JSON", []string{`'{"a": [1, 2.5, null, "é"]}'`, "'[]'", "'\"\"'"}},
	{"", "GEOMETRY", []string{"ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('LINESTRING(0 0,1 1)', 4326)"}},
	{"mysql", "VECTOR(3)", []string{"STRING_TO_VECTOR('[1,2,3]')"}},
	{"mariadb", "UUID", []string{"'123e4567-e89b-12d3-a456-426655440000'"}},
	{"mariadb", "INET6", []string{"'::1'", "'2001:db8::ff00:42:8329'"}},
	{"mariadb", "INET4", []string{"'192.168.0.1'"}},
}

// makeTypes creates table t with all cases and returns its number of columns.
func makeTypes(t *testing.T, sv server, c *wire.Conn) int {
	t.Helper()
	exec(t, c, "SET SESSION sql_mode='NO_ENGINE_SUBSTITUTION', time_zone='+00:00'")
	var columns []string
	var inserts []string
	n := 0
	for _, tc := range typeCases {
		if tc.only != "" && tc.only != sv.name {
			continue
		}
		columns = append(columns, fmt.Sprintf("c%d %s", n, tc.declare))
		for _, l := range tc.literals {
			inserts = append(inserts, fmt.Sprintf("INSERT INTO t (c%d) VALUES (%s)", n, l))
		}
		n++
	}
	exec(t, c, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, "+strings.Join(columns, ", ")+")", "INSERT INTO t (id) VALUES (NULL)")
	exec(t, c, inserts...)
	return n + 1
}

func TestEveryTypeReadsAsTheDriverReadsIt(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		name := sv.database(t)
		for _, comp := range []wire.Compression{wire.CompressionNone, wire.CompressionZlib, wire.CompressionZstd} {
			t.Run(comp.String(), func(t *testing.T) {
				cfg := sv.config()
				cfg.Database, cfg.Compression = name, comp
				c := connect(t, cfg)
				exec(t, c, "DROP TABLE IF EXISTS t")
				columns := makeTypes(t, sv, c)
				db := sv.driver(t, name)
				const query = "SELECT * FROM t ORDER BY id"

				st, err := c.Prepare(t.Context(), query)
				if err != nil {
					t.Fatal(err)
				}
				rows, err := st.Execute(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				prepared, err := db.Prepare(query)
				if err != nil {
					t.Fatal(err)
				}
				defer prepared.Close()
				compare(t, c, rows, columns, func() (*sql.Rows, error) { return prepared.Query() })

				if rows, err = c.Query(t.Context(), query); err != nil {
					t.Fatal(err)
				}
				compare(t, c, rows, columns, func() (*sql.Rows, error) { return db.Query(query) })
			})
		}
	})
}

// compare reads both results and fails for each value that differs.
func compare(t *testing.T, c *wire.Conn, rows *wire.Rows, columns int, truth func() (*sql.Rows, error)) {
	t.Helper()
	defs := rows.Columns()
	if len(defs) != columns {
		t.Fatalf("%d columns, want %d", len(defs), columns)
	}
	got, err := drain(t, rows, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	want, err := truth()
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	i := 0
	for ; want.Next(); i++ {
		values, ptrs := make([]any, columns), make([]any, columns)
		for j := range values {
			ptrs[j] = &values[j]
		}
		if err := want.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		for j := range values {
			if diff := cmp.Diff(canonical(values[j]), decode(defs[j], got[i][j], rows.Binary())); diff != "" {
				t.Errorf("row %d, column %s %s: -driver +wire\n%s", i, defs[j], defs[j].OrgName, diff[:min(len(diff), 500)])
			}
		}
	}
	if want.Err() != nil || i != len(got) || i < 100 {
		t.Errorf("driver read %d rows (%v), we read %d", i, want.Err(), len(got))
	}
}

// canonical turns a value of the driver into a string, so that both sides can be compared.
func canonical(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		return string(v)
	case float32:
		return fmt.Sprintf("float32 %#x", math.Float32bits(v))
	case float64:
		return fmt.Sprintf("float64 %#x", math.Float64bits(v))
	}
	return fmt.Sprint(v)
}

// decode turns the bytes of a value into the same string, by the rules of the protocol's manual.
func decode(c wire.Column, v []byte, binaryForm bool) string {
	switch {
	case v == nil:
		return "NULL"
	case !binaryForm:
		return decodeText(c, v)
	}
	le := binary.LittleEndian
	switch c.Type {
	case wire.TypeTiny:
		return integer(c, uint64(v[0]), 8)
	case wire.TypeShort, wire.TypeYear:
		return integer(c, uint64(le.Uint16(v)), 16)
	case wire.TypeLong, wire.TypeInt24:
		return integer(c, uint64(le.Uint32(v)), 32)
	case wire.TypeLongLong:
		return integer(c, le.Uint64(v), 64)
	case wire.TypeFloat:
		return fmt.Sprintf("float32 %#x", le.Uint32(v))
	case wire.TypeDouble:
		return fmt.Sprintf("float64 %#x", le.Uint64(v))
	case wire.TypeDate:
		d := append(append([]byte{}, v...), make([]byte, 4)...)
		return fmt.Sprintf("%04d-%02d-%02d", le.Uint16(d), d[2], d[3])
	case wire.TypeDatetime, wire.TypeTimestamp:
		d := append(append([]byte{}, v...), make([]byte, 11)...)
		return fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", le.Uint16(d), d[2], d[3], d[4], d[5], d[6]) + fraction(c, le.Uint32(d[7:]))
	case wire.TypeTime:
		d := append(append([]byte{}, v...), make([]byte, 12)...)
		return map[byte]string{0: "", 1: "-"}[d[0]] + fmt.Sprintf("%02d:%02d:%02d", le.Uint32(d[1:])*24+uint32(d[5]), d[6], d[7]) + fraction(c, le.Uint32(d[8:]))
	}
	return string(v)
}

func integer(c wire.Column, v uint64, bits int) string {
	if c.Unsigned() {
		return strconv.FormatUint(v, 10)
	}
	return strconv.FormatInt(int64(v<<(64-bits))>>(64-bits), 10)
}

func fraction(c wire.Column, micro uint32) string {
	if c.Decimals == 0 || c.Decimals > 6 {
		return ""
	}
	return "." + fmt.Sprintf("%06d", micro)[:c.Decimals]
}

// decodeText parses numbers, which the driver does too.
func decodeText(c wire.Column, v []byte) string {
	switch c.Type {
	case wire.TypeFloat:
		f, _ := strconv.ParseFloat(string(v), 32)
		return canonical(float32(f))
	case wire.TypeDouble:
		f, _ := strconv.ParseFloat(string(v), 64)
		return canonical(f)
	case wire.TypeTiny, wire.TypeShort, wire.TypeYear, wire.TypeLong, wire.TypeInt24, wire.TypeLongLong:
		u, err := strconv.ParseUint(string(v), 10, 64) // drops the zeros of ZEROFILL
		if err != nil {
			return string(v)
		}
		return strconv.FormatUint(u, 10)
	}
	return string(v)
}

func TestParametersArriveUnchanged(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		c := connect(t, sv.config())
		st, err := c.Prepare(t.Context(), "SELECT ?, CAST(? AS SIGNED), CAST(? AS UNSIGNED), ?+0e0, HEX(?), HEX(?), ? IS NULL, LENGTH(?)")
		if err != nil {
			t.Fatal(err)
		}
		if st.NumParams() != 8 || len(st.Columns()) != 8 {
			t.Fatalf("%d parameters, %d columns", st.NumParams(), len(st.Columns()))
		}
		rows, err := st.Execute(t.Context(), wire.Null(), wire.Int64(math.MinInt64), wire.Uint64(math.MaxUint64),
			wire.Float64(0.1), wire.String("é\x00'"), wire.Bytes([]byte{0, 0xff, 0x27}), wire.Param{}, wire.Bytes(nil))
		if err != nil {
			t.Fatal(err)
		}
		got, err := drain(t, rows, 1<<16)
		if err != nil || len(got) != 1 {
			t.Fatalf("%d rows, %v", len(got), err)
		}
		want := []string{"NULL", "-9223372036854775808", "18446744073709551615", canonical(0.1), "C3A90027", "00FF27", "1", "0"}
		for i, w := range want {
			if g := decode(rows.Columns()[i], got[0][i], true); g != w {
				t.Errorf("parameter %d: got %q, want %q", i, g, w)
			}
		}
		if err := st.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := one(t, c, "SELECT 'still here'"); got != "still here" {
			t.Errorf("after closing a statement: %q", got)
		}
	})
}

func TestGiantValuesThereAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("giant values go through one goroutine")
	}
	each(t, func(t *testing.T, sv server) {
		giant := make([]byte, 40<<20)
		_, _ = rand.NewChaCha8([32]byte{9}).Read(giant[:1<<20]) // never fails
		for i := 1 << 20; i < len(giant); i *= 2 {
			copy(giant[i:], giant[:i])
		}
		for _, comp := range []wire.Compression{wire.CompressionNone, wire.CompressionZlib, wire.CompressionZstd} {
			cfg := sv.config()
			cfg.Compression = comp
			c := connect(t, cfg)
			st, err := c.Prepare(t.Context(), "SELECT LENGTH(?), ?, 7")
			if err != nil {
				t.Fatal(err)
			}
			sizes := []int{0, 250, 251, 65535, 65536, 1<<24 - 20, 1<<24 - 1, 1 << 24, 40 << 20}
			if comp != wire.CompressionNone {
				sizes = []int{0, 49, 50, 70000, 1 << 24}
			}
			for _, n := range sizes {
				rows, err := st.Execute(t.Context(), wire.Bytes(giant[:n/2]), wire.Bytes(giant[:n]))
				if err != nil {
					t.Fatalf("%v, %d bytes: %v", comp, n, err)
				}
				got, err := drain(t, rows, 1<<20)
				if err != nil || len(got) != 1 {
					t.Fatalf("%v, %d bytes: %d rows, %v", comp, n, len(got), err)
				}
				if !bytes.Equal(got[0][1], giant[:n]) || decode(rows.Columns()[0], got[0][0], true) != strconv.Itoa(n/2) {
					t.Errorf("%v, %d bytes: came back as %d", comp, n, len(got[0][1]))
				}
			}
			c.Close()
		}
		// As text, a first value of 16 MiB begins the row with the byte that otherwise ends the rows.
		c := connect(t, sv.config())
		rows, err := c.Query(t.Context(), "SELECT REPEAT('x', 16777216), 'next'")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := drain(t, rows, 1<<20); err != nil || len(got) != 1 || len(got[0][0]) != 1<<24 || string(got[0][1]) != "next" {
			t.Errorf("text: %d rows, %v", len(got), err)
		}
	})
}
