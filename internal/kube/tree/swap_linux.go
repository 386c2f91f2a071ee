package tree

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// swap exchanges two folders at once; where the file system cannot, in two steps.
func swap(fresh, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return replace(fresh, dir)
	}
	if err != nil {
		return &os.LinkError{Op: "exchange", Old: fresh, New: dir, Err: err}
	}
	return nil
}
