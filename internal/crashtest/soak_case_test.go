package crashtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

// pair is a database of its own on shared servers, and where it goes.
type pair struct {
	bin            string
	source, target *servertest.Server
	from, into     string
}

// inPairs runs fn for every kind of source.
func inPairs(t *testing.T, fn func(t *testing.T, p *pair)) {
	t.Helper()
	bin := build(t)
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			d := servertest.Postgres15(t)
			fn(t, &pair{bin: bin, source: s, target: d, from: s.Database(t), into: d.Database(t)})
		})
	}
}

func (p *pair) bascule(t *testing.T, verb string, more ...string) {
	t.Helper()
	run(t, p.bin, append([]string{"db", verb, "--source", p.from, "--target", p.into}, more...)...)
}

// equal compares both sides twice.
func (p *pair) equal(t *testing.T) {
	t.Helper()
	p.bascule(t, "verify")
	r, err := crosscheck.Compare(t.Context(), p.from, p.into, crosscheck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tb := range r.Tables {
		for _, x := range tb.Differences {
			t.Errorf("%s %s %s %s: source %s, target %s", x.Kind, x.Table, x.Key, x.Column, shown(x.Source), shown(x.Target))
		}
	}
	if r.Different() != 0 || r.Values() == 0 {
		t.Fatalf("%d of %d values differ", r.Different(), r.Values())
	}
}

// prepare leaves a transaction prepared whose connection is gone.
func (p *pair) prepare(t *testing.T, id string, statements ...string) {
	t.Helper()
	all := append([]string{"XA START '" + id + "'"}, statements...)
	p.source.Exec(t, p.from, append(all, "XA END '"+id+"'", "XA PREPARE '"+id+"'")...)
	t.Cleanup(func() { // its locks would outlive a test that failed
		db := open(t, p.from)
		defer db.Close()
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "XA ROLLBACK '"+id+"'")
		if said, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || said.Number != unknownXID) {
			t.Errorf("roll back %s: %v", id, err)
		}
	})
}

// unknownXID is ER_XAER_NOTA: there is no such transaction any more.
const unknownXID = 1397

