package wire_test

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/mysql/wire"
)

// account makes a user that logs in by a method, and removes it after the test.
func (sv server) account(t *testing.T, admin *wire.Conn, user, identified string) {
	t.Helper()
	exec(t, admin, "DROP USER IF EXISTS "+user, "CREATE USER "+user+" "+identified)
	t.Cleanup(func() {
		if _, err := admin.Exec(context.WithoutCancel(t.Context()), "DROP USER IF EXISTS "+user); err != nil {
			t.Error(err)
		}
	})
}

func TestEveryLoginMethod(t *testing.T) {
	const long = "pä55 'wörd' with 70 bytes and more, so that it fills more than one hash block ✓"
	methods := map[string][]struct{ name, password, identified string }{
		"mysql": {
			{"caching_sha2_password", long, "IDENTIFIED WITH caching_sha2_password BY '" + strings.ReplaceAll(long, "'", "''") + "'"},
			{"caching_sha2_password", "", "IDENTIFIED WITH caching_sha2_password BY ''"},
			{"sha256_password", "secret", "IDENTIFIED WITH sha256_password BY 'secret'"},
		},
		"mariadb": {
			{"mysql_native_password", long, "IDENTIFIED VIA mysql_native_password USING PASSWORD('" + strings.ReplaceAll(long, "'", "''") + "')"},
			{"mysql_native_password", "", "IDENTIFIED BY ''"},
			{"ed25519", long, "IDENTIFIED VIA ed25519 USING PASSWORD('" + strings.ReplaceAll(long, "'", "''") + "')"},
		},
	}
	each(t, func(t *testing.T, sv server) {
		admin := connect(t, sv.config())
		for i, m := range methods[sv.name] {
			if one(t, admin, "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name='"+m.name+"'") == "0" {
				t.Errorf("%s: the server of the bench has no such plugin", m.name)
				continue
			}
			user := fmt.Sprintf("wire_login_%d_%d", os.Getpid(), i)
			sv.account(t, admin, user, m.identified)
			for _, mode := range []wire.TLSMode{wire.TLSDisabled, wire.TLSRequired} {
				for _, comp := range []wire.Compression{wire.CompressionNone, wire.CompressionZlib, wire.CompressionZstd} {
					t.Run(fmt.Sprintf("%s %d bytes tls %d %v", m.name, len(m.password), mode, comp), func(t *testing.T) {
						// Empty the server's cache, so that the first login is the full one and the second the fast one.
						exec(t, admin, "FLUSH PRIVILEGES")
						cfg := sv.config()
						cfg.User, cfg.Password, cfg.TLSMode, cfg.TLS, cfg.Compression = user, fixed(m.password), mode, insecure, comp
						for range 2 {
							c := connect(t, cfg)
							if got := one(t, c, "SELECT CURRENT_USER()"); got != user+"@%" {
								t.Errorf("logged in as %q", got)
							}
							checkCipher(t, c, mode == wire.TLSRequired)
							if want := comp; c.Compression() != want && (sv.name != "mariadb" || want != wire.CompressionZstd) {
								t.Errorf("compression %v", c.Compression())
							}
						}
						cfg.Password = fixed(m.password + "x")
						refused(t, cfg, 1045)
					})
				}
			}
		}
	})
}

func checkCipher(t *testing.T, c *wire.Conn, encrypted bool) {
	t.Helper()
	if cipher := one(t, c, "SHOW SESSION STATUS LIKE 'Ssl_cipher'"); (cipher != "") != encrypted || c.TLS() != encrypted {
		t.Errorf("cipher %q, TLS() %v, want encryption: %v", cipher, c.TLS(), encrypted)
	}
}

