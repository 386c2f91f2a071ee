package apiserver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that somebody waits for.
const patience = 3 * time.Minute

// server is a kube-apiserver that this test has started.
type server struct {
	url, token string
	http       *http.Client
	kinds      map[string]map[string]kind // by group and version, and then by kind
}

// start starts etcd and kube-apiserver, both on loopback, with everything that they write in the test's own folder, and waits until the API server
// is ready. Both are ended when the test ends, however it does.
func start(t *testing.T, programs string) *server {
	t.Helper()
	dir := t.TempDir()
	ports := freePorts(t, 3)
	store := "http://127.0.0.1:" + ports[0]
	peer := "http://127.0.0.1:" + ports[1]
	run(t, dir, filepath.Join(programs, "etcd"),
		"--name", "test", "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "test="+peer)
	s := &server{url: "https://127.0.0.1:" + ports[2], token: rand.Text(), kinds: map[string]map[string]kind{}}
	key, tokens, certificates := filepath.Join(dir, "accounts.pem"), filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "certificates")
	writeFile(t, key, accountKey(t))
	writeFile(t, tokens, []byte(s.token+`,admin,admin,"system:masters"`+"\n"))
	run(t, dir, filepath.Join(programs, "kube-apiserver"),
		"--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", ports[2], "--cert-dir", certificates,
		// It tells pods where it is, and there are none: an address that is nobody's.
		"--advertise-address", "192.0.2.1", "--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.96.0.0/12",
		"--authorization-mode", "RBAC", "--token-auth-file", tokens,
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key, "--service-account-signing-key-file", key,
		// Controllers make the service accounts that pods have, count what quotas bound, and take the protection of claims away; there are none here.
		"--disable-admission-plugins", "ServiceAccount,ResourceQuota,StorageObjectInUseProtection")
	wait(t, "the API server's certificate", func(context.Context) error {
		text, err := os.ReadFile(filepath.Join(certificates, "apiserver.crt"))
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return fmt.Errorf("no certificate in %q", text)
		}
		s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}}
		return nil
	})
	wait(t, "the API server to be ready", func(ctx context.Context) error {
		_, err := s.ask(ctx, http.MethodGet, "/readyz", "", nil)
		return err
	})
	return s
}

// run starts a program and has it ended with the test, or with the test's process; what it said at last is shown when the test has failed.
func run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	name := filepath.Base(program)
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	withParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		end()
		t.Fatalf("start %s: %v", name, err)
	}
	var exit error
	ended := make(chan struct{})
	go func() {
		exit = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		said := tail(log.Name()) // before what it says when it is ended
		select {
		case <-ended:
			t.Errorf("%s ended by itself: %v", name, exit)
		default:
			end()
			<-ended
		}
		_ = log.Close()
		if t.Failed() {
			t.Logf("%s said at last:\n%s", name, said)
		}
	})
}

func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// wait asks until the answer is no error.
func wait(t *testing.T, what string, ask func(context.Context) error) {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), patience)
	defer end()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v", what, err)
		case <-again.C:
		}
	}
}

// freePorts returns ports of loopback that nobody listens on.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// accountKey is the key that tokens of service accounts would be signed with; the API server wants one.
func accountKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func writeFile(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask sends one request as the administrator, or as somebody else, and returns the answer's body; an answer that is no success is a *refusal.
func (s *server) ask(ctx context.Context, method, path, contentType string, body []byte, as ...string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if len(as) > 0 {
		req.Header.Set("Impersonate-User", as[0])
		req.Header["Impersonate-Group"] = append([]string{"system:authenticated"}, as[1:]...)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return nil, refused(res.StatusCode, text)
	}
	return text, nil
}
