package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bascule/bascule/internal/fault"
)

// Config names a PostgreSQL database and how to log in to it. It is made by
// ParseConfig; the zero value cannot be opened.
type Config struct {
	// Password, when set, is asked before every new connection, so that tokens that
	// expire while a copy runs are fetched again. It wins over a password in the DSN.
	Password func(ctx context.Context) (string, error)

	pool *pgxpool.Config
}

// ParseConfig reads a libpq URL (postgres://user@host:port/db?sslmode=verify-full)
// or a libpq key=value string, with the PG* environment variables, the password
// file and the service file as libpq has them. An error shows nothing of dsn: where
// quotes are wrong, nobody can tell which part of it is the password.
func ParseConfig(dsn string) (Config, error) {
	p, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		cause, hint := parseCause(err), "use postgres://user@host:5432/database?sslmode=verify-full, or host=... port=... user=... dbname=..."
		if files := tlsFiles(dsn); files != "" && strings.Contains(cause, "TLS") {
			hint = "check that these files exist, are PEM and belong together: " + files
		}
		return Config{}, fault.New(fault.Usage, "read the target's connection string", errors.New(cause), hint)
	}
	return Config{pool: p}, nil
}

// quotedPart is what a parser quotes from its input, and values it prints bare.
var quotedPart = regexp.MustCompile(`"(?:\\.|[^"\\])*"|value: .*`)

// parseCause returns what is wrong with a connection string without any part of it.
func parseCause(err error) string {
	text := err.Error()
	// pgconn's text is: cannot parse `the string, masked as well as it can`: cause.
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	} else if strings.Contains(text, "`") {
		return "it cannot be parsed"
	}
	return quotedPart.ReplaceAllString(text, "(hidden)")
}

// tlsFiles lists the certificate files that a URL names, which are no secrets. In a
// key=value string they cannot be told from the password when its quotes are wrong.
func tlsFiles(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		return ""
	}
	var files []string
	for _, k := range []string{"sslrootcert", "sslcert", "sslkey"} {
		if v := u.Query().Get(k); v != "" {
			files = append(files, k+" "+strconv.Quote(v))
		}
	}
	return strings.Join(files, ", ")
}

// Redacted returns the connection as a URL for people: user, host, port,
// database; never a password or any other parameter.
func (c Config) Redacted() string {
	if c.pool == nil {
		return "postgres://"
	}
	cc := c.pool.ConnConfig
	u := url.URL{Scheme: "postgres", Path: "/" + cc.Database}
	if cc.User != "" {
		u.User = url.User(cc.User)
	}
	if strings.HasPrefix(cc.Host, "/") {
		u.RawQuery = url.Values{"host": {cc.Host}, "port": {strconv.Itoa(int(cc.Port))}}.Encode()
	} else {
		u.Host = net.JoinHostPort(cc.Host, strconv.Itoa(int(cc.Port)))
	}
	return u.String()
}

// Database returns the name of the database that is connected to.
func (c Config) Database() string { return c.pool.ConnConfig.Database }

// user returns the role that logs in, as a GRANT names it.
func (c Config) user() string { return c.pool.ConnConfig.User }

// password asks for a fresh secret, where one is configured.
func (c Config) password(ctx context.Context, fallback string) (string, error) {
	if c.Password == nil {
		return fallback, nil
	}
	p, err := c.Password(ctx)
	if err != nil {
		return "", fault.New(fault.Login, "get the password for "+c.Redacted(), err,
			"run the command or read the file that the password reference names, as the same user")
	}
	return p, nil
}

// validate refuses a Config that ParseConfig did not make.
func (c Config) validate() error {
	if c.pool == nil {
		return fault.New(fault.Usage, "open the target", fmt.Errorf("the configuration is empty"), "make it with ParseConfig")
	}
	return nil
}
