package mysql

import (
	"context"
	"database/sql"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// Sizes implements change.Sizer, by the statistics that the server keeps.
func (e *End) Sizes(ctx context.Context) (map[schema.Name]change.Size, error) {
	out := map[schema.Name]change.Size{}
	const query = "SELECT TABLE_NAME, COALESCE(TABLE_ROWS, 0), COALESCE(DATA_LENGTH, 0) FROM information_schema.TABLES" +
		" WHERE TABLE_SCHEMA = ? AND TABLE_TYPE <> 'VIEW'"
	err := e.scan(ctx, func(ctx context.Context, c *sql.Conn) error {
		rows, err := c.QueryContext(ctx, query, string(e.cfg.Database))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var s change.Size
			if err := rows.Scan(&name, &s.Rows, &s.Bytes); err != nil {
				return err
			}
			out[schema.Name(name)] = s
		}
		return rows.Err()
	})
	return out, e.explain("read the sizes of the tables", err)
}