// refused fails unless the server refuses with code.
func refused(t *testing.T, cfg wire.Config, code uint16) {
	t.Helper()
	c, err := wire.Connect(t.Context(), cfg)
	if err == nil {
		c.Close()
	}
	var server *wire.ServerError
	var conn *wire.ConnError
	if !errors.As(err, &server) || server.Code != code || !errors.As(err, &conn) || conn.Hint == "" || !conn.SafeToRetry() {
		t.Errorf("error %v, want server error %d with a hint", err, code)
	}
}

func TestGivenPublicKeyReplacesAskingForIt(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		if sv.name != "mysql" {
			t.Skip("MariaDB 10.11 has no method that uses it")
		}
		admin := connect(t, sv.config())
		for method, variable := range map[string]string{"caching_sha2_password": "Caching_sha2_password_rsa_public_key", "sha256_password": "Rsa_public_key"} {
			block, _ := pem.Decode([]byte(one(t, admin, "SHOW STATUS LIKE '"+variable+"'")))
			if block == nil {
				t.Fatalf("no key in %s", variable)
			}
			key, err := x509.ParsePKIXPublicKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			user := "wire_key_" + strconv.Itoa(os.Getpid())
			sv.account(t, admin, user, "IDENTIFIED WITH "+method+" BY 'secret'")
			cfg := sv.config()
			cfg.User, cfg.Password, cfg.ServerPublicKey = user, fixed("secret"), key.(*rsa.PublicKey)
			connect(t, cfg)
			// A wrong key proves that the given one is what is used.
			exec(t, admin, "FLUSH PRIVILEGES")
			wrong := *cfg.ServerPublicKey
			wrong.E = 3
			cfg.ServerPublicKey = &wrong
			if c, err := wire.Connect(t.Context(), cfg); err == nil {
				c.Close()
				t.Errorf("%s: logged in with a wrong key", method)
			}
		}
	})
}

func TestRefusalsSayWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		cfg := sv.config()
		cfg.Database = "no_such_database"
		refused(t, cfg, 1049)

		cfg = sv.config()
		cfg.TLSMode, cfg.TLS = wire.TLSRequired, &tls.Config{RootCAs: x509.NewCertPool()}
		_, err := wire.Connect(t.Context(), cfg)
		var unknown x509.UnknownAuthorityError
		var host x509.HostnameError
		if !errors.As(err, &unknown) && !errors.As(err, &host) {
			t.Errorf("certificate of an unknown authority: %v", err)
		}

		cfg = sv.config()
		cfg.Password = func(context.Context) (string, error) { return "", errors.New("token expired") }
		if _, err := wire.Connect(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "token expired") {
			t.Errorf("password function failed: %v", err)
		}
		if sv.name == "mariadb" {
			admin := connect(t, sv.config())
			user := "wire_old_" + strconv.Itoa(os.Getpid())
			sv.account(t, admin, user, "IDENTIFIED VIA mysql_old_password USING '0123456789abcdef'")
			cfg := sv.config()
			cfg.User = user
			if _, err := wire.Connect(t.Context(), cfg); err == nil {
				t.Error("an account with a password of MySQL 4.0 logged in")
			}
		}
	})
}

