package crosscheck

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/servertest"
)

// pairTest is a source database and a target database of its own.
type pairTest struct {
	source, target       *servertest.Server
	sourceURL, targetURL string
}

// eachFamily runs a test against MySQL and against MariaDB.
func eachFamily(t *testing.T, test func(t *testing.T, p *pairTest)) {
	t.Helper()
	target := servertest.Postgres15(t)
	for _, source := range servertest.Sources(t) {
		t.Run(source.Name, func(t *testing.T) {
			test(t, &pairTest{source, target, source.Database(t), target.Database(t)})
		})
	}
}

// statements splits a script at the semicolons that end its lines.
func statements(script string) []string {
	var out []string
	for stmt := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(stmt) != "" {
			out = append(out, stmt)
		}
	}
	return out
}

func (p *pairTest) sql(t *testing.T, script string) {
	t.Helper()
	p.source.Exec(t, p.sourceURL, statements(script)...)
}

func (p *pairTest) pg(t *testing.T, script string) {
	t.Helper()
	p.target.Exec(t, p.targetURL, script)
}

func (p *pairTest) compare(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Compare(t.Context(), p.sourceURL, p.targetURL, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The same values, written by hand in both dialects.
const (
	valuesSource = `SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET sql_mode = '';
CREATE TABLE Everything (id BIGINT UNSIGNED PRIMARY KEY, t1 TINYINT(1), flag TINYINT(1), b1 BIT(1), b64 BIT(64), e ENUM('a b','c'), s SET('x','y','z'), s2 SET('x','y'), j JSON, y YEAR, tm TIME(6), tod TIME(3),
  d DATE, dt DATETIME(6), ts TIMESTAMP(3) NULL, f FLOAT, db DOUBLE, n DECIMAL(65,30), bin BINARY(4), u BINARY(16), bl BLOB, c CHAR(8), v VARCHAR(40), l1 VARCHAR(20) CHARACTER SET latin1, p POINT, g INT GENERATED ALWAYS AS (t1 + 1) VIRTUAL);
INSERT INTO Everything (id, t1, flag, b1, b64, e, s, s2, j, y, tm, tod, d, dt, ts, f, db, n, bin, u, bl, c, v, l1, p) VALUES
 (18446744073709551615, 2, 1, b'1', 0xFFFFFFFFFFFFFFFF, 'a b', 'z,x', 'y', '{"b": 1e2, "a": [123456789012345678901234567890, "é\\u0041"]}', '0000', '-838:59:59', '23:59:59.5', '9999-12-31', '2024-02-29 12:34:56.100000', '2024-10-27 01:30:00.120', 16777217, 0.1e0 + 0.2e0, 12345678901234567890.5, 'a', UNHEX('00112233445566778899AABBCCDDEEFF'), x'00FF5C', 'ab  ', 'ab  ', _latin1 x'80E9', ST_GeomFromText('POINT(1 2)')),
 (0, -1, 0, b'0', b'1', 'no', '', '', '[]', 2155, '838:59:59', '00:00:00', '0001-01-01', '1000-01-01 00:00:00', '1970-01-01 00:00:01', -0e0, 5e-324, -0.000000000000000000000000000001, '', UNHEX(REPEAT('00', 16)), '', '', '', '', NULL),
 (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE bag (a INT, b VARCHAR(10));
INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (1, NULL), (NULL, '');
CREATE TABLE big (id INT PRIMARY KEY, body LONGTEXT);
INSERT INTO big VALUES (1, REPEAT('é', 200000)), (2, '')`
	valuesTarget = `CREATE TABLE everything (id numeric(20), t1 smallint, flag boolean, b1 boolean, b64 bit(64), e text, s text[], s2 text, j jsonb, y smallint, tm interval, tod time(3),
  d date, dt timestamp(6), ts timestamptz(3), f real, db double precision, n numeric(65,30), bin bytea, u uuid, bl bytea, c varchar(8), v varchar(40), l1 varchar(20), p bytea, g int);
INSERT INTO everything VALUES
 (18446744073709551615, 2, true, true, repeat('1', 64)::bit(64), 'a b', '{x,z}', 'y', '{"a": [JSON30, "éA"], "b": 100}', 0, '-838:59:59', '23:59:59.5', '9999-12-31', '2024-02-29 12:34:56.1', '2024-10-27 01:30:00.12+00', 16777216, 0.30000000000000004, 12345678901234567890.5, '\x61000000', '00112233-4455-6677-8899-aabbccddeeff', '\x00FF5C', 'ab', 'ab  ', '€é', '\x000000000101000000000000000000f03f0000000000000040', 3),
 (0, -1, false, false, 1::bigint::bit(64), '', '{}', '', '[]', 2155, '838:59:59', '00:00', '0001-01-01', '1000-01-01', '1970-01-01 00:00:01+00', 'MINUSZERO', 5e-324, -0.000000000000000000000000000001, '\x00000000', '00000000-0000-0000-0000-000000000000', '', '', '', '', NULL, 0),
 (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE bag (a int, b text);
INSERT INTO bag VALUES (NULL, ''), (1, 'x'), (1, NULL), (1, 'x');
CREATE TABLE big (id int, body text);
INSERT INTO big VALUES (1, repeat('é', 200000)), (2, '')`
)

// fill writes both sides.
func (p *pairTest) fill(t *testing.T) {
	t.Helper()
	p.sql(t, valuesSource)
	p.fillTarget(t)
}

// fillTarget writes what the source prints: MySQL keeps an integer of 30 digits
// in JSON as a double where MariaDB keeps the text, and MariaDB stores a zero
// without its sign where MySQL keeps it.
func (p *pairTest) fillTarget(t *testing.T) {
	t.Helper()
	json, zero := "123456789012345678901234567890", "0"
	if p.source.Kind == servertest.KindMySQL {
		json, zero = "1.2345678901234568e29", "-0"
	}
	p.pg(t, strings.NewReplacer("JSON30", json, "MINUSZERO", zero).Replace(valuesTarget))
}

func TestCompareEqual(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *pairTest) {
		p.fill(t)
		r := p.compare(t, Options{})
		for _, table := range r.Tables {
			for _, d := range table.Differences {
				t.Errorf("%s %s %s %s: source %s, target %s", d.Table, d.Kind, d.Key, d.Column, Show(d.Source), Show(d.Target))
			}
		}
		if got, want := r.Values(), int64(3*26+4*2+2*2); got != want || r.Different() != 0 {
			t.Errorf("compared %d values with %d differences, want %d with none", got, r.Different(), want)
		}
	})
}

