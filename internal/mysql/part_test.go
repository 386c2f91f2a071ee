package mysql

import (
	"context"
	"crypto/sha256"
	"errors"
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
	var out []string
	var row [][]byte
	b := &change.Batch{}
	last, err := r.Read(ctx, s, rg, limit, func(full *change.Batch) (*change.Batch, error) {
		switch {
		case full == nil:
			return b, nil
		case cap(full.Data) > batchBytes:
			return nil, fmt.Errorf("a batch of %d bytes", cap(full.Data))
		case full.Lead > 0 && len(row) == 0:
			return nil, errors.New("a part of no value")
		case full.Lead > 0:
			row[len(row)-1] = append(row[len(row)-1], full.Data[:full.Lead]...)
		}
		ends := func(last bool) {
			if len(row) == full.Columns && (!last || full.Open == 0) {
				hash := func(v []byte) string {
					if v == nil {
						return servertest.Null
					}
					return fmt.Sprintf("%x", sha256.Sum256(v))
				}
				a := row[2][0]
				out = append(out, fmt.Sprintf("%s|%s|%d|%s|%s", hash(row[0]), row[1], a, hash(row[3]), row[4]))
				row = nil
			}
		}
		ends(len(full.Spans) == 0)
		for i, s := range full.Spans {
			var v []byte
			if !s.Null() {
				v = append([]byte{}, full.Bytes(s)...)
			}
			row = append(row, v)
			ends(i == len(full.Spans)-1)
		}
		return full, nil
	})
	return out, last, err
}
