package crashtest

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/servertest"
)

// column is one that the writers set.
type column struct {
	name, ddl string
	value     value
}

// table is one that the writers write to.
type table struct {
	name string
	// key are the columns by which they find rows; they are not unique where more says nothing about them.
	key, rest []column
	// more is the rest of CREATE TABLE: keys, generated columns, foreign keys.
	more string
	// before is what the session has to set before the table is made.
	before string
	// unique is a nullable unique column of rest, whose values of two rows are swapped.
	unique string
	// emptied now and then.
	truncated bool
	// rows to begin with.
	rows int
}

func (t *table) create() string {
	var parts []string
	for _, c := range append(append([]column{}, t.key...), t.rest...) {
		parts = append(parts, c.name+" "+c.ddl)
	}
	if t.more != "" {
		parts = append(parts, t.more)
	}
	return fmt.Sprintf("CREATE TABLE %s (%s) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", t.name, strings.Join(parts, ", "))
}

func cols(c ...column) []column { return c }

// keys is how many keys of a kind there are: few enough that rows come, go and come again under the same key.
const keys = 400

// small is a column that every table may have.
func small(name string) column { return column{name, "INT NULL", null(between(-1000, 1000))} }

func pick(k servertest.Kind, mysql, mariaDB string) string {
	if k == servertest.KindMySQL {
		return mysql
	}
	return mariaDB
}

// everything has a column of every hard type.
func everything(k servertest.Kind) *table {
	mine := []column{{"srid", "POINT NULL", null(points(4326))}}
	if k == servertest.KindMariaDB {
		mine = append(mine, column{"i6", "INET6 NULL", one("'::'", "'2001:db8::1'", "'::ffff:192.0.2.33'")}, column{"uu", "UUID NULL", null(uuids)})
	}
	return &table{
		name: "everything", rows: 2000, unique: "u",
		key: cols(column{"id", "INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY", between(1, 3000)}),
		rest: append(cols(
			column{"u", "INT NULL", null(between(1, 100_000))},
			column{"bu", "BIGINT UNSIGNED NULL", null(bits(64))},
			column{"ti", "TINYINT NULL", between(-128, 127)},
			column{"t1", "TINYINT(1) NULL", between(-1, 2)},
			column{"tu", "TINYINT UNSIGNED NOT NULL DEFAULT 0", bits(8)},
			column{"sm", "SMALLINT NOT NULL DEFAULT 0", between(-32768, 32767)},
			column{"mu", "MEDIUMINT UNSIGNED NULL", bits(24)},
			column{"me", "MEDIUMINT NULL", between(-8388608, 8388607)},
			column{"iu", "INT UNSIGNED NULL", bits(32)},
			column{"bg", "BIGINT NULL", one("-9223372036854775808", "9223372036854775807", "0", "-1")},
			column{"b1", "BIT(1) NULL", bits(1)},
			column{"b33", "BIT(33) NULL", bits(33)},
			column{"b64", "BIT(64) NULL", null(bits(64))},
			column{"en", "ENUM('small','with ''quote''','été','{b}') NULL", one("1", "2", "3", "4", "NULL", "'no such member'")},
			column{"st", "SET('a','b','with \"double\"','été') NOT NULL DEFAULT ''", between(0, 15)},
			column{"j", "JSON NULL", null(documents)},
			column{"jz", "JSON NULL", null(nulDocuments)},
			column{"y", "YEAR NULL", one("0", "1901", "2155", "1999", "NULL")},
			column{"tm", "TIME(6) NULL", null(clocks(838, 6))},
			column{"t3", "TIME(3) NULL", clocks(24, 3)},
			column{"da", "DATE NULL", null(days(1000, 9999))},
			column{"dt", "DATETIME(6) NULL", null(moments(1000, 9999, 6))},
			column{"d0", "DATETIME NULL", moments(1000, 9998, 0)},
			column{"ts", "TIMESTAMP(3) NULL", null(moments(1971, 2037, 3))},
			column{"ch", "CHAR(8) NULL", null(words("", 8))},
			column{"vc", "VARCHAR(60) COLLATE utf8mb4_general_ci NULL", null(words("", 60))},
			column{"l1", "VARCHAR(60) CHARACTER SET latin1 NULL", null(latin(60))},
			column{"u3", "VARCHAR(40) CHARACTER SET utf8mb3 NULL", words("utf8mb3", 40)},
			column{"u16", "VARCHAR(20) CHARACTER SET utf16 NULL", words("", 20)},
			column{"tx", "TEXT NULL", null(words("", 300))},
			column{"bi", "BINARY(4) NULL", raw(4)},
			column{"vb", "VARBINARY(40) NULL", null(raw(40))},
			column{"bl", "BLOB NULL", null(raw(600))},
			column{"fl", "FLOAT NULL", null(floats)},
			column{"f72", "FLOAT(7,2) NULL", decimals(5, 2)},
			column{"db", "DOUBLE NULL", null(doubles)},
			column{"de", "DECIMAL(65,30) NULL", null(decimals(34, 30))},
			column{"d20", "DECIMAL(20,0) UNSIGNED NULL", bits(64)},
			column{"ge", "GEOMETRY NULL", null(points(0))},
			column{"first", "VARCHAR(20) NULL", null(words("", 20))},
			column{"last", "VARCHAR(20) NULL", null(words("", 20))},
			column{"qty", "INT NULL", null(between(-1000, 1000))},
			column{"price", "DECIMAL(10,2) NULL", decimals(7, 2)},
		), mine...),
		more: "touched TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)," +
			" full_name VARCHAR(60) GENERATED ALWAYS AS (concat(first, ' ', last)) VIRTUAL," +
			" total DECIMAL(24,2) GENERATED ALWAYS AS (qty * price) STORED, UNIQUE KEY uk_u (u), KEY ix_vc (vc(10)), KEY ix_total (total)",
	}
}

