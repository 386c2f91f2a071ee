package cutover

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/journal"
)

var moved = Moved{Direction: journal.Back, Live: Old, Key: "back-4", Switched: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}

func TestCommand(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "said")
	c := &Command{Args: []string{"sh", "-c", `cat > "$0"; echo "$BASCULE_DIRECTION $BASCULE_LIVE $BASCULE_KEY" >> "$0"`, file}}
	if err := c.Run(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"direction":"back","live":"old","key":"back-4","switched":"2026-05-04T03:02:01Z"}` + "back old back-4\n"
	if string(got) != want {
		t.Errorf("it was told %s, want %s", got, want)
	}
	bad := &Command{Args: []string{"sh", "-c", "echo no route to the proxy; exit 3", "secret"}}
	if err := bad.Run(t.Context(), moved); err == nil || !strings.Contains(err.Error(), "no route to the proxy") || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("a failing hook: %v", err)
	}
	if got := bad.String(); got != "command sh" {
		t.Errorf("it is called %q", got)
	}
	slow := &Command{Args: []string{"sh", "-c", "sleep 60 & sleep 60"}, Timeout: 50 * time.Millisecond}
	began := time.Now()
	if err := slow.Run(t.Context(), moved); err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("a hook that hangs: %v after %s", err, time.Since(began))
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	status := http.StatusNoContent
	var got Moved
	var key string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &got); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v", r.Method, body, err)
		}
		key = r.Header.Get("Idempotency-Key")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		if status/100 != 2 {
			_, _ = fmt.Fprint(w, strings.Repeat("é", 1000))
		}
	}))
	defer s.Close()
	h := &Webhook{URL: s.URL + "/hook?token=secret"}
	if err := h.Run(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(moved, got); diff != "" || key != "back-4" {
		t.Errorf("it was told, with key %q:\n%s", key, diff)
	}
	for _, status = range []int{http.StatusInternalServerError, http.StatusFound} {
		if err := h.Run(t.Context(), moved); err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || len(err.Error()) > 700 {
			t.Errorf("status %d: %v", status, err)
		}
	}
	s.Close()
	if err := h.Run(t.Context(), moved); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(h.String(), "secret") {
		t.Errorf("a server that is gone: %v", err)
	}
}
