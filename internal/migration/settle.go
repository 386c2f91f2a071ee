package migration

import (
	"context"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// Where returns what the journal in the target says: where the application lives, and how far an attempt is. It needs the target only.
func (m *Migration) Where(ctx context.Context) (cutover.State, error) {
	rec, err := m.record(ctx)
	if err != nil {
		return cutover.State{}, err
	}
	s, _, err := m.journal(ctx, rec)
	return s, err
}

// Settle brings an attempt to rest that a process has left: before its switch it is undone, after it completed. It waits until the driver's lease has run
// out, for as long as ctx lives, and tells by event.Waiting for whom; when ctx ends before, the error is fault.Busy. Where nothing is open it does nothing.
func (m *Migration) Settle(ctx context.Context, o SwitchOptions) (cutover.State, error) {
	c, err := m.crossing(ctx, o)
	if err != nil {
		return cutover.State{}, err
	}
	defer c.close()
	for {
		if err := c.undriven(ctx); err != nil {
			return cutover.State{}, err
		}
		s, err := c.driver.Abort(ctx)
		if fault.ClassOf(err) != fault.Busy || ctx.Err() != nil {
			return s, err
		}
		// Somebody else was faster, or applies still.
		if err := pause(ctx, watchEvery); err != nil {
			return s, err
		}
	}
}

// Undriven is Where once nobody drives a cutover any more: it waits until the driver's lease has run out, for as long as ctx lives.
func (m *Migration) Undriven(ctx context.Context) (cutover.State, error) {
	c, err := m.crossing(ctx, SwitchOptions{})
	if err != nil {
		return cutover.State{}, err
	}
	defer c.close()
	if err := c.undriven(ctx); err != nil {
		return cutover.State{}, err
	}
	return m.Where(ctx)
}

// undriven waits until nobody drives.
func (c *crossing) undriven(ctx context.Context) error {
	told := ""
	for {
		_, log, err := c.driver.Look(ctx)
		if err != nil || !log.Driven() {
			return err
		}
		if d := &log.Driver; d.ID != told {
			told = d.ID
			c.emit(event.Waiting{What: "the cutover", For: d.Who, Do: "that process ends, or has not answered by " + d.Until.UTC().Format("15:04:05 UTC")})
		}
		if err := pause(ctx, min(log.Driver.Until.Sub(log.Now)+watchEvery, time.Second)); err != nil {
			return busy(&log.Driver, err)
		}
	}
}

func busy(h *journal.Holder, err error) error {
	return fault.New(fault.Busy, "bring the cutover to rest", fmt.Errorf("%s drives it since %s: %w", h.Who, h.Since.UTC().Format("2006-01-02 15:04:05"), err),
		"ask there; when that process is dead, run the same command again")
}

// pause returns when d has passed, or with the cause when ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