// keyed are tables that differ in what their key is.
func keyed(k servertest.Kind) []*table {
	word := func(name, collation string) *table {
		return &table{
			name: name, rows: 300, unique: "u", key: cols(column{"w", "VARCHAR(40) COLLATE " + collation + " NOT NULL PRIMARY KEY", words("", 4)}),
			rest: cols(column{"u", "INT NULL UNIQUE", null(between(1, 5000))}, column{"t", "VARCHAR(20) NULL", words("", 20)}),
		}
	}
	simple := func(name, ddl string, v value) *table {
		return &table{name: name, rows: 300, key: cols(column{"k", ddl + " NOT NULL PRIMARY KEY", v}), rest: cols(small("v"))}
	}
	ts := []*table{
		word("word_ci", "utf8mb4_unicode_ci"), word("word_bin", "utf8mb4_bin"),
		word("word_nopad", pick(k, "utf8mb4_0900_ai_ci", "utf8mb4_unicode_nopad_ci")),
		{
			name: "word_latin", rows: 300, key: cols(column{"w", "VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_general_cs NOT NULL PRIMARY KEY", latin(2)}),
			rest: cols(small("v")),
		},
		simple("huge_key", "BIGINT UNSIGNED", either(between(0, keys), one("9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551614"))),
		simple("bytes_key", "VARBINARY(20)", raw(2)),
		simple("decimal_key", "DECIMAL(12,4)", decimals(2, 1)),
		simple("enum_key", "ENUM('z','a','m','été')", between(1, 4)),
		simple("float_key", "DOUBLE", either(one("5e-324", "0.1", "1e300", "-1e300"), decimals(2, 1))),
		simple("negative_key", "SMALLINT", between(-200, 200)),
		{
			name: "composite", rows: 300, more: "PRIMARY KEY (a, b, d)", unique: "u",
			key:  cols(column{"a", "INT NOT NULL", between(1, 9)}, column{"b", "VARCHAR(10) COLLATE utf8mb4_unicode_ci NOT NULL", words("", 2)}, column{"d", "DATE NOT NULL", days(2024, 2024)}),
			rest: cols(column{"u", "INT NULL UNIQUE", null(between(1, 5000))}, small("v")),
		},
		{
			name: "moment_key", rows: 300, more: "PRIMARY KEY (d, t, y)",
			key:  cols(column{"d", "DATE NOT NULL", days(2023, 2024)}, column{"t", "TIME(3) NOT NULL", one("'00:00:00'", "'23:59:59.999'")}, column{"y", "YEAR NOT NULL", one("0", "2000", "2155")}),
			rest: cols(small("v")),
		},
	}
	if k == servertest.KindMariaDB {
		return append(ts, simple("uuid_key", "UUID", uuids))
	}
	return append(ts,
		simple("uuid_key", "BINARY(16)", func(r rnd) string { return "UNHEX(REPLACE(" + uuids(r) + ", '-', ''))" }),
		&table{
			name: "generated_key", before: "SET SESSION sql_generate_invisible_primary_key = ON", rows: 200,
			key: cols(column{"a", "INT NULL", null(between(1, 50))}), rest: cols(column{"b", "VARCHAR(20) NULL", words("", 10)}),
		})
}

