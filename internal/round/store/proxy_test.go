package store

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/bascule/bascule/internal/servertest"
)

// fate is what becomes of the next commit on its way through a proxy.
type fate int32

const (
	passes fate = iota
	// lostBefore: the connection breaks before the server has it.
	lostBefore
	// lostAfter: the connection breaks when the server has answered, and the answer is gone.
	lostAfter
	// late: the client's connection breaks, and the server has the commit only when it is let go.
	late
	// gone: the connection breaks, and nobody can connect any more.
	gone
	// silent: nothing gets through any more, and nothing breaks.
	silent
)

// proxy stands between a Store and its server.
type proxy struct {
	net.Listener
	server string
	next   atomic.Int32
	// letGo lets a late commit through.
	letGo chan struct{}
	// quiet is set when nothing gets through.
	quiet atomic.Bool
}

// through returns a proxy to a database's server, and the database's URL through it.
func through(t *testing.T, s *servertest.Server, database string) (p *proxy, through string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{Listener: l, server: s.Host(), letGo: make(chan struct{})}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return p, u.String()
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	committed := make(chan struct{}, 1)
	go func() {
		defer client.Close()
		forward(server, func(b []byte) bool {
			if mute.Load() {
				if bytes.Contains(b, []byte("COMMIT\x00")) {
					committed <- struct{}{}
				}
				return true
			}
			if p.quiet.Load() {
				return true
			}
			_, err := client.Write(b)
			return err == nil
		})
	}()
	forward(client, func(b []byte) bool {
		if p.quiet.Load() {
			return true
		}
		then := passes
		if bytes.Contains(b, []byte("commit\x00")) {
			then = fate(p.next.Swap(int32(passes)))
		}
		switch then {
		case lostBefore:
			return false
		case gone:
			p.Close()
			return false
		case silent:
			p.quiet.Store(true)
			return true
		case late:
			client.Close()
			<-p.letGo
			mute.Store(true)
		case lostAfter:
			mute.Store(true)
		case passes:
		}
		if _, err := server.Write(b); err != nil {
			return false
		}
		if mute.Load() {
			<-committed
			return false
		}
		return true
	})
}

// forward hands what it reads to take, until that says no.
func forward(from io.Reader, take func(b []byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !take(buf[:n]) || err != nil {
			return
		}
	}
}
