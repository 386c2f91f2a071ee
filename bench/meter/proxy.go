package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

// proxy passes TCP connections on and counts their bytes in both directions,
// until it is told to end by SIGTERM. Then it writes the count.
func proxy(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("proxy", flag.ContinueOnError)
	listen := fs.String("listen", "", "address to listen on")
	to := fs.String("to", "", "address to pass connections on to")
	count := fs.String("count", "", "file that takes the number of bytes at the end")
	if err := fs.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	context.AfterFunc(ctx, func() { l.Close() })
	var total atomic.Int64
	var open sync.WaitGroup
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		open.Go(func() { pass(ctx, client, *to, &total) })
	}
	open.Wait()
	return os.WriteFile(*count, []byte(strconv.FormatInt(total.Load(), 10)+"\n"), 0o644)
}

// pass copies between a client and the server until one side ends.
func pass(ctx context.Context, client net.Conn, to string, total *atomic.Int64) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		fmt.Fprintln(os.Stderr, "meter: connect:", err)
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
	defer stop()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			n, _ := io.Copy(way[1], way[0]) // how a connection ends is the ends' concern
			total.Add(n)
			way[1].Close()
			way[0].Close()
		})
	}
	both.Wait()
}
