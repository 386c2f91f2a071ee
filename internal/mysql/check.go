package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// The codes of what Check finds. A copy alone needs only SELECT, so what a later follow needs is a warning here, unless one is to come.
const (
	CodeVersion          finding.Code = "source-version"
	CodeBinlogOff        finding.Code = "binlog-off"
	CodeBinlogFormat     finding.Code = "binlog-format"
	CodeBinlogImage      finding.Code = "binlog-row-image"
	CodeBinlogMetadata   finding.Code = "binlog-row-metadata"
	CodeBinlogPartial    finding.Code = "binlog-partial-json"
	CodeBinlogFilter     finding.Code = "binlog-filtered"
	CodeBinlogRetention  finding.Code = "binlog-retention"
	CodeGTIDOff          finding.Code = "gtid-mode"
	CodeSQLMode          finding.Code = "sql-mode"
	CodeTimeZone         finding.Code = "time-zone"
	CodeMaxPacket        finding.Code = "max-allowed-packet"
	CodeClockSkew        finding.Code = "clock-skew"
	CodeSelect           finding.Code = "privilege-select"
	CodeReplication      finding.Code = "privilege-replication"
	CodePrepared         finding.Code = "privilege-xa"
	CodeDefinitions      finding.Code = "privilege-definitions"
	CodeNotTransactional finding.Code = "engine-not-transactional"
)

// checkup is one Check at work.
type checkup struct {
	e    *End
	db   *schema.Database
	vars map[string]string
	out  []finding.Finding
}

// Check returns every finding about the server and the account, in a fixed order: account, server, binlog, tables.
func (e *End) Check(ctx context.Context, db *schema.Database) ([]finding.Finding, error) {
	c := &checkup{e: e, db: db}
	var err error
	if c.vars, err = e.variables(ctx, checked...); err != nil {
		return nil, e.explain("read the server's settings", err)
	}
	steps := []func(context.Context) error{
		c.selects, c.rights, c.definitions, c.version, c.clock, c.settings, c.binlog, c.binlogFilter, c.retention, c.engines,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, e.explain("check the source", err)
		}
	}
	return c.out, nil
}

var checked = []string{
	"log_bin", "binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_row_value_options", "binlog_expire_logs_seconds",
	"expire_logs_days", "gtid_mode", "sql_mode", "time_zone", "system_time_zone", "max_allowed_packet", "basedir", "aurora_version",
	"log_slave_updates", "log_replica_updates",
}

func (c *checkup) add(f finding.Finding) {
	if f.Kind == "" {
		f.Kind = finding.Problem
	}
	if f.Owner == "" {
		f.Owner = "dba"
	}
	c.out = append(c.out, f)
}

// set says how to set a parameter, on one's own server and on RDS.
func (c *checkup) set(name, value string, restart bool) string {
	stmt := "SET GLOBAL " + name + " = " + value + "; and the same under [mysqld] in my.cnf"
	switch {
	case restart:
		stmt = name + " = " + value + " under [mysqld] in my.cnf, then restart"
	case c.e.server.atLeast(schema.MySQL, 80000):
		stmt = "SET PERSIST " + name + " = " + value + ";"
	}
	group := "DB parameter group"
	if c.vars["aurora_version"] != "" {
		group = "DB cluster parameter group"
	}
	return fmt.Sprintf("%s (on RDS and Aurora: %s = %s in the %s)", stmt, name, value, group)
}

// clock compares the server's clock with this machine's: what it says about lag and about CURRENT_TIMESTAMP after the move rests on both.
func (c *checkup) clock(ctx context.Context) error {
	const tolerated = 2 * time.Second
	before := time.Now()
	var text string
	if err := c.e.db.QueryRowContext(ctx, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%f')").Scan(&text); err != nil {
		return err
	}
	trip := time.Since(before)
	there, err := time.Parse("2006-01-02T15:04:05.999999", text)
	if err != nil {
		return err
	}
	skew := there.Sub(before.Add(trip / 2))
	if skew.Abs() > tolerated+trip/2 {
		c.add(finding.Finding{
			Code: CodeClockSkew, Severity: finding.Warning, Object: "clock",
			What:     fmt.Sprintf("the source's clock differs from this machine's by %s", skew.Round(time.Millisecond)),
			Do:       "let both follow NTP (chronyc tracking)",
			Evidence: []string{"source " + text + " UTC", "here " + before.UTC().Format("2006-01-02T15:04:05.000000") + " UTC"},
		})
	}
	return nil
}

