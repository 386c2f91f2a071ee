package outside

import "syscall"

// withParent has the command told to end when bascule dies, so that whoever takes over does not find it at work.
func withParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGTERM }
