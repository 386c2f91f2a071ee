package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/fault"
)

// fail gives an error of the server or of its connection a class and a hint. An
// error that already has a class, and a cancelled context, keep what they are.
func (e *End) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	if p := unwrapPg(err); p != nil {
		class, hint := e.classify(p)
		return fault.New(class, op, &serverError{p}, hint)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !isNet(err) {
		return fmt.Errorf("%s: %w", op, err)
	}
	if hint, ok := tlsHint(err); ok {
		return fault.New(fault.Login, op, err, hint)
	}
	if isNet(err) {
		return fault.New(fault.Connect, op, err, "check that the server runs and that "+e.config.Redacted()+" is reachable from here")
	}
	return fmt.Errorf("%s: %w", op, err)
}

// serverError prints what the server said on one line, SQLSTATE last.
type serverError struct{ *pgconn.PgError }

// Error returns message, detail, place and SQLSTATE.
func (s *serverError) Error() string {
	var b strings.Builder
	b.WriteString(s.Message)
	if s.Detail != "" {
		b.WriteString(" (" + s.Detail + ")")
	}
	if s.Where != "" {
		where, _, _ := strings.Cut(s.Where, "\n")
		b.WriteString(" in " + where)
	}
	b.WriteString(" [SQLSTATE " + s.Code + "]")
	return b.String()
}

// Unwrap gives the server's error to whoever asks for its SQLSTATE.
func (s *serverError) Unwrap() error { return s.PgError }

type verdict struct {
	class fault.Class
	hint  string
}

// classify sorts SQLSTATEs (PostgreSQL documentation, appendix A) by what the
// operator can do.
func (e *End) classify(p *pgconn.PgError) (fault.Class, string) {
	db := e.config.Database()
	known := map[string]verdict{
		"28000": {fault.Login, "pg_hba.conf, or the provider's network rules, do not let this user in from here with this sslmode"},
		"28P01": {fault.Login, "check the password of user " + quoteText(e.config.user())},
		"3D000": {fault.Login, "create it first: CREATE DATABASE " + quoteText(db) + " ENCODING 'UTF8' TEMPLATE template0"},
		"42501": {fault.Privilege, e.grantHint(p)},
		"53100": {fault.Resource, "the target's disk is full: enlarge it (Cloud SQL and RDS can while running), then run the same command again"},
		"53200": {fault.Resource, "the target is out of memory: lower --lanes or the server's work_mem, or take a larger machine"},
		"53300": {fault.Resource, "no connection is free: lower --lanes, or raise max_connections"},
		"25006": {fault.Unsupported, "the target is read-only (a replica, or default_transaction_read_only): connect to the primary"},
		"57014": {fault.Resource, "somebody or a timeout cancelled the statement: run the same command again"},
		"55P03": {fault.Resource, "somebody else holds a lock that is needed: see pg_stat_activity and pg_blocking_pids()"},
		"40P01": {fault.Connect, "a deadlock with another session: run the same command again"},
		"40001": {fault.Connect, "a conflict with another session: run the same command again"},
		"23505": {fault.Data, "the source changed while it was copied, or the target compares more loosely: " +
			"stop the writers or follow the source, then drop and copy again"},
		"23503": {fault.Data, "rows refer to parents that are not there: the source changed while it was copied, " +
			"or was filled with foreign_key_checks=0"},
		"23514": {fault.Data, "a value breaks a CHECK that the plan foresaw as kept: the source changed since it was planned"},
		"23502": {fault.Data, "a NULL in a column that the plan foresaw as filled: the source changed since it was planned"},
	}
	if v, ok := known[p.Code]; ok {
		return v.class, v.hint
	}
	switch {
	case p.Code == "08P01":
		// Bytes that break the protocol break it again at every retry.
		return fault.Internal, "a value was encoded wrongly: report it with the column's type"
	case strings.HasPrefix(p.Code, "08"), p.Code == "57P01", p.Code == "57P02", p.Code == "57P03", p.Code == "57P05", p.Code == "25P03":
		return fault.Connect, "the server ended the connection or is starting: run the same command again"
	case strings.HasPrefix(p.Code, "28"):
		return fault.Login, "check user, password and pg_hba.conf"
	case strings.HasPrefix(p.Code, "53"), strings.HasPrefix(p.Code, "54"):
		return fault.Resource, p.Hint
	case strings.HasPrefix(p.Code, "58"):
		return fault.Resource, "the server could not read or write its own files: see its log"
	case strings.HasPrefix(p.Code, "22"), strings.HasPrefix(p.Code, "23"):
		return fault.Data, p.Hint
	case strings.HasPrefix(p.Code, "0A"):
		return fault.Unsupported, p.Hint
	}
	return fault.Internal, p.Hint
}

// grantHint writes the GRANT for what the server refused, as far as its message tells.
func (e *End) grantHint(p *pgconn.PgError) string {
	role := quoteText(e.config.user())
	switch {
	case strings.Contains(p.Message, "for database"):
		return "GRANT CREATE, TEMPORARY ON DATABASE " + quoteText(e.config.Database()) + " TO " + role
	case strings.Contains(p.Message, "for schema bascule"):
		return "GRANT ALL ON SCHEMA bascule TO " + role + "; GRANT ALL ON ALL TABLES IN SCHEMA bascule TO " + role
	case strings.Contains(p.Message, "for schema"):
		return "GRANT CREATE, USAGE ON SCHEMA " + quote(e.schema) + " TO " + role
	case strings.Contains(p.Message, "must be owner"):
		return "connect as the owner, or GRANT the owning role TO " + role
	case p.TableName != "":
		return fmt.Sprintf("GRANT ALL ON TABLE %s.%s TO %s", quoteText(p.SchemaName), quoteText(p.TableName), role)
	default:
		return "connect as the owner of database " + quoteText(e.config.Database())
	}
}

func isNet(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNREFUSED)
}

// tlsHint tells what to change when TLS could not be agreed on.
func tlsHint(err error) (string, bool) {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "name the server's CA with sslrootcert=FILE", true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another host: connect by that name, or use sslmode=verify-ca", true
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "the server's certificate is not valid (see above): renew it", true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "name the server's CA with sslrootcert=FILE", true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server refused the client's certificate: check sslcert and sslkey", true
	}
	if strings.Contains(err.Error(), "server refused TLS connection") {
		return "the server speaks no TLS: switch it on there (ssl = on), or use sslmode=disable on a network you trust", true
	}
	return "", false
}
