package mysql

import (
	"context"

	"github.com/bascule/bascule/internal/schema"
)

// Databases lists the databases of the server that the account can see, without those of the server itself, by their names.
func (e *End) Databases(ctx context.Context) ([]schema.Name, error) {
	const query = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA" +
		" WHERE SCHEMA_NAME NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY BINARY SCHEMA_NAME"
	names, err := e.databases(ctx, query)
	return names, e.explain("list the databases", err)
}

func (e *End) databases(ctx context.Context, query string) (names []schema.Name, err error) {
	rows, err := e.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		names = append(names, schema.Name(n))
	}
	return names, rows.Err()
}
