package postgres

import (
	"fmt"
	"strings"
)

// aliases names the columns of unnested rows: p0, p1 ... in the order of the table's.
func (h *shape) aliases(p string) string {
	var b strings.Builder
	for i := range h.attrs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s%d", p, i)
	}
	return b.String()
}

// given is the rows of parameter 1 as k, its columns named k0, k1 ...
func (h *shape) given() string {
	return fmt.Sprintf("unnest($1::%s[]) AS k(%s)", h.name, h.aliases("k"))
}

// matches joins a condition an attribute: %[1]s is the column of t, %[2]d the attribute.
func (h *shape) matches(attrs []int, format string) string {
	var parts []string
	for _, a := range attrs {
		parts = append(parts, fmt.Sprintf(format, "t."+quote(h.attrs[a].name), a))
	}
	return strings.Join(parts, " AND ")
}

// keyAttributes are those of the key.
func (h *shape) keyAttributes() []int {
	var as []int
	for _, k := range h.Key {
		as = append(as, h.attribute(k))
	}
	return as
}

// travelling lists a text for every column that travels: %[1]s is its quoted name, %[2]d the attribute.
func (h *shape) travelling(format string) string {
	var parts []string
	for i, a := range h.attrs {
		if a.at >= 0 {
			parts = append(parts, fmt.Sprintf(format, quote(a.name), i))
		}
	}
	return strings.Join(parts, ", ")
}

// once builds a statement and keeps it.
func (h *shape) once(what string, build func() string) string {
	h.sql.mu.Lock()
	sql, ok := h.sql.sql[what]
	h.sql.mu.Unlock()
	if !ok {
		sql = build() // it may ask for others
		h.sql.mu.Lock()
		h.sql.sql[what] = sql
		h.sql.mu.Unlock()
	}
	return sql
}

// deleteSQL deletes by key.
func (h *shape) deleteSQL() string {
	return h.once("delete", func() string {
		return fmt.Sprintf("DELETE FROM %s AS t USING %s WHERE %s", h.name, h.given(), h.matches(h.keyAttributes(), "%s = k.k%d"))
	})
}

// movedSQL deletes the rows that an update in place could make collide with another: those of which a unique
// column changes. They are inserted anew.
func (h *shape) movedSQL() string {
	return h.once("moved", func() string {
		return h.deleteSQL() + " AND NOT (" + h.matches(h.unique, "%s IS NOT DISTINCT FROM k.k%d") + ")"
	})
}

// putSQL updates the rows whose key is there and inserts the others. Compared with deleting and
// inserting, a row whose indexed columns stay is not entered into any index again, and its page has room for it
// sooner (heap-only tuples); a third of the log is written.
func (h *shape) putSQL() string {
	return h.once("put", func() string {
		return fmt.Sprintf(`WITH k AS MATERIALIZED (SELECT * FROM unnest($1::%[1]s[]) WITH ORDINALITY AS k(%[2]s, n)),
u AS (UPDATE %[1]s AS t SET %[3]s FROM k WHERE %[4]s RETURNING k.n)
INSERT INTO %[1]s (%[5]s) OVERRIDING SYSTEM VALUE SELECT %[6]s FROM k WHERE n NOT IN (SELECT n FROM u)`,
			h.name, h.aliases("k"), h.travelling("%s = k.k%d"), h.matches(h.keyAttributes(), "%s = k.k%d"),
			h.travelling("%[1]s"), h.travelling("k%[2]d"))
	})
}

// insertSQL inserts rows that are not there.
func (h *shape) insertSQL() string {
	return h.once("insert", func() string {
		return fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s",
			h.name, h.travelling("%[1]s"), h.travelling("k%[2]d"), h.given())
	})
}

// removeSQL removes whole rows from a table without a key, as many as are given of each, and returns how many
// were not there, and one of them. Rows are compared by their text, which tells NULL from
// everything else and -0 from 0, has the types that know no equality, and is exact. A column
// that an index begins with, and that is never NULL, narrows the search.
func (h *shape) removeSQL() string {
	return h.once("remove", func() string {
		narrow := h.matches(h.probe, "%s = k.k%d")
		if narrow != "" {
			narrow = " AND " + narrow
		}
		return fmt.Sprintf(`WITH k AS MATERIALIZED (
	SELECT DISTINCT ON (x) *, count(*) OVER (PARTITION BY x) AS n FROM (SELECT ROW(%[1]s)::text COLLATE "C" AS x, * FROM %[2]s) k),
h AS MATERIALIZED (SELECT t.ctid AS i, k.x, k.n, row_number() OVER (PARTITION BY k.x) AS r
	FROM %[3]s AS t JOIN k ON ROW(%[4]s)::text COLLATE "C" = k.x%[5]s),
d AS (DELETE FROM %[3]s WHERE ctid = ANY (ARRAY(SELECT i FROM h WHERE r <= n)) RETURNING 1)
SELECT ((SELECT COALESCE(sum(n), 0) FROM k) - (SELECT count(*) FROM d))::bigint,
	(SELECT left(x, 200) FROM k WHERE n > (SELECT count(*) FROM h WHERE h.x = k.x) LIMIT 1)`,
			h.travelling("k%[2]d"), h.given(), h.name, h.travelling("t.%[1]s"), narrow)
	})
}
