package migration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/servertest"
)

// keyed is a table whose key is of some kind. key makes the n-th key, as SQL.
type keyed struct {
	name, columns, primary string
	key                    func(n int) string
}

// keyKinds are tables of every kind of key that the source has.
func keyKinds(k servertest.Kind) []keyed {
	instant := func(n int) time.Time {
		return time.Date(2024, 2, 29, 23, 59, 0, 0, time.UTC).Add(time.Duration(n) * 37 * time.Minute)
	}
	all := []keyed{
		{"k_big", "k BIGINT UNSIGNED NOT NULL", "k", func(n int) string { return strconv.FormatUint(1<<64-1-uint64(n), 10) }},
		{"k_tiny", "k TINYINT NOT NULL", "k", func(n int) string { return strconv.Itoa(n%250 - 125) }},
		{"k_decimal", "k DECIMAL(20,3) NOT NULL", "k", func(n int) string { return fmt.Sprintf("%d.%03d", n-100, n%7*100) }},
		{"k_text", "k VARCHAR(40) CHARACTER SET utf8mb4 NOT NULL", "k", func(n int) string { return fmt.Sprintf("'Zoë''s \"\\\\; %d'", n) }},
		{"k_latin", "k CHAR(10) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL", "k", func(n int) string { return fmt.Sprintf("'é%d'", n) }},
		{"k_bytes", "k VARBINARY(12) NOT NULL", "k", func(n int) string { return fmt.Sprintf("0x00FF%06x", n) }},
		{"k_fixed", "k BINARY(4) NOT NULL", "k", func(n int) string { return fmt.Sprintf("0x%04x0000", n) }},
		{"k_id", "k BINARY(16) NOT NULL", "k", func(n int) string { return fmt.Sprintf("0x%032x", n*7919) }},
		{"k_date", "k DATE NOT NULL", "k", func(n int) string { return instant(n * 39).Format("'2006-01-02'") }},
		{"k_moment", "k DATETIME(3) NOT NULL", "k", func(n int) string { return instant(n).Format("'2006-01-02 15:04:05.250'") }},
		{"k_instant", "k TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00'", "k", func(n int) string { return instant(n).Format("'2006-01-02 15:04:05'") }},
		{"k_time", "k TIME(2) NOT NULL", "k", func(n int) string { return fmt.Sprintf("'%02d:%02d:07.25'", n/60-3, n%60) }},
		{"k_year", "k YEAR NOT NULL", "k", func(n int) string { return strconv.Itoa(1901 + n%250) }},
		{"k_two", "j INT NOT NULL, k VARCHAR(20) NOT NULL", "j, k", func(n int) string { return fmt.Sprintf("%d, 'é%d'", n%3, n) }},
		{"k_moments", "j DATE NOT NULL, k DECIMAL(9,2) NOT NULL", "j, k", func(n int) string { return fmt.Sprintf("'2024-01-0%d', %d.50", 1+n%3, n) }},
		{"k_none", "k INT NOT NULL", "", strconv.Itoa},
	}
	if k == servertest.KindMariaDB {
		all = append(all,
			keyed{"k_uuid", "k UUID NOT NULL", "k", func(n int) string { return fmt.Sprintf("'%08X-0000-4000-8000-00000000000a'", n) }},
			keyed{"k_inet", "k INET6 NOT NULL", "k", func(n int) string {
				return []string{fmt.Sprintf("'2001:DB8::%x'", n), fmt.Sprintf("'::ffff:10.0.0.%d'", n)}[n%2]
			}})
	}
	return all
}

// insert puts the n-th row.
func (k *keyed) insert(n, round int) string {
	return "INSERT IGNORE INTO " + k.name + " VALUES " + k.row(n, round)
}

func (k *keyed) row(n, round int) string { return fmt.Sprintf("(%s, 'v%d', %d)", k.key(n), n, round) }

// where finds the n-th row.
func (k *keyed) where(n int) string {
	columns := "k"
	if k.primary != "" {
		columns = k.primary
	}
	return fmt.Sprintf(" WHERE (%s) = (%s)", columns, k.key(n))
}

