package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// account makes a user with those rights (DB stands for the database) and returns the database's URL for it.
func account(t *testing.T, s *servertest.Server, dbURL string, grants ...string) (user, asUser string) {
	t.Helper()
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	user = "bascule_" + strings.ToLower(rand.Text()[:10])
	password := rand.Text()
	name := "'" + user + "'@'%'"
	statements := []string{"CREATE USER " + name + " IDENTIFIED BY '" + password + "'"}
	for _, g := range grants {
		statements = append(statements, "GRANT "+strings.ReplaceAll(g, "DB", "`"+strings.TrimPrefix(u.Path, "/")+"`")+" TO "+name)
	}
	s.Exec(t, s.URL, statements...)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		db, err := sql.Open("mysql", servertest.MySQLConfig(t, s.URL).FormatDSN())
		if err == nil {
			defer db.Close()
			_, err = db.ExecContext(context.WithoutCancel(t.Context()), "DROP USER "+name)
		}
		if err != nil {
			t.Errorf("drop user: %v", err)
		}
	})
	u.User = url.UserPassword(user, password)
	return user, u.String()
}

func mustParse(t *testing.T, s string) Config {
	t.Helper()
	c, err := ParseConfig(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const privilegeSchema = "CREATE TABLE parent (id INT PRIMARY KEY, doc JSON, a INT CHECK (a > 0))"

// TestLeastPrivilege does all that a copy does with the three rights that managed servers give.
func TestLeastPrivilege(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		root := open(t, s, privilegeSchema, "CREATE TABLE `ch``ild` (`i d` INT PRIMARY KEY, p INT, `q,``)` INT, KEY (p, `q,``)`), UNIQUE (p),"+
			" CONSTRAINT `f``k` FOREIGN KEY (p) REFERENCES parent (id) ON DELETE SET NULL ON UPDATE CASCADE,"+
			" CONSTRAINT self FOREIGN KEY (`q,``)`) REFERENCES `ch``ild` (p) ON DELETE NO ACTION)",
			"CREATE TABLE part (d INT) PARTITION BY HASH (d) PARTITIONS 2", "CREATE VIEW v AS SELECT 1 AS one", "INSERT INTO parent VALUES (1, '{}', 1)")
		_, as := account(t, s, root.url, "SELECT ON DB.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*")
		src := &source{Server: s, url: root.url, end: openURL(t, as)}
		all, mine := inspect(t, root), inspect(t, src)
		if d := cmp.Diff(all.Tables, mine.Tables); d != "" {
			t.Errorf("tables seen (-root +account):\n%s", d)
		}
		p, err := src.end.Position(t.Context())
		if err != nil || strings.HasPrefix(string(p), "none") {
			t.Fatalf("position %q, %v", p, err)
		}
		sel := selectOf(mine.Table("parent"), "")
		err = src.end.Lane(t.Context(), p, func(ctx context.Context, r change.Reader) error {
			_, err := r.Walk(ctx, sel, nil, 10)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if err := src.end.Snapshot(t.Context(), nil, func(context.Context, change.Reader, change.Position, bool) error { return nil }); err != nil {
			t.Error(err)
		}
		fs, err := src.end.Check(t.Context(), mine)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			if f.Severity == finding.Blocker || f.Code == CodeReplication || f.Code == CodeSelect {
				t.Errorf("finding %+v", f)
			}
		}
	})
}

func find(fs []finding.Finding, code finding.Code) (out []finding.Finding) {
	for _, f := range fs {
		if f.Code == code {
			out = append(out, f)
		}
	}
	return out
}

// TestMissingPrivileges names each missing right with the GRANT that mends it, and the GRANT does.
func TestMissingPrivileges(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		root := open(t, s, privilegeSchema, "CREATE TABLE hidden (id INT)", "CREATE TABLE partly (id INT, secret INT)")
		user, as := account(t, s, root.url, "SELECT ON DB.parent", "SELECT (id) ON DB.partly", "INSERT ON DB.hidden")
		e := openURL(t, as)
		db := inspect(t, &source{Server: s, end: e})
		if db.Table("hidden") == nil || db.Table("partly") == nil {
			t.Fatal("the account does not see its tables")
		}
		// The catalog shows only the columns that the account may read; the plan knows them all.
		db.Tables = inspect(t, root).Tables
		fs, err := e.Check(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		blocked := find(fs, CodeSelect)
		if len(blocked) != 2 || blocked[0].Severity != finding.Blocker || blocked[0].Object != "hidden" {
			t.Fatalf("unreadable tables: %+v", blocked)
		}
		replication := find(fs, CodeReplication)
		if len(replication) != 2 {
			t.Errorf("replication: %+v", replication)
		}
		for _, f := range append(blocked, replication...) {
			if !strings.Contains(f.Do, "GRANT ") || !strings.Contains(f.Do, "'"+user+"'@'%'") {
				t.Errorf("%s says to do %q", f.Code, f.Do)
			}
			s.Exec(t, root.url, strings.TrimSuffix(f.Do, ";"))
		}
		again, err := openURL(t, as).Check(t.Context(), db)
		if left := append(find(again, CodeSelect), find(again, CodeReplication)...); len(left) > 0 || err != nil {
			t.Errorf("after the grants: %+v, %v", left, err)
		}
	})
}

