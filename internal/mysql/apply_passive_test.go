package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// triggersAsShown is what the server says of every trigger of a database, but when it was made.
func triggersAsShown(t *testing.T, s *servertest.Server, dbURL string) []string {
	t.Helper()
	var out []string
	for _, r := range s.Query(t, dbURL, "SELECT TRIGGER_NAME, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_ORDER, HEX(ACTION_STATEMENT), ACTION_TIMING, SQL_MODE, DEFINER, "+
		"CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1") {
		show := s.Query(t, dbURL, "SHOW CREATE TRIGGER "+quote(schema.Name(r[0])))[0]
		out = append(out, fmt.Sprintf("%q %q", r, show[:6]))
	}
	return out
}

func eventsAsShown(t *testing.T, s *servertest.Server, dbURL string) []string {
	t.Helper()
	var out []string
	for _, r := range s.Query(t, dbURL, "SELECT EVENT_NAME, DEFINER, TIME_ZONE, HEX(EVENT_DEFINITION), EVENT_TYPE, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, SQL_MODE, STARTS, ENDS, STATUS, "+
		"ON_COMPLETION, EVENT_COMMENT, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1") {
		show := s.Query(t, dbURL, "SHOW CREATE EVENT `"+r[0]+"`")[0]
		out = append(out, fmt.Sprintf("%q %q", r, show))
	}
	return out
}

var liveThings = []string{
	"CREATE TABLE t (id INT PRIMARY KEY, v INT, w VARCHAR(20))", "CREATE TABLE o (id INT PRIMARY KEY)",
	"SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', NAMES latin1",
	"CREATE TRIGGER first_one BEFORE INSERT ON t FOR EACH ROW SET NEW.w = CONCAT(NEW.w, 'a\\', '\xe9')",
	"SET sql_mode = DEFAULT, NAMES utf8mb4",
	"CREATE TRIGGER third BEFORE INSERT ON t FOR EACH ROW /* ein  Kommentar: ü */ SET NEW.v = NEW.v * 2",
	"CREATE TRIGGER second BEFORE INSERT ON t FOR EACH ROW PRECEDES third SET NEW.v = NEW.v + 1",
	"CREATE DEFINER=`some``body`@`nowhere` TRIGGER `qu``oted` AFTER UPDATE ON t FOR EACH ROW BEGIN IF NEW.v > 3 THEN SET @x = NEW.v; END IF; END",
	"CREATE TRIGGER untouched BEFORE INSERT ON o FOR EACH ROW SET @y = 1",
	"SET time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'",
	"CREATE DEFINER=`some``body`@`nowhere` EVENT every_hour ON SCHEDULE EVERY 1 HOUR STARTS '2037-01-01 00:00:00' COMMENT 'ü' DO SET @z = 'ü'",
	"CREATE EVENT once ON SCHEDULE AT '2037-01-01 00:00:00' ON COMPLETION PRESERVE DO DELETE FROM t",
	"CREATE EVENT off_already ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM t",
}

// TestSaved saves and restores triggers and events; the server shows them exactly as before, also after interruptions.
func TestSaved(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := s.Database(t)
		s.Exec(t, src, liveThings...)
		e, rec, ctx := applyEnd(t, src), newRecord(), t.Context()
		triggers, events := triggersAsShown(t, s, src), eventsAsShown(t, s, src)
		tables := []schema.Name{"t"}
		db, err := e.Inspect(ctx, change.Filter{Include: []string{"t"}})
		if err != nil {
			t.Fatal(err)
		}
		o := e.Opening(rec, db)
		restoreEvents := func(ctx context.Context, w *reader) error { return e.restoreEvents(ctx, w, rec) }
		tb := verbatim("t", []int{0}, "id", "v", "w")

		err = e.Applying(ctx, rec, "test", []*change.Replica{tb}, func(context.Context, change.Session) error { return nil })
		if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "trigger second on t") || !strings.Contains(err.Error(), "event once") || strings.Contains(err.Error(), "untouched") {
			t.Errorf("an end that is not passive: %v", err)
		}
		for range 2 {
			if err := o.Restore(ctx, 1); err != nil {
				t.Fatal(err)
			}
		}
		want(t, s, src, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()", "untouched")
		want(t, s, src, "SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() AND STATUS = 'ENABLED'", "0")
		applying(t, e, rec, func(ctx context.Context, ses change.Session) {
			if err := commit(ctx, ses, change.Mark{}, step(change.TableStep{Table: tb, Insert: batchOf(3, 1, 1, "w")})); err != nil {
				t.Error(err)
			}
		}, tb)
		want(t, s, src, "SELECT * FROM t", "1 1 w")
		for range 2 {
			if err := o.Prepare(ctx, 1, nil); err != nil {
				t.Fatal(err)
			}
			if err := e.guarded(ctx, rec, 1, "test", restoreEvents); err != nil {
				t.Fatal(err)
			}
			equal(t, "triggers", triggersAsShown(t, s, src), triggers)
			equal(t, "events", eventsAsShown(t, s, src), events)
		}
		// A crash after any number of drops, and after any number of restores.
		for dropped := range 4 {
			if err := e.withWriter(ctx, func(ctx context.Context, w *reader) error {
				found, err := w.triggers(ctx, e.cfg.Database, tables)
				if err != nil {
					return err
				}
				for _, d := range found {
					if err := e.saveTrigger(ctx, w, inLedger(rec), d); err != nil {
						return err
					}
				}
				slices.SortStableFunc(found, func(a, b *definition) int { return b.order - a.order })
				for _, d := range found[:dropped] {
					if err := w.exec(ctx, "DROP TRIGGER "+quote(schema.Name(d.name))); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if err := o.Prepare(ctx, 1, nil); err != nil {
				t.Fatal(err)
			}
			equal(t, "triggers after a crash", triggersAsShown(t, s, src), triggers)
		}
	})
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
