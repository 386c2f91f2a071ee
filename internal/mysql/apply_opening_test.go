package mysql

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// TestOpening puts counters of keys ahead and compares them with what the server then hands out, and looks for rows without parents.
func TestOpening(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE p (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(9) COLLATE utf8mb4_general_ci, UNIQUE KEY (a, b))",
			"CREATE TABLE small (id SMALLINT AUTO_INCREMENT PRIMARY KEY)", "CREATE TABLE full_up (id TINYINT AUTO_INCREMENT PRIMARY KEY)", "CREATE TABLE fresh (id INT AUTO_INCREMENT PRIMARY KEY)",
			"CREATE TABLE further (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 900000", "CREATE TABLE negative (id INT AUTO_INCREMENT PRIMARY KEY)", "CREATE TABLE none (id INT PRIMARY KEY)",
			"INSERT INTO small VALUES (32700)", "INSERT INTO full_up VALUES (126)", "INSERT INTO negative VALUES (-5)", "INSERT INTO p VALUES (40, 1, 'x'), (41, 2, 'y')", "DELETE FROM p WHERE id = 41",
			"CREATE TABLE c (id INT PRIMARY KEY, a INT NULL, b VARCHAR(9) COLLATE utf8mb4_general_ci NULL, q BIGINT UNSIGNED NULL,"+
				" CONSTRAINT both_of FOREIGN KEY (a, b) REFERENCES p (a, b), CONSTRAINT one_of FOREIGN KEY (q) REFERENCES p (id))",
			"CREATE TRIGGER tr BEFORE INSERT ON none FOR EACH ROW SET @x = 1")
		e, rec, ctx := applyEnd(t, src.url), newRecord(), t.Context()
		db, selects := inspect(t, src), selectAll(t, src)
		haveLedger(t, e)
		start := startOf(t, e)
		next := func() map[schema.Name]uint64 {
			t.Helper()
			m, err := e.NextIdentities(ctx, rec, db)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		had := next()
		if len(had) != 6 || had["p"] != 42 || had["fresh"] != 1 || had["negative"] != 1 || had["further"] != 900000 {
			t.Errorf("the counters are %v", had)
		}
		s.Exec(t, src.url, "INSERT INTO fresh VALUES (NULL)")
		if n := next()["fresh"]; n != 2 {
			t.Errorf("after a row it is %d", n)
		}
		o := e.Opening(rec, db)
		if err := o.Restore(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := o.Prepare(ctx, 1, map[schema.Name]uint64{"nothing": 5}); err == nil {
			t.Error("a counter of no table was taken")
		}
		for range 2 {
			if err := o.Prepare(ctx, 1, map[schema.Name]uint64{"p": 5000, "fresh": 2, "full_up": 300, "none": 7}); err != nil {
				t.Fatal(err)
			}
			want(t, s, src.url, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()", "tr")
			now := next()
			for table, n := range map[schema.Name]uint64{"p": 6000, "small": 32767, "full_up": 127, "fresh": 1002, "further": 900000, "negative": 1001} {
				if now[table] != n {
					t.Errorf("the counter of %s is %d, want %d", table, now[table], n)
				}
			}
		}
		reserve := func(table string) uint64 {
			if err := e.Reserve(ctx, rec, 1, db, map[schema.Name]uint64{"p": 7000}); err != nil {
				t.Fatal(err)
			}
			return next()[schema.Name(table)]
		}
		for table, n := range map[string]uint64{"p": 58_000, "fresh": 51_002, "small": 32767, "full_up": 127, "further": 900_000, "negative": 51_001} {
			if got := reserve(table); got != n {
				t.Errorf("the counter of %s is %d in advance, want %d", table, got, n)
			}
		}
		s.Exec(t, src.url, "INSERT INTO p (id) VALUES (50000)") // as the other side made it
		if err := o.Prepare(ctx, 1, map[schema.Name]uint64{"p": 50_001, "fresh": 1500}); err != nil {
			t.Fatal(err)
		}
		if now := next(); now["p"] != 58_000 || now["fresh"] != 51_002 {
			t.Errorf("counters that were far enough ahead are now %v", now)
		}
		txns, err := read(t, e, start, selects, endOf(t, e), nil)
		if err != nil || strings.Join(texts2(txns), ",") != "fresh+1,p+1" {
			t.Errorf("followed through it: %q, %v", texts2(txns), err)
		}
		for table, id := range map[string]string{"p": "58000", "small": "32767", "full_up": "127", "fresh": "51002", "negative": "51001", "further": "900000"} {
			s.Exec(t, src.url, "INSERT INTO "+table+" (id) VALUES (NULL)")
			want(t, s, src.url, "SELECT MAX(id) FROM "+table, id)
		}

		if err := o.Validate(ctx, 1); err != nil {
			t.Errorf("without orphans: %v", err)
		}
		s.Exec(t, src.url, "SET foreign_key_checks = 0", "INSERT INTO c VALUES (1, 1, 'X', 40), (2, 1, 'z', 40), (3, 9, NULL, NULL), (4, 9, 'x', 77), (5, 1, 'x', 78)")
		err = o.Validate(ctx, 1)
		if fault.ClassOf(err) != fault.Difference || !strings.Contains(err.Error(), "c: 2 rows have no parent in p (foreign key both_of)") || !strings.Contains(err.Error(), "(foreign key one_of)") {
			t.Errorf("with orphans: %v", err)
		}
	})
}

