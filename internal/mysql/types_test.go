package mysql

import (
	"context"
	"strconv"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// natural is the form that a type has by itself.
func natural(t schema.Type) change.Form {
	switch t := t.(type) {
	case schema.Int, schema.Year:
		return form(change.FormInteger, 0)
	case schema.Decimal:
		return form(change.FormDecimal, t.Scale)
	case schema.Bit:
		return form(change.FormBits, t.N)
	case schema.Float:
		return form(change.FormFloat, 0)
	case schema.Binary:
		return long(change.FormBytes)
	case schema.Date:
		return form(change.FormDate, 0)
	case schema.DateTime:
		return form(change.FormDateTime, t.Precision)
	case schema.Timestamp:
		return form(change.FormDateTime, t.Precision)
	case schema.Time:
		return form(change.FormMicros, 0)
	case schema.Set:
		return form(change.FormLabels, 0)
	case schema.JSON:
		return form(change.FormJSON, 0)
	case schema.UUID:
		return form(change.FormUUID, 0)
	case schema.Geometry:
		return form(change.FormGeometry, 0)
	}
	return form(change.FormText, 0)
}

// TestTypes reads, cuts and sums every table of the database that holds every type's edge values.
func TestTypes(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		url := s.Database(t)
		s.LoadFile(t, url, "../crosscheck/testdata/types_"+s.Name+".sql")
		src := &source{Server: s, url: url, end: openURL(t, url)}
		for _, tb := range inspect(t, src).Tables {
			want, err := strconv.ParseInt(s.Query(t, url, "SELECT COUNT(*) FROM "+quote(tb.Name))[0][0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			q := &change.SumQuery{Table: tb.Name}
			for _, c := range tb.Columns {
				if o, ok := c.Type.(schema.Other); ok {
					t.Errorf("%s.%s: type %s is not known", tb.Name, c.Name, o.SQL)
				}
				q.Columns = append(q.Columns, change.SumColumn{Column: c, Form: natural(c.Type)})
			}
			sums, err := src.end.Sums(t.Context(), q)
			if err != nil || want > 0 && (len(sums) != 1 || sums[0].Rows != want) {
				t.Errorf("%s: %d rows, sums %+v, %v", tb.Name, want, sums, err)
			}
			sel := &change.Select{Table: tb, Columns: tb.Columns}
			if tb.PrimaryKey != nil {
				sel = selectOf(tb, "")
			}
			if got, err := rowsByChunks(t.Context(), src.end, sel); err != nil || got != want {
				t.Errorf("%s: read %d of %d rows: %v", tb.Name, got, want, err)
			}
		}
	})
}

// rowsByChunks counts the rows that chunks of three give.
func rowsByChunks(ctx context.Context, e *End, s *change.Select) (n int64, err error) {
	limit := int64(3)
	if len(s.Key) == 0 {
		limit = 0
	}
	err = e.Lane(ctx, "none:", func(ctx context.Context, r change.Reader) error {
		var rg change.Range
		b := &change.Batch{}
		for {
			last, err := r.Read(ctx, s, rg, limit, func(full *change.Batch) (*change.Batch, error) {
				if full != nil {
					n += int64(full.Rows)
				}
				return b, nil
			})
			if err != nil || last == nil {
				return err
			}
			rg.After = last
		}
	})
	return n, err
}
