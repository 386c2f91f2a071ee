package migration

import (
	"context"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
)

// Run does the whole move as far as it may: copy, follow, compare, and, when cut is set, the cutover; then it keeps the side that is not
// in use current, until ctx ends. It goes on from wherever an earlier run, or a single command, has come to.
func (m *Migration) Run(ctx context.Context, o SwitchOptions, cut bool) error {
	if err := m.copied(ctx); err != nil {
		return err
	}
	c, err := m.crossing(ctx, o)
	if err != nil {
		return err
	}
	defer c.close()
	s, _, err := c.driver.Look(ctx)
	if err != nil {
		return err
	}
	switch {
	case s.Phase == cutover.Finished || s.Phase == cutover.Finishing:
		_, err := c.driver.Run(ctx, cutover.ToFinish)
		return err
	case cut || s.Phase != cutover.Idle:
		return c.cut(ctx, cut, s)
	case s.Live == cutover.New:
		return c.keep(ctx, c.back, waitsForFinish)
	}
	if err := c.ready(ctx, c.forward, c.forwardProof); err != nil {
		return err
	}
	return c.keep(ctx, c.forward, waitsForCutover)
}

var (
	waitsForCutover = event.Waiting{What: "cutover", For: "an operator", Do: "bascule db run --cutover, or bascule db cutover"}
	waitsForFinish  = event.Waiting{What: "finish", For: "an operator", Do: "bascule db finish ends the way back; bascule db fallback --switch goes it"}
)

// copied makes the copy, or completes it.
func (m *Migration) copied(ctx context.Context) error {
	rec, err := m.Target.Open(ctx, m.name())
	if err != nil {
		return err
	}
	if rec != nil {
		then, _, err := recorded(rec)
		if err != nil {
			return err
		}
		if table, err := m.copying(ctx, rec); err != nil || table == "" {
			return err
		}
		m.Options = then.Options
	}
	m.Options.ForFollow = true
	_, err = m.Copy(ctx)
	return err
}

// cut brings the application to the target, or an attempt that somebody has left to rest, and goes on from there.
func (c *crossing) cut(ctx context.Context, wanted bool, s cutover.State) error {
	var err error
	if wanted && s.Live == cutover.Old {
		s, err = c.to(ctx, cutover.ToNew, cutover.New, c.forward, c.forwardProof)
	} else {
		s, err = c.driver.Abort(ctx)
	}
	if err != nil {
		return err
	}
	if s.Live == cutover.New {
		return c.keep(ctx, c.back, waitsForFinish)
	}
	return c.keep(ctx, c.forward, waitsForCutover)
}

// keep keeps the side that is not in use current, and says what the move waits for.
func (c *crossing) keep(ctx context.Context, f *feed, w event.Waiting) error {
	f.start(ctx)
	c.emit(w)
	return f.wait(ctx)
}
