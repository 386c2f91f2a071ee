// Command bascule moves a live platform between clouds. This package owns
// signals and the exit; everything else is internal/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/bascule/bascule/internal/cli"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2) // os/signal drops what nobody can take at once
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		// The first signal lets transactions roll back and connections close; a second means now.
		cancel(cli.InterruptedError{Signal: (<-signals).String()})
		<-signals
		os.Exit(cli.ExitInterrupted)
	}()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
