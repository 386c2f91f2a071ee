package wire_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/mysql/wire"
)

// binlogEnd returns the file and the offset that the server writes at.
func (sv server) binlogEnd(t *testing.T, c *wire.Conn) (string, uint32) {
	t.Helper()
	stmt := "SHOW BINARY LOG STATUS"
	if c.IsMariaDB() {
		stmt = "SHOW BINLOG STATUS"
	}
	rows, err := c.Query(t.Context(), stmt)
	if err != nil {
		t.Fatal(err)
	}
	all, err := drain(t, rows, 1<<16)
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %d rows, %v", stmt, len(all), err)
	}
	pos, err := strconv.ParseUint(string(all[0][1]), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return string(all[0][0]), uint32(pos)
}

// replica opens a connection that may be asked for the binlog.
func replica(t *testing.T, cfg wire.Config) *wire.Conn {
	t.Helper()
	c := connect(t, cfg)
	exec(t, c, "SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'",
		"SET @master_heartbeat_period = 100000000, @source_heartbeat_period = 100000000, @mariadb_slave_capability = 4")
	return c
}

func request(file string, pos uint32) wire.DumpRequest {
	return wire.DumpRequest{ServerID: 1<<31 + rand.Uint32N(1<<31), Name: "bascule-test", File: file, Pos: pos}
}

// TestDump reads events of all sizes and compares where they end with what the server says itself, and each with its checksum.
func TestDump(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		db := sv.database(t)
		admin := connect(t, sv.config())
		exec(t, admin, "USE "+db, "CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB)")
		file, pos := sv.binlogEnd(t, admin)
		for i := range 150 { // more packets than numbers
			exec(t, admin, fmt.Sprintf("INSERT INTO t VALUES (%d, REPEAT('x', %d))", i, i*i))
		}
		exec(t, admin, "INSERT INTO t VALUES (1000, REPEAT('a', 20 << 20)), (1001, 'after')")
		end, _ := sv.binlogEnd(t, admin)
		if end != file {
			t.Skip("the binlog was rotated in between")
		}
		rows, err := admin.Query(t.Context(), fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d", file, pos))
		if err != nil {
			t.Fatal(err)
		}
		truth, err := drain(t, rows, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		truth = slices.DeleteFunc(truth, func(row [][]byte) bool { return string(row[2]) == "Annotate_rows" }) // sent on demand
		for _, compression := range []wire.Compression{wire.CompressionNone, wire.CompressionZlib, wire.CompressionZstd} {
			for _, mode := range []wire.TLSMode{wire.TLSDisabled, wire.TLSRequired} {
				t.Run(fmt.Sprintf("%s,tls=%d", compression, mode), func(t *testing.T) {
					cfg := sv.config()
					cfg.Compression, cfg.TLSMode, cfg.TLS = compression, mode, insecure
					r := request(file, pos)
					r.ToEnd = true
					c := replica(t, cfg)
					d, err := c.Dump(t.Context(), r)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := c.Exec(t.Context(), "DO 1"); !errors.Is(err, wire.ErrBusy) {
						t.Errorf("another statement: %v", err)
					}
					var ends []string
					for {
						raw, err := d.Next(t.Context())
						if errors.Is(err, io.EOF) {
							break
						}
						if err != nil {
							t.Fatal(err)
						}
						if n := binary.LittleEndian.Uint32(raw[9:]); int(n) != len(raw) {
							t.Fatalf("an event of %d bytes says %d", len(raw), n)
						}
						if binary.LittleEndian.Uint32(raw) == 0 || raw[4] == 15 { // made up for this dump, or the format
							continue
						}
						body := raw[:len(raw)-4]
						if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(raw[len(body):]) {
							t.Fatalf("event of type %d and %d bytes: checksum differs", raw[4], len(raw))
						}
						ends = append(ends, strconv.Itoa(int(binary.LittleEndian.Uint32(raw[13:]))))
					}
					if len(ends) < len(truth) { // others may have written more
						t.Fatalf("%d events, the server lists %d", len(ends), len(truth))
					}
					for i, row := range truth {
						if ends[i] != string(row[4]) {
							t.Fatalf("event %d ends at %s, the server says %s", i, ends[i], row[4])
						}
					}
					if !c.Closed() {
						t.Error("the connection is not closed at the end")
					}
				})
			}
		}
	})
}

func TestDumpRefusals(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		c := replica(t, sv.config())
		d, err := c.Dump(t.Context(), request("no-such-file.000001", 4))
		if err != nil {
			t.Fatal(err)
		}
		var server *wire.ServerError
		for range 3 { // the format may come first
			if _, err = d.Next(t.Context()); err != nil {
				break
			}
		}
		if !errors.As(err, &server) || server.Code != 1236 {
			t.Fatalf("a file that does not exist: %v", err)
		}
		if _, err := d.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}

		db := sv.database(t)
		admin := connect(t, sv.config())
		user := "u" + strings.TrimPrefix(db, "bascule_test_")[:12]
		exec(t, admin, "CREATE USER "+user+" IDENTIFIED BY 'pw'")
		defer exec(t, admin, "DROP USER "+user)
		cfg := sv.config()
		cfg.User, cfg.Password, cfg.TLSMode, cfg.TLS = user, fixed("pw"), wire.TLSRequired, insecure
		poor := connect(t, cfg)
		d, err = poor.Dump(t.Context(), request("", 4))
		if err == nil {
			_, err = d.Next(t.Context())
		}
		if !errors.As(err, &server) || server.Code != 1227 && server.Code != 1045 {
			t.Errorf("without the right: %v", err)
		}
	})
}

// TestDumpWaits holds that Buffered tells when events are there, that it looks without losing bytes, and that a waiting Next can be cancelled.
func TestDumpWaits(t *testing.T) {
	each(t, func(t *testing.T, sv server) {
		for _, compression := range []wire.Compression{wire.CompressionNone, wire.CompressionZlib} {
			for _, mode := range []wire.TLSMode{wire.TLSDisabled, wire.TLSRequired} {
				t.Run(fmt.Sprintf("%s,tls=%d", compression, mode), func(t *testing.T) {
					cfg := sv.config()
					cfg.Compression, cfg.TLSMode, cfg.TLS = compression, mode, insecure
					admin := connect(t, sv.config())
					file, pos := sv.binlogEnd(t, admin)
					c := replica(t, cfg)
					r := request(file, pos)
					r.Silence = 20 * time.Second
					d, err := c.Dump(t.Context(), r)
					if err != nil {
						t.Fatal(err)
					}
					deadline := time.Now().Add(20 * time.Second)
					for beats := 0; beats < 3; { // heartbeats every 100 ms
						if !d.Buffered() {
							if time.Now().After(deadline) {
								t.Fatal("no heartbeat")
							}
							continue
						}
						raw, err := d.Next(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if raw[4] == 27 {
							beats++
						}
					}
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					var conn *wire.ConnError
					for err = nil; err == nil; {
						_, err = d.Next(ctx)
					}
					if !errors.As(err, &conn) || !errors.Is(err, context.Canceled) {
						t.Errorf("cancelled: %v", err)
					}
				})
			}
		}
	})
}
