package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/bascule/bascule/internal/fault"
)

// mark is the application_id of a store's file, by which it is told from another program's: "basc".
const mark = 0x62617363

var sqliteDialect = dialect{
	words: strings.NewReplacer("@", "", "$", "?", " LOCKED", "", "CLOCK", "0"),
	looks: sql.TxOptions{ReadOnly: true},
	judge: judgeSQLite,
}

// openSQLite opens or makes a file. Every commit is on the disk when it returns: synchronous=FULL syncs the log each time. The connection for signs does
// not; what it wrote is on the disk with the next entry.
func openSQLite(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "open the journal of rounds", err, "")
	}
	if err := makeFile(path); err != nil {
		return nil, err
	}
	// The path is escaped, so that ?, # and % in it are no parameters.
	base := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?_busy_timeout=10000&_txlock=immediate&_synchronous="
	s := &Store{dialect: sqliteDialect, place: path, now: time.Now, patience: patience, settling: settling, pause: pause}
	// Writers of one process queue here, in turn; only processes poll for each other's lock.
	if s.write, err = connectSQLite(base+"FULL", 1); err != nil {
		return nil, s.fail("open the journal at "+path, err)
	}
	if err := s.setupSQLite(ctx); err != nil {
		s.write.Close()
		return nil, s.fail("open the journal at "+path, err)
	}
	var errRead, errLoose error
	s.read, errRead = connectSQLite(base+"FULL&_query_only=true", 4)
	s.loose, errLoose = connectSQLite(base+"NORMAL", 1)
	if err := errors.Join(errRead, errLoose); err != nil {
		return nil, errors.Join(s.fail("open the journal at "+path, err), s.Close())
	}
	return s, nil
}

func connectSQLite(dsn string, most int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// makeFile makes the folder and the file where they are not there, for the user alone, and sees that the file's name is on the disk. SQLite gives the files
// that it adds the same mode.
func makeFile(path string) error {
	op := "open the journal at " + path
	hint := "name another file, or give this user the right to write there"
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fileClass(err), op, err, hint)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return fault.New(fileClass(err), op, err, hint)
		}
		return f.Close()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fault.New(fileClass(err), op, err, hint)
	}
	return fault.New(fault.Resource, op, syncFolder(dir), "check the disk")
}

// syncFolder writes a folder's names to the disk, where the system and this user can.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		err = f.Sync()
		f.Close() //nolint:errcheck // nothing was written through it
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

func fileClass(err error) fault.Class {
	switch {
	case errors.Is(err, fs.ErrPermission), strings.Contains(err.Error(), "read-only file system"):
		return fault.Privilege
	case strings.Contains(err.Error(), "no space left"):
		return fault.Resource
	}
	return fault.Usage
}

// setupSQLite sees that the file is a store, or empty, and makes the tables.
func (s *Store) setupSQLite(ctx context.Context) error {
	if err := s.refuseForeign(ctx); err != nil {
		return err
	}
	if err := s.useLog(ctx); err != nil {
		return err
	}
	return s.in(ctx, s.write, nil, func(ctx context.Context, t *tx) error {
		version, err := versionSQLite(ctx, t)
		if err != nil || version == int64(len(steps)) {
			return err
		}
		if err := known(s.place, version); err != nil {
			return err
		}
		if err := t.exec(ctx, fmt.Sprintf("PRAGMA application_id = %d", mark)); err != nil {
			return err
		}
		return raise(ctx, t, version)
	})
}

// refuseForeign leaves another program's database alone, before anything in it changes.
func (s *Store) refuseForeign(ctx context.Context) error {
	var app, tables int64
	if err := s.write.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").Scan(&app, &tables); err != nil {
		return err
	}
	if app == mark || app == 0 && tables == 0 {
		return nil
	}
	return fault.New(fault.Usage, "open the journal at "+s.place, errors.New("it is a database of another program"), "name another file")
}

// useLog switches the file to a write-ahead log, with which readers hold no writer up. SQLite does not wait for others there, so it is tried again.
func (s *Store) useLog(ctx context.Context) error {
	for {
		var mode string
		err := s.write.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		if err == nil && mode != "wal" {
			return fault.New(fault.Unsupported, "open the journal at "+s.place, fmt.Errorf("its file system has no write-ahead log (journal_mode is %s)", mode),
				"put the file on a local disk")
		}
		if err == nil || !busy(err) || s.rest(ctx) != nil {
			return err
		}
	}
}

func versionSQLite(ctx context.Context, t *tx) (version int64, err error) {
	err = t.row(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").Scan(&version)
	if err != nil || version == 0 {
		return 0, err
	}
	return version, t.row(ctx, "SELECT version FROM @meta").Scan(&version)
}

// code is SQLite's result code (sqlite.org/rescode.html), extended; 0 for other errors.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func busy(err error) bool { return code(err)&0xff == codes.SQLITE_BUSY }

// unsynced reports whether a commit is in the log and only its way to the disk failed: after a crash of the program it would be found there.
func unsynced(err error) bool { return code(err) == codes.SQLITE_IOERR_FSYNC }

// judgeSQLite sorts result codes by what the operator can do.
func judgeSQLite(place string, err error) (class fault.Class, hint string, ok bool) {
	switch code(err) & 0xff {
	case 0:
		return "", "", false
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return fault.Busy, "another process writes " + place + " and does not end: see which with fuser or lsof, then run the same command again", true
	case codes.SQLITE_FULL:
		return fault.Resource, "the disk under " + place + " is full: nothing was lost; make room, then run the same command again", true
	case codes.SQLITE_IOERR:
		return fault.Resource, "the disk under " + place + " cannot be read or written (full, a limit, or broken): mend that, then run the same command again", true
	case codes.SQLITE_NOTADB:
		return fault.Usage, place + " is no journal of rounds: name another file", true
	case codes.SQLITE_CORRUPT:
		return fault.Difference, place + " is damaged: keep a copy of it and of the files beside it, and restore a backup", true
	case codes.SQLITE_READONLY, codes.SQLITE_PERM, codes.SQLITE_AUTH, codes.SQLITE_CANTOPEN:
		return fault.Privilege, "this user must be able to write " + place + " and its folder", true
	default:
		return fault.Internal, "", true
	}
}
