package tree

import (
	"errors"
	"os"
)

// replace puts one folder in the place of another in two steps. Between them there is none, which the next run mends: it writes the same again.
func replace(fresh, dir string) error {
	old := fresh + ".old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}
