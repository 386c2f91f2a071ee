// Package logical decodes what PostgreSQL's logical replication sends: the envelope of the streaming replication protocol
// (log data, keepalives, the client's status) and the messages of the output plugin pgoutput, protocol version 1. It does no
// I/O, keeps no position, knows no table, and never skips what it does not know: that is an error which names the message.
//
// The formats are those of the PostgreSQL documentation, chapters "Streaming Replication Protocol" and "Logical
// Replication Message Formats".
package logical
