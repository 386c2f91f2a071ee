package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// The codes of what Check finds.
const (
	CodeVersion     finding.Code = "target-version"
	CodeReadOnly    finding.Code = "target-read-only"
	CodeEncoding    finding.Code = "target-encoding"
	CodeLocale      finding.Code = "target-locale"
	CodePrivilege   finding.Code = "target-privilege"
	CodeNotEmpty    finding.Code = "target-not-empty"
	CodeExtension   finding.Code = "target-extension"
	CodeConnections finding.Code = "target-connections"
	CodeTempFiles   finding.Code = "target-temp-file-limit"
	CodeTLS         finding.Code = "target-tls"
	CodeClock       finding.Code = "target-clock"
	CodeDisk        finding.Code = "target-disk"
	CodeWAL         finding.Code = "target-wal-level"
	CodeMaxWAL      finding.Code = "target-max-wal-size"
	CodeCheckpoint  finding.Code = "target-checkpoint-timeout"
	CodeStandby     finding.Code = "target-synchronous-standby"
)

const (
	oldestVersion = 13 // the oldest with a documented format of everything used here
	newestVersion = 18 // the newest that the tests run on
	// A few lanes, the sums, the listeners, and room for a second process.
	wantedConnections = 20
	// Below, checkpoints follow each other every few seconds while loading, and each makes
	// every page that is touched after it travel whole into the WAL.
	wantedMaxWALMB = 8 << 10
	wantedTimeout  = 15 * time.Minute
	allowedSkew    = 5 * time.Second
)

// facts is what one look at the server brought.
type facts struct {
	version                                 int
	versionText, encoding, collate, ctype   string
	recovery, readOnly, create, schemaThere bool
	schemaCreate, ledgerThere, ledgerUsage  bool
	postgisThere, postgisOffered            bool
	postgisAllowed, icu, tls                bool
	maxConnections, reserved, used          int
	walLevel, standbys                      string
	maxWALMB, checkpointSeconds, tempKB     int64
	databaseBytes                           int64
	skew                                    time.Duration
}

// factsSQL asks everything at once. $1 is the target schema.
const factsSQL = `SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('server_encoding'),
	d.datcollate, d.datctype, pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
	has_database_privilege(d.oid, 'CREATE'), s.oid IS NOT NULL, COALESCE(has_schema_privilege(s.oid, 'USAGE'), false)
		AND COALESCE(has_schema_privilege(s.oid, 'CREATE'), false),
	l.oid IS NOT NULL, COALESCE(has_schema_privilege(l.oid, 'CREATE'), false),
	EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis'),
	EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis'),
	(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
		OR EXISTS (SELECT FROM pg_roles WHERE rolname IN ('cloudsqlsuperuser', 'rds_superuser', 'azure_pg_admin', 'alloydbsuperuser')
			AND pg_has_role(oid, 'MEMBER'))
		OR EXISTS (SELECT FROM pg_available_extension_versions WHERE name = 'postgis' AND trusted) AND has_database_privilege(d.oid, 'CREATE'),
	EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i'),
	COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
	current_setting('max_connections')::int,
	current_setting('superuser_reserved_connections')::int + COALESCE(current_setting('reserved_connections', true)::int, 0),
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int,
	current_setting('wal_level'), current_setting('synchronous_standby_names'),
	(SELECT setting::bigint FROM pg_settings WHERE name = 'max_wal_size'),
	(SELECT setting::bigint FROM pg_settings WHERE name = 'checkpoint_timeout'),
	(SELECT setting::bigint FROM pg_settings WHERE name = 'temp_file_limit'),
	CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) ELSE 0 END, clock_timestamp()
FROM pg_database d LEFT JOIN pg_namespace s ON s.nspname = $1 LEFT JOIN pg_namespace l ON l.nspname = 'bascule'
WHERE d.datname = current_database()`

