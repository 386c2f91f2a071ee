package account

import (
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// Expect returns for each step of a round how long it is expected to take.
func Expect(past []Past, r *store.Round) map[round.StepID]Estimate {
	return newLearned(past, r).forward(r)
}
