package outside

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

// TestUntil polls a server that fails, says no, and then yes.
func TestUntil(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := []int{http.StatusBadGateway, http.StatusNotFound, http.StatusInternalServerError, http.StatusConflict, http.StatusOK}[asked.Add(1)-1]
		w.WriteHeader(status)
		_, _ = w.Write([]byte(http.StatusText(status)))
	}))
	defer s.Close()
	output, err := (&Outside{}).Until(t.Context(), s.URL, switchOver, time.Millisecond)
	if err != nil || output != "OK" || asked.Load() != 5 {
		t.Errorf("%q, %v after %d", output, err, asked.Load())
	}
	if _, err := (&Outside{}).Until(t.Context(), "https:///", switchOver, time.Millisecond); fault.ClassOf(err) != fault.Usage {
		t.Errorf("a URL that nobody can call: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = (&Outside{grace: 10 * time.Millisecond}).Until(ctx, "sleep 1000", switchOver, time.Hour)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "before there was an answer") || time.Since(began) > 30*time.Second {
		t.Errorf("a check that hangs: %v", err)
	}
}

// TestUntilTime runs on a clock of its own: what is asked when, and what is known in the end.
func TestUntilTime(t *testing.T) {
	t.Parallel()
	boom := fault.New(fault.Connect, "call it", errors.New("nobody there"), "start it")
	type answer struct {
		holds bool
		said  string
		err   error
	}
	for name, test := range map[string]struct {
		answers []answer // the last again and again
		takes   time.Duration
		ends    time.Duration
		want    string
	}{
		"holds at once": {[]answer{{true, "yes", nil}}, 0, 0, ""},
		"holds later":   {[]answer{{false, "no", nil}, {false, "", boom}, {true, "yes", nil}}, 0, 20 * time.Second, ""},
		"never":         {[]answer{{false, "3 of 5", nil}}, 0, time.Minute, "asked 6 times, and the last answer was no; it said: 3 of 5"},
		"never known":   {[]answer{{false, "no", nil}, {false, "", boom}}, 0, time.Minute, "asked 6 times, and the last time nobody could tell: call it: nobody there"},
		"slow":          {[]answer{{false, "no", nil}}, 25 * time.Second, time.Minute, "asked 2 times, and the last answer was no"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute-time.Millisecond)
			defer cancel()
			began, n := time.Now(), 0
			output, err := until(ctx, &switchOver, 10*time.Second, func() (bool, string, error) {
				a := test.answers[min(n, len(test.answers)-1)]
				n++
				wait := time.NewTimer(test.takes)
				defer wait.Stop()
				select {
				case <-wait.C:
					return a.holds, a.said, a.err
				case <-ctx.Done():
					return false, "", ctx.Err()
				}
			})
			if took := time.Since(began).Round(time.Second); took != test.ends {
				t.Errorf("%s: it ended after %s", name, took)
			}
			if test.want == "" {
				if err != nil || output != "yes" {
					t.Errorf("%s: %q, %v", name, output, err)
				}
				return
			}
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.want) || fault.HintOf(err) == "" {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
