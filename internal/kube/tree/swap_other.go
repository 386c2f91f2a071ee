//go:build !linux

package tree

// swap puts one folder in the place of another.
func swap(fresh, dir string) error { return replace(fresh, dir) }
