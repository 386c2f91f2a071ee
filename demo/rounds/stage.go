package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// stage is where the story is played: the platform's folder, the two servers, the program, and who has a say.
type stage struct {
	folder, bascule, old, scratch, new string
	out                                io.Writer
	tokens                             map[string]string // by person
	shops                              map[string]*shop  // by database
	began                              time.Time
}

// say shows a line. Who lost the output still has the rest: what fails is told on stderr.
func (s *stage) say(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }

// head begins a part of the story.
func (s *stage) head(n int, text string) {
	s.say("\n== %d. %s   (%.0f s since the beginning)", n, text, time.Since(s.began).Seconds())
}

// command is bascule, run by a person on the platform's file.
func (s *stage) command(ctx context.Context, who string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.bascule, args...)
	cmd.Dir = s.folder
	cmd.Env = append(os.Environ(), "BASCULE_TOKEN="+s.tokens[who])
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// ask runs bascule and returns what it prints; its error holds what it says of it.
func (s *stage) ask(ctx context.Context, who string, args ...string) (string, error) {
	var out, problems bytes.Buffer
	cmd := s.command(ctx, who, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s%s", line(args), err, out.String(), problems.String())
	}
	return out.String(), nil
}

// show runs bascule, and shows the command and what it prints.
func (s *stage) show(ctx context.Context, who string, args ...string) (string, error) {
	s.say("%s$ bascule %s", who, line(args))
	out, err := s.ask(ctx, who, args...)
	if err == nil {
		s.say("%s", strings.TrimRight(out, "\n"))
	}
	return out, err
}

// line writes a command as one types it.
func line(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		if quoted[i] = a; strings.ContainsAny(a, " ;'*") {
			quoted[i] = "'" + a + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// script runs one of the platform's scripts and returns the last line of what it says.
func (s *stage) script(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.folder, name), args...)
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, line(args), err, out)
	}
	return lines[len(lines)-1], nil
}

// object is what bascule prints with --json while it drives a round.
type object struct {
	Event    string    `json:"event"`
	Round    string    `json:"round"`
	At       time.Time `json:"at"`
	What     string    `json:"what"`
	Step     string    `json:"step"`
	Who      string    `json:"who"`
	Reason   string    `json:"reason"`
	Evidence string    `json:"evidence"`
	Phase    string    `json:"phase"`
	Elapsed  int64     `json:"elapsed_ns"`
	Freeze   int64     `json:"freeze_ns"`
	Why      string    `json:"why"`
}

// act is what a person does when a round asks.
type act func(context.Context) error

// ride is one run of bascule that drives a round, as it goes.
type ride struct {
	*stage
	quiet   bool           // of a rehearsal: its phases alone
	poc     bool           // it goes on, whatever fails
	acts    map[string]act // by step, or by phase
	started map[string]time.Time
	round   string
	phase   string
	began   time.Time
	last    object

	wg  sync.WaitGroup
	mu  sync.Mutex
	bad error
}

// drive runs bascule until its round has ended, and lets people answer what it asks. want is the phase in which it must end.
func (s *stage) drive(ctx context.Context, r *ride, want string, args ...string) (*object, error) {
	s.say("ann$ bascule %s", line(args))
	r.stage, r.started, r.began = s, map[string]time.Time{}, time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var problems bytes.Buffer
	cmd := s.command(ctx, "ann", slices.Concat(args, []string{"--json", "--quiet"})...)
	cmd.Stderr = &problems
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	in := bufio.NewScanner(pipe)
	in.Buffer(nil, 1<<22)
	for in.Scan() {
		var o object
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			r.fail(cancel, fmt.Errorf("%w in %q", err, in.Text()))
			continue
		}
		r.see(ctx, cancel, &o)
	}
	err = cmd.Wait()
	r.wg.Wait()
	if r.bad != nil {
		return nil, r.bad
	}
	if r.last.Phase != want {
		return nil, fmt.Errorf("bascule %s should end with %q and ended with %q (%w): %s", line(args), want, r.last.Phase, errors.Join(err, in.Err()), problems.String())
	}
	return &r.last, nil
}

func (r *ride) fail(cancel context.CancelFunc, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bad == nil {
		r.bad = err
	}
	cancel()
}

// see takes what bascule says, shows it, and lets whoever is asked answer.
func (r *ride) see(ctx context.Context, cancel context.CancelFunc, o *object) {
	r.tell(o)
	key := ""
	switch {
	case o.Event == "summary":
		r.last = *o
	case o.Event == "entry" && o.What == "started":
		key = o.Step
	case o.Event == "entry" && o.What == "undo started":
		key = "undo " + o.Step
	}
	if why := r.stuck(o); why != "" {
		r.fail(cancel, errors.New(why))
	}
	act := r.acts[key]
	if o.Event == "entry" && o.Phase != r.phase {
		if r.phase = o.Phase; r.acts[o.Phase] != nil {
			act = r.acts[o.Phase]
		}
	}
	if act == nil {
		return
	}
	r.wg.Go(func() {
		if err := act(ctx); err != nil {
			r.fail(cancel, err)
		}
	})
}

// stuck says what a round waits for that nobody in this story does; empty where it goes on.
func (r *ride) stuck(o *object) string {
	switch {
	case o.Event != "entry":
		return ""
	case o.Phase == "asking" && r.acts["asking"] == nil:
		return "the round asks, which it should not: " + o.Reason
	case (o.What == "failed" || o.What == "undo failed") && o.Phase != "asking" && o.Phase != "aborting" && !r.poc:
		return fmt.Sprintf("step %s failed, which it should not: %s", o.Step, o.Reason)
	}
	return ""
}

// by is the act of a person who says something to the round.
func (s *stage) by(who string, args ...string) act {
	return func(ctx context.Context) error {
		_, err := s.ask(ctx, who, slices.Concat([]string{"round"}, args)...)
		return err
	}
}

// badges makes the tokens by which ann and bob say who they are.
func (s *stage) badges(ctx context.Context) error {
	s.tokens = map[string]string{}
	for _, who := range []string{"ann", "bob"} {
		out, err := s.ask(ctx, "", "token", "add", who, "--json")
		if err != nil {
			return err
		}
		var doc struct {
			Secret string `json:"secret"`
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			return err
		}
		s.tokens[who] = doc.Secret
	}
	return nil
}

// grant lets the administrator of the old side give a right, there and on its scratch copies.
func (s *stage) grant(ctx context.Context, text string) error {
	s.say("dba> %s;", text)
	for _, server := range []string{s.old, s.scratch} {
		db, err := oldSide(server, "")
		if err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, text)
		if err = errors.Join(err, db.Close()); err != nil {
			return err
		}
	}
	return nil
}
