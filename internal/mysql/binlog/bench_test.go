package binlog

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/bascule/bascule/internal/schema"
)

// benchLayout is a table as a shop has it.
var benchLayout = layoutOf(schema.Int{Bits: 64}, schema.Int{Bits: 32}, schema.Text{Length: 60}, schema.Decimal{Precision: 10, Scale: 2}, schema.DateTime{}, schema.Int{Bits: 8})

func benchTransaction(rows int) [][]byte {
	row := bytes.Join([][]byte{
		{0}, {1, 2, 3, 4, 5, 6, 7, 0}, {7, 0, 0, 0}, {20}, []byte("twenty bytes of text"), {0x80, 0, 4, 0xd2, 56}, {0x99, 0xb3, 0x7a, 0x10, 0x42}, {1},
	}, nil)
	gtid := append(make([]byte, 17), 9, 0, 0, 0, 0, 0, 0, 0)
	gtid = append(append(append(gtid, 2), make([]byte, 16)...), 1, 2, 3, 4, 5, 6, 0)
	begin := append(make([]byte, 13), 0)
	return [][]byte{
		sealed(event(typeGTID, 0, gtid...)), sealed(event(typeQuery, 0, append(begin, "BEGIN"...)...)),
		sealed(tableMap([]byte{8, 3, 15, 246, 18, 1}, []byte{240, 0, 10, 2, 0}, 1, 1, 0)), sealed(insert(6, bytes.Repeat(row, rows)...)),
		sealed(event(typeXID, 0, 1, 2, 3, 4, 5, 6, 7, 8)),
	}
}

func benchmark(b *testing.B, rows int) {
	b.Helper()
	d := decoderOf(benchLayout, false)
	if _, err := all(d, description(1)); err != nil {
		b.Fatal(err)
	}
	events := benchTransaction(rows)
	got := 0
	b.ReportAllocs()
	for b.Loop() {
		for _, raw := range events {
			if err := d.Push(raw); err != nil {
				b.Fatal(err)
			}
			for {
				e, err := d.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				got += e.Rows.New.Rows
			}
		}
	}
	b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkSmallTransactions decodes transactions of one row: five events each.
func BenchmarkSmallTransactions(b *testing.B) { benchmark(b, 1) }

// BenchmarkLargeEvents decodes events of 100 rows.
func BenchmarkLargeEvents(b *testing.B) { benchmark(b, 100) }
