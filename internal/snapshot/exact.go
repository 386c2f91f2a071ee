package snapshot

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// exact copies a table, and those that must be of the same moment, from one snapshot, in one transaction of the target: whoever dies
// leaves nothing, and whoever comes next begins all of them anew from a snapshot of its own.
func (l *lane) exact(ctx context.Context, leader *Table, t *change.Task, w change.Work) (change.Done, error) {
	if leader.Leader != "" {
		return change.Done{}, fmt.Errorf("the ledger gives out a chunk of %q, which is copied with %q", t.Table, leader.Leader)
	}
	group, names := []*Table{leader}, []schema.Name{leader.Target}
	for _, name := range leader.With {
		tb, err := l.table(name)
		if err != nil {
			return change.Done{}, err
		}
		group, names = append(group, tb), append(names, name)
	}
	if err := w.Empty(ctx, names); err != nil {
		return change.Done{}, err
	}
	var selects []*change.Select
	if l.copier.Exact {
		for _, tb := range group {
			selects = append(selects, &tb.Select)
		}
	}
	var done change.Done
	err := l.copier.Source.Snapshot(ctx, selects, func(ctx context.Context, r change.Reader, p change.Position, exact bool) error {
		if !exact && l.copier.Exact {
			return inexact(group)
		}
		done = change.Done{At: p, Losses: change.Losses{}}
		for i, tb := range group {
			one, err := l.load(ctx, r, tb, t, w)
			if err != nil {
				return err
			}
			maps.Copy(done.Losses, one.Losses)
			if i == 0 {
				done.Rows, done.Bytes = one.Rows, one.Bytes
				continue
			}
			done.With = append(done.With, change.Share{Table: tb.Target, Rows: one.Rows, Bytes: one.Bytes})
		}
		return nil
	})
	return done, err
}

// inexact refuses a snapshot of which nobody knows where in the log it stands.
func inexact(group []*Table) error {
	names := make([]string, len(group))
	for i, t := range group {
		names[i] = string(t.Select.Table.Name)
	}
	return fault.New(fault.Resource, fmt.Sprintf("copy %v", names),
		errors.New("no snapshot of them has an exact position in the source's log: it wrote to them whenever one was opened, or counts no GTIDs"),
		"run the same command again when fewer writes come to them: a pause of a second is enough; MySQL needs gtid_mode = ON; while an XA transaction is prepared (XA RECOVER), the account needs PROCESS")
}
