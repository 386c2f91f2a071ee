package migration

import (
	"context"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
)

// LastProof is the last proof, for tests.
type LastProof = lastProof

var _ cutover.Proof = (*LastProof)(nil)

// Beside runs fn while the source is followed.
func (m *Migration) Beside(ctx context.Context, fn func(context.Context, *LastProof) error) error {
	return m.beside(ctx, false, func(ctx context.Context, b *besides) error { return fn(ctx, b.lastProof) })
}

// Still returns when the target holds all that was written until now.
func (p *lastProof) Still(ctx context.Context) error { return p.verifier.Barrier(ctx) }

// Pending returns how much is to be proved.
func (p *lastProof) Pending() (keys, tables int) { return p.touched.Pending() }

// SpoolUntil keeps the source's log until passed is closed.
func (m *Migration) SpoolUntil(ctx context.Context, rec *change.Record, passed <-chan struct{}) error {
	return m.spoolUntil(ctx, rec, passed)
}
