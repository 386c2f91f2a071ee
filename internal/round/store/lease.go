package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

// holding is the lease of a round, as the store keeps it.
type holding struct {
	who                                 string
	epoch, since, renewed, lease, until int64
	now                                 int64
}

const holdingSQL = `SELECT who, epoch, since, renewed, lease, until, CLOCK FROM @rounds WHERE id = $1`

func readHolding(ctx context.Context, t *tx, query, id string) (*holding, error) {
	var h holding
	if err := t.row(ctx, query, id).Scan(&h.who, &h.epoch, &h.since, &h.renewed, &h.lease, &h.until, &h.now); err != nil {
		return nil, none(err, "round", id)
	}
	h.now = t.s.clock(h.now)
	h.rebase()
	return &h, nil
}

// rebase counts a lease from now when the clock stands before the moment in which the lease was written, so that it never lasts longer than it was given for.
// It reports whether it had to.
func (h *holding) rebase() bool {
	if h.until == 0 || h.now >= h.renewed {
		return false
	}
	h.renewed, h.until = h.now, h.now+h.lease
	return true
}

func (h *holding) holder() *Holder {
	if h.epoch == 0 {
		return nil
	}
	return &Holder{Who: h.who, Epoch: h.epoch, Since: stamp(h.since), Until: stamp(h.until), Now: stamp(h.now)}
}

// Claim makes who the driver of a round for as long as the lease lasts, and returns who holds it now. Each claim has an epoch that is one above the last. When
// another's lease has not run out it returns ErrHeld and that holder, unless force is set; the one who is driven out can write nothing from then on.
//
// A lease counts on the store's clock. When that jumps forward, a lease may run out early: another may claim the round, and the driver learns of it at its
// next write (ErrStale), before it does anything. When it jumps back behind the moment in which the lease was written, the first who claims counts the lease
// anew from then: a live driver renews it in that time, and a dead one blocks the round for one lease more at most. Neither can make two drivers write.
func (s *Store) Claim(ctx context.Context, id, who string, lease time.Duration, force bool) (*Holder, error) {
	op := "claim round " + id
	if lease < time.Microsecond || who == "" {
		return nil, fault.New(fault.Internal, op, fmt.Errorf("a claim needs a name and a lease, and has %q and %s", who, lease), "")
	}
	var mine, other *Holder
	err := s.change(ctx, op, func(ctx context.Context, t *tx) error {
		h, err := readHolding(ctx, t, holdingSQL+" LOCKED", id)
		if err != nil {
			return err
		}
		if other = h.holder(); other.Holds() && !force {
			// Commits: where the lease was counted anew, that has to stay.
			return t.exec(ctx, `UPDATE @rounds SET renewed = $1, until = $2 WHERE id = $3 AND renewed > $1`, h.renewed, h.until, id)
		}
		other = nil
		*h = holding{who: who, epoch: h.epoch + 1, since: h.now, renewed: h.now, lease: lease.Microseconds(), until: h.now + lease.Microseconds(), now: h.now}
		mine = h.holder()
		return t.exec(ctx, `UPDATE @rounds SET who = $1, epoch = $2, since = $3, renewed = $4, lease = $5, until = $6 WHERE id = $7`,
			h.who, h.epoch, h.since, h.renewed, h.lease, h.until, id)
	}, func(ctx context.Context, t *tx) (bool, error) {
		if mine == nil {
			return true, nil
		}
		h, err := readHolding(ctx, t, holdingSQL+" LOCKED", id)
		return err == nil && h.who == who && h.epoch == mine.Epoch && h.since == micros(mine.Since), err
	})
	switch {
	case err != nil:
		return nil, err
	case other != nil:
		return other, s.fail(op, fmt.Errorf("%s has driven it since %s: %w", other.Who, other.Since.Format(time.RFC3339), ErrHeld))
	}
	return mine, nil
}

// Renew lets the lease of an epoch count anew from now. ErrStale: another has claimed the round since, or the lease was released. A lease that has run out
// and that nobody claimed since is renewed.
func (s *Store) Renew(ctx context.Context, id string, epoch int64, lease time.Duration) error {
	return s.change(ctx, "renew the lease of round "+id, func(ctx context.Context, t *tx) error {
		h, err := own(ctx, t, id, epoch)
		if err != nil {
			return err
		}
		return t.exec(ctx, `UPDATE @rounds SET renewed = $1, lease = $2, until = $3 WHERE id = $4`, h.now, lease.Microseconds(), h.now+lease.Microseconds(), id)
	}, nil)
}

// Release gives the round back before its lease has run out. ErrStale: another has claimed it since. Once more does no harm.
func (s *Store) Release(ctx context.Context, id string, epoch int64) error {
	return s.change(ctx, "release round "+id, func(ctx context.Context, t *tx) error {
		if _, err := own(ctx, t, id, epoch); err != nil && !errors.Is(err, errReleased) {
			return err
		}
		return t.exec(ctx, `UPDATE @rounds SET until = 0 WHERE id = $1`, id)
	}, nil)
}

// errReleased is the kind of ErrStale in which nobody else has claimed the round.
var errReleased = fmt.Errorf("the lease was released: %w", ErrStale)

// own reads the lease of an epoch, when it is the round's.
func own(ctx context.Context, t *tx, id string, epoch int64) (*holding, error) {
	h, err := readHolding(ctx, t, holdingSQL+" LOCKED", id)
	switch {
	case err != nil:
		return nil, err
	case h.epoch != epoch || epoch == 0:
		return nil, fmt.Errorf("epoch %d is over: %s drives with epoch %d: %w", epoch, h.who, h.epoch, ErrStale)
	case h.until == 0:
		return h, errReleased
	}
	return h, nil
}

// Holder returns who drives a round, or did last; nil when nobody ever did.
func (s *Store) Holder(ctx context.Context, id string) (holder *Holder, err error) {
	err = s.view(ctx, "see who drives round "+id, func(ctx context.Context, t *tx) error {
		h, err := readHolding(ctx, t, holdingSQL, id)
		if err == nil {
			holder = h.holder()
		}
		return err
	})
	return holder, err
}
