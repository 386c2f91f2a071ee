package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bascule/bascule/internal/fault"
)

// An Owner is the process that writes a spool.
type Owner struct {
	Who   string    `json:"who"`
	Since time.Time `json:"since"`
}

// lockFile is held by the process that writes. The lock vanishes with the process.
const lockFile = "lock"

// lock takes the folder for this process. Another one that has it is fault.Busy.
func lock(dir, who string) (*os.File, error) {
	op := "take the spool " + dir
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, diskFault(op, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // the error below is the one that matters
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, diskFault(op, err)
		}
		o := readOwner(dir)
		return nil, fault.New(fault.Busy, op, fmt.Errorf("%s has written it since %s", o.Who, o.Since.Format(time.RFC3339)), "")
	}
	text, err := json.Marshal(Owner{Who: who, Since: time.Now().UTC()})
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, text, 0))
	}
	if err != nil {
		_ = f.Close() // the error below is the one that matters
		return nil, diskFault(op, err)
	}
	return f, nil
}

func writeAt(f *os.File, b []byte, at int64) error {
	_, err := f.WriteAt(b, at)
	return err
}

// owner returns who writes, or nil when nobody does.
func owner(dir string) *Owner {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return nil // closing gives it back
	}
	o := readOwner(dir)
	return &o
}

func readOwner(dir string) Owner {
	var o Owner
	if text, err := os.ReadFile(filepath.Join(dir, lockFile)); err == nil {
		_ = json.Unmarshal(text, &o) // it may be written right now
	}
	if o.Who == "" {
		o.Who = "another process"
	}
	return o
}

// diskFault is the error of a file.
func diskFault(op string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		hint = roomHint
	case errors.Is(err, os.ErrPermission):
		hint = "let the user who runs this write there, or name another folder with --spool"
	}
	return fault.New(fault.Resource, op, err, hint)
}

// roomHint is what helps a spool that has no room. What was written stays.
const roomHint = "make room there, or raise --spool-limit; what is spooled stays, and the same command goes on from it while the source still has what comes after. " +
	"bascule db follow frees what the target has; bascule db spool status says what is needed by whom"
