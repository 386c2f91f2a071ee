package main

import (
	"context"
	"database/sql"
	"fmt"
)

// fillBlobs makes the table of the memory test: LONGBLOB values of --blob-mib
// MiB each. A value is generated and repeated inside the server, so that the
// client's own max_allowed_packet does not bound it; the server's does.
func fillBlobs(ctx context.Context, db *sql.DB, o options) (int, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "CREATE TABLE blobs (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, body LONGBLOB NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"); err != nil {
		return 0, fmt.Errorf("create table %q: %w", "blobs", err)
	}
	var limit int
	if err := conn.QueryRowContext(ctx, "SELECT @@max_allowed_packet").Scan(&limit); err != nil {
		return 0, fmt.Errorf("read max_allowed_packet: %w", err)
	}
	want := o.blobMB << 20
	if limit < want+1024 {
		return 0, fmt.Errorf("max_allowed_packet is %d, a value needs %d: SET GLOBAL max_allowed_packet = %d", limit, want+1024, 1<<30)
	}
	const piece = 64 << 10
	for i := range o.blobs {
		block := newDice(o.seed, "blobs", i).bytes(piece)
		if _, err := conn.ExecContext(ctx, "INSERT INTO blobs (id, name, body) VALUES (?, ?, repeat(?, ?))", i+1, fmt.Sprintf("image %d.bin", i+1), block, want/piece); err != nil {
			return 0, fmt.Errorf("insert blob %d: %w", i+1, err)
		}
	}
	var short int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM blobs WHERE length(body) <> ?", want).Scan(&short); err != nil {
		return 0, err
	}
	if short > 0 {
		return 0, fmt.Errorf("%d values are not %d bytes long", short, want)
	}
	return o.blobs, nil
}