func TestCompareFindsEachDifference(t *testing.T) {
	text := func(s string) *string { return &s }
	const key = "id=18446744073709551615"
	change := func(column string, source, target *string) []Difference {
		return []Difference{{Table: "Everything", Kind: ChangedValue, Key: key, Column: column, Source: source, Target: target}}
	}
	set := func(assignment string) string {
		return "UPDATE everything SET " + assignment + " WHERE id = 18446744073709551615"
	}
	tests := map[string]struct {
		reason string
		change string
		want   []Difference
	}{
		"MissingRow":    {"a row that did not arrive", "DELETE FROM everything WHERE id = 7", []Difference{{Table: "Everything", Kind: MissingRow, Key: "id=7"}}},
		"ExtraRow":      {"a row from nowhere", "INSERT INTO everything (id) VALUES (8)", []Difference{{Table: "Everything", Kind: ExtraRow, Key: "id=8"}}},
		"RowTwice":      {"a row that arrived twice", "INSERT INTO everything SELECT * FROM everything WHERE id = 0", []Difference{{Table: "Everything", Kind: ExtraRow, Key: "id=0"}}},
		"BagFewer":      {"one of two equal rows is gone", "DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE b = 'x')", []Difference{{Table: "bag", Kind: MissingRow, Key: "a=1 b=x"}}},
		"BagMore":       {"a third equal row", "INSERT INTO bag VALUES (1, 'x')", []Difference{{Table: "bag", Kind: ExtraRow, Key: "a=1 b=x"}}},
		"SwappedPair":   {"two rows changed places", "UPDATE everything SET id = CASE id WHEN 0 THEN 7 ELSE 0 END WHERE id IN (0, 7)", nil},
		"LastBitDouble": {"the last bit of a double", set("db = 0.3"), change("db", text("0.30000000000000004"), text("0.3"))},
		"LastBitFloat":  {"the last bit of a float", set("f = 16777218"), change("f", text("1.6777216e+07"), text("1.6777218e+07"))},
		"OneBit":        {"one bit of 64", set("b64 = set_bit(b64, 63, 0)"), change("b64", text(strings.Repeat("1", 64)), text(strings.Repeat("1", 63)+"0"))},
		"OneBitOfBytes": {"one bit of a byte string", set("bl = '\\x00FE5C'"), change("bl", text("\x00\xff\\"), text("\x00\xfe\\"))},
		"TrailingSpace": {"a space at the end", set("v = 'ab '"), change("v", text("ab  "), text("ab "))},
		"Padding":       {"a CHAR that kept its padding", set("c = 'ab      '"), change("c", text("ab"), text("ab      "))},
		"NullForEmpty":  {"NULL is not empty", "UPDATE everything SET v = NULL WHERE id = 0", []Difference{{Table: "Everything", Kind: ChangedValue, Key: "id=0", Column: "v", Source: text("")}}},
		"EmptyForNull":  {"empty is not NULL", "UPDATE everything SET e = '' WHERE id = 7", []Difference{{Table: "Everything", Kind: ChangedValue, Key: "id=7", Column: "e", Target: text("")}}},
		"EmptyBytes":    {"NULL bytes are not empty bytes", "UPDATE everything SET bl = NULL WHERE id = 0", []Difference{{Table: "Everything", Kind: ChangedValue, Key: "id=0", Column: "bl", Source: text("")}}},
		"SignOfZero":    {"the sign of zero", "UPDATE everything SET f = -f WHERE id = 0", nil},
		"Letter":        {"case", set("e = 'A b'"), change("e", text("a b"), text("A b"))},
		"SetMember":     {"a member is gone", set("s = '{x}'"), change("s", text("x,z"), text("x"))},
		"JSONNumber":    {"a number in a document", set("j = jsonb_set(j, '{b}', '100.5')"), nil},
		"Hour":          {"a TIMESTAMP read in another zone", set("ts = ts + interval '1 hour'"), change("ts", text("2024-10-27 01:30:00.12"), text("2024-10-27 02:30:00.12"))},
		"Microsecond":   {"a microsecond of an interval", set("tm = tm + interval '1 microsecond'"), change("tm", text("-3020399000000"), text("-3020398999999"))},
		"Decimal":       {"the thirtieth decimal place", set("n = n + 0.000000000000000000000000000001"), change("n", text("12345678901234567890.5"), text("12345678901234567890.500000000000000000000000000001"))},
		"Boolean":       {"a flag", set("flag = false"), change("flag", text("1"), text("0"))},
		"Tiny":          {"2 became 1", set("t1 = 1"), change("t1", text("2"), text("1"))},
		"UUID":          {"a UUID", set("u = '00112233-4455-6677-8899-aabbccddeefe'"), change("u", text("00112233445566778899aabbccddeeff"), text("00112233445566778899aabbccddeefe"))},
		"Generated":     {"a generated column", set("g = 4"), change("g", text("3"), text("4"))},
		"Axes":          {"longitude and latitude swapped", set(`p = '\x0000000001010000000000000000000040000000000000f03f'`), nil},
		"LongText":      {"one letter of 200,000", "UPDATE big SET body = overlay(body placing 'e' from 100000) WHERE id = 1", nil},
		"MissingColumn": {"a column that was not made", "ALTER TABLE everything DROP COLUMN j", []Difference{{Table: "Everything", Kind: MissingColumn, Column: "j"}}},
		"MissingTable":  {"a table that was not made", "DROP TABLE bag", []Difference{{Table: "bag", Kind: MissingTable}}},
	}
	eachFamily(t, func(t *testing.T, p *pairTest) {
		p.fill(t)
		for name, tc := range tests {
			t.Run(name, func(t *testing.T) {
				p.pg(t, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
				p.fillTarget(t)
				p.pg(t, tc.change)
				var got []Difference
				for _, table := range p.compare(t, Options{}).Tables {
					got = append(got, table.Differences...)
				}
				if len(got) == 0 {
					t.Fatalf("%s: nothing was found", tc.reason)
				}
				if tc.want == nil {
					return
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s: differences (-want +got):\n%s", tc.reason, diff)
				}
			})
		}
	})
}

func TestCompareNullDates(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *pairTest) {
		p.sql(t, "SET sql_mode = '';\nCREATE TABLE z (id INT PRIMARY KEY, d DATE, dt DATETIME);\nINSERT INTO z VALUES (1, '0000-00-00', '2024-05-00 00:00:00'), (2, '0000-05-01', NULL), (3, '2024-05-01', '2024-05-01 00:00:00')")
		p.pg(t, "CREATE TABLE z (id int, d date, dt timestamp); INSERT INTO z VALUES (1, NULL, NULL), (2, NULL, NULL), (3, '2024-05-01', '2024-05-01')")
		if n := p.compare(t, Options{NullDates: true}).Different(); n != 0 {
			t.Errorf("with NullDates: %d differences, want none", n)
		}
		if n := p.compare(t, Options{}).Different(); n != 3 {
			t.Errorf("without NullDates: %d differences, want 3", n)
		}
	})
}

