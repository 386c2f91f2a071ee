// Command flips owns the benchmark of the cutover: it lets an application write to whichever side is open, moves it to and fro by the
// bascule command, and says for how long writes were stopped, by bascule's count and by the application's. At the end it compares both sides
// with what was acknowledged. It never makes servers or copies.
//
//	flips --bascule FILE --old URL --new URL --schema NAME --flips N --rate N --clients N -- ARGS OF BASCULE
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/storefront"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "flips:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	bascule string
	args    []string
	app     storefront.App
	flips   int
	settle  time.Duration
	frozen  map[string][]time.Duration // by command
	paused  map[string][]time.Duration
	steps   map[string][]time.Duration
	phases  map[string][]time.Duration // what is done while the application still writes
	whole   []time.Duration            // from bascule's start to its end
	events  *os.File                   // what bascule said; nil for nowhere
}

func command(ctx context.Context, args []string) error {
	b := &bench{
		frozen: map[string][]time.Duration{}, paused: map[string][]time.Duration{}, steps: map[string][]time.Duration{}, phases: map[string][]time.Duration{},
	}
	fs := flag.NewFlagSet("flips", flag.ContinueOnError)
	fs.StringVar(&b.bascule, "bascule", "bin/bascule", "the program")
	fs.StringVar(&b.app.Old, "old", "", "URL of the source, as the application")
	fs.StringVar(&b.app.New, "new", "", "URL of the target, as the application")
	fs.StringVar(&b.app.Schema, "schema", "public", "schema of the target")
	fs.IntVar(&b.flips, "flips", 40, "moves, half of them back")
	fs.Float64Var(&b.app.Rate, "rate", 1000, "orders a second; 0 for as many as there can be")
	fs.IntVar(&b.app.Clients, "clients", 16, "connections that write")
	fs.IntVar(&b.app.Accounts, "accounts", 1000, "accounts")
	fs.IntVar(&b.app.NoteBytes, "note", 100, "bytes of an order's note")
	tables := fs.Bool("schema-sql", false, "print the statements that make the application's tables on the source, and end")
	fs.DurationVar(&b.settle, "between", 2*time.Second, "time that the application writes before and after each move")
	first := fs.Int64("before", 0, "orders that are made before the first move")
	events := fs.String("events", "", "file for all that bascule says of its moves")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *tables {
		for _, s := range storefront.Schema(b.app.Accounts) {
			fmt.Println(s + ";")
		}
		return nil
	}
	b.args = fs.Args()
	if *events != "" {
		f, err := os.Create(*events)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		b.events = f
	}
	if err := b.app.Start(ctx); err != nil {
		return err
	}
	began := time.Now()
	err := b.until(ctx, *first)
	if err == nil {
		err = b.run(ctx)
	}
	err = errors.Join(err, b.app.Stop())
	orders := b.app.Acked()
	fmt.Printf("%d orders in %s, %.0f a second (%.0f were asked for), by %d clients\n", orders, time.Since(began).Round(time.Second),
		float64(orders)/time.Since(began).Seconds(), b.app.Rate, b.app.Clients)
	b.report()
	return errors.Join(err, b.judge(ctx))
}

// run moves the application to and fro.
func (b *bench) run(ctx context.Context) error {
	for n := range b.flips {
		command := []string{"db", "cutover"}
		if n%2 == 1 {
			command = []string{"db", "fallback", "--switch"}
		}
		if err := b.wait(ctx); err != nil {
			return err
		}
		b.app.ResetGap()
		frozen, err := b.move(ctx, command)
		if err != nil {
			return fmt.Errorf("move %d: %w", n+1, err)
		}
		if err := b.wait(ctx); err != nil {
			return err
		}
		name := strings.Join(command[1:], " ")
		b.frozen[name], b.paused[name] = append(b.frozen[name], frozen), append(b.paused[name], b.app.Gap())
		fmt.Printf("%3d  %-18s writes stopped for %6s; the application's longest pause %6s; the move took %6s; %d orders so far\n", n+1, name,
			frozen.Round(time.Millisecond), b.app.Gap().Round(time.Millisecond), b.whole[n].Round(time.Millisecond), b.app.Acked())
	}
	return nil
}

