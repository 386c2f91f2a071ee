package store

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/servertest"
)

// These variables make a writer of a run of the test binary: which store, which round, who it is, and how long its files may become.
const (
	envURL, envRound, envWho = "BASCULE_STORE_URL", "BASCULE_STORE_ROUND", "BASCULE_STORE_WHO"
	envLimit                 = "BASCULE_STORE_LIMIT"
)

// TestWriter is a process that writes entries until it dies, and says each as soon as it was acknowledged.
func TestWriter(t *testing.T) {
	url, id := os.Getenv(envURL), os.Getenv(envRound)
	if url == "" {
		t.Skip("other tests run it as a process")
	}
	s := open(t, url)
	es := entries(t, s, id, 0)
	limitFiles(t, os.Getenv(envLimit))
	last := int64(len(es))
	for {
		e, err := s.Append(t.Context(), id, last, 0, round.Event{What: round.Noted, Who: os.Getenv(envWho), Reason: strings.Repeat("x", rand.IntN(3000))})
		if err != nil {
			later, readErr := s.Entries(t.Context(), id, last)
			if len(later) > 0 {
				last = later[len(later)-1].Seq
				continue
			}
			t.Fatalf("stopped: %v, %v", err, readErr)
		}
		last = e.Seq
		if _, err := fmt.Printf("entry %d %s\n", e.Seq, e.Hash); err != nil { //nolint:forbidigo // it is what the process is for
			t.Fatal(err)
		}
		if _, err := s.Claim(t.Context(), id, os.Getenv(envWho), time.Hour, true); err != nil {
			t.Fatal(err)
		}
	}
}

// writer starts TestWriter in a process of its own.
func writer(t *testing.T, url, id, who string, more ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriter$", "-test.count=1")
	cmd.Env = append(append(os.Environ(), envURL+"="+url, envRound+"="+id, envWho+"="+who), more...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// acknowledged collects what a writer says, by Seq, and the rest; each is called at each entry.
func acknowledged(out io.Reader, each func(n int)) (hashes map[int64]string, rest string) {
	hashes = map[int64]string{}
	in := bufio.NewScanner(out)
	for in.Scan() {
		var seq int64
		var hash string
		if n, err := fmt.Sscanf(in.Text(), "entry %d %s", &seq, &hash); n < 2 || err != nil {
			rest += in.Text() + "\n"
			continue
		}
		if len(hash) == 64 { // a last line may be cut
			hashes[seq] = hash
		}
		each(len(hashes))
	}
	return hashes, rest
}

// kept checks that everything acknowledged is in the journal, and that its chain holds.
func kept(t *testing.T, s *Store, id string, said map[int64]string) (last int) {
	t.Helper()
	es := entries(t, s, id, 0)
	for seq, hash := range said {
		if seq > int64(len(es)) || es[seq-1].Hash != hash {
			t.Fatalf("entry %d was acknowledged, and is not there: there are %d", seq, len(es))
		}
	}
	if n := audit(t, s, id); n != len(es) {
		t.Fatalf("%d entries, and %d in the table", len(es), n)
	}
	return len(es)
}

func TestKill(t *testing.T) {
	places := map[string]struct {
		url    func() string
		rounds int
	}{
		"SQLite":     {func() string { return filepath.Join(t.TempDir(), "rounds.db") }, 25},
		"PostgreSQL": {func() string { return servertest.Postgres15(t).Database(t) }, 5},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			url := place.url()
			s := open(t, url)
			r := create(t, s)
			said := map[int64]string{}
			for i := range place.rounds {
				// Two write at once. One is killed somewhere after its first entries, the other with it or a little later.
				type end struct {
					hashes map[int64]string
					rest   string
				}
				ends := make(chan end)
				for who := range 2 {
					cmd, out := writer(t, url, r.ID, fmt.Sprintf("%d.%d", i, who))
					go func() {
						first := 1 + rand.IntN(4)
						hashes, rest := acknowledged(out, func(n int) {
							if n == first {
								time.AfterFunc(time.Duration(rand.IntN(8_000))*time.Microsecond, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have died
							}
						})
						cmd.Wait() //nolint:errcheck // it was killed
						ends <- end{hashes, rest}
					}()
				}
				for range 2 {
					e := <-ends
					if len(e.hashes) == 0 {
						t.Fatalf("a writer wrote nothing: %s", e.rest)
					}
					for seq, hash := range e.hashes {
						if other, twice := said[seq]; twice {
							t.Fatalf("entry %d was acknowledged twice, as %s and %s", seq, other, hash)
						}
						said[seq] = hash
					}
				}
				kept(t, s, r.ID, said)
			}
			n := kept(t, s, r.ID, said)
			t.Logf("%d acknowledged of %d written", len(said), n)
			mustAppend(t, s, r.ID, int64(n), 0, round.Event{What: round.Noted})
		})
	}
}
