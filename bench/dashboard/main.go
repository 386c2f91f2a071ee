// Command dashboard measures the dashboard: a round of many databases and tables, all of which are being copied, in a real journal, watched by many.
// It prints how long the first bytes and a whole first load take, how many bytes that is, what each viewer gets a second, and what the server's share of a
// core is. With --keep it goes on, so that the page can be looked at.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
	"github.com/bascule/bascule/internal/web"
)

type size struct {
	databases, tables, viewers int
	span                       time.Duration
	keep                       bool
}

func main() {
	var s size
	flag.IntVar(&s.databases, "databases", 40, "databases")
	flag.IntVar(&s.tables, "tables", 2000, "tables, in all")
	flag.IntVar(&s.viewers, "viewers", 20, "viewers")
	flag.DurationVar(&s.span, "for", 20*time.Second, "how long to measure")
	flag.BoolVar(&s.keep, "keep", false, "go on until Ctrl-C")
	flag.Parse()
	if err := run(context.Background(), &s); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s *size) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	folder, err := os.MkdirTemp("", "bascule-dashboard-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	st, err := store.Open(ctx, filepath.Join(folder, "rounds.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	p, err := describe(s)
	if err != nil {
		return err
	}
	id, err := begin(ctx, st, p)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	running, end := context.WithCancel(ctx)
	served, moved := make(chan error, 1), make(chan error, 1)
	past := func(ctx context.Context) ([]account.Past, error) { return readPast(ctx, st) }
	go func() {
		served <- web.Serve(running, ln, web.Handler(web.Options{Store: st, Platform: p, Version: "bench", Past: past}), nil)
	}()
	m := newMover(st, id, s)
	if err := m.sign(ctx); err != nil {
		end()
		return errors.Join(err, <-served)
	}
	go func() { moved <- m.run(running) }()
	url := "http://" + ln.Addr().String()
	err = measure(ctx, url, id, s)
	if s.keep && err == nil {
		fmt.Printf("look at %s/rounds/%s\n", url, id)
		<-ctx.Done()
	}
	end()
	return errors.Join(err, <-served, <-moved)
}

// describe makes a platform of one environment with all the databases.
func describe(s *size) (*platform.Platform, error) {
	var text bytes.Buffer
	text.WriteString("platform: bench\nenvironments:\n- name: prod\n  production: true\n  zone: Europe/Paris\n  databases:\n")
	for i := range s.databases {
		fmt.Fprintf(&text, "  - {name: %s, config: x.yaml}\n", database(i))
	}
	return platform.Parse(text.Bytes())
}

func database(i int) string { return fmt.Sprintf("shop-%02d", i) }

// begin begins a round and brings it to where every database is copied.
func begin(ctx context.Context, st *store.Store, p *platform.Platform) (id string, err error) {
	e := p.Environment("prod")
	script, _, err := p.Script(e, platform.Live)
	if err != nil {
		return "", err
	}
	r := store.Round{Environment: "prod", Kind: store.Live, Production: true, Who: "ann", Script: script, Zone: e.Zone, Hash: "bench", Program: "bench", Began: time.Now().UTC().Add(-3 * time.Hour)}
	if err := st.Create(ctx, &r); err != nil {
		return "", err
	}
	h, err := st.Claim(ctx, r.ID, "ann", time.Hour, false)
	if err != nil {
		return "", err
	}
	events := []round.Event{{What: round.Started, Step: "freeze"}, {What: round.Done, Step: "freeze", Who: "ann", Evidence: "seen"}}
	for i := range script.Tasks {
		if script.Tasks[i].Do == "copy" {
			events = append(events, round.Event{What: round.Started, Step: script.Tasks[i].Step.ID, Who: "ann"})
		}
	}
	for i := range events {
		if _, err := st.Append(ctx, r.ID, int64(i), h.Epoch, events[i]); err != nil {
			return "", err
		}
	}
	return r.ID, nil
}

func readPast(ctx context.Context, st *store.Store) (out []account.Past, err error) {
	rounds, err := st.Rounds(ctx)
	for i := range rounds {
		entries, err := st.Entries(ctx, rounds[i].ID, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, account.Past{Round: rounds[i], Entries: entries})
	}
	return out, err
}

// mover writes the databases' signs of life, once a second, as drivers do: in each a few tables have got further.
type mover struct {
	st *store.Store
	id string
	of []sign
	n  int
}

type sign struct {
	Lag      int64   `json:"lag_ns"`
	Behind   int64   `json:"lag_bytes"`
	Rate     float64 `json:"rows_per_second"`
	Position string  `json:"applied_position"`
	Side     string  `json:"side"`
	Tables   []table `json:"tables"`
}

type table struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
	Done  bool   `json:"done"`
}

func newMover(st *store.Store, id string, s *size) *mover {
	m := &mover{st: st, id: id, of: make([]sign, s.databases)}
	for i := range s.tables {
		d := &m.of[i%s.databases]
		n := int64(i)
		d.Tables = append(d.Tables, table{fmt.Sprintf("%s_%03d", []string{"orders", "users", "stock", "events"}[i%4], i), 7919 * n % 9_000_011, 1_000_003 * n % 7_000_000_019, i%3 == 0})
	}
	return m
}

func (m *mover) sign(ctx context.Context) error {
	m.n++
	for i := range m.of {
		d := &m.of[i]
		d.Lag, d.Behind, d.Rate = int64(i+m.n)*17_000_000, int64(i*m.n)*1009, float64(20_000+37*(i+m.n))
		d.Position = fmt.Sprintf("binlog.%06d:%d", i, 4_000_000+m.n*70_001)
		for k := range min(4, len(d.Tables)) {
			t := &d.Tables[(m.n*4+k)%len(d.Tables)]
			t.Rows, t.Bytes = t.Rows+1213, t.Bytes+300_007
		}
		body, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if err := m.st.Sign(ctx, m.id, database(i), body); err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := m.sign(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}
