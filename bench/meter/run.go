package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// result is one measured run. Times are seconds.
type result struct {
	Name   string  `json:"name"`  // who moved: bascule, pgloader, pipeline
	Set    string  `json:"set"`   // what was moved: orders, marketplace
	Round  int     `json:"round"` // counted from 1
	Wall   float64 `json:"wall"`
	Own    float64 `json:"own_cpu"`    // user and system of the command and all it waited for
	Source float64 `json:"source_cpu"` // of the source's server
	Target float64 `json:"target_cpu"` // of the target's server, all its processes
	RSS    int64   `json:"rss_kib"`    // of the command's largest process
}

func run(ctx context.Context, args []string) error {
	var r result
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.StringVar(&r.Name, "name", "", "who moves")
	fs.StringVar(&r.Set, "set", "", "what is moved")
	fs.IntVar(&r.Round, "round", 1, "number of the round")
	out := fs.String("out", "", "file to append the result to")
	log := fs.String("log", "", "file that takes the command's output")
	source := fs.Int("source-pid", 0, "main process of the source's server")
	target := fs.Int("target-pid", 0, "main process of the target's server")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return fmt.Errorf("run %s: no command is named after --", r.Name)
	}
	output, err := os.Create(*log)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer output.Close() //nolint:errcheck // a log for people; the command's end is what counts
	sourceBefore, targetBefore, err := both(*source, *target)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, fs.Arg(0), fs.Args()[1:]...)
	cmd.Stdout, cmd.Stderr = output, output
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w (its output is in %s)", r.Name, err, *log)
	}
	r.Wall = time.Since(began).Seconds()
	sourceAfter, targetAfter, err := both(*source, *target)
	if err != nil {
		return err
	}
	r.Source, r.Target = sourceAfter-sourceBefore, targetAfter-targetBefore
	r.Own = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.RSS = usage.Maxrss
	}
	fmt.Printf("%-12s %-9s round %d: %7.2f s; CPU: source %6.2f s, target %6.2f s, own %6.2f s; own memory %6.1f MiB\n",
		r.Set, r.Name, r.Round, r.Wall, r.Source, r.Target, r.Own, float64(r.RSS)/1024)
	return appendResult(*out, r)
}

func appendResult(path string, r result) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open results: %w", err)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		_ = f.Close() // the error above is the one that matters
		return fmt.Errorf("write results: %w", err)
	}
	return f.Close()
}

func both(source, target int) (s, t float64, err error) {
	if s, err = cpuSeconds(source); err != nil {
		return 0, 0, err
	}
	t, err = cpuSeconds(target)
	return s, t, err
}

// cpuSeconds gives the CPU time of a process, of all its children that it has
// waited for, and of its living children: for PostgreSQL the postmaster's sum
// moves from the second kind to the third as backends end, and none is lost.
func cpuSeconds(pid int) (float64, error) {
	ticks, err := ticksOf(pid, true)
	if err != nil {
		return 0, fmt.Errorf("read CPU time of server process %d: %w", pid, err)
	}
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, path := range children {
		list, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(list)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", path, err)
			}
			if n, err := ticksOf(child, false); err == nil { // an ended child counts with its parent next time
				ticks += n
			}
		}
	}
	const perSecond = 100 // USER_HZ is 100 on every Linux that Go runs on
	return float64(ticks) / perSecond, nil
}

// ticksOf reads utime and stime, with waited also cutime and cstime: fields 14
// to 17 of /proc/PID/stat, counted after the command's name in parentheses.
func ticksOf(pid int, waited bool) (int64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	last := 13
	if waited {
		last = 15
	}
	var sum int64
	for _, f := range fields[11:last] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
