package alter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert/alter"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// bench is a database of a test's own, and what reads its catalog.
type bench struct {
	server *servertest.Server
	url    string
	end    *mysql.End
}

func newBench(t *testing.T, s *servertest.Server) *bench {
	t.Helper()
	b := &bench{server: s, url: s.Database(t)}
	c, err := mysql.ParseConfig(b.url)
	if err != nil {
		t.Fatal(err)
	}
	if b.end, err = mysql.Open(t.Context(), c, mysql.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.end.Close() })
	return b
}

func (b *bench) inspect(t *testing.T) *schema.Database {
	t.Helper()
	db, err := b.end.Inspect(t.Context(), change.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// text is a database as the catalog shows it, without what the rows decide and without the spelling of expressions, which each
// server has of its own.
func text(t *testing.T, db *schema.Database) string {
	t.Helper()
	raw, err := json.MarshalIndent(db.Tables, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	out := string(raw)
	for _, drop := range []string{`(?m)^ +"(rows|bytes|next_identity)": .*\n`, `(?m)^ +"engine": .*\n`} {
		out = regexp.MustCompile(drop).ReplaceAllString(out, "")
	}
	out = regexp.MustCompile(`("expr": ")(?:[^"\\]|\\.)+"`).ReplaceAllString(out, `${1}…"`)
	return regexp.MustCompile(`,(\s*[}\]])`).ReplaceAllString(out, "$1")
}

// step runs one statement on the server and compares what the catalog shows with what the package says.
func (b *bench) step(t *testing.T, before *schema.Database, sql string) *schema.Database {
	t.Helper()
	b.server.Exec(t, b.url, sql)
	after := b.inspect(t)
	st, err := alter.Parse(sql, before.Name)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	r, err := st.Apply(before)
	if err != nil {
		t.Errorf("%s: %v", sql, err)
		return after
	}
	if d := cmp.Diff(text(t, after), text(t, r.After)); d != "" {
		t.Errorf("%s\n(- the server, + the package)\n%s", sql, d)
	}
	return after
}

// TestStatements: what each statement makes of the definition is what the server's catalog shows afterwards.
func TestStatements(t *testing.T) {
	t.Parallel()
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, s)
			b.server.Exec(t, b.url,
				"CREATE TABLE p (id INT PRIMARY KEY, code VARCHAR(10) UNIQUE) ENGINE=InnoDB",
				"CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, name VARCHAR(40) NOT NULL DEFAULT 'x', kind ENUM('a','b') NOT NULL, pid INT, body TEXT CHARACTER SET latin1, KEY by_name (name(10)), KEY two (a, name), UNIQUE KEY u (pid, a))")
			db := b.inspect(t)
			for _, sql := range statements {
				db = b.step(t, db, sql)
			}
			for _, sql := range own[db.Dialect] {
				db = b.step(t, db, sql)
			}
		})
	}
}

