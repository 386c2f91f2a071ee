package binlog_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/servertest"
)

// A making is a column and how to make literals for it.
type making struct {
	only    servertest.Kind // or both
	declare string
	value   func(r *rand.Rand) string
}

var makings = []making{
	{"", "TINYINT", integer(8, false)},
	{"", "TINYINT UNSIGNED", integer(8, true)},
	{"", "SMALLINT", integer(16, false)},
	{"", "SMALLINT UNSIGNED", integer(16, true)},
	{"", "MEDIUMINT", integer(24, false)},
	{"", "MEDIUMINT UNSIGNED", integer(24, true)},
	{"", "INT", integer(32, false)},
	{"", "INT UNSIGNED ZEROFILL", integer(32, true)},
	{"", "BIGINT", integer(64, false)},
	{"", "BIGINT UNSIGNED", integer(64, true)},
	{"", "FLOAT", float},
	{"", "FLOAT(7,2)", float},
	{"", "DOUBLE", float},
	{"", "DECIMAL(65,30)", decimal(35, 30)},
	{"", "DECIMAL(1)", decimal(1, 0)},
	{"", "DECIMAL(9,9)", decimal(0, 9)},
	{"", "DECIMAL(10,1)", decimal(9, 1)},
	{"", "DECIMAL(28,10) UNSIGNED", decimal(18, 10)},
	{"", "DECIMAL(20,18)", decimal(2, 18)},
	{"", "BIT(1)", integer(1, true)},
	{"", "BIT(9)", integer(9, true)},
	{"", "BIT(64)", integer(64, true)},
	{"", "YEAR", func(r *rand.Rand) string { return oneOf(r, "0000", "1901", "2155", strconv.Itoa(1901+r.IntN(255))) }},
	{"", "DATE", day},
	{"", "DATETIME", moment(0)},
	{"", "DATETIME(1)", moment(1)},
	{"", "DATETIME(4)", moment(4)},
	{"", "DATETIME(6)", moment(6)},
	{"", "TIMESTAMP NULL", instant(0)},
	{"", "TIMESTAMP(2) NULL", instant(2)},
	{"", "TIMESTAMP(3) NULL", instant(3)},
	{"", "TIMESTAMP(6) NULL", instant(6)},
	{"", "TIME", span(0)},
	{"", "TIME(1)", span(1)},
	{"", "TIME(3)", span(3)},
	{"", "TIME(5)", span(5)},
	{"", "TIME(6)", span(6)},
	{"", "CHAR(60)", text},
	{"", "CHAR(20) CHARACTER SET latin1", text},
	{"", "CHAR(80) CHARACTER SET utf8mb4", text},
	{"", "CHAR(20) CHARACTER SET ucs2", text},
	{"", "CHAR(30) CHARACTER SET utf32", text},
	{"", "CHAR(10) CHARACTER SET gbk", text},
	{"", "VARCHAR(60)", text},
	{"", "VARCHAR(400) CHARACTER SET latin1", text},
	{"", "VARCHAR(90) CHARACTER SET gbk", text},
	{"", "VARCHAR(90) CHARACTER SET utf8mb3", text},
	{"", "VARCHAR(90) CHARACTER SET ucs2", text},
	{"", "TEXT CHARACTER SET utf16", text},
	{"", "TEXT CHARACTER SET sjis", text},
	{"", "TINYTEXT", text},
	{"", "MEDIUMTEXT", long},
	{"", "LONGTEXT CHARACTER SET latin1", long},
	{"", "BINARY(8)", octets(8)},
	{"", "BINARY(255)", octets(255)},
	{"", "VARBINARY(10)", octets(10)},
	{"", "VARBINARY(300)", octets(300)},
	{"", "TINYBLOB", octets(200)},
	{"", "BLOB", octets(300)},
	{"", "LONGBLOB", long},
	{"", "ENUM('a','b''c','é','x y')", func(r *rand.Rand) string { return strconv.Itoa(r.IntN(5)) }},
	{"", "ENUM('é','ü') CHARACTER SET latin1", func(r *rand.Rand) string { return strconv.Itoa(r.IntN(3)) }},
	{"", "SET('a','b','c','d','e','f','g','h','i','j')", func(r *rand.Rand) string { return strconv.Itoa(r.IntN(1024)) }},
	{"", "POINT", func(r *rand.Rand) string {
		return fmt.Sprintf("ST_GeomFromText('POINT(%d %d)')", r.IntN(90), r.IntN(90))
	}},
	{"", "JSON", document},
	{servertest.KindMySQL, "VECTOR(3)", func(r *rand.Rand) string {
		return fmt.Sprintf("STRING_TO_VECTOR('[%d,%d,-1.5]')", r.IntN(9), r.IntN(9))
	}},
	{servertest.KindMySQL, "JSON", nativeJSON},
	{servertest.KindMySQL, "JSON", bigDocument},
	{servertest.KindMySQL, "JSON", doubles},
	{servertest.KindMariaDB, "UUID", identifier},
	{servertest.KindMariaDB, "INET6", inet6},
	{servertest.KindMariaDB, "INET4", func(r *rand.Rand) string { return fmt.Sprintf("'%d.%d.0.%d'", r.IntN(256), r.IntN(2), r.IntN(256)) }},
	{servertest.KindMariaDB, "TEXT COMPRESSED", long},
	{servertest.KindMariaDB, "BLOB COMPRESSED", long},
	{servertest.KindMariaDB, "VARCHAR(1000) COMPRESSED CHARACTER SET latin1", text},
	{servertest.KindMariaDB, "VARBINARY(2000) COMPRESSED", octets(1500)},
}

