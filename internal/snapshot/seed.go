package snapshot

import (
	"context"
	"fmt"
	"math/big"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

const (
	// chunkBytes is the size a chunk aims at. It is large enough that a prepare, a claim
	// and a commit (a few milliseconds) vanish beside it and small enough that the work lost with a
	// worker is done again within a second.
	chunkBytes = 16 << 20
	// slack is how much more than expected a chunk may hold before it is cut: estimates of
	// InnoDB are often off by half, and keys are not spread evenly.
	slack = 2
	// unknownRowBytes stands in for the average row of a table without statistics.
	unknownRowBytes = 128
	// minRows keeps a chunk of huge rows from being cut at every row.
	minRows = 16
	// maxSeeds bounds the tasks made ahead for one table, whatever its key space.
	maxSeeds = 1 << 16
)

// Seed returns the first tasks of every table. Tables whose key begins with an
// integer are cut by arithmetic between its first and last value; other keys
// get a walk; a table that is read from one snapshot is one chunk.
func Seed(ctx context.Context, r change.Reader, tables []Table) ([]change.Task, error) {
	var tasks []change.Task
	for i := range tables {
		ts, err := seedTable(ctx, r, &tables[i])
		if err != nil {
			return nil, fmt.Errorf("cut %s into chunks: %w", tables[i].Select.Table.Name, err)
		}
		tasks = append(tasks, ts...)
	}
	return tasks, nil
}

func seedTable(ctx context.Context, r change.Reader, t *Table) ([]change.Task, error) {
	task := change.Task{Kind: change.TaskChunk, Table: t.Target, Stage: change.StageCopy, Parent: t.Leader}
	if t.whole() {
		return []change.Task{task}, nil
	}
	rows := rowsPerChunk(t.Select.Table)
	task.Limit = slack * rows
	if t.Select.Table.Bytes <= chunkBytes {
		return []change.Task{task}, nil
	}
	if _, ok := t.Select.Key[0].Type.(schema.Int); !ok {
		task.Kind, task.Limit = change.TaskWalk, rows
		return []change.Task{task}, nil
	}
	first, last, err := r.Bounds(ctx, &t.Select)
	if err != nil || first == nil {
		return []change.Task{task}, err
	}
	cuts, err := cut(first[0], last[0], t.Select.Table.Bytes/chunkBytes+1)
	if err != nil {
		return nil, err
	}
	tasks := make([]change.Task, 0, len(cuts)+1)
	for _, c := range cuts {
		task.Range.UpTo = change.Key{c}
		tasks = append(tasks, task)
		task.Range.After = task.Range.UpTo
	}
	// The last range is open: rows that arrive meanwhile belong to it.
	task.Range.UpTo = nil
	return append(tasks, task), nil
}

func rowsPerChunk(t *schema.Table) int64 {
	per := int64(unknownRowBytes)
	if t.Rows > 0 && t.Bytes > 0 {
		per = max(1, t.Bytes/t.Rows)
	}
	return max(minRows, chunkBytes/per)
}

// cut returns up to n-1 integers that part [first, last] into n ranges of equal
// width, in rising order. Numbers are decimal and may be any 64-bit integer, signed or not.
func cut(first, last []byte, n int64) ([][]byte, error) {
	lo, ok1 := new(big.Int).SetString(string(first), 10)
	hi, ok2 := new(big.Int).SetString(string(last), 10)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("bounds %q and %q are not integers", first, last)
	}
	width := new(big.Int).Sub(hi, lo)
	n = min(n, maxSeeds)
	if width.IsInt64() {
		n = min(n, width.Int64())
	}
	var cuts [][]byte
	for i := int64(1); i < n; i++ {
		c := new(big.Int).Mul(width, big.NewInt(i))
		c.Div(c, big.NewInt(n)).Add(c, lo)
		cuts = append(cuts, []byte(c.String()))
	}
	return cuts, nil
}
