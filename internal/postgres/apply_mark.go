package postgres

import (
	"context"

	"github.com/bascule/bascule/internal/change"
)

// Applied implements change.Applier.
func (e *End) Applied(ctx context.Context, r *change.Record) (change.Mark, error) {
	m, _, _, err := e.AppliedMark(ctx, r, forward)
	return m, err
}
