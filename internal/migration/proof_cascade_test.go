package migration_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
)

// TestLastProofOfCascades deletes parents, damages all of their children on the target and brings back those that had to go: the last proof finds
// the rows that foreign keys' actions reached, by every kind of key, and compares no table as a whole, whether or not the source logs what they do.
func TestLastProofOfCascades(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		var kinds []keyed
		for _, k := range keyKinds(l.source.Kind) {
			if k.primary != "" {
				kinds = append(kinds, k)
			}
		}
		l.exec(t, "CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE q (id INT PRIMARY KEY)",
			"INSERT INTO p VALUES (0), (1), (2), (3)", "INSERT INTO q VALUES (0), (1), (2), (3), (4)")
		for _, k := range kinds {
			l.exec(t, fmt.Sprintf("CREATE TABLE %s (%s, v VARCHAR(20), p INT, q INT, PRIMARY KEY (%s), "+
				"FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL, FOREIGN KEY (q) REFERENCES q (id) ON DELETE CASCADE)", k.name, k.columns, k.primary))
			for n := range 40 {
				l.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (%s, 'v%d', %d, %d)", k.name, k.key(n), n, n%4, n%5))
			}
		}
		l.begin(t, convert.Options{ForFollow: true, Types: map[string]string{"k_id.k": "uuid"}}, change.Filter{}).copied(t)
		m := l.begin(t, convert.Options{}, change.Filter{})
		err := m.Beside(t.Context(), func(ctx context.Context, p *migration.LastProof) error {
			if rep, err := p.Pass(ctx); err != nil || !rep.Equal {
				return fmt.Errorf("the pass: %+v, %w", rep, err)
			}
			var want int64
			for _, k := range kinds {
				l.target.Exec(t, l.into, fmt.Sprintf("CREATE TABLE gone_%[1]s AS SELECT * FROM %[1]s WHERE q = 1", k.name))
				want += counted(t, l.source, l.from, "SELECT COUNT(*) FROM "+k.name+" WHERE p = 1 OR q = 1")
			}
			l.exec(t, "DELETE FROM p WHERE id = 1", "DELETE FROM q WHERE id = 1")
			if err := p.Still(ctx); err != nil {
				return err
			}
			if keys, tables := p.Pending(); tables > 0 || int64(keys) < want {
				t.Errorf("%d keys and %d whole tables are to be proved, %d rows were reached", keys, tables, want)
			}
			l.damage(t, kinds, "v || '!'")
			for _, k := range kinds {
				l.target.Exec(t, l.into, fmt.Sprintf("INSERT INTO %[1]s SELECT * FROM gone_%[1]s", k.name))
			}
			got, err := p.Prove(ctx)
			if err != nil || got.Differences != want {
				t.Errorf("%d differences among %d rows, want %d (%v)", got.Differences, got.Keys, want, err)
			}
			l.damage(t, kinds, "left(v, -1)")
			for _, k := range kinds {
				l.target.Exec(t, l.into, "DELETE FROM "+k.name+" WHERE q = 1")
			}
			if got, err = p.Prove(ctx); err != nil || got.Differences != 0 || got.Keys == 0 {
				t.Errorf("mended: %+v, %v", got, err)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v (%s)", err, fault.HintOf(err))
		}
	})
}