func (c *checkup) version(context.Context) error {
	s := c.e.server
	c.add(finding.Finding{
		Code: CodeVersion, Severity: finding.Info, Object: "version",
		What: fmt.Sprintf("the source is %s %s", map[schema.Dialect]string{schema.MySQL: "MySQL", schema.MariaDB: "MariaDB"}[s.dialect], s.version),
	})
	return nil
}

func (c *checkup) settings(context.Context) error {
	mode := c.vars["sql_mode"]
	if !strings.Contains(mode, "STRICT_") {
		c.add(finding.Finding{
			Code: CodeSQLMode, Severity: finding.Info, Object: "sql_mode",
			What:     "the server is not strict: it has stored out-of-range and malformed values as something else without an error",
			Do:       "expect the application to rely on that: PostgreSQL refuses such values",
			Evidence: []string{"sql_mode = " + mode}, Owner: "application",
		})
	}
	zone := c.vars["time_zone"]
	if strings.EqualFold(zone, "SYSTEM") {
		zone = c.vars["system_time_zone"]
	}
	if zone != "UTC" && zone != "+00:00" && c.hasDateTime() {
		c.add(finding.Finding{
			Code: CodeTimeZone, Kind: finding.Question, Severity: finding.Info, Object: "time_zone",
			What: fmt.Sprintf("the server's time zone is %s: DATETIME values are moved as they are written, TIMESTAMP values as instants", zone),
			Do:   "make sure that the application on PostgreSQL reads DATETIME columns in the zone in which it wrote them", Owner: "application",
		})
	}
	const enough = 64 << 20
	packet, _ := strconv.ParseInt(c.vars["max_allowed_packet"], 10, 64)
	if packet < enough && c.hasLong() {
		c.add(finding.Finding{
			Code: CodeMaxPacket, Severity: finding.Warning, Object: "max_allowed_packet",
			What:     "a row longer than max_allowed_packet can be neither read nor summed, and columns here may hold such values",
			Do:       c.set("max_allowed_packet", "1073741824", false),
			Evidence: []string{"max_allowed_packet = " + c.vars["max_allowed_packet"]},
		})
	}
	return nil
}

func (c *checkup) hasDateTime() bool {
	return c.has(func(t schema.Type) bool { _, ok := t.(schema.DateTime); return ok })
}

// hasLong reports whether a value may be as long as the packet.
func (c *checkup) hasLong() bool {
	const long = 1 << 24
	return c.has(func(t schema.Type) bool {
		switch t := t.(type) {
		case schema.Text:
			return t.MaxBytes >= long
		case schema.Binary:
			return t.MaxBytes >= long
		case schema.JSON, schema.Geometry:
			return true
		}
		return false
	})
}

func (c *checkup) has(is func(schema.Type) bool) bool {
	for _, t := range c.db.Tables {
		for _, col := range t.Columns {
			if is(col.Type) {
				return true
			}
		}
	}
	return false
}

func (c *checkup) engines(context.Context) error {
	for _, t := range c.db.Tables {
		if transactional(t.Engine) {
			continue
		}
		c.add(finding.Finding{
			Code: CodeNotTransactional, Severity: finding.Warning, Object: string(t.Name),
			What: fmt.Sprintf("%s has no transactions: a copy under writes may read half of a statement, and no snapshot includes the table", t.Engine),
			Do:   fmt.Sprintf("ALTER TABLE %s ENGINE = InnoDB; or stop writes to it while it is copied", quote(t.Name)),
		})
	}
	return nil
}

func transactional(engine string) bool {
	switch strings.ToUpper(engine) {
	case "INNODB", "NDBCLUSTER", "NDB", "ROCKSDB", "TOKUDB", "XTRADB":
		return true
	}
	return false
}

// probe runs a statement for its error alone.
func (c *checkup) probe(ctx context.Context, stmt string) error {
	rows, err := c.e.db.QueryContext(ctx, stmt)
	if err != nil {
		return err
	}
	return errorsOf(rows)
}

func errorsOf(rows *sql.Rows) error {
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
