package storefront

import (
	"context"
	"fmt"
)

// Schema makes the tables on the old side, with rows: statements for a MySQL database that is empty.
func Schema(accounts int) []string {
	return []string{
		"CREATE TABLE account (id INT NOT NULL PRIMARY KEY, owner VARCHAR(60) NOT NULL, balance BIGINT NOT NULL, touched TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))",
		`CREATE TABLE entry (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL, seq BIGINT NOT NULL, account_id INT NOT NULL, amount INT NOT NULL,
			note LONGTEXT NOT NULL, made DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), KEY by_client (client, seq), CONSTRAINT entry_account FOREIGN KEY (account_id) REFERENCES account (id))`,
		fmt.Sprintf(`INSERT INTO account (id, owner, balance) WITH RECURSIVE d AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 9)
			SELECT 1 + a.n + 10 * b.n + 100 * c.n, CONCAT('owner ', a.n), 0 FROM d a, d b, d c WHERE a.n + 10 * b.n + 100 * c.n < %d`, accounts),
	}
}

// Verdict is what the oracle found in a database.
type Verdict struct {
	// Orders were acknowledged. Missing of them are not there, Twice are there more than once, and Invented are there although no client
	// sent them.
	Orders, Missing, Twice, Invented int64
	// Balances is how many accounts do not hold the sum of their orders.
	Balances int64
}

// Good reports whether the database holds just what was acknowledged.
func (v Verdict) Good() bool { return v.Missing+v.Twice+v.Invented+v.Balances == 0 }

// Judge compares a side with what was acknowledged. The application is stopped. dbURL is a mysql:// or postgres:// URL.
func (a *App) Judge(ctx context.Context, dbURL string) (Verdict, error) {
	var v Verdict
	db, err := open(dbURL)
	if err != nil {
		return v, err
	}
	defer db.Close()
	prefix := ""
	if dbURL != a.Old && a.Schema != "" && dbURL[:1] == "p" {
		prefix = a.Schema + "."
	}
	type found struct{ rows, distinct, most int64 }
	have := map[int]found{}
	rows, err := db.QueryContext(ctx, "SELECT client, COUNT(*), COUNT(DISTINCT seq), MAX(seq) FROM "+prefix+"entry GROUP BY client")
	if err != nil {
		return v, err
	}
	defer rows.Close()
	for rows.Next() {
		var client int
		var f found
		if err := rows.Scan(&client, &f.rows, &f.distinct, &f.most); err != nil {
			return v, err
		}
		have[client] = f
	}
	if err := rows.Err(); err != nil {
		return v, err
	}
	for _, c := range a.clients {
		f := have[c.number]
		delete(have, c.number)
		v.Orders += c.acked
		sent := c.acked
		if c.doubt {
			sent++ // it may be there or not
		}
		v.Twice += f.rows - f.distinct
		v.Invented += max(0, f.most-sent)
		v.Missing += max(0, c.acked-f.distinct)
	}
	for _, f := range have {
		v.Invented += f.rows
	}
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+prefix+"account a LEFT JOIN (SELECT account_id, SUM(amount) AS s FROM "+prefix+
		"entry GROUP BY account_id) e ON e.account_id = a.id WHERE a.balance <> COALESCE(e.s, 0)").Scan(&v.Balances)
	return v, err
}
