package mysql

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/servertest"
)

// TestReadParts reads rows larger than a batch, a few at a time, and compares with hashes that the server makes. The key's
// columns stand before, between and behind the long values, so that the key of a read's last row comes in any part.
func TestReadParts(t *testing.T) {
	const names = "x, b, a, y, z"
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE p (x LONGBLOB, b VARCHAR(20) NOT NULL, a INT NOT NULL, y LONGTEXT, z BINARY(3) NOT NULL, PRIMARY KEY (a, b, z))")
		sizes := []int{0, 70_000, 131_072, 131_073, 262_144, 300_000, 3_000_000}
		for i, x := range sizes {
			y := sizes[(i*3+1)%len(sizes)]
			s.Exec(t, src.url,
				fmt.Sprintf("INSERT INTO p VALUES (REPEAT('%cä', %d), 'k%d', %d, REPEAT('%cé', %d), 'z%d')", 'a'+i, x/3, i, i/2, 'A'+i, y/3, i),
				fmt.Sprintf("INSERT INTO p VALUES (NULL, 's%d', %d, 'short', 'y%d')", i, i/2, i))
		}
		var want []string
		for _, row := range s.Query(t, src.url, "SELECT SHA2(x, 256), b, a, SHA2(y, 256), z FROM p ORDER BY a, b, z") {
			want = append(want, strings.Join(row, "|"))
		}
		sel := selectOf(inspect(t, src).Table("p"), "")
		err := src.end.withReader(t.Context(), func(ctx context.Context, r *reader) error {
			for limit := range int64(5) {
				var got []string
				for rg := (change.Range{}); ; {
					rows, last, err := readHashes(ctx, r, sel, rg, limit)
					if err != nil {
						return err
					}
					if got = append(got, rows...); last == nil {
						break
					}
					rg.After = last
				}
				if !slices.Equal(got, want) {
					t.Errorf("limit %d: read %s as\n%s\nwant\n%s", limit, names, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// readHashes reads a range of p and returns its rows as the server's query gives them.
func readHashes(ctx context.Context, r *reader, s *change.Select, rg change.Range, limit int64) ([]string, change.Key, error) {
	b, all := &change.Batch{}, &change.Batch{Columns: len(s.Columns)}
	last, err := r.Read(ctx, s, rg, limit, func(full *change.Batch) (*change.Batch, error) {
		if full != nil {
			joinParts(all, full)
		}
		if cap(b.Data) > batchBytes {
			return nil, fmt.Errorf("a batch of %d bytes", cap(b.Data))
		}
		return b, nil
	})
	hash := func(s change.Span) string {
		if s.Null() {
			return servertest.Null
		}
		return fmt.Sprintf("%x", sha256.Sum256(all.Bytes(s)))
	}
	var out []string
	for i := range all.Rows {
		v := all.Row(i)
		out = append(out, fmt.Sprintf("%s|%s|%d|%s|%s", hash(v[0]), all.Bytes(v[1]), all.Bytes(v[2])[0], hash(v[3]), all.Bytes(v[4])))
	}
	return out, last, err
}

// joinParts adds what a batch holds, which may be parts of rows.
func joinParts(all, b *change.Batch) {
	base := uint32(len(all.Data))
	all.Data = append(all.Data, b.Data...)
	if b.Lead > 0 {
		all.Spans[len(all.Spans)-1].Len += uint32(b.Lead)
	}
	for _, s := range b.Spans {
		all.Spans = append(all.Spans, change.Span{Off: s.Off + base, Len: s.Len})
	}
	all.Rows += b.Rows
}
