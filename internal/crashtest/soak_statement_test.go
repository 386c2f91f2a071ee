package crashtest

import (
	"fmt"
	"strings"
)

// statement draws what to do next: mostly one statement, or a few that belong together.
func (w *writer) statement() []string {
	t := w.tables[w.r.IntN(len(w.tables))]
	if t.name == "document" && w.r.IntN(4) > 0 || strings.HasPrefix(t.name, "bulk") && w.r.IntN(2) > 0 {
		t = w.tables[w.r.IntN(len(w.tables))] // megabytes are not for every other transaction
	}
	switch k := w.r.IntN(100); {
	case k < 22:
		return []string{w.insert(t, "INSERT INTO", "")}
	case k < 30:
		return []string{w.insert(t, "INSERT IGNORE INTO", "")}
	case k < 36:
		return []string{w.insert(t, "REPLACE INTO", "")}
	case k < 44:
		return []string{w.upsert(t)}
	case k < 66:
		return []string{fmt.Sprintf("UPDATE %s SET %s WHERE %s%s", t.name, w.assign(t.rest), w.where(t), w.limit(t))}
	case k < 70:
		return []string{fmt.Sprintf("UPDATE IGNORE %s SET %s WHERE %s LIMIT %d", t.name, w.assign(t.rest), w.beyond(t), 1+w.r.IntN(5))}
	case k < 78: // another key
		return []string{fmt.Sprintf("UPDATE %s SET %s WHERE %s%s", t.name, w.assign(t.key), w.where(t), w.limit(t))}
	case k < 90:
		return []string{fmt.Sprintf("DELETE FROM %s WHERE %s%s", t.name, w.where(t), w.limit(t))}
	case k < 92:
		return []string{fmt.Sprintf("DELETE FROM %s WHERE %s LIMIT %d", t.name, w.beyond(t), 1+w.r.IntN(5))}
	case k < 95: // gone and back
		where := w.where(t)
		return []string{fmt.Sprintf("DELETE FROM %s WHERE %s%s", t.name, where, w.limit(t)), w.insert(t, "INSERT INTO", where)}
	case k < 98 && t.unique != "":
		return w.swap(t)
	}
	return []string{w.joined(t)}
}

// literals draws a value for each column.
func (w *writer) literals(cs []column) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = c.value(w.r)
	}
	return out
}

// insert adds one to three rows; where, unless it is empty, gives the key of one.
func (w *writer) insert(t *table, verb, where string) string {
	n := 1
	if w.r.IntN(5) == 0 && t.name != "document" {
		n = 1 + w.r.IntN(3)
	}
	return fmt.Sprintf("%s %s (%s) VALUES %s", verb, t.name, t.names(), w.tuples(t, n, where))
}

func (t *table) names() string {
	var names []string
	for _, c := range append(append([]column{}, t.key...), t.rest...) {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

func (w *writer) tuples(t *table, n int, where string) string {
	var rows []string
	for range n {
		key := w.literals(t.key)
		if where != "" {
			key = nil
			for term := range strings.SplitSeq(where, " AND ") {
				_, v, _ := strings.Cut(strings.NewReplacer(" <=> ", "\x00").Replace(term), "\x00")
				key = append(key, v)
			}
		}
		rows = append(rows, "("+strings.Join(append(key, w.literals(t.rest)...), ", ")+")")
	}
	return strings.Join(rows, ", ")
}

func (w *writer) upsert(t *table) string {
	c := t.rest[w.r.IntN(len(t.rest))]
	return w.insert(t, "INSERT INTO", "") + fmt.Sprintf(" ON DUPLICATE KEY UPDATE %s = VALUES(%s)", c.name, c.name)
}

// assign sets some of the columns, at least one.
func (w *writer) assign(cs []column) string {
	n := 1 + w.r.IntN(min(len(cs), 3))
	var sets []string
	for _, i := range w.r.Perm(len(cs))[:n] {
		sets = append(sets, cs[i].name+" = "+cs[i].value(w.r))
	}
	return strings.Join(sets, ", ")
}

// where finds the rows of one key.
func (w *writer) where(t *table) string {
	var terms []string
	for _, c := range t.key {
		terms = append(terms, c.name+" <=> "+c.value(w.r))
	}
	return strings.Join(terms, " AND ")
}

// beyond finds rows behind a key, in its order.
func (w *writer) beyond(t *table) string {
	c := t.key[0]
	return fmt.Sprintf("%s >= %s ORDER BY %s", c.name, c.value(w.r), c.name)
}

// limit keeps a statement to few rows where keys are not unique.
func (w *writer) limit(t *table) string {
	if t.name == "no_key" || t.name == "counter" || t.name == "generated_key" {
		return fmt.Sprintf(" LIMIT %d", 1+w.r.IntN(2))
	}
	return ""
}

// swap exchanges the values of a unique column between two rows.
func (w *writer) swap(t *table) []string {
	a, b := w.where(t), w.where(t)
	return []string{
		fmt.Sprintf("SET @a = (SELECT %[1]s FROM %[2]s WHERE %[3]s), @b = (SELECT %[1]s FROM %[2]s WHERE %[4]s)", t.unique, t.name, a, b),
		fmt.Sprintf("UPDATE %s SET %s = NULL WHERE %s", t.name, t.unique, a),
		fmt.Sprintf("UPDATE %s SET %s = @a WHERE %s", t.name, t.unique, b),
		fmt.Sprintf("UPDATE %s SET %s = @b WHERE %s", t.name, t.unique, a),
	}
}

// joined draws statements that change more than one table, or whose rows the foreign keys change too.
func (w *writer) joined(t *table) string {
	id := func() int { return 1 + w.r.IntN(keys) }
	switch {
	case !w.numbers: // the family
		return []string{
			fmt.Sprintf("DELETE g, m FROM grand g LEFT JOIN middle m ON m.grand_id = g.id WHERE g.id = %d", 1+w.r.IntN(150)),
			fmt.Sprintf("UPDATE grand SET id = id + %d WHERE id = %d", w.r.IntN(9), 1+w.r.IntN(150)),
			fmt.Sprintf("DELETE FROM middle WHERE grand_id = %d", 1+w.r.IntN(150)),
			fmt.Sprintf("DELETE FROM tree WHERE id BETWEEN %[1]d AND %[1]d + 3", 1+w.r.IntN(600)),
		}[w.r.IntN(4)]
	case t.name == "parent" || w.r.IntN(2) == 0:
		return []string{
			fmt.Sprintf("DELETE p, c FROM parent p LEFT JOIN child_gone c ON c.parent_id = p.id WHERE p.id = %d", id()),
			fmt.Sprintf("UPDATE parent p JOIN child_freed c ON c.parent_id = p.id SET p.v = 1, c.u = NULL WHERE p.id = %d", id()),
			fmt.Sprintf("DELETE FROM parent WHERE id BETWEEN %[1]d AND %[1]d + 3", id()),
		}[w.r.IntN(3)]
	}
	return fmt.Sprintf("UPDATE wide SET u = u + 1 WHERE u BETWEEN %[1]d AND %[1]d + 20 ORDER BY u DESC", w.r.IntN(20_000))
}
