package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	godriver "github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
)

// serverCode returns the server's error number and message, or 0.
func serverCode(err error) (uint16, string) {
	if e, ok := errors.AsType[*wire.ServerError](err); ok {
		return e.Code, e.Message
	}
	if e, ok := errors.AsType[*godriver.MySQLError](err); ok {
		return e.Number, e.Message
	}
	return 0, ""
}

// explain turns an error of a server or of the network into one with a class and a hint. Errors that have a class already, and the
// end of a context, stay what they are.
func (e *End) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	if code, msg := serverCode(err); code != 0 {
		class, hint := e.explainCode(code, msg)
		return fault.New(class, op, err, hint)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", op, err)
	}
	class, hint := explainNetwork(err, e.cfg)
	return fault.New(class, op, err, hint)
}

// explainNetwork sorts errors that no server sent.
func explainNetwork(err error, cfg Config) (fault.Class, string) {
	_, unknownCA := errors.AsType[x509.UnknownAuthorityError](err)
	_, wrongHost := errors.AsType[x509.HostnameError](err)
	_, badCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	_, dns := errors.AsType[*net.DNSError](err)
	_, netErr := errors.AsType[net.Error](err)
	_, lost := errors.AsType[*wire.ConnError](err)
	text := err.Error()
	switch {
	case wrongHost:
		return fault.Login, "the certificate is for another name: use that name as the host, or ssl-mode=VERIFY_CA"
	case unknownCA, badCert:
		return fault.Login, "name the authority that signed the server's certificate: ssl-ca=FILE (for RDS and Aurora, the bundle global-bundle.pem)"
	case alert, noTLS, strings.Contains(text, "tls: "):
		return fault.Login, "TLS failed: check ssl-mode, ssl-ca, ssl-cert and ssl-key"
	case errors.Is(err, godriver.ErrNoTLS), strings.Contains(text, "does not offer"):
		return fault.Login, "the server does not offer TLS: enable it there, or set ssl-mode=PREFERRED"
	case errors.Is(err, godriver.ErrCleartextPassword), strings.Contains(text, "clear"):
		return fault.Login, "the account hands its password over in clear: that needs ssl-mode=REQUIRED or better"
	case dns:
		return fault.Connect, fmt.Sprintf("check the host name %q", cfg.Host)
	case strings.Contains(text, "get the password"):
		return fault.Login, "check the reference to the password"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn), errors.Is(err, godriver.ErrInvalidConn),
		netErr, lost, errors.Is(err, context.DeadlineExceeded):
		return fault.Connect, fmt.Sprintf("check that the server runs, listens on %s and that no firewall stands between", cfg.label())
	}
	return fault.Internal, ""
}

var (
	deniedAccount = regexp.MustCompile(`for user '([^']*)'@'([^']*)'`)
	neededRight   = regexp.MustCompile(`the (.+?) privilege\(s\)`)
	deniedTable   = regexp.MustCompile("for table (?:`[^`]+`\\.)?[`']([^`']+)[`']") // MariaDB names the database too
)

// account is the account that rights are granted to, as a GRANT names it.
func (e *End) account(msg string) string {
	if e.server.user != "" {
		user, host, _ := cutLast(e.server.user, "@")
		return "'" + user + "'@'" + host + "'"
	}
	if m := deniedAccount.FindStringSubmatch(msg); m != nil {
		return "'" + m[1] + "'@'" + m[2] + "'"
	}
	return "'" + e.cfg.User + "'@'%'"
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (e *End) grant(rights, on, msg string) string {
	return "GRANT " + rights + " ON " + on + " TO " + e.account(msg) + ";"
}

// explainCode sorts the server's own errors. The numbers are those of MySQL's error reference, shared by MariaDB up to 1899.
func (e *End) explainCode(code uint16, msg string) (fault.Class, string) {
	db := quote(e.cfg.Database)
	switch code {
	case 1045, 1698, 3118, 1862, 4151: // denied; no password plugin match; locked; expired; locked (MariaDB)
		return fault.Login, "check user and password, and that the account allows this client's host"
	case 3159: // secure transport required
		return fault.Login, "the server wants TLS: set ssl-mode=REQUIRED"
	case 1049:
		return fault.Login, fmt.Sprintf("there is no database %q, or the account may not see it: check the name and its case", e.cfg.Database)
	case 1130:
		return fault.Login, "the server allows no connection from this host: allow it in the account's host part"
	case 1044:
		return fault.Privilege, e.grant("SELECT", db+".*", msg)
	case 1142, 1143:
		on := db + ".*"
		if m := deniedTable.FindStringSubmatch(msg); m != nil {
			on = db + "." + "`" + m[1] + "`"
		}
		return fault.Privilege, e.grant("SELECT", on, msg)
	case 1227:
		rights := "REPLICATION CLIENT"
		if m := neededRight.FindStringSubmatch(msg); m != nil {
			// "SUPER, REPLICATION CLIENT" means any of them: the last is the smallest.
			list := strings.Split(m[1], ", ")
			rights = list[len(list)-1]
		}
		return fault.Privilege, e.grant(rights, "*.*", msg)
	case 1040, 1203, 1226:
		return fault.Connect, "the server has no free connection: raise max_connections, or use fewer lanes"
	case 1053, 1077, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2003, 2006, 2013, 3169, 4031:
		// shutdown, aborted, network, killed, gone, lost, idle too long
		return fault.Connect, "the server closed the connection; it is tried again"
	case 1205, 1213, 3572: // lock wait, deadlock, NOWAIT
		return fault.Connect, "a lock was in the way, usually somebody's DDL; it is tried again"
	case 1317: // KILL QUERY by somebody
		return fault.Connect, "somebody killed the statement; it is tried again"
	case 3024, 1969: // max_execution_time, max_statement_time
		return fault.Resource, "the server ended the statement after its time limit: raise max_execution_time (max_statement_time on MariaDB) for this account"
	case 1021, 1114, 3, 28:
		return fault.Resource, "the source's disk or temporary space is full"
	case 1037, 1038, 1041:
		return fault.Resource, "the source is out of memory"
	case 1153, 1301, 4025:
		return fault.Resource, "raise max_allowed_packet on the source"
	case 1146, 1054, 1412:
		return fault.Refused, "the source's schema changed since it was inspected: run bascule db plan again"
	case 1176:
		return fault.Refused, "an index of the source is gone since it was inspected: run bascule db plan again"
	}
	return fault.Internal, ""
}
