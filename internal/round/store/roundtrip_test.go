//nolint:thelper // its functions are tests, run once for each dialect
package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/round"
)

func anyTime(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+"?") {
		return time.Time{}
	}
	zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, label+" zone"))
	return time.Unix(rapid.Int64Range(-60_000_000_000, 250_000_000_000).Draw(t, label), rapid.Int64Range(0, 999_999_999).Draw(t, label+" ns")).In(zone)
}

func anyRound(t *rapid.T) Round {
	text := rapid.String()
	r := Round{
		Environment: rapid.StringMatching(`[a-z0-9-]{1,20}`).Draw(t, "environment"),
		Kind:        rapid.SampledFrom([]Kind{Live, PoC, Rehearsal}).Draw(t, "kind"),
		Leg:         rapid.IntRange(0, 2).Draw(t, "leg"),
		Production:  rapid.Bool().Draw(t, "production"),
		Began:       anyTime(t, "began"),
		Who:         text.Draw(t, "who"), Hash: text.Draw(t, "hash"), Program: text.Draw(t, "program"), Zone: text.Draw(t, "zone"),
		WindowFrom: anyTime(t, "from"), WindowTo: anyTime(t, "to"),
		Override: text.Draw(t, "override"), Cost: rapid.Float64().Draw(t, "cost"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "tasks") {
		r.Script.Tasks = append(r.Script.Tasks, round.Task{
			Step: round.Step{
				ID: round.StepID(text.Draw(t, "id")), Kind: rapid.SampledFrom(round.Kinds).Draw(t, "kind"), Needs: []round.StepID{round.StepID(text.Draw(t, "needs"))},
				Undo: round.UndoAction, Uses: rapid.SliceOf(text).Draw(t, "uses"), Quorum: rapid.Int().Draw(t, "quorum"),
			},
			Title: text.Draw(t, "title"), Do: text.Draw(t, "do"), Owner: text.Draw(t, "owner"),
			Timeout: time.Duration(rapid.Int64().Draw(t, "timeout")),
		})
	}
	r.Script.Limits = rapid.MapOf(text, rapid.Int()).Draw(t, "limits")
	return r
}

func anyEvent(t *rapid.T) round.Event {
	text := rapid.String()
	return round.Event{
		What: round.What(text.Draw(t, "what")), Step: round.StepID(text.Draw(t, "step")), Who: text.Draw(t, "who"), Reason: text.Draw(t, "reason"),
		Evidence: text.Draw(t, "evidence"), Kind: text.Draw(t, "kind"), Owner: text.Draw(t, "owner"),
	}
}

// testRoundTrip writes any round and any events with one Store and reads them with another.
func testRoundTrip(t *testing.T, a, b *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		planned := anyRound(rt)
		r := planned
		if err := a.Create(ctx, &r); err != nil {
			rt.Fatal(err)
		}
		got, err := b.Round(ctx, r.ID)
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(&r, got, cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("what Create returned, and Round: %s", d)
		}
		planned.ID, planned.Number = got.ID, got.Number
		if planned.Began.IsZero() {
			planned.Began = got.Began
		}
		if d := cmp.Diff(&planned, got, cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("what was planned, and Round: %s", d)
		}
		h, err := a.Claim(ctx, r.ID, "ada", time.Minute, false)
		if err != nil {
			rt.Fatal(err)
		}
		var want []Entry
		for i := range rapid.Int64Range(1, 3).Draw(rt, "events") {
			event := anyEvent(rt)
			e, err := a.Append(ctx, r.ID, i, h.Epoch*rapid.Int64Range(0, 1).Draw(rt, "epoch"), event)
			if err != nil {
				rt.Fatal(err)
			}
			if e.Event != event || e.Seq != i+1 {
				rt.Fatalf("%+v of event %+v", e, event)
			}
			want = append(want, *e)
		}
		es, err := b.Entries(ctx, r.ID, 0)
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(want, es); d != "" {
			rt.Fatalf("what Append returned, and Entries: %s", d)
		}
	})
}
