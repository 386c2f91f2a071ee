package binlog_test

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/schema"
)

// checkEvents compares the order of events and what they name with what the server's SHOW BINLOG EVENTS prints of the same log.
// Nothing else must happen on the server.
func (s *source) checkEvents(t *testing.T) {
	t.Helper()
	statements := []string{
		"CREATE TABLE t (id INT PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'a')", "BEGIN", "UPDATE t SET v = 'b'", "SAVEPOINT x", "DELETE FROM t",
		"ROLLBACK TO x", "COMMIT", "XA START X'00FF', 'branch', 7", "INSERT INTO t VALUES (2, 'xa')", "XA END X'00FF', 'branch', 7",
		"XA PREPARE X'00FF', 'branch', 7", "XA COMMIT X'00FF', 'branch', 7", "ALTER TABLE t ADD c INT DEFAULT 5",
	}
	if s.isMariaDB() {
		statements = append(statements, "SET SESSION gtid_domain_id = 3", "INSERT INTO t VALUES (3, 'domain', 1)")
	} else {
		statements = append(statements, "SET SESSION binlog_transaction_compression = OFF", "SET SESSION gtid_next = 'AUTOMATIC:a_tag'", "INSERT INTO t VALUES (3, 'tag', 1)", "SET SESSION gtid_next = 'AUTOMATIC'")
		// A compressed transaction is one event for SHOW BINLOG EVENTS.
		statements = append([]string{"SET SESSION binlog_transaction_compression = OFF"}, statements...)
	}
	s.Exec(t, s.url, statements...)
	got, want := s.seen(t), s.shown(t)
	if len(got) < 15 || !slices.Equal(got, want) {
		t.Errorf("decoded\n%s\nthe server shows\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	s.Exec(t, s.url, "SET NAMES latin1", "ALTER TABLE t COMMENT = '\xe9t\xe9'")
	var comment string
	s.events(t, func(e *binlog.Event) {
		if e.Kind == binlog.KindQuery && strings.Contains(e.Query.SQL, "COMMENT") {
			comment = fmt.Sprintf("%q in %s, collation %d", e.Query.SQL, e.Query.Schema, e.Query.Charset)
		}
	})
	if want := fmt.Sprintf(`"ALTER TABLE t COMMENT = '\xe9t\xe9'" in %s, collation 8`, s.name); comment != want {
		t.Errorf("%s, want %s", comment, want)
	}
}

// events decodes the log since the database was made, without rows.
func (s *source) events(t *testing.T, fn func(*binlog.Event)) {
	t.Helper()
	d := binlog.NewDecoder(binlog.Options{MariaDB: s.isMariaDB(), Tables: func(database, table schema.Name) (*binlog.Layout, error) { return nil, nil }})
	s.each(t, func(raw []byte) {
		err := d.Push(raw)
		for err == nil {
			var e *binlog.Event
			if e, err = d.Next(); err == nil {
				fn(e)
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// seen prints the events since the database was made.
func (s *source) seen(t *testing.T) (out []string) {
	t.Helper()
	s.events(t, func(e *binlog.Event) { out = append(out, printed(e)) })
	return out
}

func printed(e *binlog.Event) string {
	at := fmt.Sprintf("%d %d ", e.Server, e.End)
	switch e.Kind {
	case binlog.KindGTID:
		return at + "gtid " + e.GTID.Text
	case binlog.KindQuery:
		return at + "query " + e.Query.SQL
	case binlog.KindXID:
		return at + "xid"
	case binlog.KindXAPrepare:
		return at + fmt.Sprintf("xa X'%x',X'%x',%d", e.XA.ID.Global, e.XA.ID.Branch, e.XA.ID.Format)
	default:
		return at + fmt.Sprint("kind ", e.Kind)
	}
}

var (
	gtidNext = regexp.MustCompile(`GTID_NEXT= '(.*)'`)
	gtidMark = regexp.MustCompile(`GTID (\S+)`)
	useNames = regexp.MustCompile("^use `[^`]*`; ")
	xidTail  = regexp.MustCompile(` /\* xid=\d+ \*/$`)
)

// shown prints the same from what the server says about its log.
func (s *source) shown(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, r := range s.Query(t, s.url, fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d", s.from.file, s.from.pos)) {
		at, info := r[3]+" "+r[4]+" ", r[5]
		if m := gtidNext.FindStringSubmatch(info); m != nil {
			out = append(out, at+"gtid "+m[1])
			continue
		}
		switch r[2] {
		case "Gtid":
			out = append(out, at+"gtid "+gtidMark.FindStringSubmatch(info)[1])
		case "Query", "Query_compressed":
			out = append(out, at+"query "+xidTail.ReplaceAllString(useNames.ReplaceAllString(info, ""), ""))
		case "Xid":
			out = append(out, at+"xid")
		case "XA_prepare":
			out = append(out, at+"xa "+strings.TrimPrefix(info, "XA PREPARE "))
		}
	}
	return out
}
