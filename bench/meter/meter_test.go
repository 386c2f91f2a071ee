package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCPUSecondsKeepsEndedChildren spends CPU in a grandchild that ends and in
// one that lives, under a parent that stands for a postmaster. The living one reads
// descriptor 3: bash gives what it starts with & an empty standard input.
func TestCPUSecondsKeepsEndedChildren(t *testing.T) {
	const burn = `i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done`
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `exec 3<&0; bash -c '`+burn+`'; (`+burn+`; echo ready; read -r line <&3) & wait`)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	living, err := cpuSeconds(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	ended, err := ticksOf(cmd.Process.Pid, true)
	if err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	total := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if living <= float64(ended)/100 {
		t.Errorf("with the living child %.2f s, without it %.2f s: the living child is missing", living, float64(ended)/100)
	}
	if living < 0.8*total || living > total+0.05 {
		t.Errorf("read %.2f s of %.2f s", living, total)
	}
}

func TestProxyCounts(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		c, err := server.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 5)
		if n, err := c.Read(buf); err == nil && string(buf[:n]) == "hello" {
			_, _ = c.Write([]byte(strings.Repeat("x", 1000))) // the other end counts what arrived
		}
	}()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	probe.Close()
	ctx, cancel := context.WithCancel(t.Context())
	count := filepath.Join(t.TempDir(), "count")
	done := make(chan error, 1) // one result, so that the proxy's goroutine can end first
	go func() {
		done <- proxy(ctx, []string{"--listen", address, "--to", server.Addr().String(), "--count", count})
	}()
	client := dial(t, address)
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := 0
	for buf := make([]byte, 4096); ; {
		n, err := client.Read(buf)
		got += n
		if err != nil {
			break
		}
	}
	client.Close()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	counted, err := os.ReadFile(count)
	if err != nil {
		t.Fatal(err)
	}
	if got != 1000 || string(counted) != "1005\n" {
		t.Errorf("client read %d bytes, proxy counted %q; want 1000 and 1005", got, counted)
	}
}

// dial waits for the proxy to listen.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestMiddle(t *testing.T) {
	if got := middle([]float64{3, 1, 2}); got != 2 {
		t.Errorf("middle of three: %v", got)
	}
	if got := middle([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("middle of four: %v", got)
	}
}