func oneOf(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func integer(bits int, unsigned bool) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		v := r.Uint64() >> r.IntN(64)
		if r.IntN(3) == 0 {
			v = ^v
		}
		if unsigned {
			return strconv.FormatUint(v<<(64-bits)>>(64-bits), 10)
		}
		return strconv.FormatInt(int64(v)<<(64-bits)>>(64-bits), 10)
	}
}

func float(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return oneOf(r, "0", "-0e0", "0.1", "-1e-30", "16777217")
	case 1:
		return strconv.FormatFloat(math.Float64frombits(r.Uint64()&^(1<<62|1<<61)), 'e', -1, 64)
	}
	return strconv.FormatFloat(r.NormFloat64()*1000, 'e', -1, 64)
}

func decimal(whole, scale int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		digits := func(n int) string {
			b := make([]byte, n)
			for i := range b {
				b[i] = '0' + byte(r.IntN(10))
				if r.IntN(3) == 0 {
					b[i] = "09"[r.IntN(2)]
				}
			}
			return string(b)
		}
		s := oneOf(r, "", "-") + "0" + digits(r.IntN(whole+1))
		if scale > 0 {
			s += "." + digits(r.IntN(scale+1)) + "0"
		}
		return s
	}
}

func day(r *rand.Rand) string {
	return oneOf(r, "'0000-00-00'", "'2024-00-00'", "'9999-12-31'", fmt.Sprintf("'%04d-%02d-%02d'", r.IntN(10000), 1+r.IntN(12), 1+r.IntN(28)))
}

func fraction(r *rand.Rand, n int) string {
	if n == 0 || r.IntN(3) == 0 {
		return ""
	}
	return "." + strconv.Itoa(r.IntN(1000000))[:1] + strconv.Itoa(1000000 + r.IntN(1000000))[2:1+n]
}

func moment(n int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		d := strings.Trim(day(r), "'")
		if r.IntN(4) == 0 {
			return "'" + d + "'"
		}
		return fmt.Sprintf("'%s %02d:%02d:%02d%s'", d, r.IntN(24), r.IntN(60), r.IntN(60), fraction(r, n))
	}
}

func instant(n int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		return oneOf(r, "'0000-00-00'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2024-02-29'",
			fmt.Sprintf("FROM_UNIXTIME(%d%s)", 1+r.IntN(math.MaxInt32-1), fraction(r, n)))
	}
}