func TestCompareExclude(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *pairTest) {
		p.sql(t, "CREATE TABLE loss_a (id INT PRIMARY KEY);\nCREATE TABLE b (id INT PRIMARY KEY)")
		p.pg(t, "CREATE TABLE b (id int)")
		if r := p.compare(t, Options{Exclude: []string{"loss_*"}}); r.Different() != 0 || len(r.Tables) != 1 {
			t.Errorf("got %+v, want one equal table", r)
		}
		if r := p.compare(t, Options{}); r.Different() != 1 {
			t.Errorf("without Exclude: %d differences, want 1", r.Different())
		}
	})
}

func TestCompareRename(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *pairTest) {
		p.sql(t, "CREATE TABLE `Long Name` (`Id` INT PRIMARY KEY, `V` INT);\nINSERT INTO `Long Name` VALUES (1, 2)")
		p.pg(t, `CREATE TABLE short (id int, w int); INSERT INTO short VALUES (1, 2)`)
		r := p.compare(t, Options{Rename: map[string]string{"Long Name": "short", "Long Name.V": "w"}})
		if r.Different() != 0 || r.Values() != 2 {
			t.Errorf("got %+v, want 2 equal values", r)
		}
	})
}

// TestCompareManyRows crosses the border of a bucket, with a difference in each.
func TestCompareManyRows(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *pairTest) {
		const n = 3*rowsPerBucket + 17
		p.sql(t, "CREATE TABLE many (id INT PRIMARY KEY, v VARCHAR(20))")
		var b strings.Builder
		for i := 0; i < n; i += 10_000 {
			b.Reset()
			for j := i; j < min(i+10_000, n); j++ {
				fmt.Fprintf(&b, ",(%d,'v%d')", j, j)
			}
			p.sql(t, "INSERT INTO many VALUES "+b.String()[1:])
		}
		p.pg(t, fmt.Sprintf("CREATE TABLE many AS SELECT i AS id, 'v' || i AS v FROM generate_series(0, %d) i", n-1))
		if r := p.compare(t, Options{}); r.Different() != 0 || r.Values() != 2*n {
			t.Fatalf("compared %d values with %d differences, want %d with none", r.Values(), r.Different(), 2*n)
		}
		p.pg(t, "UPDATE many SET v = v || ' ' WHERE id % 10000 = 1")
		if r := p.compare(t, Options{MaxDifferences: 3}); r.Different() != 16 || len(r.Tables[0].Differences) != 3 {
			t.Errorf("found %d differences and kept %d, want 16 and 3", r.Different(), len(r.Tables[0].Differences))
		}
	})
}

func TestTypesDatabaseLoads(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *pairTest) {
		p.source.LoadFile(t, p.sourceURL, "testdata/types.sql")
		src, err := openSource(t.Context(), p.sourceURL)
		if err != nil {
			t.Fatal(err)
		}
		defer src.db.Close()
		tables, err := src.tables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(tables) != 54 {
			t.Errorf("loaded %d tables, want 54", len(tables))
		}
	})
}
