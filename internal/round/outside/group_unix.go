//go:build unix

package outside

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// alone gives cmd a process group of its own, which is told to end when cmd's context does.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	withParent(cmd.SysProcAttr)
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// end ends what is left of a group: it is told to, and after the grace period it is killed.
func end(group int, grace time.Duration) {
	if syscall.Kill(-group, syscall.SIGTERM) != nil {
		return // nobody is left
	}
	over := time.NewTimer(grace)
	defer over.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-over.C:
			_ = syscall.Kill(-group, syscall.SIGKILL) // whoever is gone need not be
			return
		case <-look.C:
			if syscall.Kill(-group, 0) != nil {
				return
			}
		}
	}
}