// TestMissingPrivilegesOfXA asks for the rights that prepared transactions need, where somebody uses them.
func TestMissingPrivilegesOfXA(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		root := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY)")
		s.Exec(t, root.url, "XA START '"+root.name(t)+"'", "INSERT INTO a VALUES (1)", "XA END '"+root.name(t)+"'", "XA PREPARE '"+root.name(t)+"'", "XA COMMIT '"+root.name(t)+"'")
		_, as := account(t, s, root.url, "SELECT ON DB.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*")
		db := inspect(t, root)
		fs, err := openURL(t, as).Check(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		missing, want := find(fs, CodePrepared), 2
		if isMariaDB(s) {
			want = 1
		}
		if len(missing) != want {
			t.Errorf("findings %+v", missing)
		}
		for _, f := range missing {
			s.Exec(t, root.url, strings.TrimSuffix(f.Do, ";"))
		}
		e := openURL(t, as)
		if again, err := e.Check(t.Context(), db); err != nil || len(find(again, CodePrepared)) > 0 {
			t.Errorf("after the grants: %+v, %v", find(again, CodePrepared), err)
		}
		err = e.withReader(t.Context(), func(ctx context.Context, r *reader) error {
			_, err := r.twoPhases(ctx)
			return err
		})
		if err != nil {
			t.Errorf("with the grants: %v", err)
		}
	})
}

func TestCheckServer(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE good (id INT)", "CREATE TABLE old (id INT) ENGINE = MyISAM")
		fs, err := src.end.Check(t.Context(), inspect(t, src))
		if err != nil {
			t.Fatal(err)
		}
		if got := find(fs, CodeNotTransactional); len(got) != 1 || got[0].Object != "old" || !strings.Contains(got[0].Do, "ALTER TABLE `old` ENGINE = InnoDB") {
			t.Errorf("engines: %+v", got)
		}
		if len(find(fs, CodeVersion)) != 1 || len(find(fs, CodeClockSkew)) != 0 {
			t.Errorf("findings: %+v", fs)
		}
	})
}

