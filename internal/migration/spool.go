package migration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
)

// Spooler is a source that keeps its log aside, so that its own retention does not matter.
type Spooler interface {
	// Spool keeps the log behind a position for a migration until ctx ends. ready is called once, when that has begun, with whether
	// all that follows the position will be there.
	Spool(ctx context.Context, migration string, from change.Position, ready func(covered bool)) error
	// SpoolFindings tells what the spool will need while so many bytes of the source's data are copied.
	SpoolFindings(ctx context.Context, bytes int64) ([]finding.Finding, error)
}

// The codes of what is found while a spool is written.
const (
	CodeSpoolLate    finding.Code = "spool-late"
	CodeSpoolStopped finding.Code = "spool-stopped"
)

// SpoolName names a migration to the spool: the same in every process, and for no other migration.
func SpoolName(rec *change.Record) string {
	return fmt.Sprintf("%s into schema %s, begun %s", rec.Source, rec.Schema, rec.Created.UTC().Format(time.RFC3339))
}

// needed is where the migration stands: what comes after it in the source's log is needed.
func (m *Migration) needed(ctx context.Context, rec *change.Record) (change.Position, error) {
	if m.Applier == nil {
		return rec.Position, nil
	}
	mark, err := m.Applier.Applied(ctx, rec)
	if err != nil || mark.Position == "" {
		return rec.Position, err
	}
	return mark.Position, nil
}

// spooled runs fn while the source's log is kept, from before fn begins. When it cannot be kept any longer, fn is interrupted.
func (m *Migration) spooled(ctx context.Context, rec *change.Record, fn func(context.Context) error) error {
	if m.Spool == nil || !m.Options.ForFollow {
		return fn(ctx)
	}
	from, err := m.needed(ctx, rec)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		err := m.Spool.Spool(ctx, SpoolName(rec), from, func(covered bool) {
			m.late(covered)
			close(ready)
		})
		if err != nil {
			cancel(err)
		}
		done <- err
	}()
	select {
	case <-ready:
	case err := <-done:
		if err == nil {
			err = context.Cause(ctx)
		}
		return err
	}
	err = fn(ctx)
	cancel(nil)
	if spool := <-done; spool != nil {
		return spool
	}
	return err
}

func (m *Migration) late(covered bool) {
	if covered {
		return
	}
	m.emit(event.Found{Finding: finding.Finding{
		Code: CodeSpoolLate, Kind: finding.Problem, Severity: finding.Warning, Object: "spool",
		What:  "the spool of this server begins behind the position that this migration needs: until the follow has reached it, the source must keep its binlog",
		Do:    "keep the source's binlog longer, or begin the follow soon",
		Owner: "operator",
	}})
}

// spoolUntil keeps the source's log until passed is closed: the follow is where the log is. Without a spool a follow goes on.
func (m *Migration) spoolUntil(ctx context.Context, rec *change.Record, passed <-chan struct{}) error {
	if m.Spool == nil {
		return nil
	}
	from, err := m.needed(ctx, rec)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the follow is over already: it had little to do
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-passed:
			cancel()
		case <-ctx.Done():
		}
	}()
	err = m.Spool.Spool(ctx, SpoolName(rec), from, m.late)
	if err == nil || ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil
	}
	m.emit(event.Found{Finding: finding.Finding{
		Code: CodeSpoolStopped, Kind: finding.Problem, Severity: finding.Warning, Object: "spool",
		What: "the source's binlog is not spooled any more, and the follow goes on: " + err.Error(), Do: fault.HintOf(err), Owner: "operator",
	}})
	return nil
}

// spoolFindings tells what a spool would need.
func (m *Migration) spoolFindings(ctx context.Context, plan *convert.Plan) ([]finding.Finding, error) {
	if m.Spool == nil || !m.Options.ForFollow {
		return nil, nil
	}
	bytes := int64(0)
	for _, t := range plan.Tables {
		bytes += t.Select.Table.Bytes
	}
	return m.Spool.SpoolFindings(ctx, bytes)
}