// until lets the application write so many orders.
func (b *bench) until(ctx context.Context, orders int64) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for b.app.Acked() < orders {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// wait lets the application write for a while.
func (b *bench) wait(ctx context.Context) error {
	t := time.NewTimer(b.settle)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// move runs bascule and returns for how long it says that writes were stopped.
func (b *bench) move(ctx context.Context, command []string) (time.Duration, error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, b.bascule, slices.Concat(command, []string{"--json"}, b.args)...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	began := time.Now()
	err := cmd.Run()
	b.whole = append(b.whole, time.Since(began))
	if b.events != nil {
		_, _ = b.events.Write(out.Bytes()) // it is for looking at
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, problems.String())
	}
	frozen := time.Duration(-1)
	for line := range strings.Lines(out.String()) {
		var e struct {
			Event, Step, Phase string
			Elapsed            time.Duration `json:"elapsed_ns"`
		}
		switch err := json.Unmarshal([]byte(line), &e); {
		case err != nil:
		case e.Event == "frozen":
			frozen = e.Elapsed
		case e.Event == "step_done":
			b.steps[e.Step] = append(b.steps[e.Step], e.Elapsed)
		case e.Event == "phase_done":
			b.phases[e.Phase] = append(b.phases[e.Phase], e.Elapsed)
		}
	}
	if frozen < 0 {
		return 0, errors.New("bascule did not say for how long writes were stopped")
	}
	return frozen, nil
}

// report prints the distribution.
func (b *bench) report() {
	var all, pauses []time.Duration
	line := func(name string, d, p []time.Duration) {
		fmt.Printf("%-18s %3d moves: writes stopped p50 %6s, max %6s; the application's pause p50 %6s, max %6s\n", name, len(d),
			quantile(d, 0.5), quantile(d, 1), quantile(p, 0.5), quantile(p, 1))
	}
	for _, name := range []string{"cutover", "fallback --switch"} {
		line(name, b.frozen[name], b.paused[name])
		all, pauses = append(all, b.frozen[name]...), append(pauses, b.paused[name]...)
	}
	line("both", all, pauses)
	for _, step := range []string{"fence", "prove", "drain", "proof", "prepare", "switch", "open"} {
		if d := b.steps[step]; len(d) > 0 {
			fmt.Printf("  of that, %-8s p50 %6s, max %6s\n", step, quantile(d, 0.5), quantile(d, 1))
		}
	}
	fmt.Printf("a move in all: p50 %6s, max %6s\n", quantile(b.whole, 0.5), quantile(b.whole, 1))
	for _, phase := range slices.Sorted(maps.Keys(b.phases)) {
		fmt.Printf("  of that, %-20s p50 %6s, max %6s\n", phase, quantile(b.phases[phase], 0.5), quantile(b.phases[phase], 1))
	}
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[min(len(d)-1, int(q*float64(len(d))))].Round(time.Millisecond)
}

// judge lets the last changes flow, compares both sides by bascule, and asks the oracle.
func (b *bench) judge(ctx context.Context) error {
	last, live := "fallback", b.app.New
	if b.flips%2 == 0 {
		last, live = "follow", b.app.Old
	}
	var args []string
	for i := 0; i < len(b.args); i++ { // those of a cutover alone are left out
		if b.args[i] == "--app-user" || b.args[i] == "--accept" {
			i++
			continue
		}
		args = append(args, b.args[i])
	}
	for _, c := range [][]string{{"db", last, "--until-now"}, {"db", "verify"}} {
		cmd := exec.CommandContext(ctx, b.bascule, slices.Concat(c, args)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
		}
	}
	v, err := b.app.Judge(ctx, live)
	if err != nil {
		return err
	}
	fmt.Printf("%d acknowledged orders: %d missing, %d twice, %d invented, %d wrong balances; both sides equal by bascule db verify\n", v.Orders, v.Missing, v.Twice, v.Invented, v.Balances)
	if !v.Good() {
		return errors.New("the live side does not hold what was acknowledged")
	}
	return nil
}
