package cutover

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/fault"
)

// Answer is what a server said to Post.
type Answer struct {
	Code int
	// Status is the code and its words: 204 No Content.
	Status string
	// Body is its beginning, as it came, at most as long as asked for. Cut says that there was more.
	Body []byte
	Cut  bool
}

// Post sends body as JSON, with header beside Content-Type, and returns what was said, whatever it was. It follows no redirect: a redirected POST
// becomes a GET, which would tell nobody anything. A nil client is one without settings. No error holds the URL's path, query or user.
func Post(ctx context.Context, client *http.Client, raw string, header http.Header, body []byte, most int) (*Answer, error) {
	op := "call " + Origin(raw)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, raw, bytes.NewReader(body))
	if err != nil || req.URL.Host == "" {
		return nil, fault.New(fault.Usage, op, errors.New("its URL cannot be read"), "write it as https://host/path")
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	res, err := still(client).Do(req)
	if err != nil {
		return nil, fault.New(fault.Connect, op, quiet(err, raw), "")
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, int64(most)+1))
	if err != nil {
		return nil, fault.New(fault.Connect, op, quiet(err, raw), "its answer began with "+Hide(raw).Replace(res.Status)+"; whether it has done what was asked is not known")
	}
	a := &Answer{Code: res.StatusCode, Status: res.Status, Body: text, Cut: len(text) > most}
	a.Body = text[:min(len(text), most)]
	return a, nil
}

// quiet returns the cause of err without what its URL hides. A server that sends back what it was sent gets the path into the cause as well.
func quiet(err error, raw string) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the outer error shows the whole URL
	}
	if text := Hide(raw).Replace(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// still returns a client like c that follows no redirect.
func still(c *http.Client) *http.Client {
	n := http.Client{}
	if c != nil {
		n = *c
	}
	next := n.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	n.Transport = unmoved{next}
	return &n
}

// unmoved drops the address of a redirect, so that the client neither follows it nor shows it in an error.
type unmoved struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (m unmoved) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := m.next.RoundTrip(r)
	if err == nil {
		res.Header.Del("Location")
	}
	return res, err
}

// Origin names the server of a URL for people: its scheme, host and port, without the path, the query and the user, which may hold secrets.
func Origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "a URL that cannot be read"
	}
	return u.Scheme + "://" + u.Host
}

// What of a URL is looked for in texts: shorter pieces are no secrets, and would be found everywhere.
const (
	leastSegment = 8 // of a path
	leastPiece   = 4 // of anything else
)

// Hide returns what takes a URL's path, query and user out of texts, such as a server's page about what it did not find.
func Hide(raw string) *strings.Replacer {
	pieces := []string{raw}
	if u, err := url.Parse(raw); err == nil {
		pieces = append(pieces, u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery, u.Fragment)
		if u.User != nil {
			password, _ := u.User.Password()
			_, encoded, _ := strings.Cut(u.User.String(), ":")
			pieces = append(pieces, u.User.String(), u.User.Username(), password, encoded)
		}
		for _, values := range u.Query() {
			pieces = append(pieces, values...)
		}
		for _, path := range []string{u.Path, u.EscapedPath()} {
			for s := range strings.SplitSeq(path, "/") {
				if len(s) >= leastSegment {
					pieces = append(pieces, s)
				}
			}
		}
	}
	pieces = slices.DeleteFunc(pieces, func(s string) bool { return len(s) < leastPiece })
	// At one place the first that fits is taken.
	slices.SortFunc(pieces, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	var pairs []string
	for _, s := range slices.Compact(pieces) {
		pairs = append(pairs, s, "***")
	}
	return strings.NewReplacer(pairs...)
}
