//go:build !unix

package outside

import (
	"os/exec"
	"time"
)

// alone leaves cmd as it is: without process groups only the command itself is ended.
func alone(*exec.Cmd) {}

func end(int, time.Duration) {}