func uuids(r rnd) string {
	return fmt.Sprintf("'%08x-1111-4222-8333-%012x'", r.IntN(8)<<29, r.IntN(40))
}

// fuzzy are the tables that are copied chunk by chunk while they are written to. Foreign keys act on one level only and do not follow
// a changed key: deeper ones are exact over an exact copy alone.
func fuzzy(k servertest.Kind) []*table {
	ts := append([]*table{everything(k)}, keyed(k)...)
	return append(ts,
		&table{
			name: "parent", rows: keys, unique: "code",
			key:  cols(column{"id", "INT NOT NULL AUTO_INCREMENT PRIMARY KEY", between(1, keys)}),
			rest: cols(column{"code", "INT NULL UNIQUE", null(between(1, 5000))}, small("v")),
		},
		&table{
			name: "child_gone", rows: 1000,
			key:  cols(column{"id", "BIGINT NOT NULL PRIMARY KEY", between(1, 4*keys)}),
			rest: cols(column{"parent_id", "INT NULL", null(between(1, keys))}, small("v")),
			more: "FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE",
		},
		&table{
			name: "child_freed", rows: 1000, unique: "u",
			key:  cols(column{"id", "BIGINT NOT NULL PRIMARY KEY", between(1, 4*keys)}),
			rest: cols(column{"parent_id", "INT NULL", null(between(1, keys))}, column{"u", "INT NULL UNIQUE", null(between(1, 5000))}),
			more: "FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE SET NULL",
		},
		&table{name: "no_key", rows: 300, key: cols(column{"a", "INT NULL", null(between(1, 50))}), rest: cols(column{"b", "VARCHAR(20) NULL", null(words("", 3))}, column{"c", "DOUBLE NULL", one("0", "-0e0", "0.5", "NULL")})},
		&table{name: "unique_null", rows: 100, key: cols(column{"a", "INT NULL UNIQUE", null(between(1, 100))}), rest: cols(column{"b", "VARCHAR(20) NULL", null(words("", 3))})},
		&table{name: "scratch", rows: 100, truncated: true, key: cols(column{"id", "INT NOT NULL PRIMARY KEY", between(1, keys)}), rest: cols(small("v"))},
		&table{name: "counter", rows: 50, key: cols(column{"v", "INT NULL", between(1, 1000)}), rest: cols(column{"w", "INT NULL", between(1, 1000)}), more: "id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"},
		&table{
			name: "loss_dates", rows: 300, key: cols(column{"id", "INT NOT NULL PRIMARY KEY", between(1, keys)}),
			rest: cols(
				column{"d", "DATE NULL", either(days(1900, 2100), one("'0000-00-00'", "'2024-05-00'", "'2024-00-00'", "'0000-05-01'"))},
				column{"required", "DATE NOT NULL", either(days(1900, 2100), one("'0000-00-00'"))},
				column{"at", "DATETIME(3) NULL", either(moments(1900, 2100, 3), one("'0000-00-00 00:00:00'", "'2024-05-00 10:11:12.345'"))},
				column{"ts", "TIMESTAMP NULL", either(moments(1971, 2037, 0), one("'0000-00-00 00:00:00'"))}),
		},
		&table{
			name: "document", rows: 20, key: cols(column{"id", "INT NOT NULL PRIMARY KEY", between(1, 40)}),
			rest: cols(
				column{"j", "JSON NULL", func(r rnd) string {
					return "CONCAT('{\"k\":\"', " + large("_utf8mb4 X'c3a9'", r.IntN(500_000)) + ", '\"}')"
				}},
				column{"b", "LONGBLOB NULL", func(r rnd) string { return large(octets([]byte{byte(r.Uint32()), 0, 255}), r.IntN(350_000)) }},
				column{"t", "LONGTEXT NULL", func(r rnd) string { return large("_utf8mb4 X'61f09f8e89'", r.IntN(100_000)) }}),
		},
		&table{ // more than one chunk, cut by arithmetic
			name: "wide", rows: 12_000, unique: "u",
			key: cols(column{"id", "INT NOT NULL PRIMARY KEY", between(1, 12_500)}),
			rest: cols(column{"u", "INT NULL UNIQUE", null(between(1, 20_000))}, column{"pad", "TEXT NULL", func(r rnd) string {
				return large(octets([]byte{byte('a' + r.IntN(26))}), 1800)
			}}),
		},
		&table{ // more than one chunk, walked
			name: "wide_word", rows: 12_000,
			key:  cols(column{"w", "VARCHAR(40) COLLATE utf8mb4_unicode_ci NOT NULL PRIMARY KEY", func(r rnd) string { return fmt.Sprintf("'w%d'", r.IntN(12_500)) }}),
			rest: cols(small("v"), column{"pad", "TEXT NULL", func(r rnd) string { return large(octets([]byte{byte('a' + r.IntN(26))}), 1800) }}),
		},
		&table{name: "bulk", rows: 0, key: cols(column{"id", "INT NOT NULL PRIMARY KEY", between(1, 40_000)}), rest: cols(small("v"), column{"w", "VARCHAR(20) NULL", words("", 20)})},
	)
}

