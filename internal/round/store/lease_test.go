//nolint:thelper // its functions are tests, run once for each dialect
package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
)

func claim(t *testing.T, s *Store, id, who string, lease time.Duration, force bool) *Holder {
	t.Helper()
	h, err := s.Claim(t.Context(), id, who, lease, force)
	if err != nil {
		t.Fatal(err)
	}
	if h.Who != who || !h.Holds() || !h.Until.Equal(h.Since.Add(lease)) {
		t.Fatalf("%+v", h)
	}
	return h
}

// stale checks that an epoch can do nothing any more.
func stale(t *testing.T, s *Store, id string, last, epoch int64) {
	t.Helper()
	_, err := s.Append(t.Context(), id, last, epoch, round.Event{What: round.Done, Step: "copy"})
	for name, err := range map[string]error{
		"Append": err, "Renew": s.Renew(t.Context(), id, epoch, time.Hour), "Release": s.Release(t.Context(), id, epoch),
	} {
		if !errors.Is(err, ErrStale) || fault.ClassOf(err) != fault.Busy {
			t.Errorf("%s with epoch %d: %v", name, epoch, err)
		}
	}
}

func testLease(t *testing.T, a, b *Store) {
	ctx := t.Context()
	r := create(t, a)
	if h, err := a.Holder(ctx, r.ID); h != nil || err != nil {
		t.Fatalf("%+v, %v", h, err)
	}
	stale(t, a, r.ID, 0, 1)
	h := claim(t, a, r.ID, "ada", time.Minute, false)
	if h.Epoch != 1 {
		t.Errorf("%+v", h)
	}
	mustAppend(t, a, r.ID, 0, 1, round.Event{What: round.Started, Step: "copy"})
	for _, who := range []string{"ben", "ada"} {
		got, err := b.Claim(ctx, r.ID, who, time.Minute, false)
		if !errors.Is(err, ErrHeld) || fault.ClassOf(err) != fault.Busy || got == nil || got.Who != "ada" || got.Epoch != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if got := claim(t, b, r.ID, "ben", time.Minute, true); got.Epoch != 2 {
		t.Errorf("%+v", got)
	}
	stale(t, a, r.ID, 1, 1)
	mustAppend(t, b, r.ID, 1, 2, round.Event{What: round.Done, Step: "copy"})
	mustAppend(t, a, r.ID, 2, 0, round.Event{What: round.Noted, Who: "ada"}) // a person needs no lease
	for range 2 {
		if err := b.Release(ctx, r.ID, 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Renew(ctx, r.ID, 2, time.Minute); !errors.Is(err, ErrStale) {
		t.Errorf("a released lease is renewed: %v", err)
	}
	if got, err := a.Holder(ctx, r.ID); err != nil || got.Holds() || got.Who != "ben" || !got.Until.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if got := claim(t, a, r.ID, "ada", time.Minute, false); got.Epoch != 3 {
		t.Errorf("%+v", got)
	}
	stale(t, b, r.ID, 3, 2)
	for _, lease := range []time.Duration{0, -time.Second} {
		if _, err := a.Claim(ctx, r.ID, "ada", lease, true); err == nil {
			t.Errorf("a lease of %v", lease)
		}
	}
	if es := entries(t, a, r.ID, 0); len(es) != 3 || es[0].Epoch != 1 || es[1].Epoch != 2 || es[2].Epoch != 0 {
		t.Errorf("%+v", es)
	}
}

func testClaimAtOnce(t *testing.T, a, b *Store) {
	r := create(t, a)
	var mu sync.Mutex
	var epochs []int64
	for _, force := range []bool{false, true} {
		atOnce(t, a, b, func(ctx context.Context, s *Store, i int) error {
			h, err := s.Claim(ctx, r.ID, string(rune('a'+i)), time.Minute, force)
			if errors.Is(err, ErrHeld) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				epochs = append(epochs, h.Epoch)
			}
			return err
		})
	}
	slices.Sort(epochs)
	if !slices.Equal(epochs, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("epochs %v: one claim without force wins, and all eight with it", epochs)
	}
}

// testClockJumps sets the clock to the given minutes, one after the other, and lets things happen there.
func testClockJumps(t *testing.T, a, b *Store) {
	const lease = 10 * time.Minute
	type at struct {
		minute int
		do     string // driver: claims, renews or writes; other: claims
		want   error
	}
	cases := map[string][]at{
		"Steady":           {{0, "claim", nil}, {9, "other", ErrHeld}, {10, "other", nil}, {11, "renew", ErrStale}, {11, "write", ErrStale}},
		"Renewed":          {{0, "claim", nil}, {9, "renew", nil}, {18, "other", ErrHeld}, {19, "other", nil}},
		"RunOutAndRenewed": {{0, "claim", nil}, {15, "renew", nil}, {16, "other", ErrHeld}},
		// The driver lives, and learns of it before it writes.
		"Forward": {{0, "claim", nil}, {600, "other", nil}, {601, "write", ErrStale}},
		// Nobody came: it goes on.
		"ForwardAlone": {{0, "claim", nil}, {600, "write", nil}, {600, "renew", nil}, {605, "other", ErrHeld}},
		// The driver is dead: it blocks for one lease more, from the first look.
		"BackDead": {{0, "claim", nil}, {-600, "other", ErrHeld}, {-591, "other", ErrHeld}, {-590, "other", nil}},
		"BackLive": {{0, "claim", nil}, {-600, "other", ErrHeld}, {-595, "renew", nil}, {-586, "other", ErrHeld}, {-585, "other", nil}},
		// A small step, as a clock is set right.
		"BackABit":  {{0, "claim", nil}, {-1, "other", ErrHeld}, {8, "other", ErrHeld}, {9, "other", nil}},
		"BackTwice": {{0, "claim", nil}, {-600, "other", ErrHeld}, {-1200, "other", ErrHeld}, {-1190, "other", nil}},
	}
	for name, story := range cases {
		t.Run(name, func(t *testing.T) {
			noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			now := noon
			a.now = func() time.Time { return now }
			b.now = a.now
			r := create(t, a)
			var last *Entry
			for i, s := range story {
				now = noon.Add(time.Duration(s.minute) * time.Minute)
				var err error
				switch s.do {
				case "claim":
					_, err = a.Claim(t.Context(), r.ID, "ada", lease, false)
				case "renew":
					err = a.Renew(t.Context(), r.ID, 1, lease)
				case "write":
					_, err = a.Append(t.Context(), r.ID, int64(i), 1, round.Event{What: round.Noted})
				case "other":
					var h *Holder
					h, err = b.Claim(t.Context(), r.ID, "ben", lease, false)
					if err != nil && (h == nil || !h.Holds() || h.Until.Sub(now) > lease) {
						t.Errorf("%d: %+v", i, h)
					}
				}
				if !errors.Is(err, s.want) || (err == nil) != (s.want == nil) {
					t.Fatalf("%d, at minute %d: %s: %v, want %v", i, s.minute, s.do, err, s.want)
				}
				// What is written never goes back in time.
				if s.do != "write" || err != nil {
					last = mustAppend(t, b, r.ID, int64(i), 0, round.Event{What: round.Noted})
				}
			}
			es := entries(t, a, r.ID, 0)
			for i := range es[1:] {
				if es[i+1].At.Before(es[i].At) {
					t.Errorf("entry %d at %v comes after one at %v", i+2, es[i+1].At, es[i].At)
				}
			}
			if last != nil && es[0].At.Before(noon) {
				t.Errorf("an entry before the round began: %v", es[0].At)
			}
		})
	}
}
