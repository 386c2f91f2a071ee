// Package spool owns the files in which a server's binlog is kept for as long as a migration needs it: segments of raw events, compressed,
// encrypted if there is a key, with the positions between which they lie. It never connects to a server, never decodes a transaction, and
// never calls damaged or missing bytes an end.
//
// A spool is a folder. One process writes it, any number read it at the same time:
//
//	lock             held by the process that writes, and says who that is
//	00000001.seg     a segment: frames in a row, from one file of the server's log
//	00000001.idx     what a finished segment holds, so that nobody need read it to know
//	holds/NAME       how far a migration is: what comes after that is still needed
//
// A segment begins with 16 bytes that name the format, and with a frame that holds the FORMAT_DESCRIPTION of the events that follow. A frame
// is a header, its payload and the payload's CRC-32C; the header tells which place of the log is reached, in clear, so that a spool
// can be examined without the key, and is authenticated with the payload. A frame that ends a transaction is an end frame: nothing
// behind the last of them counts, neither for a reader nor for the writer that comes next.
package spool
