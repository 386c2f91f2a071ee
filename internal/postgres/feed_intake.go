package postgres

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// readAhead is how many bytes are read before anybody asks for them. TLS hands them out message by message, which would
// make everything look as if it had not come yet.
const readAhead = 1 << 20

// errQuiet says that nothing came for quietTime. Reading may go on.
var errQuiet = errors.New("nothing came")

// intake holds what was read from a connection and not yet asked for. One goroutine fills it, one drains it.
type intake struct {
	mu       sync.Mutex
	ring     []byte
	off, len int
	err      error // of the connection, behind what the ring holds
	filled   chan struct{}
	drained  chan struct{}
}

func newIntake() *intake {
	return &intake{ring: make([]byte, readAhead), filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fill reads until the connection ends, or ctx does while it is full.
func (p *intake) fill(ctx context.Context, r io.Reader) {
	for {
		b := p.space()
		if len(b) == 0 {
			select {
			case <-p.drained:
				continue
			case <-ctx.Done():
				return
			}
		}
		n, err := r.Read(b) // nobody else touches what is not yet counted
		p.mu.Lock()
		p.len += n
		p.err = err
		p.mu.Unlock()
		signal(p.filled)
		if err != nil {
			return
		}
	}
}

// space returns the first stretch of the ring that is free.
func (p *intake) space() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := (p.off + p.len) % len(p.ring)
	if start < p.off || p.len == len(p.ring) {
		return p.ring[start:p.off]
	}
	return p.ring[start:]
}

// waiting returns whether Read has something to give, be it an error.
func (p *intake) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.len > 0 || p.err != nil
}

// size returns how many bytes it holds.
func (p *intake) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.len
}

// await waits until Read has something to give, until ctx ends, or for quietTime: then it returns errQuiet.
func (p *intake) await(ctx context.Context) error {
	t := time.NewTimer(quietTime)
	defer t.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.waiting() {
			return nil
		}
		select {
		case <-p.filled:
		case <-ctx.Done():
		case <-t.C:
			return errQuiet
		}
	}
}

// Read gives what has come. It does not wait: where nothing has, it returns errQuiet.
func (p *intake) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.len == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return 0, errQuiet
	}
	n := copy(b, p.ring[p.off:min(p.off+p.len, len(p.ring))])
	p.off, p.len = (p.off+n)%len(p.ring), p.len-n
	signal(p.drained)
	return n, nil
}
