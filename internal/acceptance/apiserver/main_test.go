package apiserver

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/bascule/bascule/internal/cli" // a result of an earlier program must not be taken for one of this program
)

// TestAPIServer starts one server and applies everything to it, part by part; each says how long it took.
func TestAPIServer(t *testing.T) {
	programs := os.Getenv("BASCULE_APISERVER")
	if programs == "" {
		t.Skip("BASCULE_APISERVER names no folder of a kube-apiserver and an etcd: make test-apiserver builds them")
	}
	var s *server
	var d *definitions
	bin := filepath.Join(t.TempDir(), "bascule")
	timed(t, "build bascule", func() { built(t, bin) })
	timed(t, "start etcd and kube-apiserver", func() { s = start(t, programs) })
	timed(t, "install definitions", func() {
		d = teach(t, s)
		t.Logf("%d definitions", len(d.real))
	})
	p := &program{bin: bin}
	for _, part := range []struct {
		name string
		test func(*testing.T, *definitions, *program)
	}{{"Stories", stories}, {"Estate", estate}, {"Crossplane", platform}} {
		t.Run(part.name, func(t *testing.T) {
			timed(t, part.name, func() { part.test(t, d, p) })
		})
	}
	t.Logf("kinds without a definition: %v", d.invented())
}

func timed(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
}

// program is the program under test, as its users have it.
type program struct{ bin string }

func built(t *testing.T, bin string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/bascule/bascule/cmd/bascule")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// run runs one command, which must succeed, and returns what it prints.
func (p *program) run(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), p.bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("bascule %v: %v\n%s%s", args, err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes()
}