func (e *End) facts(ctx context.Context) (*facts, error) {
	var f facts
	var clock time.Time
	if err := e.control.Ping(ctx); err != nil { // so that connecting does not count as skew
		return nil, e.fail("connect to "+e.config.Redacted(), err)
	}
	began := time.Now()
	err := e.control.QueryRow(ctx, factsSQL, string(e.schema)).Scan(&f.version, &f.versionText, &f.encoding, &f.collate, &f.ctype,
		&f.recovery, &f.readOnly, &f.create, &f.schemaThere, &f.schemaCreate, &f.ledgerThere, &f.ledgerUsage,
		&f.postgisThere, &f.postgisOffered, &f.postgisAllowed, &f.icu, &f.tls, &f.maxConnections, &f.reserved, &f.used,
		&f.walLevel, &f.standbys, &f.maxWALMB, &f.checkpointSeconds, &f.tempKB, &f.databaseBytes, &clock)
	if err != nil {
		return nil, e.fail("look at "+e.config.Redacted(), err)
	}
	// The server's clock was read somewhere between began and now: only what lies outside is skew.
	if now := time.Now(); clock.Before(began) {
		f.skew = clock.Sub(began)
	} else if clock.After(now) {
		f.skew = clock.Sub(now)
	}
	return &f, nil
}

// Capabilities implements change.Capable.
func (e *End) Capabilities(ctx context.Context) (change.Capabilities, error) {
	f, err := e.facts(ctx)
	if err != nil {
		return change.Capabilities{}, err
	}
	return change.Capabilities{
		Version: f.version, ICU: f.icu,
		PostGIS: f.postgisThere || f.postgisOffered && f.postgisAllowed,
	}, nil
}

// Check implements change.Checker. db is the target as it is planned; nil, when
// there is no plan yet, leaves out what depends on one.
func (e *End) Check(ctx context.Context, db *schema.Database) ([]finding.Finding, error) {
	f, err := e.facts(ctx)
	if err != nil {
		return nil, err
	}
	there, err := e.alreadyThere(ctx, db)
	if err != nil {
		return nil, err
	}
	var out []finding.Finding
	for _, fs := range [][]finding.Finding{
		e.checkServer(f), e.checkPrivileges(f), e.checkEmpty(there), e.checkExtensions(f, db),
		e.checkLimits(f), e.checkWay(f), e.checkDisk(f, db), checkSpeed(f),
	} {
		out = append(out, fs...)
	}
	return out, nil
}

// alreadyThere lists what is there of the plan's names when the ledger has no migration
// into the schema.
func (e *End) alreadyThere(ctx context.Context, db *schema.Database) ([]string, error) {
	if db == nil {
		return nil, nil
	}
	// In this order: a process that begins the same copy at this moment makes tables and ledger in one
	// transaction, so whoever sees its tables then sees its ledger.
	list, err := existing(ctx, e.control, e.schema, e.Render(db))
	if err != nil {
		return nil, e.fail("look for tables that are already there", err)
	}
	if r, err := e.Open(ctx, e.schema); err != nil || r != nil {
		return nil, err
	}
	return list, nil
}

func (e *End) checkServer(f *facts) []finding.Finding {
	var out []finding.Finding
	problem := func(code finding.Code, s finding.Severity, what, do string) {
		out = append(out, finding.Finding{Code: code, Kind: finding.Problem, Severity: s, What: what, Do: do, Owner: "dba"})
	}
	switch major := f.version / 10000; {
	case major < oldestVersion:
		problem(CodeVersion, finding.Blocker, fmt.Sprintf("PostgreSQL %s is older than %d.", f.versionText, oldestVersion),
			fmt.Sprintf("Use PostgreSQL %d to %d as the target.", oldestVersion, newestVersion))
	case major > newestVersion:
		problem(CodeVersion, finding.Warning, fmt.Sprintf("PostgreSQL %s is newer than %d, the newest that was tested.", f.versionText, newestVersion),
			"Look for a newer bascule, and rehearse.")
	}
	switch {
	case f.recovery:
		problem(CodeReadOnly, finding.Blocker, "The target is a replica: it takes no writes.", "Connect to the primary.")
	case f.readOnly:
		problem(CodeReadOnly, finding.Blocker, "The target's transactions are read-only.",
			fmt.Sprintf("ALTER ROLE %s SET default_transaction_read_only = off; and look for the same setting on the database.", quoteText(e.config.user())))
	}
	if f.encoding != "UTF8" {
		problem(CodeEncoding, finding.Blocker, fmt.Sprintf("The target's encoding is %s: it cannot hold every character.", f.encoding),
			fmt.Sprintf("CREATE DATABASE %s ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0; and use that one.", quoteText(e.config.Database()+"_utf8")))
	}
	out = append(out, finding.Finding{
		Code: CodeLocale, Kind: finding.Question, Severity: finding.Info, Object: "lc_collate", Owner: "application",
		What:     fmt.Sprintf("Text columns sort by the target's locale %s; the source compared by its own collations.", f.collate),
		Do:       "Check that the order of text in lists is still what users expect.",
		Evidence: []string{"lc_collate " + f.collate, "lc_ctype " + f.ctype},
	})
	return out
}

