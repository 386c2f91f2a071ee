// Command meter owns the benchmarks' measuring: it runs one command, reads from
// /proc what two database servers spent meanwhile, appends a line of JSON to a
// file, and sums such lines up against the goals. It never starts or changes a
// server.
//
//	meter run --out FILE --name WHO --set WHAT --round N --source-pid P --target-pid P -- COMMAND...
//	meter summary FILE
//	meter proxy --listen ADDRESS --to ADDRESS --count FILE
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "meter:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: meter run | summary | proxy")
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "summary":
		return summary(args[1:])
	case "proxy":
		return proxy(ctx, args[1:])
	}
	return fmt.Errorf("unknown command %q: know run, summary, proxy", args[0])
}