// haveLedger makes the ledger, which is in the followed database in tests, and in one of its own elsewhere.
func haveLedger(t *testing.T, e *End) {
	t.Helper()
	if err := e.withWriter(t.Context(), e.makeLedger); err != nil {
		t.Fatal(err)
	}
}

// TestStart begins where it is told, but not while somebody applies.
func TestStart(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := s.Database(t)
		s.Exec(t, src, "CREATE TABLE t (id INT PRIMARY KEY, v INT)")
		e, rec, ctx := applyEnd(t, src), newRecord(), t.Context()
		tb := verbatim("t", []int{0}, "id", "v")
		is := func(m change.Mark) {
			t.Helper()
			if got, err := e.Applied(ctx, rec); err != nil || got != m {
				t.Errorf("mark %+v, %v, want %+v", got, err, m)
			}
		}
		first := change.Mark{Position: "lsn:0/5", Time: time.Date(2026, 11, 26, 1, 2, 3, 456789000, time.UTC), Txns: 2, Rows: 3}
		for _, m := range []change.Mark{first, {Position: "lsn:0/7"}, first} {
			if err := e.Start(ctx, rec, 1, m); err != nil {
				t.Fatal(err)
			}
			is(m)
		}
		applying(t, e, rec, func(ctx context.Context, ses change.Session) {
			if m, err := ses.Mark(ctx); err != nil || m != first {
				t.Errorf("the session's mark %+v, %v", m, err)
			}
			if err := e.Start(ctx, rec, 1, change.Mark{}); fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "the test has held it since") {
				t.Errorf("while somebody applies: %v", err)
			}
			m := change.Mark{Position: "lsn:0/9", Txns: 3, Rows: 4}
			if err := commit(ctx, ses, m, step(change.TableStep{Table: tb, Insert: batchOf(2, 1, 1)})); err != nil {
				t.Error(err)
			}
			is(m)
		}, tb)
		if err := e.Start(ctx, rec, 2, first); err != nil {
			t.Error(err)
		}
		is(first)
		// The first migration of another target, or of this one made anew, has the same number.
		rec = &change.Record{ID: rec.ID, Created: time.Now()}
		is(change.Mark{})
		if err := e.Start(ctx, rec, 1, first); err != nil {
			t.Errorf("another migration is refused: %v", err)
		}
	})
}

// TestCanApply follows the hints, one by one, from an account that may do nothing to one that does all of the way back.
func TestCanApply(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)", "CREATE TABLE plain (id INT PRIMARY KEY, v INT) ENGINE=MyISAM",
			"CREATE DEFINER=`nobody`@`nowhere` TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
			"CREATE DEFINER=`nobody`@`nowhere` EVENT ev ON SCHEDULE EVERY 1 HOUR STARTS '2037-01-01 00:00:00' DO SET @z = 1")
		rec, ctx := newRecord(), t.Context()
		user := strings.ReplaceAll(src.name(t), "bascule_test_", "u_")
		s.Exec(t, src.url, "CREATE USER "+user+"@'%' IDENTIFIED BY 'x'", "GRANT SELECT ON "+quoteName(src.name(t))+".* TO "+user+"@'%'")
		defer s.Exec(t, src.url, "DROP USER "+user+"@'%'")
		cfg := servertest.MySQLConfig(t, src.url)
		e := applyEnd(t, fmt.Sprintf("mysql://%s:x@%s/%s", user, cfg.Addr, cfg.DBName))
		tb, plain := verbatim("t", []int{0}, "id", "v"), verbatim("plain", []int{0}, "id", "v")
		var hints []string
		for {
			err := e.CanApply(ctx, rec, []*change.Replica{tb})
			if err == nil {
				break
			}
			hint := fault.HintOf(err)
			if hint == trustHint {
				hint = "GRANT SUPER ON *.* TO " + user + "@'%'" // the setting is everybody's
			}
			if hints = append(hints, hint); len(hints) > 9 || fault.ClassOf(err) != fault.Privilege || !strings.HasPrefix(hint, "GRANT ") {
				t.Fatalf("%v (%q)", err, hints)
			}
			for _, one := range strings.SplitAfter(strings.TrimSuffix(hint, ";"), "; ") {
				s.Exec(t, src.url, strings.TrimSuffix(one, "; "))
			}
		}
		if len(hints) < 2 || !strings.Contains(strings.Join(hints, " "), "TRIGGER, EVENT, ALTER") {
			t.Errorf("the hints were %q", hints)
		}
		t.Logf("%q", hints)
		want(t, s, src.url, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()", "2") // nothing was made
		err := e.CanApply(ctx, rec, []*change.Replica{plain})
		if fault.ClassOf(err) != fault.Unsupported || !strings.Contains(fault.HintOf(err), "ENGINE = InnoDB") {
			t.Errorf("a table without transactions: %v", err)
		}

		o := e.Opening(rec, inspect(t, src))
		if err := o.Restore(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := e.Start(ctx, rec, 1, change.Mark{}); err != nil {
			t.Fatal(err)
		}
		applying(t, e, rec, func(ctx context.Context, ses change.Session) {
			if err := commit(ctx, ses, change.Mark{}, step(change.TableStep{Table: tb, Insert: batchOf(2, 1, 1)})); err != nil {
				t.Error(err)
			}
		}, tb)
		if err := o.Prepare(ctx, 1, nil); err != nil {
			t.Error(err)
		}
	})
}
