package migration_test

import (
	"runtime"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/servertest"
)

// TestCopyHoldsNoLongValue holds that a copy's memory does not grow with its values: all that it allocates from beginning to
// end is less than half of them, while both lanes carry such values, of bytes and of text. Held whole, they would be allocated all.
// It runs alone in its process; the longer it takes, the more is allocated beside the values.
func TestCopyHoldsNoLongValue(t *testing.T) {
	const long = 20 << 20
	for _, s := range servertest.Sources(t)[:1] {
		d := servertest.Postgres15(t)
		l := &lab{source: s, target: d, from: s.Database(t), into: d.Database(t)}
		l.exec(t, "CREATE TABLE long_values (id INT PRIMARY KEY, body LONGBLOB, note VARCHAR(10), doc LONGTEXT CHARACTER SET utf8mb4)",
			"INSERT INTO long_values VALUES (1, REPEAT('0123456789abcdef', 1310720), 'one', NULL), (2, NULL, 'two', REPEAT('zażółć gęślą jaźń', 780000))",
			"INSERT INTO long_values SELECT id + 2, body, note, doc FROM long_values")
		r := l.begin(t, convert.Options{}, change.Filter{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r.copied(t)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 2*long {
			t.Errorf("%d bytes were allocated for four values of %d", n, long)
		}
		got := d.Query(t, l.into, `SELECT id::text, octet_length(body)::text, octet_length(doc)::text, note FROM long_values ORDER BY long_values.id`)
		want := s.Query(t, l.from, `SELECT id, octet_length(body), octet_length(doc), note FROM long_values ORDER BY id`)
		if len(got) != 4 || len(want) != 4 {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
		for i := range want {
			for j := range want[i] {
				if got[i][j] != want[i][j] {
					t.Errorf("row %d: %q, want %q", i+1, got[i], want[i])
				}
			}
		}
		r.verified(t, 1)
	}
}
