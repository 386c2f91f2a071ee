package crosscheck

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// SourceConfig turns mysql://user:password@host:port/database (or mariadb://,
// or the driver's own DSN) into the driver's configuration. An encoded slash
// in the host (%2Frun%2Fmysqld%2Fmysqld.sock) names a Unix socket.
func SourceConfig(source string) (*mysql.Config, error) {
	scheme, _, isURL := strings.Cut(source, "://")
	if !isURL {
		return mysql.ParseDSN(source)
	}
	u, err := url.Parse(source)
	if err != nil {
		// The parser's error repeats the URL, and with it the password.
		return nil, fmt.Errorf("parse source URL: not of the form mysql://user:password@host:port/database")
	}
	if scheme != "mysql" && scheme != "mariadb" {
		return nil, fmt.Errorf("parse source URL: scheme %q is neither mysql nor mariadb", scheme)
	}
	name := strings.Trim(u.Path, "/")
	if name == "" {
		return nil, fmt.Errorf("parse source URL: no database is named after the host %q", u.Host)
	}
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.DBName = name
	cfg.AllowNativePasswords = true
	if strings.HasPrefix(u.Hostname(), "/") {
		cfg.Net, cfg.Addr = "unix", u.Hostname()
		return cfg, nil
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(u.Hostname(), port)
	return cfg, nil
}