// write changes some of the first 60 rows in every way, and marks what it leaves with the round.
func (k *keyed) write(r *rand.Rand, round int) (statements []string) {
	for range 12 {
		n := r.IntN(60)
		switch r.IntN(4) {
		case 0:
			statements = append(statements, "DELETE FROM "+k.name+k.where(n))
		case 1:
			statements = append(statements, k.insert(n, round))
		case 2:
			to := strings.Split(k.key(60+r.IntN(60)), ", ")
			set := "k = " + to[len(to)-1]
			statements = append(statements, fmt.Sprintf("UPDATE IGNORE %s SET %s, w = %d%s", k.name, set, round, k.where(n)))
		default:
			statements = append(statements, fmt.Sprintf("UPDATE %s SET v = 'r%d', w = %d%s", k.name, round, round, k.where(n)))
		}
	}
	return statements
}

func counted(t *testing.T, s *servertest.Server, url, query string) (n int64) {
	t.Helper()
	n, err := strconv.ParseInt(s.Query(t, url, query)[0][0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLastProof damages every row of the target: the last proof finds exactly those that were touched since the pass began, by every kind of
// key; and the pass finds the others.
func TestLastProof(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		kinds := keyKinds(l.source.Kind)
		l.makeKinds(t, kinds)
		l.begin(t, convert.Options{ForFollow: true, Types: map[string]string{"k_id.k": "uuid"}}, change.Filter{}).copied(t)
		draw := rand.New(rand.NewPCG(1, 1))
		m := l.begin(t, convert.Options{}, change.Filter{})
		shown := 0
		m.Events = func(e event.Event) {
			if _, ok := e.(event.Difference); ok {
				shown++
			}
		}
		err := m.Beside(t.Context(), func(ctx context.Context, p *migration.LastProof) error {
			if _, err := p.Prove(ctx); fault.ClassOf(err) != fault.Refused || p.Gate().Open {
				t.Errorf("proved without a pass: %v, gate %+v", err, p.Gate())
			}
			rep, err := p.Pass(ctx)
			if err != nil || !rep.Equal || !p.Gate().Open {
				return fmt.Errorf("the first pass: %+v, gate %+v, %w", rep, p.Gate(), err)
			}
			for round := 1; round <= 2; round++ {
				var want int64
				for _, k := range kinds {
					l.exec(t, append(append([]string{"BEGIN"}, k.write(draw, round)...), "COMMIT")...)
					query := fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE w = %d", k.name, round)
					if k.primary == "" {
						// All of it is compared, and without a key a row that differs is one that lacks and one too many.
						query = "SELECT 2 * COUNT(*) FROM " + k.name
					}
					want += counted(t, l.source, l.from, query)
				}
				if err := p.Still(ctx); err != nil {
					return err
				}
				l.damage(t, kinds, "v || '!'")
				got, err := p.Prove(ctx)
				if err != nil || want == 0 {
					return fmt.Errorf("prove: %w, %d rows written", err, want)
				}
				if got.Differences != want {
					t.Errorf("round %d: %d differences among %d rows, want %d", round, got.Differences, got.Keys, want)
				}
				if shown == 0 {
					t.Error("no difference was shown")
				}
				l.damage(t, kinds, "left(v, -1)")
				if got, err = p.Prove(ctx); err != nil || got.Differences != 0 || got.Keys == 0 {
					t.Errorf("round %d, mended: %+v, %v", round, got, err)
				}
				if keys, tables := p.Pending(); keys+tables > 0 {
					t.Errorf("%d keys and %d tables are left", keys, tables)
				}
			}
			// What nobody touched is the full pass's.
			l.damage(t, kinds[:1], "v || '!'")
			if got, err := p.Prove(ctx); err != nil || got.Differences != 0 {
				t.Errorf("nothing touched: %+v, %v", got, err)
			}
			rep, err = p.Pass(ctx)
			if err != nil || rep.Equal || p.Gate().Open {
				t.Errorf("a damaged table passed: gate %+v, %v", p.Gate(), err)
			}
			if _, err := p.Prove(ctx); fault.ClassOf(err) != fault.Refused {
				t.Errorf("proved behind a pass with differences: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v (%s)", err, fault.HintOf(err))
		}
	})
}

// makeKinds makes a table of every kind, with rows.
func (l *lab) makeKinds(t *testing.T, kinds []keyed) {
	t.Helper()
	for _, k := range kinds {
		primary := ""
		if k.primary != "" {
			primary = ", PRIMARY KEY (" + k.primary + ")"
		}
		l.exec(t, fmt.Sprintf("CREATE TABLE %s (%s, v VARCHAR(20), w INT%s)", k.name, k.columns, primary))
		rows := k.insert(0, 0)
		for n := range 39 {
			rows += ", " + k.row(n+1, 0)
		}
		l.exec(t, rows)
	}
}

// damage sets v in every row of the target.
func (l *lab) damage(t *testing.T, tables []keyed, to string) {
	t.Helper()
	var statements []string
	for _, k := range tables {
		statements = append(statements, "UPDATE "+k.name+" SET v = "+to)
	}
	l.target.Exec(t, l.into, statements...)
}

// TestLastProofOfMany times the last proof of 2,000 rows of each of four kinds of key.
func TestLastProofOfMany(t *testing.T) {
	inLabs(t, func(t *testing.T, l *lab) {
		const rows, changed = 20_000, 2_000
		tables := map[string]string{
			"m_int":  "n",
			"m_two":  "n MOD 7, n",
			"m_text": "CONCAT('customer-', n)",
			"m_time": "TIMESTAMP('2024-01-01') + INTERVAL n MINUTE, n",
		}
		l.exec(t,
			"CREATE TABLE m_int (k BIGINT PRIMARY KEY, v VARCHAR(200), d DATETIME(6), w INT)",
			"CREATE TABLE m_two (j INT, k INT, v VARCHAR(200), d DATETIME(6), w INT, PRIMARY KEY (j, k))",
			"CREATE TABLE m_text (k VARCHAR(60) CHARACTER SET utf8mb4 PRIMARY KEY, v VARCHAR(200), d DATETIME(6), w INT)",
			"CREATE TABLE m_time (j DATETIME, k INT, v VARCHAR(200), d DATETIME(6), w INT, PRIMARY KEY (j, k))")
		l.exec(t, "CREATE TABLE digits (n INT PRIMARY KEY)", "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)")
		numbers := "(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n AS n" +
			" FROM digits a, digits b, digits c, digits d, digits e WHERE e.n < 2) AS numbers"
		for name, key := range tables {
			l.exec(t, fmt.Sprintf("INSERT INTO %s SELECT %s, REPEAT('x', 80), '2024-02-29 12:00:00.5', n FROM %s", name, key, numbers))
		}
		l.begin(t, convert.Options{ForFollow: true}, change.Filter{}).copied(t)
		err := l.begin(t, convert.Options{}, change.Filter{}).Beside(t.Context(), func(ctx context.Context, p *migration.LastProof) error {
			if rep, err := p.Pass(ctx); err != nil || !rep.Equal {
				return fmt.Errorf("the pass: %+v, %w", rep, err)
			}
			for name := range tables {
				l.exec(t, fmt.Sprintf("UPDATE %s SET v = 'changed' WHERE w %% %d = 3", name, rows/changed))
				if err := p.Still(ctx); err != nil {
					return err
				}
				got, err := p.Prove(ctx)
				if err != nil || got.Keys != changed || got.Differences != 0 {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
				t.Logf("%s: %d rows proved in %s", name, got.Keys, got.Elapsed.Round(time.Millisecond))
			}
			for i := range 20 {
				l.exec(t, fmt.Sprintf("UPDATE m_int SET v = 'r%d' WHERE k %% 10 = %d", i, i%10))
			}
			s, err := p.Settle(ctx)
			t.Logf("%+v, %v", s, err)
			if err != nil || !s.Quick() {
				t.Errorf("rounds that end at no quick one: %+v, %v", s, err)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v (%s)", err, fault.HintOf(err))
		}
	})
}
