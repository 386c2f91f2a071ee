package crosscheck

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// compareRows reads both sides into buckets and compares bucket by bucket.
func compareRows(ctx context.Context, src *source, dst *target, t *Table, pairs []pair, key []int, o Options) error {
	dir, err := os.MkdirTemp("", "crosscheck-")
	if err != nil {
		return fmt.Errorf("make folder for buckets: %w", err)
	}
	defer os.RemoveAll(dir)
	var count int64
	if err := src.db.QueryRowContext(ctx, "SELECT count(*) FROM "+quoteSource(t.Source)).Scan(&count); err != nil {
		return fmt.Errorf("count source rows: %w", err)
	}
	buckets := int(count/rowsPerBucket) + 1
	left, err := newSpill(dir, "source", buckets)
	if err != nil {
		return err
	}
	defer left.close()
	right, err := newSpill(dir, "target", buckets)
	if err != nil {
		return err
	}
	defer right.close()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return src.read(gctx, t.Source, pairs, func(v [][]byte) error { return left.add(v, key) })
	})
	g.Go(func() error {
		return dst.read(gctx, t.Target, pairs, func(v [][]byte) error { return right.add(v, key) })
	})
	if err := g.Wait(); err != nil {
		return err
	}
	t.SourceRows, t.TargetRows = left.rows, right.rows
	t.Values = left.rows * int64(len(pairs))
	for i := range buckets {
		if err := compareBucket(t, left, right, i, pairs, key, o); err != nil {
			return err
		}
	}
	return nil
}

// compareBucket matches rows by key. Rows of equal key are a multiset: equal
// ones cancel out; one left on each side are compared by column.
func compareBucket(t *Table, left, right *spill, i int, pairs []pair, key []int, o Options) error {
	rows := map[string][]string{}
	if err := left.bucket(i, func(r record) { rows[r.key] = append(rows[r.key], r.values) }); err != nil {
		return err
	}
	extra := map[string][]string{}
	if err := right.bucket(i, func(r record) {
		have := rows[r.key]
		at := slices.Index(have, r.values)
		switch {
		case at < 0:
			extra[r.key] = append(extra[r.key], r.values)
		case len(have) == 1:
			delete(rows, r.key)
		case at == 0: // the usual one; many equal rows must not be moved each time
			rows[r.key] = have[1:]
		default:
			rows[r.key] = slices.Delete(have, at, at+1)
		}
	}); err != nil {
		return err
	}
	for _, k := range sortedKeys(rows) {
		missing, more := rows[k], extra[k]
		for len(missing) > 0 && len(more) > 0 {
			compareValues(t, k, missing[0], more[0], pairs, key, o)
			missing, more = missing[1:], more[1:]
		}
		for range missing {
			t.add(Difference{Table: t.Source, Kind: MissingRow, Key: keyText(k, pairs, key)}, o)
		}
		extra[k] = more
	}
	for _, k := range sortedKeys(extra) {
		for range extra[k] {
			t.add(Difference{Table: t.Source, Kind: ExtraRow, Key: keyText(k, pairs, key)}, o)
		}
	}
	return nil
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func compareValues(t *Table, k, source, target string, pairs []pair, key []int, o Options) {
	left, right := decode(source), decode(target)
	for i, p := range pairs {
		l, r := left[i], right[i]
		if l == nil && r == nil || l != nil && r != nil && *l == *r {
			continue
		}
		t.add(Difference{Table: t.Source, Kind: ChangedValue, Key: keyText(k, pairs, key), Column: p.name, Source: l, Target: r}, o)
	}
}

func (t *Table) add(d Difference, o Options) {
	t.Different++
	if len(t.Differences) < o.MaxDifferences {
		t.Differences = append(t.Differences, d)
	}
}

// keyText prints a key as name=value pairs.
func keyText(k string, pairs []pair, key []int) string {
	var out []string
	for i, v := range decode(k) {
		out = append(out, pairs[key[i]].name+"="+Show(v))
	}
	return strings.Join(out, " ")
}

// Show prints a value for people: quoted where its borders or bytes would not
// be seen, in hexadecimal where it is no text, and NULL for nil.
func Show(v *string) string {
	switch {
	case v == nil:
		return "NULL"
	case !utf8.ValidString(*v):
		return fmt.Sprintf("0x%X", *v)
	case *v == "" || *v == "NULL" || strings.ContainsAny(*v, " =\"'") || strconv.Quote(*v) != `"`+*v+`"`:
		return strconv.Quote(*v)
	}
	return *v
}
