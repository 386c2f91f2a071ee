// Command rounds owns the demonstration of rounds: it plays the people, and the applications, of a platform that moves environment after environment, by the
// bascule command alone, and ends with an error at the first thing that is not as it should be. It never makes servers; demo/setup makes what it moves.
//
//	rounds --folder FOLDER --bascule FILE --old URL --scratch URL --new URL
//	rounds --old URL clone FROM TO
//	rounds tables
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/bascule/bascule/internal/storefront"
)

// accounts is how many accounts each application's customers have.
const accounts = 1000

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	s := &stage{out: os.Stdout}
	fs := flag.NewFlagSet("rounds", flag.ContinueOnError)
	fs.StringVar(&s.folder, "folder", "", "where bascule.yaml stands")
	fs.StringVar(&s.bascule, "bascule", "bin/bascule", "the program")
	fs.StringVar(&s.old, "old", "", "URL of the old side's server, as its administrator, without a database")
	fs.StringVar(&s.scratch, "scratch", "", "URL of the server that holds its scratch copies")
	fs.StringVar(&s.new, "new", "", "URL of the new side's server, as its administrator, without a database")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch rest := fs.Args(); {
	case len(rest) == 0:
		return play(ctx, s)
	case len(rest) == 1 && rest[0] == "tables":
		for _, text := range storefront.Schema(accounts) {
			fmt.Println(text + ";")
		}
		return nil
	case len(rest) == 3 && rest[0] == "clone":
		return clone(ctx, s.old, rest[1], rest[2])
	}
	return errors.New("say clone FROM TO, tables, or nothing")
}
