package postgres

import (
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

func (e *End) checkLimits(f *facts) []finding.Finding {
	var out []finding.Finding
	if free := f.maxConnections - f.reserved - f.used; free < wantedConnections {
		out = append(out, finding.Finding{
			Code: CodeConnections, Kind: finding.Problem, Severity: finding.Warning, Object: "max_connections", Owner: "dba",
			What:     fmt.Sprintf("Only %d connections are free.", max(free, 0)),
			Do:       setting("max_connections", fmt.Sprint(f.maxConnections+wantedConnections), fmt.Sprint(f.maxConnections+wantedConnections)) + " It needs a restart. Or use fewer --lanes.",
			Evidence: []string{fmt.Sprintf("max_connections %d, reserved %d, in use %d", f.maxConnections, f.reserved, f.used)},
		})
	}
	if f.tempKB >= 0 {
		out = append(out, finding.Finding{
			Code: CodeTempFiles, Kind: finding.Problem, Severity: finding.Warning, Object: "temp_file_limit", Owner: "dba",
			What:     "Index builds of large tables may exceed the limit of temporary files.",
			Do:       setting("temp_file_limit", "-1", "-1"),
			Evidence: []string{fmt.Sprintf("temp_file_limit %d kB", f.tempKB)},
		})
	}
	return out
}

// checkWay looks at the connection itself, and at what the way back will need.
func (e *End) checkWay(f *facts) []finding.Finding {
	var out []finding.Finding
	if !f.tls && !isLoopbackOrSocket(e.config.pool.ConnConfig.Host) {
		out = append(out, finding.Finding{
			Code: CodeTLS, Kind: finding.Problem, Severity: finding.Warning, Object: "sslmode", Owner: "operator",
			What: "Data and password travel to the target without TLS.",
			Do:   "Add sslmode=verify-full&sslrootcert=FILE to the target's connection string.",
		})
	}
	if f.skew.Abs() > allowedSkew {
		out = append(out, finding.Finding{
			Code: CodeClock, Kind: finding.Problem, Severity: finding.Warning, Object: "clock", Owner: "dba",
			What:     fmt.Sprintf("The target's clock differs from this machine's by %s.", f.skew.Round(time.Second)),
			Do:       "Synchronise both by NTP: defaults and tokens that depend on the time will otherwise disagree.",
			Evidence: []string{f.skew.String()},
		})
	}
	if f.walLevel != "logical" {
		out = append(out, finding.Finding{
			Code: CodeWAL, Kind: finding.Opportunity, Severity: finding.Info, Object: "wal_level", Owner: "dba",
			What:     "A copy does not need it, but the way back to the source reads the target's logical log.",
			Do:       "ALTER SYSTEM SET wal_level = 'logical'; then restart. Cloud SQL: --database-flags=cloudsql.logical_decoding=on. RDS: rds.logical_replication = 1.",
			Evidence: []string{"wal_level " + f.walLevel},
		})
	}
	return out
}

// indexShare is how much indexes and page overhead add to the data: about half
// again on ordinary schemas; the WAL comes on top, bounded by max_wal_size.
const indexShare = 0.6

func (e *End) checkDisk(f *facts, db *schema.Database) []finding.Finding {
	if db == nil {
		return nil
	}
	var data int64
	for _, t := range db.Tables {
		data += t.Bytes
	}
	rows := int64(float64(data) * (1 + indexShare))
	return []finding.Finding{{
		Code: CodeDisk, Kind: finding.Question, Severity: finding.Info, Object: "disk", Owner: "dba",
		What: fmt.Sprintf("The copy needs about %s for rows and indexes and, while it loads, up to %s for the log (twice max_wal_size); SQL cannot tell how much is free.",
			gigabytes(rows), gigabytes(2*f.maxWALMB<<20)),
		Do: "Check the disk's size, or switch on its automatic growth (Cloud SQL: --storage-auto-increase).",
		Evidence: []string{
			"data on the source " + gigabytes(data), "target database now " + gigabytes(f.databaseBytes),
			fmt.Sprintf("max_wal_size %d MB", f.maxWALMB),
		},
	}}
}

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }

// checkSpeed names server settings that make a copy slower than it need be.
func checkSpeed(f *facts) []finding.Finding {
	var out []finding.Finding
	opportunity := func(code finding.Code, object, what, do, evidence string) {
		out = append(out, finding.Finding{
			Code: code, Kind: finding.Opportunity, Severity: finding.Info, Object: object, What: what, Do: do,
			Evidence: []string{evidence}, Owner: "dba",
		})
	}
	if f.maxWALMB < wantedMaxWALMB {
		opportunity(CodeMaxWAL, "max_wal_size", "Checkpoints will follow each other while loading.",
			setting("max_wal_size", "'16GB'", "16384")+" SELECT pg_reload_conf(); no restart. Put it back afterwards.",
			fmt.Sprintf("max_wal_size %d MB", f.maxWALMB))
	}
	if t := time.Duration(f.checkpointSeconds) * time.Second; t < wantedTimeout {
		opportunity(CodeCheckpoint, "checkpoint_timeout", "Checkpoints are timed more often than a copy needs.",
			setting("checkpoint_timeout", "'30min'", "1800")+" SELECT pg_reload_conf(); no restart. Put it back afterwards.",
			"checkpoint_timeout "+t.String())
	}
	if f.standbys != "" {
		opportunity(CodeStandby, "synchronous_standby_names", "Keys and indexes wait for a synchronous standby at their commits; loading does not.",
			setting("synchronous_standby_names", "''", "")+" while the copy runs, if you can do without the standby.",
			"synchronous_standby_names "+f.standbys)
	}
	return out
}

// setting writes how a server parameter is changed, on one's own server and on Cloud SQL.
func setting(name, value, flag string) string {
	s := fmt.Sprintf("ALTER SYSTEM SET %s = %s;", name, value)
	if flag != "" {
		s += fmt.Sprintf(" (Cloud SQL: --database-flags=%s=%s)", name, flag)
	}
	return s
}
