package outside

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

// Outside runs commands and calls webhooks. Its zero value is usable, and it is safe for concurrent use.
type Outside struct {
	// Shell reads commands, after -c; empty for /bin/sh.
	Shell string
	// Folder is the working directory of commands; empty for the process's own.
	Folder string
	// Env are variables of commands beside the process's own, NAME=VALUE each.
	Env []string
	// Secret, unless nil, returns the key that signs webhooks. It is asked for each of them.
	Secret func(context.Context) (string, error)
	// Timeout ends what takes longer; 0 means 30 s for a webhook and for any check, and none for a command that has an effect: its ctx ends that.
	Timeout time.Duration
	// HTTP calls webhooks; nil for one without settings. Its redirects are not followed.
	HTTP *http.Client
	// Redact takes secrets out of a text; nil if there are none.
	Redact func(string) string

	grace time.Duration // between SIGTERM and SIGKILL; 0 means graceTime
}

// patience is how long a webhook, and any check, may take.
const patience = 30 * time.Second

// Do carries out what: an http or https URL is called, anything else is a shell command. It returns what was said, of a command both of its
// outputs: at most 2,000 bytes, its beginning and its end, without secrets and control characters, valid UTF-8. It returns that beside an error too.
//
// An exit code other than 0, a signal, and an answer other than 2xx are errors: fault.Usage where nothing was done, because there is nothing to run or
// the URL cannot be read; fault.Connect for a server that cannot be reached, breaks off, or answers 429 or 5xx; fault.Login for 401 and 403; fault.Resource
// for everything else, time-outs among it, which wrap context.DeadlineExceeded. After all but the first nobody knows what has been done. When ctx ends, the
// error wraps its cause.
func (o *Outside) Do(ctx context.Context, what string, c Call) (output string, err error) {
	what = strings.TrimSpace(what)
	if address(what) {
		ctx, cancel := limit(ctx, o.Timeout, patience)
		defer cancel()
		a, err := o.post(ctx, what, &c, true)
		if err == nil && a.code/100 != 2 {
			err = a.failed(what, &c)
		}
		return a.output, err
	}
	ctx, cancel := limit(ctx, o.Timeout, 0)
	defer cancel()
	r, err := o.run(ctx, what, &c)
	if err == nil && r.code != 0 {
		err = r.failed(&c)
	}
	return r.output, err
}

// Check asks whether what holds, with the output and the errors of Do. A command's exit code 0 is yes and 1 is no; of a server any 2xx is yes, and
// 404, 409 and 425 are no. Everything else is an error: then nobody knows.
func (o *Outside) Check(ctx context.Context, what string, c Call) (holds bool, output string, err error) {
	what = strings.TrimSpace(what)
	ctx, cancel := limit(ctx, o.Timeout, patience)
	defer cancel()
	if address(what) {
		a, err := o.post(ctx, what, &c, false)
		if err != nil {
			return false, a.output, err
		}
		switch {
		case a.code/100 == 2:
			return true, a.output, nil
		case a.code == http.StatusNotFound, a.code == http.StatusConflict, a.code == http.StatusTooEarly:
			return false, a.output, nil
		}
		return false, a.output, a.failed(what, &c)
	}
	r, err := o.run(ctx, what, &c)
	if err == nil && r.code > 1 {
		err = r.failed(&c)
	}
	return err == nil && r.code == 0, r.output, err
}

// address reports whether what is a URL to call.
func address(what string) bool {
	scheme, _, ok := strings.Cut(what, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// limit ends ctx after d, or else after otherwise, unless both are 0.
func limit(ctx context.Context, d, otherwise time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		d = otherwise
	}
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("no end within %s: %w", d, context.DeadlineExceeded))
}

// ended returns the fault of something that ended because ctx did, with what it said.
func ended(ctx context.Context, op, output string) error {
	cause := context.Cause(ctx)
	hint := ""
	if errors.Is(cause, context.DeadlineExceeded) {
		hint = "look at what it has done before you try again; a longer timeout is set at the step"
	}
	return fault.New(fault.Resource, op, fmt.Errorf("%w; %s", cause, said(output)), hint)
}

// said tells in an error what something said.
func said(output string) string {
	if output == "" {
		return "it said nothing"
	}
	return "it said: " + shorten(output, quoted)
}

// clear applies Redact.
func (o *Outside) clear(s string) string {
	if o.Redact == nil {
		return s
	}
	return o.Redact(s)
}
