package outside

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
)

// Signature is the header that signs a webhook.
const Signature = "Bascule-Signature"

// Sign returns the value of Signature for a body: t=SECONDS,v1=HEX, as the package comment says.
func Sign(secret string, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// answered is what a server said.
type answered struct {
	code           int
	status, output string
}

// post calls a webhook; effect says that the server may answer a repetition from memory. An error says that there is no answer.
func (o *Outside) post(ctx context.Context, url string, c *Call, effect bool) (answered, error) {
	op := "call " + cutover.Origin(url) + c.of()
	body, err := json.Marshal(c)
	if err != nil {
		return answered{}, fault.New(fault.Usage, op, err, "")
	}
	header := http.Header{"User-Agent": {"bascule"}}
	if effect {
		header.Set("Idempotency-Key", c.Key)
	}
	if err := o.sign(ctx, header, body); err != nil {
		return answered{}, fault.New(fault.Usage, op, err, "nothing was sent; look at the secret that signs webhooks")
	}
	return o.send(ctx, op, url, header, body)
}

// send posts a body and returns what was answered, fit to be shown.
func (o *Outside) send(ctx context.Context, op, url string, header http.Header, body []byte) (answered, error) {
	a, err := cutover.Post(ctx, o.HTTP, url, header, body, kept)
	if err != nil {
		return answered{}, o.unanswered(ctx, op, err)
	}
	hide := func(s string) string { return o.clear(cutover.Hide(url).Replace(s)) }
	said := &record{}
	_, _ = said.Write(a.Body) // it never fails
	if a.Cut {
		said.total++
	}
	return answered{a.Code, shorten(hide(clean(a.Status)), quoted), said.text(hide)}, nil
}

// sign adds the signature, if there is a secret.
func (o *Outside) sign(ctx context.Context, header http.Header, body []byte) error {
	if o.Secret == nil {
		return nil
	}
	secret, err := o.Secret(ctx)
	if err != nil {
		return err
	}
	if secret == "" {
		return errors.New("the signing secret is empty")
	}
	header.Set(Signature, Sign(secret, body, time.Now()))
	return nil
}

// unanswered gives an error of cutover.Post the operation's name. What was sent may have had its effect.
func (o *Outside) unanswered(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ended(ctx, op, "")
	}
	cause := err
	if f, ok := errors.AsType[*fault.Error](err); ok {
		cause = f.Err
	}
	if text := o.clear(cause.Error()); text != cause.Error() {
		cause = errors.New(text)
	}
	return fault.New(fault.ClassOf(err), op, cause, fault.HintOf(err))
}

// failed returns the fault of an answer that is not the one hoped for.
func (a *answered) failed(url string, c *Call) error {
	class, hint := a.class()
	return fault.New(class, "call "+cutover.Origin(url)+c.of(), fmt.Errorf("it answered %s; %s", a.status, said(a.output)), hint)
}

// class sorts an answer that is not the one hoped for.
func (a *answered) class() (class fault.Class, hint string) {
	switch {
	case a.code/100 == 3:
		return fault.Resource, "redirects are not followed: write the address that answers"
	case a.code == http.StatusUnauthorized, a.code == http.StatusForbidden:
		return fault.Login, ""
	case a.code == http.StatusMethodNotAllowed:
		return fault.Resource, "webhooks and checks are sent by POST; for an address that knows only GET write a command, such as curl --fail"
	case a.code == http.StatusTooManyRequests, a.code/100 == 5:
		return fault.Connect, ""
	}
	return fault.Resource, ""
}
