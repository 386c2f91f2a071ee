package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// rearm is what helps when the log behind a position is gone, or does not hold what is needed.
const rearm = "the way back cannot go on from there: end it, make it anew, and verify before it counts again"

// SlotStatus is how the slot of a migration is.
type SlotStatus struct {
	// Exists tells the slot, Published the publication. Without a slot the rest is empty.
	Exists, Published bool
	// Plugin and Database are the slot's, Foreign says that either is not what Arm would have made.
	Plugin, Database string
	Foreign          bool
	// ActivePID is the server's process that streams from it, 0 when there is none; Holder says who that is.
	ActivePID int32
	Holder    string
	// Confirmed is up to where a receiver has saved everything; Restart is from where on the server keeps its log.
	Confirmed, Restart change.Position
	// Retained is how many bytes of log the server keeps for it. Safe is how many more may be written until the slot may be
	// lost, -1 when the server sets no limit (max_slot_wal_keep_size): then a feed that stands still fills the disk.
	Retained, Safe int64
	// WAL is reserved, extended, unreserved or lost, as the server has it; Invalidated is why it is lost, where the server tells.
	WAL, Invalidated string
}

// Lost reports whether the server has let go of what the slot needed.
func (s *SlotStatus) Lost() bool { return s.WAL == "lost" || s.Invalidated != "" }

// statusSQL reads columns that came later than version 14 by name, so that they may be absent. Publications are read first.
const statusSQL = `SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1), s.slot_name IS NOT NULL,
	COALESCE(s.plugin::text, ''), COALESCE(s.database::text, ''),
	s.slot_type <> 'logical' OR s.plugin <> 'pgoutput' OR s.database <> current_database(), COALESCE(s.active_pid, 0),
	COALESCE(a.usename || ' (' || a.application_name || COALESCE(', ' || host(a.client_addr), '')
		|| COALESCE(', since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), '') || ')', ''),
	COALESCE(s.confirmed_flush_lsn::text, ''), COALESCE(s.restart_lsn::text, ''),
	COALESCE(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint, 0), COALESCE(s.safe_wal_size, -1), COALESCE(s.wal_status, ''),
	COALESCE(to_jsonb(s) ->> 'invalidation_reason', CASE WHEN (to_jsonb(s) ->> 'conflicting')::boolean THEN 'conflict' ELSE '' END)
FROM (VALUES (1)) AS one LEFT JOIN pg_replication_slots s ON s.slot_name = $1 LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid`

// Armed tells how the slot of a migration is. A slot that is not there is no error.
func (e *End) Armed(ctx context.Context, r *change.Record) (*SlotStatus, error) {
	var s SlotStatus
	var confirmed, restart string
	var foreign *bool
	err := e.control.QueryRow(ctx, statusSQL, slotName(r)).Scan(&s.Published, &s.Exists, &s.Plugin, &s.Database, &foreign,
		&s.ActivePID, &s.Holder, &confirmed, &restart, &s.Retained, &s.Safe, &s.WAL, &s.Invalidated)
	if err != nil {
		return nil, e.fail("look at replication slot "+slotName(r), err)
	}
	s.Foreign = foreign != nil && *foreign
	if confirmed != "" {
		s.Confirmed = change.Position(positionPrefix + confirmed)
	}
	if restart != "" {
		s.Restart = change.Position(positionPrefix + restart)
	}
	return &s, nil
}

// usable refuses a slot that cannot be followed.
func (s *SlotStatus) usable() error {
	op := "use the replication slot"
	switch {
	case !s.Exists:
		return fault.New(fault.Refused, op, errors.New("there is none: it was never made, or somebody dropped it, and the log with it"), rearm)
	case s.Foreign:
		return fault.New(fault.Refused, op, fmt.Errorf("it is of plugin %q in database %q, not of pgoutput in this one", s.Plugin, s.Database),
			"somebody made another slot of its name: drop that one, then make the way back anew")
	case s.Lost():
		why := s.Invalidated
		if why == "" {
			why = "max_slot_wal_keep_size"
		}
		return fault.New(fault.Refused, op, fmt.Errorf("the server has invalidated it (%s): changes are lost", why), rearm)
	case !s.Published:
		return fault.New(fault.Refused, op, errors.New("its publication is gone: somebody dropped it"), rearm)
	}
	return nil
}

// slotError tells what the server's complaint about a slot means for the way back.
func (e *End) slotError(slot string, err error) error {
	p := unwrapPg(err)
	if p == nil {
		return err
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f != nil {
		return err
	}
	gone := p.Code == "42704" || // the slot, or the publication where the log is read
		p.Code == "55000" && strings.Contains(p.Message, "replication slot") || // invalidated
		p.Code == "58P01" && strings.Contains(p.Message, "WAL segment")
	if !gone {
		return err
	}
	return fault.New(fault.Refused, "stream from replication slot "+slot, &serverError{p}, rearm)
}

// slotBusy says who uses a slot.
func (e *End) slotBusy(ctx context.Context, slot string, p *pgconn.PgError) error {
	var who string
	err := e.control.QueryRow(ctx, `SELECT 'process ' || a.pid || ' of ' || COALESCE(a.usename, '?') || ' (' || COALESCE(a.application_name, '')
			|| COALESCE(', ' || host(a.client_addr), '') || COALESCE(', since ' || a.backend_start, '') || ')'
		FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = $1`, slot).Scan(&who)
	cause := error(&serverError{p})
	if err == nil {
		cause = fmt.Errorf("%s uses it", who)
	} else if !errors.Is(err, pgx.ErrNoRows) {
		return errors.Join(cause, err)
	}
	return fault.New(fault.Busy, "use replication slot "+slot, cause,
		"stop the other process; if it is dead, the server notices within its wal_sender_timeout, or SELECT pg_terminate_backend(its pid)")
}

// Disarm implements change.Armory. It drops the slot, the publication and the guards of a migration and gives the tables back the
// replica identities that Arm changed. A slot that is in use is fault.Busy.
func (e *End) Disarm(ctx context.Context, r *change.Record, t change.Token) error {
	op := "end the way back from " + e.config.Redacted()
	if err := e.dropSlot(ctx, r, t); err != nil {
		return e.fail(op, err)
	}
	err := e.briefly(ctx, r, t, defaultPatience, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DROP PUBLICATION IF EXISTS "+quoteText(slotName(r)))
		return err
	})
	if err != nil {
		return e.fail(op, err)
	}
	if err := e.unguard(ctx, r, t); err != nil {
		return e.fail(op, err)
	}
	return e.fail(op, e.restoreIdentities(ctx, r, t))
}

// dropSlot drops a slot, and waits a little for a connection that has just ended.
func (e *End) dropSlot(ctx context.Context, r *change.Record, t change.Token) error {
	slot := slotName(r)
	for tries := releaseTime / slotPoll; ; tries-- {
		err := e.withSlot(ctx, r, t, defaultPatience.slot, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", slot)
			return err
		})
		p := unwrapPg(err)
		switch {
		case p == nil:
			return err
		case p.Code == "42704": // somebody else was faster
			return nil
		case p.Code != "55006":
			return err
		case tries == 0:
			return e.slotBusy(ctx, slot, p)
		}
		if err := wait(ctx, slotPoll); err != nil {
			return err
		}
	}
}
