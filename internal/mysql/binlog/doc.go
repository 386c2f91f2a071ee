// Package binlog decodes the binary log of MySQL and MariaDB: it owns the events' formats, from the bytes after the packet's
// OK byte (or after a file's magic) to rows whose values are byte for byte those of the binary protocol. It does no I/O, keeps no
// position and never skips what it does not know: that is an error which names the event.
package binlog
