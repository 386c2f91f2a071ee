package migration

import (
	"context"
	"fmt"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/verify"
)

const (
	// repairKeys is how many differing rows of one table are copied again after a pass.
	repairKeys = 100_000
	// mendKeys and mendBytes bound what is copied while the follow is paused.
	mendKeys  = 200
	mendBytes = 8 << 20
	// mendTries is how often rows are tried that do not go in.
	mendTries = 6
)

// repair copies the rows again that a pass found different, while the follow goes on.
func (m *Migration) repair(ctx context.Context, b *besides, rep *verify.Report) error {
	for i := range rep.Tables {
		if rep.Tables[i].Differences == 0 {
			continue
		}
		e, err := m.repairTable(ctx, b, i, &rep.Tables[i])
		m.emit(e)
		if err != nil {
			return err
		}
	}
	return nil
}

// repairTable copies rows of one table again and tells what it did.
func (m *Migration) repairTable(ctx context.Context, b *besides, i int, r *verify.TableReport) (event.Repaired, error) {
	e := event.Repaired{Table: r.Table}
	values, err := b.plan.Tables[i].KeyValues()
	if err != nil {
		return e, err
	}
	if values == nil {
		e.Left = "its rows cannot be told apart by a key, so that they cannot be copied again one by one; copy it anew: bascule db drop, then bascule db copy --follow"
		return e, nil
	}
	if len(r.Keys) == repairKeys {
		e.Left = "there may be more rows that differ, which the next pass finds"
	}
	table := b.follower.Tables[i]
	left, lot := r.Keys, lotOf(table.Select.Table.Rows, table.Select.Table.Bytes)
	for tries := 1; len(left) > 0; {
		n := min(lot, len(left))
		did, err := m.mend(ctx, b, table, values, left[:n])
		e.Paused += did.Paused
		switch class := fault.ClassOf(err); {
		case err == nil:
			e.Keys, e.Rows, e.Position = e.Keys+int64(n), e.Rows+int64(did.Rows), string(did.At)
			left, tries = left[n:], 1
			continue
		case class != fault.Data && class != fault.Connect, tries == mendTries, ctx.Err() != nil:
			e.Left = fmt.Sprintf("%d rows are left as they are", len(left))
			return e, fmt.Errorf("copy rows of %s again: %w", r.Table, err)
		case class == fault.Data:
			// A unique value may stand in a row that differs too and comes later, or in one that changed since and is yet to be applied.
			lot *= 4
		}
		tries++
		if err := b.verifier.Barrier(ctx); err != nil {
			return e, err
		}
	}
	return e, nil
}

// lotOf is how many rows are copied at once, of a table with about so many rows and bytes.
func lotOf(rows, bytes int64) int {
	if rows <= 0 || bytes <= 0 {
		return mendKeys
	}
	return int(max(1, min(mendKeys, mendBytes/max(1, bytes/rows))))
}

// mend copies some rows again, given by their keys' texts.
func (m *Migration) mend(ctx context.Context, b *besides, t *follow.Table, values []convert.KeyValue, texts [][]string) (follow.Mended, error) {
	keys := &change.Batch{}
	keys.Reset(len(values))
	for _, k := range texts {
		if len(k) != len(values) {
			return follow.Mended{}, fmt.Errorf("a key of %d values, want %d", len(k), len(values))
		}
		for i, text := range k {
			before := len(keys.Data)
			var err error
			if keys.Data, err = values[i](keys.Data, text); err != nil {
				return follow.Mended{}, err
			}
			keys.Spans = append(keys.Spans, change.Span{Off: uint32(before), Len: uint32(len(keys.Data) - before)})
		}
		keys.Rows++
	}
	return b.follower.Mend(ctx, follow.Mend{Table: t, Keys: keys, Read: func(ctx context.Context, at change.Position, add func(*change.Batch) error) error {
		return m.Source.Lane(ctx, at, func(ctx context.Context, r change.Reader) error {
			var whole change.Gather
			_, err := r.Read(ctx, t.Select, change.Range{Only: keys}, 0, func(filled *change.Batch) (*change.Batch, error) {
				if filled == nil {
					return &change.Batch{}, nil
				}
				if rows := whole.Add(filled); rows != nil {
					return filled, add(rows)
				}
				return filled, nil
			})
			return err
		})
	}})
}

// more reports whether another pass follows, the n-th.
func (o LiveOptions) more(n int, last *verify.Report) bool {
	if o.Repair && last != nil && last.Equal {
		return false
	}
	return o.Passes == 0 || n <= o.Passes
}
