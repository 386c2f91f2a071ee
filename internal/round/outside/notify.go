package outside

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Message is what people are told.
type Message struct {
	// Title is one line; what else it holds is cut after 200 bytes. Text is cut after 4,000.
	Title, Text              string
	Round, Environment, Step string
	// Head is the hash of the journal's last entry, in hexadecimal. Whoever keeps the message can see later whether the journal was changed.
	Head string
	// At is shown in its own zone.
	At time.Time
}

// Notify sends messages. Its zero value sends none, and it is safe for concurrent use.
type Notify struct {
	// Slack are URLs of incoming webhooks, as Slack and those who follow it understand them.
	Slack []string
	// Mail is nil for none.
	Mail *Mail
	// HTTP calls Slack; nil for one without settings.
	HTTP *http.Client
	// Redact takes secrets out of a message and of what servers say; nil if there are none.
	Redact func(string) string

	limit time.Duration // of each way; 0 means wayTime
}

// wayTime is how long one way of telling may take: a message never holds up a round.
const wayTime = 10 * time.Second

// Send sends m by all ways at once and returns within 10 s. Its error joins those of the ways that failed: fault.Connect for what trying again may mend,
// fault.Login for a refused user or webhook, fault.Usage for a setting with which nothing can be sent, fault.Resource for the rest.
func (n *Notify) Send(ctx context.Context, m Message) error {
	if n == nil {
		return nil
	}
	m = n.ready(m)
	ways := make([]func(context.Context) error, 0, len(n.Slack)+1)
	for _, url := range n.Slack {
		ways = append(ways, func(ctx context.Context) error { return n.slack(ctx, url, &m) })
	}
	if n.Mail != nil {
		ways = append(ways, func(ctx context.Context) error { return n.Mail.send(ctx, &m, n.clear) })
	}
	errs := make([]error, len(ways))
	var all sync.WaitGroup
	for i, way := range ways {
		all.Go(func() {
			ctx, cancel := limit(ctx, n.limit, wayTime)
			defer cancel()
			errs[i] = way(ctx)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// What of a message is sent, in bytes.
const (
	titleMost = 200
	textMost  = 4000
)

// ready returns m as it may be sent: without secrets and control characters, its names and its title on one line each.
func (n *Notify) ready(m Message) Message {
	for _, line := range []*string{&m.Title, &m.Round, &m.Environment, &m.Step, &m.Head} {
		s := strings.Join(strings.Fields(n.clear(clean(*line))), " ")
		if len(s) > titleMost {
			s = s[:start(s, titleMost-len("…"))] + "…"
		}
		*line = s
	}
	m.Title = cmp.Or(m.Title, "bascule")
	m.Text = shorten(n.clear(clean(m.Text)), textMost)
	return m
}

func (n *Notify) clear(s string) string {
	if n.Redact == nil {
		return s
	}
	return n.Redact(s)
}

// body is the message below its title.
func (m *Message) body() string {
	var b strings.Builder
	line := func(s string) {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	if m.Text != "" {
		line(m.Text)
		line("")
	}
	if m.Round != "" || m.Environment != "" {
		line(strings.TrimSpace("Round: " + m.Round + aside(m.Environment)))
	}
	if m.Step != "" {
		line("Step: " + m.Step)
	}
	if !m.At.IsZero() {
		line("Time: " + m.At.Format("2006-01-02 15:04:05 MST (-07:00)"))
	}
	if m.Head != "" {
		line("Journal: " + m.Head)
	}
	return b.String()
}

func aside(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
