package outside

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
)

// escaped writes the three characters that mean something to Slack, and no others, as https://api.slack.com/docs/message-formatting asks for: without
// that a text could call a whole channel, or hide an address behind a word.
var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackBody is a message as an incoming webhook takes it. Its text is shown as it stands: the names of steps and tables hold characters that would
// otherwise make bold and italic of what is between them.
func slackBody(m *Message) ([]byte, error) {
	return json.Marshal(struct {
		Text   string `json:"text"`
		Format bool   `json:"mrkdwn"`
	}{escaped.Replace(strings.TrimSpace(m.Title + "\n" + m.body())), false})
}

// slack sends m to one webhook.
func (n *Notify) slack(ctx context.Context, url string, m *Message) error {
	op := "send the message to " + cutover.Origin(url)
	body, err := slackBody(m)
	if err != nil {
		return fault.New(fault.Usage, op, err, "")
	}
	o := &Outside{HTTP: n.HTTP, Redact: n.Redact}
	a, err := o.send(ctx, op, url, http.Header{"User-Agent": {"bascule"}}, body)
	switch {
	case err != nil && ctx.Err() != nil:
		err = fault.New(fault.Connect, op, context.Cause(ctx), "")
	case err == nil && a.code/100 != 2:
		class, hint := a.class()
		err = fault.New(class, op, fmt.Errorf("it answered %s; %s", a.status, said(a.output)), hint)
	}
	return err
}
