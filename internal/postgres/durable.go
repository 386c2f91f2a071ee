package postgres

import (
	"context"
	"fmt"
	"strings"
)

// durableSQL reads what decides whether an acknowledged commit survives. Who has no right to see others' senders sees them without
// their state, and so counts a backup too.
const durableSQL = `SELECT current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
	(SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'), current_setting('synchronous_standby_names') <> '',
	ARRAY(SELECT COALESCE('role ' || quote_ident(rolname), '') || CASE WHEN setrole <> 0 AND setdatabase <> 0 THEN ' in ' ELSE '' END || COALESCE('database ' || quote_ident(datname), '')
		FROM pg_db_role_setting LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase
		WHERE (setdatabase = 0 OR datname = current_database()) AND setconfig && ARRAY['synchronous_commit=off', 'synchronous_commit=local'] ORDER BY 1),
	ARRAY(SELECT COALESCE(NULLIF(application_name, ''), 'process ' || pid) FROM pg_stat_replication a
		WHERE state IS DISTINCT FROM 'backup' AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = a.pid AND slot_type = 'logical') ORDER BY 1)`

// Durable says in words whether the server can lose a commit that it has acknowledged, and what makes it so.
func (e *End) Durable(ctx context.Context) (saw string, err error) {
	var fsync, pages, synchronous bool
	var commit string
	var others, standbys []string
	if err := e.control.QueryRow(ctx, durableSQL).Scan(&fsync, &pages, &commit, &synchronous, &others, &standbys); err != nil {
		return "", e.fail("look how durable commits are on "+e.config.Redacted(), err)
	}
	var risks []string
	if !fsync {
		risks = append(risks, "fsync is off: a crash of the machine can lose commits and ruin the database")
	}
	if !pages {
		risks = append(risks, "full_page_writes is off: a crash of the machine can ruin pages")
	}
	if commit == "off" {
		risks = append(risks, "synchronous_commit is off: a crash of the server loses the last commits")
	}
	if len(others) > 0 {
		risks = append(risks, "synchronous_commit is lowered for "+firstOf(others))
	}
	if len(standbys) > 0 && (!synchronous || commit == "local") {
		risks = append(risks, fmt.Sprintf("commits do not wait for the standbys (%s): a failover to one can lose the last of them; synchronous_standby_names is what makes them wait", firstOf(standbys)))
	}
	switch {
	case len(risks) > 0:
		return strings.Join(risks, "; "), nil
	case len(standbys) > 0:
		return fmt.Sprintf("commits are on the disk, and wait for standbys (%s), when they are acknowledged", firstOf(standbys)), nil
	default:
		return "commits are on the disk when they are acknowledged; there is no standby", nil
	}
}
