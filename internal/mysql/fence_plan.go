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

// bypass are the rights that let an account write although read_only is on.
var bypass = []string{"SUPER", "CONNECTION_ADMIN", "READ_ONLY ADMIN"}

// PlanFence finds out how to keep users from writing. A user is a name, or name@host; all accounts of a name are fenced together, since
// the server's list of sessions does not tell which of them a session belongs to. It reads only.
func (e *End) PlanFence(ctx context.Context, _ *change.Record, o change.FenceOrder) (change.FencePlan, error) {
	var p change.FencePlan
	err := e.withReader(ctx, func(ctx context.Context, r *reader) error {
		return e.planFence(ctx, r, o, &p)
	})
	if err != nil {
		return change.FencePlan{}, e.explain("plan the fence of "+e.cfg.label(), err)
	}
	return p, nil
}

func (e *End) planFence(ctx context.Context, r *reader, o change.FenceOrder, p *change.FencePlan) error {
	c := &checkup{e: e}
	mine, err := c.granted(ctx)
	if err != nil {
		return err
	}
	if !mine.hasAny("*.*", "PROCESS") {
		return fault.New(fault.Privilege, "see the sessions of others", fmt.Errorf("the account lacks PROCESS"), e.grant("PROCESS", "*.*", ""))
	}
	if err := e.mustSee(ctx, "see the events", "EVENT"); err != nil {
		return err
	}
	if p.Accounts, err = e.fencedAccounts(ctx, r, o.Users); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *reader, *change.FencePlan) error{e.planWriters, e.planSessions, e.planEvents, e.planUpstream, e.planPrepared} {
		if err := step(ctx, r, p); err != nil {
			return err
		}
	}
	return e.chooseFence(ctx, r, mine, o.Kind, p)
}

// accounts lists the server's accounts as user@host.
func (e *End) accounts(ctx context.Context, r *reader) ([]string, error) {
	rows, err := r.rows(ctx, "SELECT User, Host FROM mysql.user ORDER BY 1, 2")
	if code, _ := serverCode(err); code == 1142 || code == 1044 {
		return nil, fault.New(fault.Privilege, "see which accounts there are", err, e.grant("SELECT", "mysql.*", ""))
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range rows {
		out = append(out, v[0]+"@"+v[1])
	}
	return out, nil
}

// splitAccount parts user@host; a role of MariaDB has no host.
func splitAccount(account string) (user, host string) {
	if i := strings.LastIndexByte(account, '@'); i >= 0 {
		return account[:i], account[i+1:]
	}
	return account, ""
}

func userOf(account string) string {
	user, _ := splitAccount(account)
	return user
}

// fencedAccounts finds the accounts of the users, and refuses bascule's own.
func (e *End) fencedAccounts(ctx context.Context, r *reader, users []string) ([]string, error) {
	all, err := e.accounts(ctx, r)
	if err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, fault.New(fault.Usage, "plan the fence", fmt.Errorf("no user of the application is named"), "name the users that the application logs in as")
	}
	own := userOf(e.server.user)
	var out []string
	for _, u := range users {
		name := userOf(u)
		if name == own || name == e.cfg.User {
			return nil, fault.New(fault.Refused, "plan the fence", fmt.Errorf("the application and bascule share the account %q: whatever stops one stops the other", name),
				"give bascule an account of its own")
		}
		var found bool
		for _, a := range all {
			if userOf(a) == name && !slices.Contains(out, a) {
				out = append(out, a)
			}
			found = found || a == u || name == u && userOf(a) == name
		}
		if !found {
			return nil, fault.New(fault.Usage, "plan the fence", fmt.Errorf("the server has no account %q", u), "SELECT user, host FROM mysql.user lists them")
		}
	}
	return out, nil
}

