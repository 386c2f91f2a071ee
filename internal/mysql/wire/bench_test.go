package wire_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/mysql/wire"
)

// benchRows is the size of the table; BASCULE_BENCH_ROWS sets it, 2000000 gives the 263 MB of the yardstick.
func benchRows() int {
	if n, err := strconv.Atoi(os.Getenv("BASCULE_BENCH_ROWS")); err == nil {
		return n
	}
	return 50_000
}

// orders creates a table like the yardstick's orders, about 130 bytes a row, and returns its number of rows.
func orders(b *testing.B, sv server) wire.Config {
	b.Helper()
	cfg := sv.config()
	cfg.Database = sv.database(b)
	c := connect(b, cfg)
	exec(b, c, `CREATE TABLE orders (id BIGINT PRIMARY KEY, customer INT, status VARCHAR(20), total DECIMAL(12,2), weight DOUBLE,
		note VARCHAR(100), created DATETIME(6), shipped DATE, flags TINYINT UNSIGNED, ref CHAR(32))`,
		`INSERT INTO orders VALUES (1, 77, 'delivered', 1234.56, 0.75, 'left with the neighbour on the second floor', '2024-05-06 07:08:09.123456', NULL, 3, REPEAT('a', 32))`)
	n := benchRows()
	for have := 1; have < n; have *= 2 {
		exec(b, c, fmt.Sprintf("INSERT INTO orders SELECT id + %d, customer + id, status, total + id, weight, note, created, shipped, flags, ref FROM orders WHERE id + %d <= %d", have, have, n))
	}
	return cfg
}

// BenchmarkReadRows reads the whole table in batches of 1 MiB and reports this process's own CPU seconds per run beside the
// rates; ns/op is dominated by the server.
func BenchmarkReadRows(b *testing.B) {
	for _, sv := range servers(b) {
		b.Run(sv.name, func(b *testing.B) {
			cfg := orders(b, sv)
			for _, comp := range []wire.Compression{wire.CompressionNone, wire.CompressionZlib, wire.CompressionZstd} {
				if sv.name == "mariadb" && comp == wire.CompressionZstd {
					continue
				}
				b.Run(comp.String(), func(b *testing.B) {
					cfg.Compression = comp
					c := connect(b, cfg)
					st, err := c.Prepare(b.Context(), "SELECT * FROM orders")
					if err != nil {
						b.Fatal(err)
					}
					var batch change.Batch
					var bytes, rows int64
					b.ReportAllocs()
					cpu := cpuTime(b)
					for b.Loop() {
						n, size := readOnce(b, st, &batch)
						rows, bytes = rows+n, bytes+size
					}
					cpu = cpuTime(b) - cpu
					b.SetBytes(bytes / int64(b.N))
					b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
					b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
				})
			}
		})
	}
}

func readOnce(b *testing.B, st *wire.Stmt, batch *change.Batch) (rows, bytes int64) {
	b.Helper()
	r, err := st.Execute(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for {
		err := r.ReadBatch(b.Context(), 1<<20, batch)
		if errors.Is(err, io.EOF) {
			return rows, bytes
		}
		if err != nil {
			b.Fatal(err)
		}
		rows, bytes = rows+int64(batch.Rows), bytes+int64(len(batch.Data))
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