func span(n int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		return oneOf(r, "'0:0:0'", "'-838:59:59'", fmt.Sprintf("'%s%d:%02d:%02d%s'", oneOf(r, "", "-"), r.IntN(838), r.IntN(60), r.IntN(60), fraction(r, n)),
			fmt.Sprintf("'%s0:0:0%s'", oneOf(r, "", "-"), fraction(r, n)))
	}
}

func text(r *rand.Rand) string {
	return oneOf(r, "''", "' '", "'a  '", "'été €'", "'中文 '", "'日本'", "'it''s'", "'plain text of some length'", "CONCAT('tab', CHAR(9), 'x')", "'\\\\ \"'")
}

func long(r *rand.Rand) string {
	return oneOf(r, text(r), fmt.Sprintf("REPEAT('%c', %d)", 'a'+rune(r.IntN(26)), r.IntN(60000)), "HEX(RANDOM_BYTES(900))")
}

func octets(n int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		b := make([]byte, r.IntN(n+1))
		for i := range b {
			b[i] = byte(r.Uint32() >> r.IntN(9) << r.IntN(9))
		}
		if r.IntN(3) == 0 {
			clear(b[len(b)/2:])
		}
		return fmt.Sprintf("x'%x'", b)
	}
}

func identifier(r *rand.Rand) string {
	b := fmt.Appendf(nil, "%016x%016x", r.Uint64(), r.Uint64())
	b[16] = "089ab"[r.IntN(5)]
	b[12] = "0123456701"[r.IntN(10)]
	if r.IntN(4) == 0 {
		copy(b[20:], "000000000000")
	}
	return fmt.Sprintf("'%s-%s-%s-%s-%s'", b[:8], b[8:12], b[12:16], b[16:20], b[20:])
}

func inet6(r *rand.Rand) string {
	w := make([]string, 8)
	for i := range w {
		w[i] = oneOf(r, "0", "0", "0", "1", "ffff", strconv.FormatUint(uint64(r.IntN(65536)), 16))
	}
	if r.IntN(2) == 0 {
		for i := range 6 {
			w[i] = "0"
		}
		w[5] = oneOf(r, "0", "ffff", "fff")
	}
	return "'" + strings.Join(w, ":") + "'"
}

