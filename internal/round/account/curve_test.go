package account_test

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// years are four rounds: a rehearsal and three live ones. The second live round does by a hook what people did, the third is aborted.
func years(t *testing.T) []account.Past {
	t.Helper()
	at := func(r store.Round, days int, cost float64) store.Round {
		r.Began, r.Cost = began.AddDate(0, 0, days), cost
		return r
	}
	rehearsal := at(named(moving("preprod", "a"), "preprod-rehearsal-1"), 0, 100)
	rehearsal.Kind, rehearsal.Leg = store.Rehearsal, 1
	first := at(moving("preprod", "a"), 1, 100)
	second := at(moving("prod-ap", "a"), 8, 300)
	second.Script.Task("quiesce").Step.Kind = round.KindHook
	third := at(moving("prod-eu", "a"), 9, 600)
	return []account.Past{ // in no order
		newTale(t, third).tell(abort).past,
		newTale(t, rehearsal).tell(whole).past,
		newTale(t, second).tell(strings.ReplaceAll(whole, "5m done: quiesce", "10s done: quiesce")).past,
		newTale(t, first).tell(whole).past,
	}
}

func TestCurve(t *testing.T) {
	h := account.Curve(years(t), map[string]float64{"preprod": 100, "prod-ap": 300, "prod-eu": 600})
	var ids []string
	for i := range h.Rounds {
		ids = append(ids, h.Rounds[i].ID)
	}
	equal(t, "rounds", strings.Join(ids, " "), "preprod-rehearsal-1 preprod-1 prod-ap-1 prod-eu-1")
	first, second, third := h.Rounds[1], h.Rounds[2], h.Rounds[3]
	equal(t, "duration", first.Duration, 21*time.Minute+7*time.Second)
	equal(t, "hands", first.Hands, 8*time.Minute)
	equal(t, "hands without quiescing", second.Hands, 3*time.Minute)
	equal(t, "manual", first.Manual, 1)
	equal(t, "automated", first.Automated, 5)
	equal(t, "manual then", second.Manual, 0)
	equal(t, "freeze", first.Freeze, 840*time.Millisecond)
	equal(t, "freeze of the aborted", third.Freeze, 34*time.Second)
	equal(t, "outcome", third.Outcome, round.PhaseAborted)
	equal(t, "rows", first.Rows, 120)
	equal(t, "proofs", first.Proofs, 1)
	equal(t, "proofs of the aborted", third.Proofs, 0)
	if got := h.Rounds[0].Unrehearsed; !slices.Equal(got, []round.StepID{"traffic"}) {
		t.Errorf("unrehearsed: %v", got)
	}
	equal(t, "share after the rehearsal", h.Rounds[0].Share, 0)
	equal(t, "share after the first", first.Share, 0.1)
	equal(t, "share now", h.Share, 0.4)
	equal(t, "dearest step", h.Steps[0].Name, "copy")
	for i := range h.Steps {
		if s := &h.Steps[i]; s.Name == "quiesce" {
			equal(t, "quiesce took", s.Took[2], 10*time.Second)
			equal(t, "quiesce and its undo took", s.Took[3], 7*time.Minute)
			equal(t, "quiesce is manual", s.Manual, true)
		}
	}
	equal(t, "still manual", strings.Join(h.Manual, ","), "quiesce")
	equal(t, "cost by the rounds", account.Curve(years(t), nil).Share, 0.4)
}

// TestMovesBack: an environment that has moved and then fell back is not counted any more.
func TestMovesBack(t *testing.T) {
	r := moving("preprod", "a")
	r.Cost = 100
	x := newTale(t, r).tell(until(whole, "0s started: finish"))
	equal(t, "moved", account.Curve([]account.Past{x.past}, nil).Share, 1)
	x.tell("0s fallback\n0s undo started: traffic\n1s undone: traffic")
	equal(t, "falling back", account.Curve([]account.Past{x.past}, nil).Share, 0)
	equal(t, "no rounds", account.Curve(nil, map[string]float64{"preprod": 100}).Text(), "No rounds yet.\n")
}

func TestHistoryText(t *testing.T) {
	past := years(t)
	past[0].Round.ID = "prod\x1b[31m-eu\n-1"
	text := account.Curve(past, nil).Text()
	for _, want := range []string{
		"ROUND", "WRITE FREEZE", "21 min", "0.84 s", "8 min", "120", "1 of 1", "done, 1 unrehearsed", "aborted", "2026-03-15 02:00 CET",
		"[5 min]", "Still done by people: quiesce", "40 % of the spend has moved (400 of 1 000 a month)", "========",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") || strings.Contains(text, "eu\n") {
		t.Errorf("a terminal can be steered:\n%q", text)
	}
	t.Log("\n" + text)
}

// TestSVG reads the picture: one bar for each duration and freeze, the longer the longer, and nothing that runs.
func TestSVG(t *testing.T) {
	past := years(t)
	past[0].Round.ID = `<script>alert("1")</script> & more of it`
	picture := account.Curve(past, nil).SVG()
	var widths []float64
	var texts strings.Builder
	d := xml.NewDecoder(strings.NewReader(string(picture)))
	seen := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
		switch x := token.(type) {
		case xml.StartElement:
			seen[x.Name.Local]++
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
					t.Errorf("attribute %s", a.Name.Local)
				}
				if w, err := strconv.ParseFloat(a.Value, 64); x.Name.Local == "rect" && a.Name.Local == "width" && err == nil && seen["rect"] > 2 {
					widths = append(widths, w)
				}
			}
		case xml.CharData:
			texts.Write(x)
		}
	}
	if seen["script"] > 0 || seen["title"] != 1 || seen["desc"] != 1 || len(widths) != 8 {
		t.Fatalf("elements %v, bars %v", seen, widths)
	}
	if !(widths[2] > widths[4]) || !(widths[7] > widths[3]) || slices.Min(widths) <= 0 {
		t.Errorf("bars: %v", widths)
	}
	for _, want := range []string{"prefers-color-scheme:dark", `<script>alert("1`, "preprod-1 took 21 min, with a write freeze of 0.84 s, and ended as done"} {
		if !strings.Contains(texts.String(), want) {
			t.Errorf("no %q in the picture", want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 840 * time.Millisecond: "0.84 s", 999 * time.Millisecond: "1.0 s", 994 * time.Millisecond: "0.99 s", 3 * time.Millisecond: "3 ms",
		8400 * time.Millisecond: "8.4 s", 9960 * time.Millisecond: "10 s", 42 * time.Second: "42 s", 59900 * time.Millisecond: "1 min",
		200 * time.Second: "3 min 20 s", 720 * time.Second: "12 min", 3599 * time.Second: "1 h", 112 * time.Minute: "1 h 52 min",
		24*time.Hour - time.Second: "1 d", 123 * time.Hour: "5 d 3 h", -2 * time.Minute: "-2 min", 599900 * time.Millisecond: "10 min",
	} {
		if got := account.Duration(d); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
}
