package mysql

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/spool"
	"github.com/bascule/bascule/internal/schema"
)

// SpoolOptions say where an end keeps its server's binlog.
type SpoolOptions struct {
	// Root is the folder of all spools; each server has one of its own in it.
	Root string
	// Key encrypts what is written and decrypts what is read; nil does neither.
	Key *spool.Key
	// Limit is how many bytes of files a server's spool may have; 0 is without a limit but the disk's.
	Limit int64
	// Who says who writes, for people.
	Who string
	// segmentBytes is for tests.
	segmentBytes int
}

const (
	// spoolTakeover is how often a process that waits looks whether the one that writes is gone.
	spoolTakeover = time.Second
	// spoolPatience is how long a lost server is waited for.
	spoolPatience = time.Minute
	// TrimAfter is how long a segment stays at least: a copy that begins has a position before it has written down that it needs it.
	TrimAfter = 10 * time.Minute
	// confirmEvery is how often a migration writes down how far it is.
	confirmEvery = 5 * time.Second
)

func isMaria(d schema.Dialect) bool { return d == schema.MariaDB }

// spoolDir is the folder of this server's spool.
func (e *End) spoolDir() string { return filepath.Join(e.spool.Root, url.PathEscape(e.server.id)) }

// A holding is the migration that this process holds the spool for.
type holding struct {
	mu        sync.Mutex
	migration string
	position  change.Position
	when      time.Time
}

// hold writes down that a migration needs what comes after a position.
func (e *End) hold(migration string, at change.Position) error {
	e.holding.mu.Lock()
	defer e.holding.mu.Unlock()
	e.holding.migration, e.holding.position, e.holding.when = migration, at, time.Now()
	return spool.Keep(e.spoolDir(), spool.Hold{Migration: migration, Position: string(at), Time: time.Now().UTC()})
}

// confirm writes down how far the migration is, every while, and deletes what nobody needs any more. What cannot be written
// only keeps the spool larger than it must be.
func (e *End) confirm(at change.Position) {
	h := &e.holding
	h.mu.Lock()
	migration := h.migration
	due := migration != "" && at != h.position && time.Since(h.when) >= confirmEvery
	h.mu.Unlock()
	if !due {
		return
	}
	err := e.hold(migration, at)
	if err == nil {
		_, err = TrimSpool(e.spoolDir(), TrimAfter)
	}
	if err != nil {
		e.log.Warn("the spool keeps what the target has", "error", err)
	}
}

// TrimSpool deletes the segments of a server's spool that no migration needs and that were finished at least that long ago, and returns
// how many there were.
func TrimSpool(dir string, finished time.Duration) (int, error) {
	return spool.Trim(dir, finished, func(held string, end spool.Place) (bool, error) {
		p, err := parsePosition(change.Position(held))
		if err != nil {
			return false, err
		}
		return p.follows(end)
	})
}

// Spool keeps the server's binlog behind a position for a migration, until ctx ends. One process writes the spool of a server, for all
// migrations; the others wait to take it over. ready is called once, when what follows the position is being kept, with whether
// all of it is: a spool that other migrations need cannot be begun anew further back.
//
// It goes on behind what is spooled, so that the server must still have that. When it has not, and somebody needs it, the error is fault.Refused.
func (e *End) Spool(ctx context.Context, migration string, from change.Position, ready func(covered bool)) error {
	const op = "spool the binlog"
	p, err := parsePosition(from)
	if err != nil {
		return err
	}
	if p.kind == positionNone {
		ready(false)
		return nil
	}
	dir := e.spoolDir()
	_, address := e.cfg.withDefaults().network()
	if err := spool.Name(dir, spool.Server{ID: e.server.id, Address: address}); err != nil {
		return err
	}
	before, err := spool.Holds(dir)
	if err != nil {
		return err
	}
	resumed := slices.ContainsFunc(before, func(h spool.Hold) bool { return h.Migration == migration })
	if err := e.hold(migration, from); err != nil {
		return err
	}
	told := false
	tell := func() error {
		if told {
			return nil
		}
		covered, err := spoolCovers(dir, p)
		if err == nil {
			told = true
			ready(covered)
		}
		return err
	}
	tick := time.NewTicker(spoolTakeover)
	defer tick.Stop()
	for {
		w, err := spool.Write(dir, spool.Options{Key: e.spool.Key, Who: e.spool.Who, Limit: e.spool.Limit, SegmentBytes: e.spool.segmentBytes})
		switch {
		case fault.ClassOf(err) == fault.Busy:
			if err := e.otherWrites(dir, tell); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			s := &spooler{e: e, w: w, from: p, ready: tell, resumed: resumed}
			err := s.keep(ctx)
			if ctx.Err() != nil {
				err = nil
			}
			if e := w.Close(); err == nil {
				err = e
			}
			return e.explain(op, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// otherWrites is content when another process has begun the spool.
func (e *End) otherWrites(dir string, tell func() error) error {
	all, err := spool.Segments(dir)
	if err != nil || len(all) == 0 {
		return err
	}
	return tell()
}

// spoolCovers reports whether a spool has all that follows a position, or will have.
func spoolCovers(dir string, p position) (bool, error) {
	all, err := spool.Segments(dir)
	if err != nil || len(all) == 0 {
		return false, err
	}
	return p.follows(all[0].First)
}

// SpoolStatus reports the spools under a root.
func SpoolStatus(root string) ([]*spool.Status, error) {
	dirs, err := spool.List(root)
	if err != nil {
		return nil, err
	}
	var out []*spool.Status
	for _, dir := range dirs {
		st, err := spool.Look(dir)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// ReleaseSpool forgets what a migration needs, in all spools under a root. It reports whether any was held for it.
func ReleaseSpool(root, migration string) (bool, error) {
	dirs, err := spool.List(root)
	held := false
	for _, dir := range dirs {
		was, failed := spool.Release(dir, migration)
		held, err = held || was, errors.Join(err, failed)
	}
	return held, err
}

// SpoolLag returns how many bytes of the server's log are not in its spool yet, or -1 when the spool is another server's.
func (e *End) SpoolLag(ctx context.Context, st *spool.Status) (int64, error) {
	if st.Server.ID != e.server.id || st.Segments == 0 {
		return -1, nil
	}
	files, err := e.binlogFiles(ctx)
	if err != nil {
		return -1, e.explain("ask how long the binlog is", err)
	}
	l := lag{ask: make(chan struct{}, 1)}
	l.files.Store(&files)
	return l.behind(st.Last.File, st.Last.Off), nil
}

// DefaultSpool is where spools are kept unless somebody says otherwise: $XDG_STATE_HOME/bascule/spool, ~/.local/state/bascule/spool.
func DefaultSpool() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, program, "spool"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fault.New(fault.Usage, "find a folder for the spool", fmt.Errorf("there is no home: %w", err), "name one with --spool")
	}
	return filepath.Join(home, ".local", "state", program, "spool"), nil
}