// document makes JSON that both servers read as it stands or nearly so.
func document(r *rand.Rand) string { return "'" + strings.ReplaceAll(nested(r, 3), `\`, `\\`) + "'" }

func nested(r *rand.Rand, depth int) string {
	kind := r.IntN(10)
	if depth == 0 {
		kind = r.IntN(7)
	}
	switch kind {
	case 0:
		return oneOf(r, "null", "true", "false")
	case 1, 2:
		return integer(64, false)(r)
	case 3:
		return strconv.FormatFloat(r.NormFloat64()*math.Pow(10, float64(r.IntN(40)-20)), 'g', 1+r.IntN(17), 64)
	case 4, 5, 6:
		return `"` + oneOf(r, "", "é", "🎉", "a b", `\"`, `\\`, `\n\t\r\b\f`, `\u0001\u001f\u007f`, "/", strings.Repeat("long ", r.IntN(60))) + `"`
	case 7, 8:
		members := make([]string, r.IntN(6))
		for i := range members {
			members[i] = fmt.Sprintf(`"%s%d": %s`, oneOf(r, "k", "key", "é"), i, nested(r, depth-1))
		}
		return "{" + strings.Join(members, ", ") + "}"
	}
	members := make([]string, r.IntN(6))
	for i := range members {
		members[i] = nested(r, depth-1)
	}
	return "[" + strings.Join(members, ", ") + "]"
}

// nativeJSON makes documents with values of SQL types.
func nativeJSON(r *rand.Rand) string {
	value := func() string {
		return oneOf(r, "CAST("+decimal(20, 10)(r)+" AS DECIMAL(30,10))", "CAST("+decimal(5, 0)(r)+" AS DECIMAL(5))", "CAST("+day(r)+" AS DATE)",
			"CAST("+moment(6)(r)+" AS DATETIME(6))", "CAST("+span(6)(r)+" AS TIME(6))", "CAST("+span(2)(r)+" AS TIME(2))",
			"CAST("+octets(200)(r)+" AS BINARY)", integer(64, true)(r), "TIMESTAMP'2024-02-29 01:02:03.4'", "b'101'",
			"CAST(2024 AS YEAR)", "ST_GeomFromText('POINT(1 2)')", float(r)+"+0e0", "NULL", "TRUE")
	}
	values := make([]string, 1+r.IntN(4))
	for i := range values {
		values[i] = value()
	}
	return "JSON_ARRAY(" + strings.Join(values, ", ") + ")"
}

// bigDocument makes one whose offsets need four bytes.
func bigDocument(r *rand.Rand) string {
	return fmt.Sprintf("JSON_OBJECT('a', REPEAT('x', %d), 'b', JSON_ARRAY(1, -40000, 70000, 4000000000, 'y', REPEAT('z', %d)), 'c', %s)",
		65000+r.IntN(3000), r.IntN(70000), integer(64, false)(r))
}

// doubles makes an array of numbers of every size.
func doubles(r *rand.Rand) string {
	n := make([]string, 40)
	for i := range n {
		switch r.IntN(3) {
		case 0:
			n[i] = strconv.FormatFloat(math.Float64frombits(r.Uint64()&^(1<<62)|uint64(r.IntN(2))<<62), 'e', -1, 64)
			if strings.ContainsAny(n[i], "NI") {
				n[i] = "1e0"
			}
		default:
			n[i] = strconv.FormatFloat(r.NormFloat64()*math.Pow(10, float64(r.IntN(50)-25)), 'e', r.IntN(18), 64)
		}
	}
	return "'[" + strings.Join(n, ", ") + "]'"
}

// fill makes a table of every type and writes random rows, changes them and deletes some.
func (s *source) fill(t *testing.T, seed uint64) {
	t.Helper()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	var usable []making
	for _, m := range makings {
		if m.only == "" || m.only == s.Kind {
			usable = append(usable, m)
		}
	}
	const tables = 4
	statements := []string{"SET NAMES utf8mb4, sql_mode = '', time_zone = '+00:00'"}
	for n := range tables {
		r.Shuffle(len(usable), func(i, k int) { usable[i], usable[k] = usable[k], usable[i] })
		some := usable[:len(usable)-r.IntN(len(usable)/2)]
		name := fmt.Sprintf("random%d", n)
		columns, names := make([]string, len(some)), make([]string, len(some))
		for i, m := range some {
			names[i] = fmt.Sprintf("c%d", i)
			columns[i] = names[i] + " " + m.declare
		}
		statements = append(statements, fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, %s) CHARACTER SET utf8mb4", name, strings.Join(columns, ", ")))
		value := func(m making) string {
			if r.IntN(8) == 0 {
				return "NULL"
			}
			return m.value(r)
		}
		for id := range 25 {
			values := make([]string, len(some))
			for i, m := range some {
				values[i] = value(m)
			}
			statements = append(statements, fmt.Sprintf("INSERT IGNORE INTO %s (id, %s) VALUES (%d, %s)", name, strings.Join(names, ", "), id, strings.Join(values, ", ")))
		}
		for range 20 {
			i := r.IntN(len(some))
			statements = append(statements, fmt.Sprintf("UPDATE IGNORE %s SET %s = %s WHERE id %% 7 = %d", name, names[i], value(some[i]), r.IntN(7)))
		}
		statements = append(statements, fmt.Sprintf("DELETE FROM %s WHERE id %% 11 = 3", name))
	}
	s.Exec(t, s.url, statements...)
}

// TestRandomRows compares what the log and the tables hold after random changes of tables with every type.
func TestRandomRows(t *testing.T) {
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			src := fresh(t, s)
			src.fill(t, rand.Uint64())
			src.compare(t)
		})
	}
}
