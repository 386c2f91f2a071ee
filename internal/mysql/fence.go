package mysql

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bascule/bascule/internal/change"
)

var (
	_ change.Fencer = (*End)(nil)
	_ change.Fence  = (*fence)(nil)
)

// fence implements change.Fence on a database's accounts or on the server's read_only.
type fence struct {
	e      *End
	record *change.Record
	order  change.FenceOrder
}

// Fence returns the fence of a migration. It is safe for concurrent use.
func (e *End) Fence(r *change.Record, o change.FenceOrder) change.Fence {
	return &fence{e: e, record: r, order: o}
}

// fenceState is what the ledger remembers of a fence; its Kind is empty when there is none.
type fenceState struct {
	fenceMemory
	// raised says that everything that raises it has been done; before, it may be done in part.
	raised bool
}

// fenceMemory is what must be known to lower a fence.
type fenceMemory struct {
	Kind     change.FenceKind `json:"kind"`
	Accounts []string         `json:"accounts"`
	// Unlocked are those of Accounts that were not locked before.
	Unlocked []string `json:"unlocked,omitempty"`
	// ReadOnly is what the server's read_only was.
	ReadOnly string `json:"read_only,omitempty"`
}

// state reads what is known of the fence.
func (f *fence) state(ctx context.Context, w *reader) (s fenceState, err error) {
	const op = "read the fence"
	rows, err := w.rows(ctx, fmt.Sprintf("SELECT memory, raised FROM %s WHERE migration = %d", f.e.ledger("fence"), inLedger(f.record)))
	if err != nil || len(rows) == 0 {
		return s, f.e.explain(op, err)
	}
	if err := json.Unmarshal([]byte(rows[0][0]), &s.fenceMemory); err != nil {
		return s, fmt.Errorf("%s: %w", op, err)
	}
	s.raised = rows[0][1] == "1"
	return s, nil
}

// note writes down that the fence has been raised to its end, or is not any more.
func (f *fence) note(ctx context.Context, w *reader, raised bool) error {
	return f.e.failLedger("record how far the fence is", w.exec(ctx, fmt.Sprintf("UPDATE %s SET raised = %t WHERE migration = %d", f.e.ledger("fence"), raised, inLedger(f.record))))
}
