package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/mysql/spool"
)

// The codes of what is found about the spool.
const (
	CodeSpoolSize  finding.Code = "spool-size"
	CodeSpoolPlain finding.Code = "spool-unencrypted"
)

const (
	// slowestCopy is how many bytes a second a slow copy moves, as db plan's estimate has it.
	slowestCopy = 10 << 20
	// sizeMargin is what the spool's need is multiplied with: the log grows faster by day than on average, and a follow has to catch up.
	sizeMargin = 2
	// shortLog is the age up to which a log says little of how fast it grows.
	shortLog = 10 * time.Minute
)

// SpoolFindings tells what the spool needs while so many bytes are copied: what the log grew by, as long as the slowest copy takes, uncompressed
// and twice, against what the disk of its folder has.
func (e *End) SpoolFindings(ctx context.Context, bytes int64) ([]finding.Finding, error) {
	if e.spool == nil {
		return nil, nil
	}
	var out []finding.Finding
	if e.spool.Key == nil {
		out = append(out, finding.Finding{
			Code: CodeSpoolPlain, Kind: finding.Problem, Severity: finding.Warning, Object: "spool",
			What: fmt.Sprintf("the source's changes will be kept in %s without encryption, for whoever can read that disk", e.spool.Root),
			Do:   "name 32 bytes as the key, for instance of openssl rand -hex 32: --spool-key env:NAME, file:PATH or exec:COMMAND", Owner: "operator",
		})
	}
	size, err := e.spoolSize(ctx, bytes)
	if size != nil {
		out = append(out, *size)
	}
	return out, err
}

func (e *End) spoolSize(ctx context.Context, bytes int64) (*finding.Finding, error) {
	logged, age, err := e.binlogAge(ctx)
	if code, _ := serverCode(err); code == errAccessDenied || code == errAccount || code == errNoBinlog {
		return nil, nil // the right, or the log, that is missing is a finding of its own
	}
	if err != nil {
		return nil, e.explain("ask how fast the binlog grows", err)
	}
	age = max(age, time.Second)
	rate := float64(logged) / age.Seconds()
	took := time.Duration(float64(bytes) / slowestCopy * float64(time.Second))
	need := int64(sizeMargin * rate * took.Seconds())
	free, err := freeAt(e.spool.Root)
	if err != nil {
		return nil, err
	}
	if e.spool.Limit > 0 {
		free = min(free, e.spool.Limit)
	}
	f := &finding.Finding{
		Code: CodeSpoolSize, Kind: finding.Problem, Severity: finding.Info, Object: "spool",
		What: fmt.Sprintf("the spool may need %s while the data is copied, and there is room for %s", mib(need), mib(free)),
		Evidence: []string{
			fmt.Sprintf("the source logged %s within %s: %s a second", mib(logged), age.Round(time.Second), mib(int64(rate))),
			fmt.Sprintf("a slow copy of %s takes %s", mib(bytes), took.Round(time.Second)),
			"folder " + e.spool.Root,
		},
		Owner: "operator",
	}
	if age < shortLog {
		f.Evidence = append(f.Evidence, "the log is too young for that rate to mean much")
	}
	if need > free {
		f.Severity = finding.Warning
		f.Do = "name a folder on a larger disk with --spool, or raise --spool-limit; a spool that has no room stops the copy, which goes on when there is room again"
	}
	return f, nil
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// freeAt is the room on the disk where a folder is, or will be.
func freeAt(dir string) (int64, error) {
	for {
		free, err := spool.Free(dir)
		if parent := filepath.Dir(dir); errors.Is(err, os.ErrNotExist) && parent != dir {
			dir = parent
			continue
		}
		return free, err
	}
}

// errNoBinlog is ER_NO_BINARY_LOGGING.
const errNoBinlog = 1381

// binlogAge returns how many bytes the server's log has, and since when its oldest file is written, by the server's clock.
func (e *End) binlogAge(ctx context.Context) (int64, time.Duration, error) {
	files, err := e.binlogFiles(ctx)
	if err != nil || len(files) == 0 {
		return 0, 0, err
	}
	total := int64(0)
	for _, f := range files {
		total += int64(f.size)
	}
	c, err := e.dumpConn(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	row, err := (&reader{e: e, conn: c}).row(ctx, "SELECT UNIX_TIMESTAMP()")
	if err != nil {
		return 0, 0, err
	}
	var now int64
	if _, err := fmt.Sscan(row[0], &now); err != nil {
		return 0, 0, err
	}
	req := dumpRequest()
	req.File, req.Pos, req.ToEnd = files[0].name, firstEvent, true
	d, err := c.Dump(ctx, req)
	if err != nil {
		return 0, 0, err
	}
	for {
		raw, err := d.Next(ctx)
		if errors.Is(err, io.EOF) {
			return total, 0, nil
		}
		if err != nil {
			return 0, 0, err
		}
		if len(raw) >= eventHeaderBytes && raw[4] == eventFormat {
			return total, time.Duration(now-int64(binary.LittleEndian.Uint32(raw))) * time.Second, nil
		}
	}
}