func (e *End) checkPrivileges(f *facts) []finding.Finding {
	var out []finding.Finding
	role := quoteText(e.config.user())
	missing := func(object, what, do string) {
		out = append(out, finding.Finding{
			Code: CodePrivilege, Kind: finding.Problem, Severity: finding.Blocker, Object: object, What: what, Do: do, Owner: "dba",
		})
	}
	if !f.create && (!f.schemaThere || !f.ledgerThere) {
		missing("database "+e.config.Database(), "The account may not create schemas; the ledger needs schema bascule.",
			fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s;", quoteText(e.config.Database()), role))
	}
	if f.schemaThere && !f.schemaCreate {
		missing("schema "+string(e.schema), fmt.Sprintf("The account may not create tables in schema %s.", e.schema),
			fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s;", quote(e.schema), role))
	}
	if f.ledgerThere && !f.ledgerUsage {
		missing("schema bascule", "Another role made the ledger and this account may not use it.",
			fmt.Sprintf("Log in as the role that made it, or as its owner: GRANT (owner of schema bascule) TO %s;", role))
	}
	return out
}

func (e *End) checkEmpty(there []string) []finding.Finding {
	if len(there) == 0 {
		return nil
	}
	const most = 10
	return []finding.Finding{{
		Code: CodeNotEmpty, Kind: finding.Problem, Severity: finding.Blocker, Object: "schema " + string(e.schema),
		What: fmt.Sprintf("Schema %s already holds %d relations of the plan's names that bascule did not make: %s.",
			e.schema, len(there), strings.Join(there[:min(most, len(there))], ", ")),
		Do:    "Choose another --schema, exclude these tables, or drop them yourself.",
		Count: int64(len(there)), Owner: "operator",
	}}
}

func (e *End) checkExtensions(f *facts, db *schema.Database) []finding.Finding {
	if db == nil || f.postgisThere || !slices.ContainsFunc(db.Tables, spatial) {
		return nil
	}
	x := finding.Finding{
		Code: CodeExtension, Kind: finding.Problem, Severity: finding.Blocker, Object: "postgis", Owner: "dba",
		What: "The plan has spatial columns and PostGIS is not installed on the target's server.",
		Do:   "Install the server's PostGIS package, then: CREATE EXTENSION postgis WITH SCHEMA public;",
	}
	switch {
	case f.postgisOffered && f.postgisAllowed:
		x.Severity, x.What = finding.Info, "PostGIS is available and will be installed into schema public."
		x.Do = ""
	case f.postgisOffered:
		x.What = "The plan has spatial columns; PostGIS is available, but this account may not install it."
		x.Do = "As a superuser (cloudsqlsuperuser, rds_superuser): CREATE EXTENSION postgis WITH SCHEMA public;"
	}
	return []finding.Finding{x}
}

func spatial(t *schema.Table) bool {
	return slices.ContainsFunc(t.Columns, func(c *schema.Column) bool { _, ok := c.Type.(schema.Geometry); return ok })
}
