package cutover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bascule/bascule/internal/fault"
)

// shown is how much of what a hook answered is shown, in bytes.
const shown = 500

// read is how much of an answer is read, in bytes: more than is shown, so that a secret at the edge is found before the text is cut.
const read = 16 << 10

// Command is a hook that runs a program. It gets Moved as JSON on its standard input, and as BASCULE_DIRECTION, BASCULE_LIVE and
// BASCULE_KEY in its environment. A status other than 0 is a failure.
type Command struct {
	// Args are the program and its arguments. No shell reads them.
	Args []string
	// Timeout ends it; 0 means 30 s.
	Timeout time.Duration
}

const hookTime = 30 * time.Second

// String names the hook for people, without its arguments, which may hold secrets.
func (c *Command) String() string {
	if len(c.Args) == 0 {
		return "command"
	}
	return "command " + c.Args[0]
}

// Run implements Hook.
func (c *Command) Run(ctx context.Context, m Moved) error {
	if len(c.Args) == 0 {
		return fault.New(fault.Usage, "run the hook", errors.New("it has no program"), "")
	}
	in, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, or(c.Timeout, hookTime))
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...) //nolint:gosec // the operator's own program is what a hook is
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "BASCULE_DIRECTION="+string(m.Direction), "BASCULE_LIVE="+string(m.Live), "BASCULE_KEY="+m.Key)
	// A child of it that keeps its output open must not keep the cutover.
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if cause := ctx.Err(); cause != nil && err != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, brief(out))
	}
	return nil
}

// Webhook is a hook that sends Moved as JSON by POST, with Idempotency-Key. An answer other than 2xx is a failure.
type Webhook struct {
	URL string
	// Client, if nil, is one without settings. Redirects are never followed.
	Client *http.Client
	// Timeout ends it; 0 means 30 s.
	Timeout time.Duration
}

// String names the hook for people, without its path and query, which may hold secrets.
func (h *Webhook) String() string { return "webhook " + Origin(h.URL) }

// Run implements Hook.
func (h *Webhook) Run(ctx context.Context, m Moved) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, or(h.Timeout, hookTime))
	defer cancel()
	said, err := Post(ctx, h.Client, h.URL, http.Header{"Idempotency-Key": {m.Key}}, body, read)
	if err != nil {
		return err
	}
	if said.Code/100 != 2 {
		hide := Hide(h.URL)
		return fmt.Errorf("it answered %s: %s", hide.Replace(said.Status), brief([]byte(hide.Replace(string(said.Body)))))
	}
	return nil
}

// brief shortens what a hook said.
func brief(b []byte) string {
	s := strings.TrimSpace(string(b))
	if len(s) > shown {
		s = s[:shown]
		for !utf8.ValidString(s) && len(s) > shown-utf8.UTFMax {
			s = s[:len(s)-1]
		}
		s += " …"
	}
	if s == "" {
		return "it said nothing"
	}
	return s
}
