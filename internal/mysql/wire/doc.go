// Package wire speaks the MySQL and MariaDB client protocol: it owns the bytes between bascule and one server, from the
// greeting to the last row. It never interprets a value, never builds SQL, never retries and never logs.
//
// The layers, from the bottom up; each file uses only what stands above it:
//
//   - framing: cursor.go decodes the protocol's integers and strings within bounds, deadline.go turns contexts and timeouts
//     into socket deadlines, compress.go wraps the byte stream in compressed frames, packet.go splits it into packets and
//     joins payloads of 16 MiB and more;
//   - connection: capability.go, greeting.go, auth.go with one auth_*.go per family of methods, config.go and conn.go;
//   - commands: result.go (OK, ERR, EOF), column.go, command.go (text statements), param.go and stmt.go (prepared statements);
//   - rows: split.go finds the values of one row, rows.go fills a [change.Batch], giant.go completes rows that do not fit one,
//     part.go delivers them in parts instead.
//
// # Reading rows
//
// The hot path is [Rows.ReadBatch]. The socket is read straight into the batch's buffer, and a row becomes a list of
// [change.Span] that point at its values where they lie: nothing is copied and nothing is allocated per row.
//
//	conn, err := wire.Connect(ctx, wire.Config{Address: "db:3306", User: "mover", Password: fetch})
//	stmt, err := conn.Prepare(ctx, "SELECT id, total FROM orders WHERE id >= ? AND id < ?")
//	rows, err := stmt.Execute(ctx, wire.Int64(lo), wire.Int64(hi))
//	var batch change.Batch
//	for {
//		err := rows.ReadBatch(ctx, 1<<20, &batch)
//		if err == io.EOF {
//			break
//		}
//		// batch.Row(i) has the spans of row i, batch.Bytes gives a value.
//	}
//
// # Errors
//
// An error that the server reports is a [*ServerError]; the connection stays usable. Everything else that goes wrong on the
// way is a [*ConnError], which knows whether the request can be repeated, and closes the connection. Bytes that do not
// follow the protocol give a [*ProtocolError] inside a ConnError, never a panic and never a wrong row.
//
// The formats are those of the MySQL internals manual ("Client/Server Protocol") and of MariaDB's "Client/Server Protocol"
// pages.
package wire
