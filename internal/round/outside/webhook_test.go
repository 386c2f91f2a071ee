package outside

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/fault"
)

var switchOver = Call{Round: "prod-eu-1", Environment: "prod-eu", Step: "switch", Verb: VerbDo, Attempt: 1, Epoch: 3, Key: "prod-eu-1/switch/do"}

// request is what a server was asked.
type request struct {
	method string
	header http.Header
	body   string
}

// server answers with a status and a text, and keeps what it was asked.
func server(t *testing.T, status int, text string) (*httptest.Server, *[]request) {
	t.Helper()
	var asked []request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, request{r.Method, r.Header, string(body)})
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s, &asked
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s, asked := server(t, http.StatusAccepted, "the proxy\x1b[0m moves\r\n")
	o := &Outside{Secret: func(context.Context) (string, error) { return "sesame", nil }}
	output, err := o.Do(t.Context(), " "+s.URL+"/hook?token=secret\n", switchOver)
	if err != nil || output != "the proxy moves" {
		t.Fatalf("%q, %v", output, err)
	}
	if holds, _, err := o.Check(t.Context(), s.URL, switchOver); err != nil || !holds {
		t.Fatal(holds, err)
	}
	do, check := (*asked)[0], (*asked)[1]
	for _, r := range *asked {
		var got Call
		if err := json.Unmarshal([]byte(r.body), &got); err != nil || cmp.Diff(switchOver, got) != "" || r.method != http.MethodPost {
			t.Errorf("it was told by %s %s: %v", r.method, r.body, err)
		}
		if r.header.Get("Content-Type") != "application/json" {
			t.Errorf("of the type %q", r.header.Get("Content-Type"))
		}
		verify(t, r, "sesame")
	}
	if do.header.Get("Idempotency-Key") != switchOver.Key || check.header.Values("Idempotency-Key") != nil {
		t.Errorf("keys %q and %q", do.header.Values("Idempotency-Key"), check.header.Values("Idempotency-Key"))
	}
}

// verify checks a signature as a receiver would who has only the package comment and RFC 2104.
func verify(t *testing.T, r request, secret string) {
	t.Helper()
	signature := r.header.Get("Bascule-Signature")
	at, sum, ok := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); !ok || err != nil || age < -time.Minute || age > time.Minute {
		t.Fatalf("signed with %q", signature)
	}
	var inner, outer [64]byte
	copy(inner[:], secret)
	outer = inner
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	first := sha256.Sum256(append(inner[:], at+"."+r.body...))
	second := sha256.Sum256(append(outer[:], first[:]...))
	if sum != hex.EncodeToString(second[:]) {
		t.Errorf("signed with %s, want %x", sum, second)
	}
}

// TestSign holds the signature to what openssl dgst -sha256 -hmac sesame says of 1767225600.{"a":1}.
func TestSign(t *testing.T) {
	t.Parallel()
	const want = "t=1767225600,v1=edbfd6cf2d6c1059d28bfaf2935b278f2828a91f2f2353f30f13178baf0302e2"
	if got := Sign("sesame", []byte(`{"a":1}`), time.Unix(1767225600, 999)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNoSecret(t *testing.T) {
	t.Parallel()
	s, asked := server(t, http.StatusOK, "")
	boom := errors.New("the vault is sealed")
	for name, secret := range map[string]func(context.Context) (string, error){
		"none":  func(context.Context) (string, error) { return "", boom },
		"empty": func(context.Context) (string, error) { return "", nil },
	} {
		if _, err := (&Outside{Secret: secret}).Do(t.Context(), s.URL, switchOver); fault.ClassOf(err) != fault.Usage || len(*asked) > 0 {
			t.Errorf("%s: %v after %d calls", name, err, len(*asked))
		}
	}
	if _, err := (&Outside{}).Do(t.Context(), s.URL, switchOver); err != nil || (*asked)[0].header.Get(Signature) != "" {
		t.Errorf("unsigned: %v", err)
	}
}

// TestAnswers is the table of what a status means, to Do and to Check.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct {
		do    fault.Class // empty for none
		check string      // yes, no or error
	}{
		200: {"", "yes"},
		204: {"", "yes"},
		302: {fault.Resource, "error"},
		307: {fault.Resource, "error"},
		400: {fault.Resource, "error"},
		401: {fault.Login, "error"},
		403: {fault.Login, "error"},
		404: {fault.Resource, "no"},
		405: {fault.Resource, "error"},
		409: {fault.Resource, "no"},
		425: {fault.Resource, "no"},
		429: {fault.Connect, "error"},
		500: {fault.Connect, "error"},
		503: {fault.Connect, "error"},
	} {
		s, asked := server(t, status, "no /hook/secret of "+switchOver.Key)
		what := strings.Replace(s.URL, "http://", "HTTP://anna:pass-word@", 1) + "/hook/secret?token=geheim"
		o := &Outside{}
		_, err := o.Do(t.Context(), what, switchOver)
		if (err == nil) != (want.do == "") || err != nil && (fault.ClassOf(err) != want.do || !strings.Contains(err.Error(), strconv.Itoa(status))) {
			t.Errorf("%d: %v, want %q", status, err, want.do)
		}
		quiet(t, err)
		holds, output, err := o.Check(t.Context(), what, switchOver)
		if holds != (want.check == "yes") || (err != nil) != (want.check == "error") {
			t.Errorf("check %d: %v, %v, want %s", status, holds, err, want.check)
		}
		quiet(t, err)
		if strings.Contains(output, "secret") || len(*asked) != 2 {
			t.Errorf("%d: %q after %d calls", status, output, len(*asked))
		}
	}
}

