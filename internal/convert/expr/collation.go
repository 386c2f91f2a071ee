package expr

import (
	"slices"
	"strings"
)

// collated notes what a comparison of text loses when the target compares
// bytes, and makes the order of binary collations the same on both sides.
func (t *translator) collated(vs []value, ordered bool) ([]value, error) {
	of, ok := collationOf(vs)
	if !ok {
		if !slices.ContainsFunc(vs, func(v value) bool { return v.ownCollation }) {
			if ordered {
				return nil, refuse("the order of text that is not of a column depends on the session's collation")
			}
			t.note(sessionCollation)
		}
		return vs, nil
	}
	t.noteCollation(of, true)
	if !ordered {
		return vs, nil
	}
	if binaryCollation(of.collation) {
		for i := range vs {
			if vs[i].kind == text {
				vs[i].sql, vs[i].prec = vs[i].in(pCollate)+` COLLATE "C"`, pCollate
				return vs, nil // one explicit collation decides for the whole comparison
			}
		}
	}
	t.note("text is ordered by %s on the source and by the target's collation here", of.collation)
	return vs, nil
}

// sessionCollation is the note about text whose collation no column decides.
const sessionCollation = "on the source text that is not of a column is compared by the collation of the session; the target compares exactly"

// collationOf is the text among vs that decides the collation: not a literal.
func collationOf(vs []value) (value, bool) {
	for _, v := range vs {
		if v.kind == text && v.lit == nil && v.collation != "" && !v.ownCollation {
			return v, true
		}
	}
	return value{}, false
}

// noteCollation says what the collation of v ignores and PostgreSQL does not.
// Pads says that the operation pads, which LIKE and searching in text do not.
func (t *translator) noteCollation(v value, pads bool) {
	var ignores []string
	if strings.HasSuffix(v.collation, "_ci") {
		ignores = append(ignores, "case")
		if !strings.Contains(v.collation, "_as_") {
			ignores = append(ignores, "accents")
		}
	} else if strings.Contains(v.collation, "_ai_") {
		ignores = append(ignores, "accents")
	}
	if pads && padded(v.collation) {
		ignores = append(ignores, "trailing spaces")
	}
	if len(ignores) > 0 {
		t.note("on the source %s compares text without regard to %s; the target compares exactly", v.collation, strings.Join(ignores, ", "))
	}
}

// noteSearch notes what LIKE and searching in text ignore on the source.
func (t *translator) noteSearch(vs []value) {
	if of, ok := collationOf(vs); ok {
		t.noteCollation(of, false)
	} else if !slices.ContainsFunc(vs, func(v value) bool { return v.ownCollation }) {
		t.note(sessionCollation)
	}
}

// caseless reports whether matching under v's collation ignores case.
func caseless(v value) bool { return strings.HasSuffix(v.collation, "_ci") }

// padded reports whether a collation ignores trailing spaces: all but MySQL's
// 0900 family, MariaDB's nopad ones and binary do (the table in case 12 of the
// measured facts: utf8mb4_bin too).
func padded(collation string) bool {
	return collation != "binary" && !strings.Contains(collation, "_0900_") && !strings.Contains(collation, "_nopad_")
}

// binaryCollation reports whether a collation orders as bytes of UTF-8 do. The
// one-byte sets are left out: cp1252's order is not Unicode's.
func binaryCollation(collation string) bool {
	return strings.HasSuffix(collation, "_bin") &&
		(strings.HasPrefix(collation, "utf8") || strings.HasPrefix(collation, "ascii"))
}