func open(t *testing.T, raw string) *sql.DB {
	t.Helper()
	connector, err := mysql.NewConnector(servertest.MySQLConfig(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	return sql.OpenDB(connector)
}

// TestPreparedBefore: transactions that were prepared before the copy's start position, or before a mark, and end behind
// it. No SELECT shows them and no event behind the position has their rows.
func TestPreparedBefore(t *testing.T) {
	inPairs(t, func(t *testing.T, p *pair) {
		tag := strings.TrimPrefix(mustURL(t, p.from).Path, "/bascule_test_")
		id := func(name string) string { return name + tag }
		p.source.Exec(t, p.from, "CREATE TABLE account (id INT PRIMARY KEY, v INT, pad VARCHAR(400))",
			"INSERT INTO account WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, i, REPEAT('x', 300) FROM n")
		work := func(from int) []string {
			return []string{
				fmt.Sprintf("UPDATE account SET v = -v WHERE id BETWEEN %d AND %d", from, from+20),
				fmt.Sprintf("DELETE FROM account WHERE id = %d", from+30),
				fmt.Sprintf("INSERT INTO account VALUES (%d, 1, 'prepared')", from+1000),
				fmt.Sprintf("UPDATE account SET id = %d WHERE id = %d", from+2000, from+40),
			}
		}
		p.prepare(t, id("a"), work(100)...)
		p.prepare(t, id("b"), work(200)...)
		p.source.Exec(t, p.from, "FLUSH BINARY LOGS")
		p.prepare(t, id("c"), work(300)...)
		p.prepare(t, id("d"), work(400)...)
		p.bascule(t, "copy", "--follow")
		if n := p.target.Query(t, p.into, "SELECT count(*) FROM account WHERE pad = 'prepared'"); n[0][0] != "0" {
			t.Fatalf("the copy has %s rows of transactions that are not committed", n[0][0])
		}
		p.prepare(t, id("e"), work(500)...)
		p.prepare(t, id("f"), work(600)...)
		p.source.Exec(t, p.from, "XA COMMIT '"+id("a")+"'", "UPDATE account SET v = 7 WHERE id = 1")
		p.bascule(t, "follow", "--until-now")
		p.equal(t)
		p.source.Exec(t, p.from, "XA ROLLBACK '"+id("b")+"'", "XA COMMIT '"+id("c")+"'", "FLUSH BINARY LOGS", "XA ROLLBACK '"+id("d")+"'", "XA COMMIT '"+id("e")+"'", "XA ROLLBACK '"+id("f")+"'")
		p.bascule(t, "follow", "--until-now")
		p.equal(t)
		if n := p.target.Query(t, p.into, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM account WHERE id > 1000"); n[0][0] != "1100 1300 1500 2100 2300 2500" {
			t.Errorf("rows of committed transactions: %s", n[0][0])
		}
	})
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestKeysMoveBetweenChunks: rows whose text key changes while a copy walks along it are read twice or not at all, which only the replay
// mends. The key's collation on the target is nondeterministic, so that its index must wait for that.
func TestKeysMoveBetweenChunks(t *testing.T) {
	inPairs(t, func(t *testing.T, p *pair) {
		p.source.Exec(t, p.from, "CREATE TABLE word (w VARCHAR(60) COLLATE utf8mb4_unicode_ci PRIMARY KEY, id INT NOT NULL UNIQUE, pad TEXT)",
			"INSERT INTO word WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT CONCAT(CHAR(97 + i % 26), 'Éte ', i), i, REPEAT(CHAR(97 + i % 26), 40000) FROM n",
			"ANALYZE TABLE word")
		for try := 1; ; try++ {
			moved := p.copyWhile(t, func(n int) string {
				first := []string{"a", "Z", "m", "É", "z"}[n%5]
				return fmt.Sprintf("UPDATE word SET w = CONCAT('%s', SUBSTRING(w, 2)) WHERE id %% 30 = %d", first, n%30)
			})
			torn := p.target.Query(t, p.into, `SELECT count(*) - count(DISTINCT id), 900 - count(DISTINCT id) FROM word`)[0]
			t.Logf("%d rows moved while the copy went on: %s stand twice in it, %s are missing", moved, torn[0], torn[1])
			if torn[0] != "0" || torn[1] != "0" {
				break
			}
			if try == 10 {
				t.Fatal("no copy of ten was torn: this test shows nothing")
			}
			run(t, p.bin, "db", "drop", "--yes", "--target", p.into)
		}
		p.source.Exec(t, p.from, "UPDATE word SET w = UPPER(w) WHERE id % 2 = 0", "DELETE FROM word WHERE id % 7 = 0", "UPDATE word SET w = LOWER(w) WHERE id % 3 = 0")
		p.bascule(t, "follow", "--until-now")
		p.equal(t)
		keys := p.target.Query(t, p.into, `SELECT contype, NOT collisdeterministic FROM pg_constraint k JOIN pg_attribute a ON attrelid = conrelid AND attnum = conkey[1]
			JOIN pg_collation c ON c.oid = attcollation WHERE conrelid = 'word'::regclass AND contype = 'p'`)
		if len(keys) != 1 || keys[0][1] != "t" {
			t.Errorf("the primary key is not there, or not over a nondeterministic collation: %v", keys)
		}
	})
}

// copyWhile copies and runs statements meanwhile, whose rows it counts.
func (p *pair) copyWhile(t *testing.T, statement func(n int) string) int64 {
	t.Helper()
	db := open(t, p.from)
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var moved atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			res, err := db.ExecContext(ctx, statement(n))
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			rows, _ := res.RowsAffected() // this driver knows
			moved.Add(rows)
		}
	})
	p.bascule(t, "copy", "--follow", "--collation", "icu", "--lanes", "1")
	cancel()
	wg.Wait()
	return moved.Load()
}