// planWriters lists who else may write to the database, directly; rights that come by roles are not resolved.
func (e *End) planWriters(ctx context.Context, r *reader, p *change.FencePlan) error {
	writes := "'Y' IN (Insert_priv, Update_priv, Delete_priv, Drop_priv)"
	db := quoteString(string(e.cfg.Database))
	rows, err := r.rows(ctx, "SELECT User, Host FROM mysql.user WHERE "+writes+
		" UNION SELECT User, Host FROM mysql.db WHERE "+writes+" AND "+db+" LIKE CONVERT(Db USING utf8mb4)"+
		" UNION SELECT User, Host FROM mysql.tables_priv WHERE CONVERT(Db USING utf8mb4) = "+db+" AND Table_priv REGEXP 'Insert|Update|Delete|Drop' ORDER BY 1, 2")
	if err != nil {
		return fmt.Errorf("list who may write: %w", err)
	}
	for _, v := range rows {
		a := v[0] + "@" + v[1]
		if userOf(a) != userOf(e.server.user) && !systemAccount(v[0]) && !slices.Contains(p.Accounts, a) {
			p.Writers = append(p.Writers, a)
		}
	}
	return nil
}

// systemAccount reports whether a server made the account for itself; nobody can log in as one.
func systemAccount(user string) bool {
	return user == "mysql.sys" || user == "mysql.session" || user == "mysql.infoschema" || user == "mariadb.sys"
}

func (e *End) planSessions(ctx context.Context, r *reader, p *change.FencePlan) error {
	rows, err := r.rows(ctx, "SELECT DISTINCT USER, SUBSTRING_INDEX(HOST, ':', 1) FROM information_schema.PROCESSLIST WHERE DB = "+quoteString(string(e.cfg.Database))+
		" AND USER <> "+quoteString(userOf(e.server.user))+" ORDER BY 1, 2")
	for _, v := range rows {
		if !slices.ContainsFunc(p.Accounts, func(a string) bool { return userOf(a) == v[0] }) {
			p.Sessions = append(p.Sessions, v[0]+"@"+v[1])
		}
	}
	return err
}

func (e *End) planEvents(ctx context.Context, r *reader, p *change.FencePlan) error {
	events, err := r.enabledEvents(ctx, e.cfg.Database)
	for _, d := range events {
		p.Events = append(p.Events, d.name)
	}
	return err
}

// planUpstream looks whether the server replicates from another one.
func (e *End) planUpstream(ctx context.Context, r *reader, p *change.FencePlan) error {
	stmt := "SHOW SLAVE STATUS"
	switch {
	case e.server.atLeast(schema.MariaDB, 100501):
		stmt = "SHOW ALL SLAVES STATUS"
	case e.server.atLeast(schema.MySQL, 80022):
		stmt = "SHOW REPLICA STATUS"
	}
	rows, err := r.rows(ctx, stmt)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		p.Replicates = "yes"
		p.Leaks = append(p.Leaks, "the server replicates from another one, and what is written there arrives here: fence that one, or stop the replication")
	}
	return nil
}

