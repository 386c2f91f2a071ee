package apiserver

import "syscall"

// withParent has a server end when the test's process dies without a word, as it does after go test's -timeout.
func withParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
