package migration

import (
	"context"

	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/schema"
)

// Shape returns the plan that the source's catalog alone leads to. It asks the data nothing, so it costs little on a source of any size; where a type depends on
// the data, it has the widest.
func (m *Migration) Shape(ctx context.Context) (*convert.Plan, error) {
	in, err := m.input(ctx, func(schema.Question) bool { return false })
	if err != nil {
		return nil, err
	}
	return convert.New(*in)
}
