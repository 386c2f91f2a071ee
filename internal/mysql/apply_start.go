package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

var _ change.Starter = (*End)(nil)

// Start saves the mark that the next session finds, under the lock of those who apply.
func (e *End) Start(ctx context.Context, r *change.Record, t change.Token, m change.Mark) error {
	op := "begin the way back into " + e.cfg.label()
	return e.guarded(ctx, r, t, op, func(ctx context.Context, w *reader) error {
		if err := e.holdApplier(ctx, w, inLedger(r), op); err != nil {
			return err
		}
		defer w.unlock(ctx, applierLock(inLedger(r)))
		return e.failLedger(op, w.exec(ctx, fmt.Sprintf("INSERT INTO %s (migration, direction, position, at, txns, row_count, holder, since, updated)"+
			" VALUES (%d, %s, %s, %s, %d, %d, '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE"+
			" position = VALUES(position), at = VALUES(at), txns = VALUES(txns), row_count = VALUES(row_count), updated = VALUES(updated)",
			e.ledger("apply"), inLedger(r), quoteString(directionBack), quoteString(string(m.Position)), instant(m.Time), m.Txns, m.Rows)))
	})
}

// CanApply looks at the account's rights, at settings, and at the tables; it tries nothing.
func (e *End) CanApply(ctx context.Context, _ *change.Record, tables []*change.Replica) error {
	op := "see whether changes can be applied to " + e.cfg.label()
	c := &checkup{e: e}
	mine, err := c.granted(ctx)
	if err != nil {
		return e.explain(op, err)
	}
	var lacks, hints []string
	for _, need := range []struct {
		db     schema.Name
		rights string
	}{{e.cfg.Database, applyRights + ", ALTER"}, {e.ledgerName, ledgerRights}} {
		rights := slices.DeleteFunc(strings.Split(need.rights, ", "), func(right string) bool { return mine.has(need.db, right) })
		if list := strings.Join(rights, ", "); list != "" {
			lacks = append(lacks, list+" on "+string(need.db))
			hints = append(hints, e.grant(list, quote(need.db)+".*", ""))
		}
	}
	if len(lacks) > 0 {
		return fault.New(fault.Privilege, op, fmt.Errorf("the account lacks %s", strings.Join(lacks, ", and ")), strings.Join(hints, " "))
	}
	return e.withReader(ctx, func(ctx context.Context, r *reader) error {
		for _, look := range []func(context.Context, *reader, grants, []*change.Replica) error{e.canWrite, e.canRestore} {
			if err := look(ctx, r, mine, tables); err != nil {
				return e.explain(op, err)
			}
		}
		s := &applySession{e: e, r: r}
		return s.plan(ctx, tables)
	})
}

// canWrite looks at what the server and the tables' engines allow.
func (e *End) canWrite(ctx context.Context, r *reader, mine grants, tables []*change.Replica) error {
	row, err := r.row(ctx, "SELECT @@global.read_only")
	if err != nil {
		return err
	}
	if row[0] != "0" && !mine.hasAny("*.*", bypass...) {
		return fault.New(fault.Refused, "write to the server", errors.New("it is read_only, and the account may not write in spite of that"), "write on the primary; or "+e.grant(e.bypassRight(), "*.*", ""))
	}
	rows, err := r.rows(ctx, "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+quoteString(string(e.cfg.Database)))
	if err != nil {
		return err
	}
	engines := map[schema.Name]string{}
	for _, v := range rows {
		engines[schema.Name(v[0])] = v[1]
	}
	for _, t := range tables {
		if engine := engines[t.Into.Table]; engine != "" && !transactional(engine) {
			return fault.New(fault.Unsupported, "write to table "+string(t.Into.Table), fmt.Errorf("its engine %s has no transactions: after a crash nobody knows what was applied", engine),
				"ALTER TABLE "+quote(t.Into.Table)+" ENGINE = InnoDB;")
		}
	}
	return nil
}

// bypassRight lets an account write in spite of read_only.
func (e *End) bypassRight() string {
	switch {
	case e.server.atLeast(schema.MySQL, 80000):
		return "CONNECTION_ADMIN"
	case e.server.atLeast(schema.MariaDB, 100502):
		return "READ_ONLY ADMIN"
	}
	return "SUPER"
}

// canRestore looks whether the triggers and events that are there could be made again as they are.
func (e *End) canRestore(ctx context.Context, r *reader, mine grants, tables []*change.Replica) error {
	var names []schema.Name
	for _, t := range tables {
		names = append(names, t.Into.Table)
	}
	triggers, err := r.triggers(ctx, e.cfg.Database, names)
	if err != nil {
		return err
	}
	events, err := r.enabledEvents(ctx, e.cfg.Database)
	if err != nil {
		return err
	}
	if err := e.canDefine(ctx, r, mine, append(events, triggers...)); err != nil {
		return err
	}
	if len(triggers) == 0 {
		return nil
	}
	row, err := r.row(ctx, "SELECT @@global.log_bin, @@global.log_bin_trust_function_creators")
	if err != nil {
		return err
	}
	trusted := []string{"SUPER"}
	if e.server.atLeast(schema.MariaDB, 100502) {
		trusted = append(trusted, "BINLOG ADMIN")
	}
	if row[0] == "1" && row[1] == "0" && !mine.hasAny("*.*", trusted...) {
		return fault.New(fault.Privilege, "make trigger "+triggers[0].name+" again", errors.New("the server writes a log and trusts only an account with SUPER to make triggers"), trustHint)
	}
	return nil
}

// canDefine looks whether the account may make what belongs to others, and to accounts that are gone.
func (e *End) canDefine(ctx context.Context, r *reader, mine grants, all []*definition) error {
	var accounts []string
	lacks := func(d *definition, right string) error {
		return fault.New(fault.Privilege, "make "+d.name+" again, which belongs to "+d.definer, fmt.Errorf("the account lacks %s", right), e.grant(right, "*.*", ""))
	}
	for _, d := range all {
		if d.definer == e.server.user {
			continue
		}
		if right := e.definerRights(); !mine.hasAny("*.*", right, "SUPER") {
			return lacks(d, right)
		}
		if !e.server.atLeast(schema.MySQL, 80200) || mine.hasAny("*.*", allowNobody) {
			continue
		}
		if accounts == nil {
			var err error
			if accounts, err = e.accounts(ctx, r); err != nil {
				return err
			}
		}
		if !slices.Contains(accounts, d.definer) {
			return lacks(d, allowNobody)
		}
	}
	return nil
}

// allowNobody is the right to make what belongs to an account that is gone.
const allowNobody = "ALLOW_NONEXISTENT_DEFINER"
