package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// keptFor is the shortest retention that needs no remark: a copy of some TB and a weekend.
const keptFor = 3 * 24 * time.Hour

// binlog checks what a follow reads. Without a binlog the rest has no meaning.
func (c *checkup) binlog(context.Context) error {
	if !on(c.vars["log_bin"]) {
		do := c.set("log_bin", "binlog", true)
		if c.managed() {
			do = "set the backup retention of the RDS instance to at least one day; on Aurora, set binlog_format = ROW in the DB cluster parameter group and reboot the writer"
		}
		c.add(finding.Finding{
			Code: CodeBinlogOff, Severity: c.againstFollow(), Object: "log_bin",
			What: "the server writes no binlog: the database can be copied, and what is written meanwhile cannot be followed", Do: do,
		})
		return nil
	}
	for _, want := range []struct {
		code        finding.Code
		name, value string
		severity    finding.Severity
		what        string
	}{
		{CodeBinlogFormat, "binlog_format", "ROW", c.againstFollow(), "changes are logged as statements, which a follow cannot apply elsewhere"},
		{CodeBinlogImage, "binlog_row_image", "FULL", c.againstFollow(), "changes are logged with some columns only, from which a follow cannot rebuild rows"},
		{CodeBinlogMetadata, "binlog_row_metadata", "FULL", finding.Warning, "the log names no columns, signs and members, so that a follow must guess them after a change of a table"},
		{CodeBinlogPartial, "binlog_row_value_options", "", c.againstFollow(), "changes of JSON are logged in part, which a follow refuses"},
	} {
		have, known := c.vars[want.name]
		if !known || strings.EqualFold(have, want.value) {
			continue
		}
		value := want.value
		if value == "" {
			value = "''"
		}
		c.add(finding.Finding{
			Code: want.code, Severity: want.severity, Object: want.name, What: want.what,
			Do: c.set(want.name, value, false), Evidence: []string{want.name + " = " + have},
		})
	}
	if mode, known := c.vars["gtid_mode"]; known && !strings.EqualFold(mode, "ON") {
		c.add(finding.Finding{
			Code: CodeGTIDOff, Severity: finding.Warning, Object: "gtid_mode",
			What: "without GTIDs a position holds on this very server only: not on its replicas, and not after a failover",
			Do: "in steps, each on every server of the replication group: SET PERSIST enforce_gtid_consistency = ON; then gtid_mode = OFF_PERMISSIVE, ON_PERMISSIVE, ON" +
				" (on RDS: gtid-mode = ON and enforce_gtid_consistency = ON in the DB parameter group)",
			Evidence: []string{"gtid_mode = " + mode},
		})
	}
	return nil
}

// againstFollow is the severity of what only stands against following the source.
func (c *checkup) againstFollow() finding.Severity {
	if c.e.willFollow {
		return finding.Blocker
	}
	return finding.Warning
}

func on(v string) bool { return v == "1" || strings.EqualFold(v, "ON") }

// managed reports whether this is RDS or Aurora.
func (c *checkup) managed() bool {
	return c.vars["aurora_version"] != "" || strings.Contains(c.vars["basedir"], "rdsdbbin")
}

// binlogFilter looks for databases that the log leaves out. It needs the right that rights checks, and says nothing without it.
func (c *checkup) binlogFilter(ctx context.Context) error {
	if !on(c.vars["log_bin"]) {
		return nil
	}
	rows, err := c.e.db.QueryContext(ctx, c.e.binlogStatement())
	if err != nil {
		if code, _ := serverCode(err); code == errAccessDenied {
			return nil
		}
		return err
	}
	defer rows.Close()
	r, err := rowByName(rows)
	if err != nil {
		return err
	}
	do, ignore := r["Binlog_Do_DB"].String, r["Binlog_Ignore_DB"].String
	if do != "" || ignore != "" {
		c.add(finding.Finding{
			Code: CodeBinlogFilter, Severity: finding.Warning, Object: "binlog_do_db",
			What:     "the binlog leaves databases out, so that changes may be missing from it",
			Do:       "remove binlog_do_db and binlog_ignore_db from my.cnf and restart",
			Evidence: []string{"Binlog_Do_DB = " + do, "Binlog_Ignore_DB = " + ignore},
		})
	}
	return nil
}

// retention checks how long the log is kept. On RDS the parameter is not what decides.
func (c *checkup) retention(context.Context) error {
	if !on(c.vars["log_bin"]) {
		return nil
	}
	if c.managed() {
		c.add(finding.Finding{
			Code: CodeBinlogRetention, Severity: finding.Warning, Object: "binlog retention hours",
			What: "RDS and Aurora delete binlog files as soon as they can unless told otherwise, and show this account no setting",
			Do:   "CALL mysql.rds_set_configuration('binlog retention hours', 168);",
		})
		return nil
	}
	kept := retention(c.vars)
	if kept == 0 || kept >= keptFor {
		return nil
	}
	do := c.set("binlog_expire_logs_seconds", "604800", false)
	if _, ok := c.vars["binlog_expire_logs_seconds"]; !ok {
		do = c.set("expire_logs_days", "7", false)
	}
	c.add(finding.Finding{
		Code: CodeBinlogRetention, Severity: finding.Warning, Object: "binlog_expire_logs_seconds",
		What: fmt.Sprintf("the binlog is kept for %s, which a long copy outlasts", kept), Do: do,
	})
	return nil
}

// retention is how long binlog files live; 0 is for ever.
func retention(vars map[string]string) time.Duration {
	if s, _ := strconv.ParseFloat(vars["binlog_expire_logs_seconds"], 64); s > 0 {
		return time.Duration(s * float64(time.Second))
	}
	days, _ := strconv.ParseFloat(vars["expire_logs_days"], 64)
	return time.Duration(days * 24 * float64(time.Hour))
}

// dialectRight names a right as this server's GRANT shows it.
func (c *checkup) dialectRight(right string) []string {
	if c.e.server.dialect == schema.MariaDB && right == "REPLICATION CLIENT" {
		return []string{"BINLOG MONITOR", right} // its name since 10.5.2
	}
	return []string{right}
}
