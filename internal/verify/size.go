package verify

import (
	"context"

	"github.com/bascule/bascule/internal/change"
)

// Measure asks how large the source's tables have become since they were planned: ranges and lots are made by that. It must be
// called while nothing is compared.
func (v *Verifier) Measure(ctx context.Context) error {
	if v.Sizer == nil {
		return nil
	}
	now, err := v.Sizer.Sizes(ctx)
	if err != nil {
		return err
	}
	for i := range v.Tables {
		v.Tables[i].Size = now[v.Tables[i].Select.Table.Name]
	}
	return nil
}

// size is how large the table is, as far as is known.
func (t *Table) size() change.Size {
	if t.Size != (change.Size{}) {
		return t.Size
	}
	return change.Size{Rows: t.Select.Table.Rows, Bytes: t.Select.Table.Bytes}
}
