package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// place is the rows of one statement.
type place struct {
	b       *change.Batch
	from, n int
}

var atRow = regexp.MustCompile(`at row (\d+)`)

// applyRights is what an applier needs on the database.
const applyRights = "SELECT, INSERT, UPDATE, DELETE, TRIGGER, EVENT"

// backHint is what to do about a value that the old side refuses.
const backHint = "the old side cannot hold what the new side holds: change it there, or widen the column here"

// explainRows gives an error of a statement its class, the table, and the key of the row where that is known.
func (s *applySession) explainRows(t *applyTable, v rowVerb, at *place, err error) error {
	code, msg := serverCode(err)
	op := fmt.Sprintf("%s %s", v, t.replica.Into.Table)
	if at != nil {
		row := 0
		if m := atRow.FindStringSubmatch(msg); m != nil {
			row, _ = strconv.Atoi(m[1])
		}
		switch {
		case row >= 1 && row <= at.n:
			op = s.opOf(t, v, at.b, at.from+row-1)
		case at.n == 1:
			op = s.opOf(t, v, at.b, at.from)
		}
	}
	switch code {
	case 1048, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1416, 1425: // NULL, range, truncated, wrong, too long
		return fault.New(fault.Data, op, err, backHint)
	case 3140, 3141, 3144, 3146, 3147, 3156, 3643, 3819, 3988, 4025, 4079: // JSON, SRID, CHECK, character set
		return fault.New(fault.Data, op, err, backHint)
	case 1062, 1169, 1586:
		return fault.New(fault.Data, op, err, "two rows of the new side are the same under a unique key of this side: its collation or its type tells fewer values apart")
	case 1526: // no partition for the value
		return fault.New(fault.Data, op, err, "add a partition for it")
	case 1153:
		return fault.New(fault.Resource, op, err, "raise max_allowed_packet on "+s.e.cfg.label())
	case 0:
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return s.e.explainWrite(op, err, applyRights, quote(s.e.cfg.Database)+".*")
}

// nameless reports whether the server refused a value and did not say of which row.
func (s *applySession) nameless(err error) bool {
	code, msg := serverCode(err)
	return code != 0 && fault.ClassOf(s.explainRows(&applyTable{replica: &change.Replica{Into: &change.Into{}}}, inserts, nil, err)) == fault.Data && !atRow.MatchString(msg)
}

// culprit finds the row that made a statement fail, by inserting them one by one; the transaction is lost anyway.
func (s *applySession) culprit(ctx context.Context, t *applyTable, at *place, err error) error {
	for i := range at.n {
		if _, one := s.statement(ctx, t, inserts, at.b, at.from+i, 1); one != nil {
			return one
		}
	}
	return s.explainRows(t, inserts, at, err)
}

// warned is the error for an INSERT that the server carried out and had something to say about: it stored another value than it
// was given, for instance a text without the spaces that were too many.
func (s *applySession) warned(ctx context.Context, t *applyTable, at *place) error {
	rows, err := s.r.rows(ctx, "SHOW WARNINGS LIMIT 3")
	if err != nil {
		return s.e.explain("read the warnings", err)
	}
	op := fmt.Sprintf("%s %s", inserts, t.replica.Into.Table)
	var said []string
	for _, r := range rows {
		said = append(said, strings.Join(r, " "))
		if m := atRow.FindStringSubmatch(r[2]); m != nil && len(said) == 1 {
			if row, _ := strconv.Atoi(m[1]); row >= 1 && row <= at.n {
				op = s.opOf(t, inserts, at.b, at.from+row-1)
			}
		}
	}
	return fault.New(fault.Data, op, fmt.Errorf("the server took it with warnings: %s", strings.Join(said, "; ")), backHint)
}

// opOf says what was being done to which row, by its key; without a key, by its first values.
func (s *applySession) opOf(t *applyTable, v rowVerb, b *change.Batch, row int) string {
	const most = 3 // values of a row without a key
	spans := b.Row(row)
	var shown []string
	show := func(c *applyColumn, sp change.Span) {
		text := "NULL"
		raw, null, _, err := c.value(b, sp, nil)
		switch {
		case err != nil:
			text = "?"
		case !null:
			if p, err := keyText(nil, c.Column, raw); err == nil {
				text = shorten(strconv.Quote(string(p)))
			}
		}
		shown = append(shown, string(c.Name)+"="+text)
	}
	switch {
	case len(t.key) == 0:
		for i := range min(most, len(t.columns)) {
			show(&t.columns[i], spans[i])
		}
	case v == deletes:
		for i, k := range t.key {
			show(&t.columns[k], spans[i])
		}
	default:
		for _, k := range t.key {
			show(&t.columns[k], spans[k])
		}
	}
	return fmt.Sprintf("%s %s, row %s", v, t.replica.Into.Table, strings.Join(shown, ", "))
}
