package store

import (
	"context"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/bascule/bascule/internal/fault"
)

var postgresDialect = dialect{
	shared: true,
	words: strings.NewReplacer("@", "bascule_rounds.", " LOCKED", " FOR NO KEY UPDATE",
		"CLOCK", "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"),
	looks: sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
	hurry: "SET LOCAL synchronous_commit = off",
	judge: judgePostgres,
}

// session makes commits wait for the disk where the server's settings would not, and has the server end a transaction whose client is gone: until then its
// commit may still arrive. See settling.
const session = `SET idle_in_transaction_session_timeout = '15s';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

// openPostgres connects and makes schema bascule_rounds where it is not there.
func openPostgres(ctx context.Context, dsn string) (*Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The error quotes the URL, and nobody can tell which part of a broken one is the password.
		return nil, fault.New(fault.Usage, "open the journal of rounds", errors.New("its URL cannot be read, or a file that it names cannot"),
			"use postgres://user@host:5432/database?sslmode=verify-full; characters such as @ and / in a password are written as %40 and %2F")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "bascule"
	}
	// No statement is kept prepared, so that a pooler may stand between.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		return c.PgConn().Exec(ctx, session).Close()
	}))
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(4)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s := &Store{write: db, dialect: postgresDialect, place: redacted(config), patience: patience, settling: settling, pause: pause}
	s.read, s.loose = db, db
	if err := s.setupPostgres(ctx); err != nil {
		db.Close()
		return nil, s.fail("open the journal at "+s.place, err)
	}
	return s, nil
}

// redacted is a URL for people, without password and parameters.
func redacted(c *pgx.ConnConfig) string {
	u := url.URL{Scheme: "postgres", User: url.User(c.User), Host: c.Host, Path: "/" + c.Database}
	if !strings.HasPrefix(c.Host, "/") {
		u.Host = net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	}
	return u.String()
}

// setupLock keeps two programs from making the tables at once: any number that nobody else takes an advisory lock on.
const setupLock = 0x62617363756c65

// setupPostgres makes the tables, or brings them to this program's version. Where they are there, no right to make any is needed.
func (s *Store) setupPostgres(ctx context.Context) error {
	version, err := s.versionPostgres(ctx)
	if err != nil || version == int64(len(steps)) {
		return err
	}
	if err := known(s.place, version); err != nil {
		return err
	}
	return s.in(ctx, s.write, nil, func(ctx context.Context, t *tx) error {
		if err := t.exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(setupLock)); err != nil {
			return err
		}
		version, err := versionPostgres(ctx, t)
		if err != nil || version == int64(len(steps)) {
			return err
		}
		if err := known(s.place, version); err != nil {
			return err
		}
		if err := t.exec(ctx, `CREATE SCHEMA IF NOT EXISTS bascule_rounds`); err != nil {
			return err
		}
		return raise(ctx, t, version)
	})
}

func (s *Store) versionPostgres(ctx context.Context) (version int64, err error) {
	err = s.in(ctx, s.read, nil, func(ctx context.Context, t *tx) (err error) {
		version, err = versionPostgres(ctx, t)
		return err
	})
	return version, err
}

// versionPostgres is 0 where there are no tables. The catalog is asked, which does not depend on rights to the schema.
func versionPostgres(ctx context.Context, t *tx) (version int64, err error) {
	err = t.row(ctx, `SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'bascule_rounds' AND tablename = 'meta'`).Scan(&version)
	if err != nil || version == 0 {
		return 0, err
	}
	return version, t.row(ctx, `SELECT version FROM @meta`).Scan(&version)
}

// judgePostgres sorts SQLSTATEs (PostgreSQL documentation, appendix A) and broken connections by what the operator can do.
func judgePostgres(place string, err error) (class fault.Class, hint string, ok bool) {
	again := ": run the same command again, which reads the journal first"
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case p.Code == "3D000", strings.HasPrefix(p.Code, "28"):
			return fault.Login, "check user, password and database of " + place + ", and pg_hba.conf", true
		case p.Code == "42501":
			return fault.Privilege, "let its owner open the journal once, then: GRANT USAGE ON SCHEMA bascule_rounds TO role; " +
				"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA bascule_rounds TO role; or, to make it: GRANT CREATE ON DATABASE name TO role", true
		case p.Code == "25006":
			return fault.Unsupported, place + " is a replica, or read-only: name the primary", true
		case strings.HasPrefix(p.Code, "53"), strings.HasPrefix(p.Code, "54"), strings.HasPrefix(p.Code, "58"):
			return fault.Resource, "the server of " + place + " lacks room or connections: mend that, then run the same command again", true
		case strings.HasPrefix(p.Code, "08"), strings.HasPrefix(p.Code, "57"), strings.HasPrefix(p.Code, "40"), p.Code == "25P03":
			return fault.Connect, "the server of " + place + " broke the connection, or is starting" + again, true
		}
		return fault.Internal, p.Hint, true
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, named := errors.AsType[x509.HostnameError](err)
	_, network := errors.AsType[net.Error](err)
	switch {
	case unknown || named:
		return fault.Login, "name the server's CA with sslrootcert=FILE, and the host as its certificate does", true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && !refused:
		return "", "", false
	case refused || network, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, driver.ErrBadConn), errors.Is(err, pgconn.ErrConnClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fault.Connect, "check that the server of " + place + " can be reached" + again, true
	}
	return "", "", false
}
