package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// errAccessDenied is ER_SPECIFIC_ACCESS_DENIED_ERROR: a global right is missing.
const errAccessDenied = 1227

// selects proves that every table can be read, column by column, by having the server open it and return nothing.
func (c *checkup) selects(ctx context.Context) error {
	for _, t := range c.db.Tables {
		err := c.probe(ctx, "SELECT "+quoteAll(t.Columns)+" FROM "+quote(t.Name)+" LIMIT 0")
		if err == nil {
			continue
		}
		class, hint := fault.Internal, ""
		if code, msg := serverCode(err); code != 0 {
			class, hint = c.e.explainCode(code, msg)
		}
		if class != fault.Privilege {
			return fmt.Errorf("open table %q: %w", t.Name, err)
		}
		c.add(finding.Finding{
			Code: CodeSelect, Severity: finding.Blocker, Object: string(t.Name),
			What: "the account may not read this table", Do: hint, Evidence: []string{err.Error()},
		})
	}
	return nil
}

// rights looks for what a follow needs: the server's log, and where it stands.
func (c *checkup) rights(ctx context.Context) error {
	granted, err := c.granted(ctx)
	if err != nil {
		return err
	}
	for _, right := range []string{"REPLICATION SLAVE", "REPLICATION CLIENT"} {
		if granted.hasAny("*.*", c.dialectRight(right)...) {
			continue
		}
		c.add(finding.Finding{
			Code: CodeReplication, Severity: c.againstFollow(), Object: right,
			What: "the account lacks " + right + ": the database can be copied, and what is written meanwhile cannot be followed",
			Do:   c.e.grant(right, "*.*", ""),
		})
	}
	return c.prepared(ctx, granted)
}

// prepared looks whether an exact snapshot could tell which XA transactions are on their way (see twoPhases), where there are any.
func (c *checkup) prepared(ctx context.Context, granted grants) error {
	counted, err := c.e.pairs(ctx, "SHOW GLOBAL STATUS WHERE Variable_name = 'Com_xa_commit'")
	if n := counted["com_xa_commit"]; err != nil || n == "" || n == "0" {
		return err
	}
	need := []string{"PROCESS"}
	if c.e.server.atLeast(schema.MySQL, 80000) {
		need = append(need, "XA_RECOVER_ADMIN")
	}
	for _, right := range need {
		if granted.hasAny("*.*", right) {
			continue
		}
		c.add(finding.Finding{
			Code: CodePrepared, Severity: finding.Warning, Object: right,
			What: "somebody uses XA transactions here, and the account lacks " + right + ": tables that are followed and need an exact snapshot (without a key, or with cascades that the log does not show) may not be copied while one is prepared",
			Do:   c.e.grant(right, "*.*", ""),
		})
	}
	return nil
}

// definitions says what the account cannot see of views, triggers, routines and events.
func (c *checkup) definitions(ctx context.Context) error {
	granted, err := c.granted(ctx)
	if err != nil {
		return err
	}
	db := quote(c.e.cfg.Database)
	for _, need := range []struct{ right, what string }{
		{"SHOW VIEW", "definitions of views"}, {"TRIGGER", "triggers"}, {"EVENT", "events"},
	} {
		if granted.has(c.e.cfg.Database, need.right) {
			continue
		}
		c.add(finding.Finding{
			Code: CodeDefinitions, Severity: finding.Info, Object: need.right,
			What: fmt.Sprintf("the account lacks %s: %s may exist that are not reported", need.right, need.what),
			Do:   c.e.grant(need.right, db+".*", ""),
		})
	}
	routines := []string{"SHOW_ROUTINE", "SELECT"} // SHOW_ROUTINE since 8.0.20; SELECT on everything shows them too
	if c.e.server.dialect == schema.MariaDB || c.e.server.number < 80020 {
		routines = []string{"SELECT"}
	}
	if !granted.hasAny("*.*", routines...) && !granted.has("mysql", "SELECT") {
		do := c.e.grant(routines[0], "*.*", "")
		if routines[0] == "SELECT" {
			do = c.e.grant("SELECT", "mysql.proc", "")
		}
		c.add(finding.Finding{
			Code: CodeDefinitions, Severity: finding.Info, Object: "routines",
			What: "the account cannot see routines that others defined: procedures and functions may exist that are not reported", Do: do,
		})
	}
	return nil
}

// grants are rights by what they are on: *.*, or a pattern of databases. Rights on tables and columns do not matter here.
type grants map[string][]string

// granted reads SHOW GRANTS, with the roles that are active.
func (c *checkup) granted(ctx context.Context) (grants, error) {
	stmt := "SHOW GRANTS"
	if c.e.server.atLeast(schema.MySQL, 80000) {
		var roles sql.NullString
		if err := c.e.db.QueryRowContext(ctx, "SELECT CURRENT_ROLE()").Scan(&roles); err != nil {
			return nil, err
		}
		if roles.Valid && roles.String != "" && roles.String != "NONE" {
			stmt += " FOR CURRENT_USER() USING " + roles.String
		}
	}
	rows, err := c.e.db.QueryContext(ctx, stmt)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	g := grants{}
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		g.add(line)
	}
	return g, rows.Err()
}

// add reads GRANT SELECT, SHOW VIEW ON `shop`.* TO ... Lines that grant roles have no ON.
func (g grants) add(line string) {
	rest, ok := strings.CutPrefix(line, "GRANT ")
	if !ok {
		return
	}
	rights, rest, ok := strings.Cut(rest, " ON ")
	if !ok {
		return
	}
	on, _, _ := strings.Cut(rest, " TO ")
	if on != "*.*" {
		var table bool
		if on, table = strings.CutSuffix(on, ".*"); !table {
			return
		}
		on = strings.ReplaceAll(strings.Trim(on, "`"), "``", "`")
	}
	for right := range strings.SplitSeq(rights, ",") { // MySQL writes no space between those that it calls dynamic
		g[on] = append(g[on], strings.TrimSpace(right))
	}
}

func (g grants) hasAny(on string, rights ...string) bool {
	for _, r := range rights {
		if slices.Contains(g[on], r) || slices.Contains(g[on], "ALL PRIVILEGES") {
			return true
		}
	}
	return false
}

// has reports whether a right is held on a whole database, directly, through a pattern or everywhere.
func (g grants) has(db schema.Name, right string) bool {
	for on := range g {
		if (on == "*.*" || like(on, string(db))) && g.hasAny(on, right) {
			return true
		}
	}
	return false
}

// like matches the patterns of GRANT: % is any text, _ any character, \ takes either literally.
func like(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	switch pattern[0] {
	case '%':
		for i := 0; i <= len(s); i++ {
			if like(pattern[1:], s[i:]) {
				return true
			}
		}
		return false
	case '_':
		return s != "" && like(pattern[1:], s[1:])
	case '\\':
		if len(pattern) > 1 {
			pattern = pattern[1:]
		}
	}
	return s != "" && s[0] == pattern[0] && like(pattern[1:], s[1:])
}
