package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"
)

// measure prints what a first load takes, and then what many viewers take.
func measure(ctx context.Context, url, id string, s *size) error {
	fmt.Printf("%d databases, %d tables\n", s.databases, s.tables)
	after, err := load(ctx, url, id)
	if err != nil {
		return err
	}
	idle, err := cost(ctx, s.span)
	if err != nil {
		return err
	}
	var read, events atomic.Int64
	viewing, end := context.WithCancel(ctx)
	done := make(chan error, s.viewers)
	for range s.viewers {
		go func() { done <- view(viewing, url+"/api/rounds/"+id+"/events?after="+after, &read, &events) }()
	}
	busy, err := cost(ctx, s.span)
	end()
	for range s.viewers {
		err = errors.Join(err, <-done)
	}
	if err != nil {
		return err
	}
	seconds := s.span.Seconds()
	fmt.Printf("%-34s %8.1f %% of a core, the signs' writing included\n", "nobody looks", idle)
	fmt.Printf("%-34s %8.1f %% of a core, the viewers' reading included\n", fmt.Sprintf("%d viewers", s.viewers), busy)
	fmt.Printf("%-34s %8.1f KiB/s in %.1f events/s\n", "each viewer gets", float64(read.Load())/float64(s.viewers)/seconds/1024, float64(events.Load())/float64(s.viewers)/seconds)
	return nil
}

// load loads the page as a browser does, and returns the state that it then has.
func load(ctx context.Context, url, id string) (string, error) {
	var all int64
	began := time.Now()
	page, n, first, err := get(ctx, url+"/rounds/"+id)
	if err != nil {
		return "", err
	}
	all += n
	fmt.Printf("%-34s %8.1f ms, %.1f KiB\n", "the page", ms(first), kib(n))
	var assets int64
	for _, f := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllSubmatch(page, -1) {
		_, n, _, err := get(ctx, url+string(f[1]))
		if err != nil {
			return "", err
		}
		assets += n
	}
	all += assets
	fmt.Printf("%-34s %8.1f KiB, once\n", "its scripts and style", kib(assets))
	from := time.Now()
	body, n, first, err := get(ctx, url+"/api/rounds/"+id)
	if err != nil {
		return "", err
	}
	all += n
	fmt.Printf("%-34s %8.1f ms to the first byte, %.1f ms in all, %.1f KiB (%.0f KiB unzipped)\n", "the round", ms(first), ms(time.Since(from)), kib(n), kib(int64(len(body))))
	fmt.Printf("%-34s %8.1f ms, %.1f KiB\n", "a first load, one after the other", ms(time.Since(began)), kib(all))
	var m struct {
		ID string `json:"id"`
	}
	return m.ID, json.Unmarshal(body, &m)
}

// get returns a body unzipped, how many bytes it was on the wire, and when its first came.
func get(ctx context.Context, url string) (body []byte, wire int64, first time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, 0, err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	began := time.Now()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, 0, 0, err
	}
	defer res.Body.Close()
	first = time.Since(began)
	zipped, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, 0, 0, errors.Join(err, fmt.Errorf("%s: %s", url, res.Status))
	}
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, 0, 0, err
	}
	body, err = io.ReadAll(z)
	return body, int64(len(zipped)), first, err
}

// view follows a round.
func view(ctx context.Context, url string, read, events *atomic.Int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	z, err := gzip.NewReader(&counter{res.Body, read})
	if err != nil {
		return err
	}
	in := bufio.NewReader(z)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return err
		case string(line) == "event: reset\n":
			return errors.New("a viewer fell behind")
		case len(line) > 4 && string(line[:4]) == "id: ":
			events.Add(1)
		}
	}
}

// counter counts what is read.
type counter struct {
	io.Reader
	n *atomic.Int64
}

// Read implements io.Reader.
func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// cost is the share of a core that this process takes for a while, in percent.
func cost(ctx context.Context, span time.Duration) (float64, error) {
	before, err := cpu()
	if err != nil {
		return 0, err
	}
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timer.C:
	}
	after, err := cpu()
	return float64(after-before) / float64(span) * 100, err
}

func cpu() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func kib(n int64) float64 { return float64(n) / 1024 }