func TestConfigIsValidated(t *testing.T) {
	ok := wire.Config{Address: "127.0.0.1:1"}
	tests := map[string]func(*wire.Config){
		"no address":         func(c *wire.Config) { c.Address = "" },
		"network":            func(c *wire.Config) { c.Network = "udp" },
		"TLS without trust":  func(c *wire.Config) { c.TLSMode = wire.TLSRequired },
		"packet too small":   func(c *wire.Config) { c.MaxAllowedPacket = 100 },
		"unknown algorithm":  func(c *wire.Config) { c.Compression = 9 },
		"attributes too big": func(c *wire.Config) { c.Attributes = [][2]string{{"a", strings.Repeat("x", 70_000)}} },
	}
	if err := ok.WithDefaults().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range tests {
		c := ok.WithDefaults()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestServerIsDescribed(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		c := connect(t, sv.config())
		if got := one(t, c, "SELECT CONNECTION_ID()"); got != strconv.Itoa(int(c.ConnectionID())) {
			t.Errorf("connection id %d, the server says %s", c.ConnectionID(), got)
		}
		if c.IsMariaDB() != (sv.name == "mariadb") || !strings.Contains(c.ServerVersion(), one(t, c, "SELECT SUBSTRING_INDEX(VERSION(), '-', 1)")) {
			t.Errorf("version %q, MariaDB: %v", c.ServerVersion(), c.IsMariaDB())
		}
		if !c.Capabilities().Has(wire.CapDeprecateEOF) || c.Status()&wire.StatusAutocommit == 0 {
			t.Errorf("capabilities %#x, status %#x", c.Capabilities(), c.Status())
		}
		exec(t, c, "BEGIN")
		if c.Status()&wire.StatusInTransaction == 0 {
			t.Error("a transaction does not show in the status")
		}
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestColumnsAreDescribed(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		cfg := sv.config()
		cfg.Database = sv.database(t)
		c := connect(t, cfg)
		exec(t, c, "CREATE TABLE base (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, d DECIMAL(12,3), b VARBINARY(9), j JSON)")
		if sv.name == "mariadb" {
			exec(t, c, "ALTER TABLE base ADD u UUID")
		}
		rows, err := c.Query(t.Context(), "SELECT a.id AS alias, a.d, a.b, a.j"+map[string]string{"mariadb": ", a.u"}[sv.name]+" FROM base a")
		if err != nil {
			t.Fatal(err)
		}
		cols := rows.Columns()
		if err := rows.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := cols[0]
		if id.Schema != cfg.Database || id.Table != "a" || id.OrgTable != "base" || id.Name != "alias" || id.OrgName != "id" ||
			id.Type != wire.TypeLongLong || !id.Unsigned() || id.Flags&wire.FlagNotNull == 0 {
			t.Errorf("id: %+v", id)
		}
		if d := cols[1]; d.Type != wire.TypeNewDecimal || d.Decimals != 3 || d.Length != 14 {
			t.Errorf("decimal: %+v", d)
		}
		if b := cols[2]; b.Charset != wire.CharsetBinary || b.Length != 9 {
			t.Errorf("varbinary: %+v", b)
		}
		if sv.name == "mariadb" && (cols[3].ExtendedFormat != "json" || cols[4].ExtendedType != "uuid") {
			t.Errorf("extended metadata: json %+v, uuid %+v", cols[3], cols[4])
		}
		if sv.name == "mysql" && cols[3].Type != wire.TypeJSON {
			t.Errorf("json: %+v", cols[3])
		}
	})
}

func TestExecReports(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		cfg := sv.config()
		cfg.Database = sv.database(t)
		c := connect(t, cfg)
		exec(t, c, "SET sql_mode=''", "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v TINYINT)")
		r, err := c.Exec(t.Context(), "INSERT INTO t (v) VALUES (1), (2), (300)")
		if err != nil || r.AffectedRows != 3 || r.LastInsertID != 1 || r.Warnings != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err = c.Exec(t.Context(), "SELECT * FROM t"); err != nil || r.Status&wire.StatusAutocommit == 0 {
			t.Errorf("statement with rows: %+v, %v", r, err)
		}
		_, err = c.Exec(t.Context(), "SELECT * FROM nowhere")
		var server *wire.ServerError
		if !errors.As(err, &server) || server.Code != 1146 || server.State != "42S02" || !strings.Contains(server.Message, "nowhere") {
			t.Errorf("unknown table: %v", err)
		}
		if _, err = c.Prepare(t.Context(), "SELEC"); !errors.As(err, &server) || server.Code != 1064 || server.State != "42000" {
			t.Errorf("syntax error: %v", err)
		}
		if c.Closed() || one(t, c, "SELECT COUNT(*) FROM t") != "3" {
			t.Error("connection unusable after server errors")
		}
	})
}