// TestCheckSettings feeds settings that no test server has.
func TestCheckSettings(t *testing.T) {
	good := map[string]string{
		"log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL", "binlog_row_value_options": "",
		"binlog_expire_logs_seconds": "2592000", "gtid_mode": "ON", "sql_mode": "STRICT_TRANS_TABLES", "time_zone": "UTC", "max_allowed_packet": "1073741824",
	}
	long := &schema.Database{Tables: []*schema.Table{{Name: "t", Engine: "InnoDB", Columns: []*schema.Column{
		{Name: "j", Type: schema.JSON{}}, {Name: "d", Type: schema.DateTime{}},
	}}}}
	for reason, c := range map[string]struct {
		set  map[string]string
		want finding.Code
		do   string
	}{
		"nothing to say":      {nil, "", ""},
		"no binlog":           {map[string]string{"log_bin": "OFF"}, CodeBinlogOff, "restart"},
		"no binlog on Aurora": {map[string]string{"log_bin": "OFF", "aurora_version": "3"}, CodeBinlogOff, "DB cluster parameter group"},
		"statements":          {map[string]string{"binlog_format": "MIXED"}, CodeBinlogFormat, "SET PERSIST binlog_format = ROW;"},
		"minimal image":       {map[string]string{"binlog_row_image": "MINIMAL"}, CodeBinlogImage, "parameter group"},
		"minimal metadata":    {map[string]string{"binlog_row_metadata": "MINIMAL"}, CodeBinlogMetadata, "binlog_row_metadata = FULL"},
		"partial JSON":        {map[string]string{"binlog_row_value_options": "PARTIAL_JSON"}, CodeBinlogPartial, "binlog_row_value_options = ''"},
		"short retention":     {map[string]string{"binlog_expire_logs_seconds": "3600"}, CodeBinlogRetention, "604800"},
		"retention on RDS":    {map[string]string{"basedir": "/rdsdbbin/mysql/"}, CodeBinlogRetention, "rds_set_configuration"},
		"no GTIDs":            {map[string]string{"gtid_mode": "OFF"}, CodeGTIDOff, "ON_PERMISSIVE"},
		"not strict":          {map[string]string{"sql_mode": ""}, CodeSQLMode, ""},
		"a zone":              {map[string]string{"time_zone": "SYSTEM", "system_time_zone": "CET"}, CodeTimeZone, ""},
		"small packets":       {map[string]string{"max_allowed_packet": "16777216"}, CodeMaxPacket, "max_allowed_packet"},
	} {
		vars := maps.Clone(good)
		maps.Copy(vars, c.set)
		u := &checkup{e: &End{server: server{dialect: schema.MySQL, number: 80036}}, db: long, vars: vars}
		for _, step := range []func(context.Context) error{u.settings, u.binlog, u.retention} {
			if err := step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if c.want == "" && len(u.out) == 0 {
			continue
		}
		if len(u.out) != 1 || u.out[0].Code != c.want || !strings.Contains(u.out[0].Do, c.do) || u.out[0].Severity == finding.Blocker {
			t.Errorf("%s: %+v", reason, u.out)
		}
	}
}

func TestGrants(t *testing.T) {
	g := grants{}
	for _, line := range []string{
		"GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `u`@`%`", "GRANT SELECT, SHOW VIEW ON `shop\\_%`.* TO `u`@`%`",
		"GRANT ALL PRIVILEGES ON `a``b`.* TO `u`@`%`", "GRANT SELECT ON `x`.`y` TO `u`@`%`", "GRANT `role` TO `u`@`%`",
	} {
		g.add(line)
	}
	for _, c := range []struct {
		db    schema.Name
		right string
		want  bool
	}{
		{"shop_1", "SHOW VIEW", true},
		{"shopx1", "SHOW VIEW", false},
		{"shop_1", "TRIGGER", false},
		{"a`b", "TRIGGER", true},
		{"x", "SELECT", false},
		{"anything", "REPLICATION SLAVE", true},
	} {
		if got := g.has(c.db, c.right); got != c.want {
			t.Errorf("%s on %s: %v", c.right, c.db, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		_, as := account(t, s, src.url)
		tls := s.TLS(t)
		with := func(change func(*Config)) Config {
			c := mustParse(t, src.url)
			change(&c)
			return c
		}
		for reason, c := range map[string]struct {
			cfg  Config
			want fault.Class
			hint string
		}{
			"wrong password":   {with(func(c *Config) { c.Password = fixed("wrong") }), fault.Login, "password"},
			"no such database": {with(func(c *Config) { c.Database = "bascule_no_such" }), fault.Login, "bascule_no_such"},
			"no right to it":   {mustParse(t, as), fault.Privilege, "GRANT SELECT ON"},
			"nobody listens":   {with(func(c *Config) { c.Port = 1 }), fault.Connect, "127.0.0.1:1"},
			"no such host":     {with(func(c *Config) { c.Host = "no-such-host.invalid" }), fault.Connect, "no-such-host.invalid"},
			"unknown CA":       {with(func(c *Config) { c.SSLMode = VerifyCA }), fault.Login, "ssl-ca"},
			"wrong name":       {with(func(c *Config) { c.SSLMode, c.SSLCA, c.Host = VerifyIdentity, tls.CA, "127.0.0.2" }), fault.Login, ""},
			"CA is no file":    {with(func(c *Config) { c.SSLMode, c.SSLCA = VerifyCA, "/nowhere.pem" }), fault.Usage, "ssl-ca"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			e, err := Open(ctx, c.cfg, Options{})
			cancel()
			if err == nil {
				e.Close()
			}
			if reason == "wrong name" && fault.ClassOf(err) == fault.Connect {
				continue // the server listens on 127.0.0.1 alone
			}
			if fault.ClassOf(err) != c.want || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%s: class %s, hint %q: %v", reason, fault.ClassOf(err), fault.HintOf(err), err)
			}
			if err != nil && strings.Contains(err.Error(), "bascule@") {
				t.Errorf("%s: the message holds a password: %v", reason, err)
			}
		}
		for _, mode := range []SSLMode{Disabled, Preferred, Required, VerifyCA, VerifyIdentity} {
			cfg := with(func(c *Config) { c.SSLMode, c.SSLCA, c.SSLCert, c.SSLKey = mode, tls.CA, tls.Cert, tls.Key })
			e, err := Open(t.Context(), cfg, Options{})
			if err != nil {
				t.Errorf("ssl-mode=%s: %v", mode, err)
				continue
			}
			var name, cipher string
			if err := e.db.QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil || (cipher == "") != (mode == Disabled) {
				t.Errorf("ssl-mode=%s: cipher %q, %v", mode, cipher, err)
			}
			if _, err := e.Position(t.Context()); err != nil {
				t.Errorf("ssl-mode=%s: %v", mode, err)
			}
			e.Close()
		}
	})
}