// quiet looks that nothing of a URL is in an error or its hint.
func quiet(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, word := range []string{"secret", "geheim", "anna", "pass-word"} {
		if strings.Contains(err.Error()+fault.HintOf(err), word) {
			t.Errorf("%q is in %v", word, err)
		}
	}
}

// TestServers has servers that hang, stop in the middle, say too much, are not there, or have a certificate that nobody knows.
func TestServers(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/hang/secret", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/slow/secret", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half of")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/huge/secret", func(w http.ResponseWriter, _ *http.Request) {
		for range 100_000 {
			if _, err := io.WriteString(w, strings.Repeat("é", 500)); err != nil {
				return
			}
		}
	})
	plain, safe := httptest.NewServer(mux), httptest.NewUnstartedServer(mux)
	safe.Config.ErrorLog = log.New(io.Discard, "", 0) // a client refuses its certificate
	safe.StartTLS()
	t.Cleanup(safe.Close)
	t.Cleanup(plain.Close)
	t.Cleanup(func() { close(over) })
	for path, want := range map[string]error{"/hang/secret": context.DeadlineExceeded, "/slow/secret": context.DeadlineExceeded} {
		_, err := (&Outside{Timeout: 50 * time.Millisecond}).Do(t.Context(), plain.URL+path, switchOver)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "no end within 50ms") {
			t.Errorf("%s: %v", path, err)
		}
		quiet(t, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("somebody aborted")
	time.AfterFunc(20*time.Millisecond, func() { cancel(stop) })
	if _, err := (&Outside{}).Do(ctx, plain.URL+"/hang/secret", switchOver); !errors.Is(err, stop) {
		t.Errorf("a round that is stopped: %v", err)
	}
	output, err := (&Outside{HTTP: safe.Client()}).Do(t.Context(), safe.URL+"/huge/secret", switchOver)
	if err != nil || len(output) > shown || len(output) < shown/2 || !utf8.ValidString(output) || strings.Trim(output, "é\n…") != "" {
		t.Errorf("a huge answer: %d bytes, %v", len(output), err)
	}
	if _, err = (&Outside{}).Do(t.Context(), safe.URL+"/secret", switchOver); fault.ClassOf(err) != fault.Connect || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
	quiet(t, err)
	gone := httptest.NewServer(mux)
	gone.Close()
	if _, err = (&Outside{}).Do(t.Context(), gone.URL+"/secret", switchOver); fault.ClassOf(err) != fault.Connect || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
	quiet(t, err)
	if _, err = (&Outside{}).Do(t.Context(), "https:///secret", switchOver); fault.ClassOf(err) != fault.Usage {
		t.Errorf("no host: %v", err)
	}
	quiet(t, err)
}
