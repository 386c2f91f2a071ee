package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/servertest"
)

// rowsToHideIn is how many sound rows surround each corrupted one.
const rowsToHideIn = 20_000

// TestCorruption plants one corruption at a time in a target that was equal and
// expects verify to name table, key and column, and nothing else.
func TestCorruption(t *testing.T) {
	s, d := servertest.MariaDB(t), servertest.Postgres15(t)
	from, into := s.Database(t), d.Database(t)
	s.Exec(t, from,
		`CREATE TABLE item (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, a INT NOT NULL, name VARCHAR(60) NULL, raw VARBINARY(40), d DOUBLE, f FLOAT, at DATETIME(6), price DECIMAL(12,4), doc JSON)`,
		fmt.Sprintf(`INSERT INTO item (a, name, raw, d, f, at, price, doc) SELECT seq, CONCAT('name ', seq), UNHEX(SHA2(seq, 256)), seq / 7, seq / 3, '2024-01-01 00:00:00.000001' + INTERVAL seq SECOND, seq / 13, JSON_OBJECT('n', seq, 'x', seq * 1e0)
			FROM seq_1_to_%d`, rowsToHideIn),
		`UPDATE item SET name = '' WHERE id = 60`, `UPDATE item SET name = NULL WHERE id = 61`,
		`CREATE TABLE word (w VARCHAR(40) COLLATE utf8mb4_unicode_ci PRIMARY KEY, n INT)`,
		fmt.Sprintf(`INSERT INTO word SELECT CONCAT('w', seq), seq FROM seq_1_to_%d`, rowsToHideIn),
		`CREATE TABLE keyless (a INT, b VARCHAR(20))`,
		`INSERT INTO keyless SELECT seq % 50, 'x' FROM seq_1_to_5000`,
	)
	must(t, "db", "copy", "--source", from, "--target", into)
	must(t, "db", "verify", "--source", from, "--target", into)

	cases := map[string]struct {
		spoil string // SQL on the target
		want  []string
	}{
		"OneBit":        {`UPDATE item SET raw = set_bit(raw, 5, 1 - get_bit(raw, 5)) WHERE id = 777`, []string{"item id=777 raw"}},
		"MissingRow":    {`DELETE FROM item WHERE id = 15000`, []string{"item id=15000 missing"}},
		"MissingFirst":  {`DELETE FROM item WHERE id = 1`, []string{"item id=1 missing"}},
		"MissingLast":   {fmt.Sprintf(`DELETE FROM item WHERE id = %d`, rowsToHideIn), []string{fmt.Sprintf("item id=%d missing", rowsToHideIn)}},
		"ExtraRow":      {`INSERT INTO item (id, a) VALUES (99999999, 1)`, []string{"item id=99999999 extra"}},
		"ExtraBefore":   {`INSERT INTO item (id, a) VALUES (0, 1)`, []string{"item id=0 extra"}},
		"SwappedPair":   {`UPDATE item SET a = CASE id WHEN 5 THEN 6 ELSE 5 END WHERE id IN (5, 6)`, []string{"item id=5 a", "item id=6 a"}},
		"TrailingSpace": {`UPDATE item SET name = name || ' ' WHERE id = 4711`, []string{"item id=4711 name"}},
		"NullForEmpty":  {`UPDATE item SET name = NULL WHERE id = 60`, []string{"item id=60 name"}},
		"EmptyForNull":  {`UPDATE item SET name = '' WHERE id = 61`, []string{"item id=61 name"}},
		"DoubleLastBit": {`UPDATE item SET d = 14.285714285714287 WHERE id = 100`, []string{"item id=100 d"}},
		"FloatLastBit":  {`UPDATE item SET f = 33.333336::real WHERE id = 100`, []string{"item id=100 f"}},
		"Microsecond":   {`UPDATE item SET at = at + interval '1 microsecond' WHERE id = 12`, []string{"item id=12 at"}},
		"Decimal":       {`UPDATE item SET price = price + 0.0001 WHERE id = 13`, []string{"item id=13 price"}},
		"JSONValue":     {`UPDATE item SET doc = '{"n": 15, "x": 14}' WHERE id = 14`, []string{"item id=14 doc"}},
		"TextKeyValue":  {`UPDATE word SET n = -1 WHERE w = 'w19'`, []string{`word w="w19" n`}},
		"TextKeyCase":   {`UPDATE word SET w = 'W20' WHERE w = 'w20'`, []string{`word w="w20" missing`, `word w="W20" extra`}},
		"KeylessCount":  {`DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless WHERE a = 7 LIMIT 1)`, []string{"keyless  missing"}},
		"KeylessValue":  {`UPDATE keyless SET b = 'y' WHERE ctid = (SELECT ctid FROM keyless WHERE a = 8 LIMIT 1)`, []string{"keyless  missing", "keyless  extra"}},
		"EmptiedTable":  {`TRUNCATE word`, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d.Exec(t, into, `DROP SCHEMA IF EXISTS keep CASCADE`, `CREATE SCHEMA keep`,
				`CREATE TABLE keep.item AS TABLE item`, `CREATE TABLE keep.word AS TABLE word`, `CREATE TABLE keep.keyless AS TABLE keyless`)
			d.Exec(t, into, tc.spoil)
			o := bascule(t, "db", "verify", "--json", "--source", from, "--target", into)
			if o.code != 3 {
				t.Fatalf("exit code %d, want 3:\n%s%s", o.code, o.stdout, o.stderr)
			}
			if tc.want == nil {
				for _, e := range o.events(t, "table_verified") {
					if e["table"] == "word" && e["differences"] != float64(rowsToHideIn) {
						t.Errorf("%d rows are missing, but %v differences", rowsToHideIn, e["differences"])
					}
				}
				return
			}
			found := map[string]bool{}
			for _, e := range o.events(t, "difference") {
				what := fmt.Sprint(e["column"])
				if e["kind"] != "value" {
					what = fmt.Sprint(e["kind"])
				}
				key, _ := e["key"].(string)
				found[fmt.Sprintf("%s %s %s", e["table"], key, what)] = true
				t.Logf("%s: found %s %s %s: source %v, target %v", name, e["table"], key, what, e["source"], e["target"])
			}
			for _, w := range tc.want {
				if !found[w] {
					t.Errorf("%q was not found", w)
				}
				delete(found, w)
			}
			if len(found) > 0 {
				t.Errorf("found what was not planted: %v", found)
			}
		})
		d.Exec(t, into, `TRUNCATE item, word, keyless`,
			`INSERT INTO item SELECT * FROM keep.item`, `INSERT INTO word SELECT * FROM keep.word`, `INSERT INTO keyless SELECT * FROM keep.keyless`)
	}
	if o := bascule(t, "db", "verify", "--source", from, "--target", into); o.code != 0 || !strings.Contains(o.stdout, "item") {
		t.Fatalf("mended, but exit code %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
}
