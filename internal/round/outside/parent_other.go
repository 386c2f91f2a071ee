//go:build unix && !linux

package outside

import "syscall"

// withParent does nothing: only Linux tells a process that its parent died.
func withParent(*syscall.SysProcAttr) {}