// prepared lists XA transactions that are prepared and not ended.
func (e *End) prepared(ctx context.Context, r *reader) ([]string, error) {
	rows, err := r.rows(ctx, "XA RECOVER")
	if code, _ := serverCode(err); code == 1401 || code == 1227 {
		return nil, fault.New(fault.Privilege, "see prepared XA transactions", err, e.grant("XA_RECOVER_ADMIN", "*.*", ""))
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range rows {
		out = append(out, v[len(v)-1])
	}
	return out, nil
}

func (e *End) planPrepared(ctx context.Context, r *reader, p *change.FencePlan) (err error) {
	p.Prepared, err = e.prepared(ctx, r)
	return err
}

// chooseFence says which fences are possible and takes the one that is asked for, else the first: a lock of the accounts lasts as long as
// the application lives on the other side, whatever happens to the server.
func (e *End) chooseFence(ctx context.Context, r *reader, mine grants, kind change.FenceKind, p *change.FencePlan) error {
	const op = "plan the fence"
	kills := mine.hasAny("*.*", "CONNECTION_ADMIN", "CONNECTION ADMIN", "SUPER")
	locks := mine.hasAny("*.*", "CREATE USER") && (e.server.atLeast(schema.MySQL, 50706) || e.server.atLeast(schema.MariaDB, 100402))
	if locks && (kills || e.hasRDSKill(ctx, r)) {
		p.Possible = append(p.Possible, change.FenceLock)
	}
	against, err := e.againstReadOnly(ctx, r, mine, p.Accounts)
	if err != nil {
		return err
	}
	if against == "" {
		p.Possible = append(p.Possible, change.FenceReadOnly)
	}
	switch {
	case len(p.Possible) == 0:
		rights := "CREATE USER, CONNECTION_ADMIN"
		switch {
		case e.server.atLeast(schema.MariaDB, 100502):
			rights = "CREATE USER, CONNECTION ADMIN"
		case !e.server.atLeast(schema.MySQL, 80000):
			rights = "CREATE USER, SUPER"
		}
		return fault.New(fault.Privilege, op, fmt.Errorf("the account may not lock accounts and end their sessions, and %s", against), e.grant(rights, "*.*", ""))
	case kind == change.FenceReadOnly && against != "":
		return fault.New(fault.Refused, op, errors.New(against), "use the account lock")
	case kind != "" && !slices.Contains(p.Possible, kind):
		return fault.New(fault.Refused, op, fmt.Errorf("no fence of kind %q can be raised here", kind), fmt.Sprintf("possible here: %v", p.Possible))
	}
	if p.Kind = kind; kind == "" {
		p.Kind = p.Possible[0]
	}
	if p.Kind == change.FenceReadOnly {
		p.Leaks = append(p.Leaks, "a restart of the server lifts read_only, unless its configuration sets it")
	} else if len(p.Writers) > 0 {
		p.Leaks = append(p.Leaks, "these accounts may write and are not fenced: "+strings.Join(p.Writers, ", "))
	}
	return nil
}

// againstReadOnly says why read_only cannot be the fence, or nothing.
func (e *End) againstReadOnly(ctx context.Context, r *reader, mine grants, accounts []string) (string, error) {
	sets := mine.hasAny("*.*", "SYSTEM_VARIABLES_ADMIN") && mine.hasAny("*.*", "CONNECTION_ADMIN") || mine.hasAny("*.*", "READ_ONLY ADMIN")
	if !e.server.atLeast(schema.MariaDB, 101100) {
		sets = sets || mine.hasAny("*.*", "SUPER")
	}
	if !sets {
		return "the account may not set read_only", nil
	}
	bypassed, err := e.bypassing(ctx, r, accounts)
	if err != nil {
		return "", err
	}
	if len(bypassed) > 0 {
		return fmt.Sprintf("read_only would not stop %s, which may write in spite of it", strings.Join(bypassed, ", ")), nil
	}
	others, err := r.rows(ctx, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys', "+
		quoteString(string(e.ledgerName))+", "+quoteString(string(e.cfg.Database))+") LIMIT 1")
	if err != nil {
		return "", err
	}
	if len(others) > 0 {
		return "read_only would stop the server's other databases too, such as " + others[0][0], nil
	}
	return "", nil
}

// bypassing lists those accounts that may write in spite of read_only.
func (e *End) bypassing(ctx context.Context, r *reader, accounts []string) ([]string, error) {
	var out []string
	for _, a := range accounts {
		rows, err := r.rows(ctx, "SHOW GRANTS FOR "+accountSQL(a))
		if err != nil {
			return nil, err
		}
		g := grants{}
		for _, v := range rows {
			g.add(v[0])
		}
		if g.hasAny("*.*", bypass...) {
			out = append(out, a)
		}
	}
	return out, nil
}

// hasRDSKill reports whether the server has Amazon's procedure for ending sessions.
func (e *End) hasRDSKill(ctx context.Context, r *reader) bool {
	rows, err := r.rows(ctx, "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'mysql' AND ROUTINE_NAME = 'rds_kill'")
	return err == nil && len(rows) > 0
}

// accountSQL writes user@host as statements about accounts take it.
func accountSQL(account string) string {
	user, host := splitAccount(account)
	return quote(schema.Name(user)) + "@" + quote(schema.Name(host))
}