// family are tables with cascades of several levels, along several ways, of changed keys, and within one table.
func family(k servertest.Kind) []*table {
	// Bytes are all that counts in this collation: foreign keys of others tie texts together that PostgreSQL tells apart.
	exact := pick(k, "utf8mb4_0900_bin", "utf8mb4_nopad_bin")
	id := func(most int64) []column {
		return cols(column{"id", "INT NOT NULL PRIMARY KEY", between(1, most)})
	}
	return []*table{
		{
			name: "grand", rows: 100, unique: "v", key: id(150),
			rest: cols(column{"code", "VARCHAR(20) COLLATE " + exact + " NULL UNIQUE", null(words("", 3))}, column{"v", "INT NULL UNIQUE", null(between(1, 5000))}),
		},
		{
			name: "middle", rows: 300, key: id(500),
			rest: cols(column{"grand_id", "INT NULL", null(between(1, 150))}, small("v")),
			more: "FOREIGN KEY (grand_id) REFERENCES grand (id) ON DELETE CASCADE ON UPDATE CASCADE",
		},
		{
			name: "leaf", rows: 600, key: id(1500),
			rest: cols(column{"middle_id", "INT NULL", null(between(1, 500))}, column{"grand_id", "INT NULL", null(between(1, 150))}),
			more: "FOREIGN KEY (middle_id) REFERENCES middle (id) ON DELETE CASCADE ON UPDATE CASCADE, FOREIGN KEY (grand_id) REFERENCES grand (id) ON DELETE SET NULL ON UPDATE CASCADE",
		},
		{
			name: "tag", rows: 200, key: id(400),
			rest: cols(column{"code", "VARCHAR(20) COLLATE " + exact + " NULL", null(words("", 2))}, column{"leaf_id", "INT NULL", null(between(1, 1500))}),
			more: "FOREIGN KEY (code) REFERENCES grand (code) ON DELETE SET NULL ON UPDATE CASCADE, FOREIGN KEY (leaf_id) REFERENCES leaf (id) ON DELETE SET NULL ON UPDATE SET NULL",
		},
		{
			name: "tree", rows: 300, key: id(600),
			rest: cols(column{"parent_id", "INT NULL", null(between(1, 600))}, small("v")),
			more: "FOREIGN KEY (parent_id) REFERENCES tree (id) ON DELETE CASCADE",
		},
	}
}

// note has no key, and rows that go with a parent's.
func note() *table {
	return &table{
		name: "note", rows: 200, key: cols(column{"a", "INT NULL", null(between(1, 50))}),
		rest: cols(column{"grand_id", "INT NULL", null(between(1, 150))}, small("v")),
		more: "FOREIGN KEY (grand_id) REFERENCES grand (id) ON DELETE CASCADE ON UPDATE CASCADE",
	}
}
