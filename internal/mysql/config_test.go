package mysql

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bascule/bascule/internal/fault"
)

func TestParseConfig(t *testing.T) {
	for in, want := range map[string]struct {
		cfg      Config
		password string
		redacted string
	}{
		"mysql://app:s3cr%40t@db.example:3307/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=ca.pem&ssl-cert=c.pem&ssl-key=k.pem&compression=zstd&connect-timeout=3s": {
			Config{Host: "db.example", Port: 3307, User: "app", Database: "shop", SSLMode: VerifyIdentity, SSLCA: "ca.pem", SSLCert: "c.pem", SSLKey: "k.pem", Compression: "zstd", ConnectTimeout: 3 * time.Second},
			"s3cr@t", "mysql://app@db.example:3307/shop",
		},
		"mariadb://app@[::1]/sh%20op?ssl_mode=verify-ca&connect_timeout=5": {
			Config{Host: "::1", User: "app", Database: "sh op", SSLMode: VerifyCA, ConnectTimeout: 5 * time.Second}, "", "mysql://app@[::1]:3306/sh op",
		},
		"mysql://app:env:PASSWORD@/shop?socket=/run/mysqld.sock": {
			Config{Socket: "/run/mysqld.sock", User: "app", Database: "shop"}, "env:PASSWORD", "mysql://app@/run/mysqld.sock/shop",
		},
		"app:s3c:r@t@tcp(db:3307)/shop?tls=skip-verify&timeout=4s": {
			Config{Host: "db", Port: 3307, User: "app", Database: "shop", SSLMode: Required, ConnectTimeout: 4 * time.Second}, "s3c:r@t", "mysql://app@db:3307/shop",
		},
		"app@unix(/tmp/s)/shop": {Config{Socket: "/tmp/s", User: "app", Database: "shop", SSLMode: Preferred}, "", "mysql://app@/tmp/s/shop"},
	} {
		got, err := ParseConfig(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		password := ""
		if got.Password != nil {
			password, _ = got.Password(t.Context())
		}
		if d := cmp.Diff(want.cfg, got, cmpopts.IgnoreFields(Config{}, "Password")); d != "" || password != want.password || got.Redacted() != want.redacted {
			t.Errorf("%s: password %q, redacted %q (-want +got):\n%s", in, password, got.Redacted(), d)
		}
	}
}

func TestParseConfigErrors(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://app:hunter2@db/shop":                 "scheme",
		"mysql://app:hunter2@db:port/shop":               "URL",
		"mysql://app:hunter2@db/":                        "no database",
		"mysql://app:hunter2@/shop":                      "no host",
		"mysql://:hunter2@db/shop":                       "no user",
		"mysql://app:hunter2@db/shop?ssl-mode=SOMETIMES": "ssl-mode",
		"mysql://app:hunter2@db/shop?sslca=x":            "unknown parameter",
		"mysql://app:hunter2@db/shop?ssl-cert=c.pem":     "go together",
		"mysql://app:hunter2@db/shop?compression=gzip":   "compression",
		"mysql://app:hunter2@db/shop?connect-timeout=x":  "connect-timeout",
		"mysql://app:hunter2%zz@db/shop":                 "URL",
		"app:hunter2@tcp(db)":                            "neither a URL nor a DSN",
		"app:hunter2@tcp(db)/shop?tls=custom":            "",
	} {
		_, err := ParseConfig(in)
		if fault.ClassOf(err) != fault.Usage || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]int{"8.0.36-28": 80036, "5.7.44-log": 50744, "5.5.5-10.6.12-MariaDB-log": 100612, "11.4.2-MariaDB": 110402, "9.7.4": 90704, "8.0.mysql_aurora.3.04.0": 80000} {
		d, got := parseVersion(in)
		if got != want || (d == "mariadb") != strings.Contains(in, "MariaDB") {
			t.Errorf("%s: %s %d, want %d", in, d, got, want)
		}
	}
}