var statements = []string{
	"ALTER TABLE t ADD COLUMN b INT",
	"ALTER TABLE t ADD COLUMN c VARCHAR(20) NOT NULL DEFAULT 'ü' COMMENT 'it''s' AFTER id, ADD COLUMN first_of_all BIGINT UNSIGNED NOT NULL FIRST",
	"ALTER TABLE t ADD d DECIMAL(10,2) DEFAULT 5, ADD e DATETIME(3) DEFAULT '2020-01-01 10:00:00', ADD f DATE DEFAULT '2020-02-29', ADD g DOUBLE DEFAULT 1.5, ADD h FLOAT NULL, ADD i TIME(2) DEFAULT '10:00:00.5'",
	"ALTER TABLE t ADD j TIMESTAMP NULL, ADD k TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, ADD l DATETIME(6) DEFAULT NOW(6)",
	"ALTER TABLE t ADD m BIT(5) DEFAULT b'101', ADD n BINARY(4) DEFAULT 'ab', ADD o VARBINARY(9), ADD p TINYINT(1) NOT NULL DEFAULT TRUE, ADD q YEAR DEFAULT 1999, ADD r SET('x','y','z') DEFAULT 'z,x'",
	"ALTER TABLE t ADD s JSON, ADD u TINYTEXT, ADD v LONGBLOB, ADD w MEDIUMTEXT CHARACTER SET utf8mb4, ADD x CHAR(3) CHARACTER SET ascii DEFAULT 'a', ADD y VARCHAR(9) COLLATE utf8mb4_bin",
	"ALTER TABLE t ADD z TINYINT UNSIGNED, ADD aa SMALLINT, ADD ab MEDIUMINT UNSIGNED, ADD ac BIGINT DEFAULT -5, ADD ad BOOL, ADD ae DECIMAL UNSIGNED, ADD af FLOAT(7,3), ADD ag NUMERIC(5), ADD ah TEXT(300)",
	"ALTER TABLE t MODIFY a BIGINT NOT NULL DEFAULT 7",
	"ALTER TABLE t MODIFY kind ENUM('a','b','c') NOT NULL DEFAULT 'B'",
	"ALTER TABLE t CHANGE a alpha BIGINT UNSIGNED NULL AFTER name",
	"ALTER TABLE t RENAME COLUMN b TO beta",
	"ALTER TABLE t RENAME COLUMN beta TO Beta",
	"ALTER TABLE t MODIFY d DECIMAL(12,2) FIRST, MODIFY e DATETIME(3) AFTER d, DROP COLUMN f, ADD f2 INT AFTER e",
	"ALTER TABLE t ALTER COLUMN c SET DEFAULT 'other', ALTER COLUMN d DROP DEFAULT",
	"ALTER TABLE t ALTER g SET DEFAULT 2.5",
	"ALTER TABLE t ADD INDEX (c), ADD UNIQUE (name), ADD KEY named (c, name(5)), ADD INDEX (c)",
	"ALTER TABLE t ADD UNIQUE KEY wide (name(40))",
	"CREATE UNIQUE INDEX made ON t (alpha, id)",
	"CREATE INDEX backwards ON t (name, alpha DESC)",
	"CREATE FULLTEXT INDEX words ON t (body)",
	"ALTER TABLE t RENAME INDEX made TO Amade",
	"ALTER TABLE t DROP INDEX named, DROP KEY c_2",
	"DROP INDEX backwards ON t",
	"ALTER TABLE t DROP INDEX Amade, DROP INDEX u",
	"ALTER TABLE t DROP COLUMN alpha",
	"ALTER TABLE t MODIFY name VARCHAR(8) NOT NULL",
	"ALTER TABLE t MODIFY name VARCHAR(80) NOT NULL",
	"ALTER TABLE t MODIFY id INT NOT NULL, DROP PRIMARY KEY",
	"ALTER TABLE t ADD PRIMARY KEY (id, pid)",
	"ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id), MODIFY id BIGINT NOT NULL AUTO_INCREMENT",
	"ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (pid) REFERENCES p (id) ON DELETE CASCADE",
	"ALTER TABLE t DROP FOREIGN KEY fk, DROP INDEX fk",
	"ALTER TABLE t MODIFY pid INT",
	"ALTER TABLE t ADD FOREIGN KEY (pid) REFERENCES p (id) ON DELETE SET NULL ON UPDATE CASCADE",
	"ALTER TABLE p RENAME TO parent",
	"ALTER TABLE parent RENAME COLUMN id TO pk",
	"RENAME TABLE t TO t2",
	"ALTER TABLE t2 COMMENT 'hello', ENGINE=InnoDB, ROW_FORMAT=DYNAMIC, AUTO_INCREMENT=500",
	"ALTER TABLE t2 ADD CONSTRAINT big CHECK (g > 1 AND name <> 'no')",
	"ALTER TABLE t2 ADD COLUMN ck INT, ADD CHECK (g < 1000)",
	"ALTER TABLE t2 DROP CONSTRAINT big",
	"ALTER TABLE t2 ADD gen INT AS (ck + 1) STORED, ADD gv INT GENERATED ALWAYS AS (ck * 2) VIRTUAL",
	"ALTER TABLE t2 CONVERT TO CHARACTER SET utf8mb4",
	"ALTER TABLE t2 DEFAULT CHARACTER SET latin1",
	"ALTER TABLE t2 ADD late VARCHAR(5)",
	"CREATE TABLE l LIKE t2",
	"CREATE TABLE n (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, v VARCHAR(100) CHARSET utf8mb3, w TEXT, r INT, PRIMARY KEY (id), KEY (v(10)), UNIQUE KEY uq (r), CONSTRAINT nfk FOREIGN KEY (r) REFERENCES parent (pk)) COMMENT='new' DEFAULT CHARSET=latin1",
	"CREATE TABLE o (a INT NOT NULL UNIQUE, b INT PRIMARY KEY, s SERIAL, c INT CHECK (c > 0))",
	"CREATE TABLE IF NOT EXISTS o (a INT)",
	"CREATE TABLE p1 (a INT, b INT, PRIMARY KEY (a)) COLLATE utf8mb4_unicode_ci",
	"DROP TABLE l, n",
	"RENAME TABLE o TO o2, p1 TO o",
	"DROP TABLE IF EXISTS nothing, o",
}

var own = map[schema.Dialect][]string{
	schema.MySQL: {
		"ALTER TABLE t2 ADD INDEX hidden (ck) INVISIBLE",
		"ALTER TABLE t2 ALTER INDEX hidden VISIBLE",
		"ALTER TABLE t2 ADD inst INT NOT NULL DEFAULT 3, ALGORITHM=COPY, LOCK=SHARED",
	},
	schema.MariaDB: {
		"ALTER TABLE t2 ADD COLUMN IF NOT EXISTS ck INT, ADD COLUMN IF NOT EXISTS new1 INT",
		"ALTER TABLE t2 DROP COLUMN IF EXISTS nothing, DROP COLUMN IF EXISTS new1",
		"ALTER TABLE t2 ADD td TEXT DEFAULT 'abc'",
	},
}

// TestRandom: the same for statements that nobody thought of, each built on what the ones before left.
func TestRandom(t *testing.T) {
	t.Parallel()
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, s)
			run, enough := 0, time.Now().Add(5*time.Second)
			rapid.Check(t, func(rt *rapid.T) {
				if time.Now().After(enough) {
					return
				}
				run++
				g := &generator{t: rt, table: fmt.Sprintf("r%d", run)}
				b.server.Exec(t, b.url, g.create())
				db := b.inspect(t)
				for range rapid.IntRange(2, 6).Draw(rt, "statements") {
					db = b.random(t, g, db)
				}
				b.server.Exec(t, b.url, "DROP TABLE "+g.table)
			})
		})
	}
}

// random runs a statement that the server may refuse; what it takes must come out as it shows.
func (b *bench) random(t *testing.T, g *generator, before *schema.Database) *schema.Database {
	t.Helper()
	sql := g.alter(before.Table(schema.Name(g.table)))
	if err := b.try(t, sql); err != nil {
		return before
	}
	after := b.inspect(t)
	st, err := alter.Parse(sql, before.Name)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	r, err := st.Apply(before)
	if u, ok := errors.AsType[*alter.UnsupportedError](err); ok {
		t.Logf("%s: %v", sql, u)
		return after
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if d := cmp.Diff(text(t, after), text(t, r.After)); d != "" {
		t.Errorf("%s\nbefore: %s\n(- the server, + the package)\n%s", sql, text(t, before), d)
	}
	return after
}
