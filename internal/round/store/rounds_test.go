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

func testNumbers(t *testing.T, a, b *Store) {
	for i, tc := range []struct {
		environment string
		kind        Kind
		id          string
		number      int
	}{
		{"preprod", Live, "preprod-1", 1},
		{"preprod", Live, "preprod-2", 2},
		{"preprod", PoC, "preprod-poc-1", 1},
		{"prod", Rehearsal, "prod-rehearsal-1", 1},
		{"prod", Rehearsal, "prod-rehearsal-2", 2},
		{"prod", Live, "prod-1", 1},
		// Two IDs are taken.
		{"prod-rehearsal", Live, "prod-rehearsal-3", 3},
		{"prod-rehearsal", Live, "prod-rehearsal-4", 4},
	} {
		s := []*Store{a, b}[i%2]
		r := &Round{Environment: tc.environment, Kind: tc.kind, Number: 77, ID: "mine"}
		if err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if r.ID != tc.id || r.Number != tc.number {
			t.Errorf("%s %s is %s with number %d, want %s with %d", tc.environment, tc.kind, r.ID, r.Number, tc.id, tc.number)
		}
	}
	for _, r := range []*Round{{Kind: Live}, {Environment: "prod"}, {Environment: "prod", Kind: "dead"}} {
		if err := a.Create(t.Context(), r); err == nil || r.ID != "" {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func testRoundsAreOldestFirst(t *testing.T, a, b *Store) {
	began := time.Date(2026, 3, 1, 2, 0, 0, 123456789, time.FixedZone("", 3600))
	want := []string{"c-1", "b-1", "a-1", "d-1"}
	for _, r := range []*Round{
		{Environment: "b", Kind: Live, Began: began},
		{Environment: "a", Kind: Live, Began: began},
		{Environment: "c", Kind: Live, Began: began.Add(-time.Hour)},
		{Environment: "d", Kind: Live},
	} {
		if err := a.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	rounds, err := b.Rounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rounds {
		got = append(got, r.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if r := rounds[1]; !r.Began.Equal(began) || r.Began.Location() != time.UTC {
		t.Errorf("began %v, want %v", r.Began, began)
	}
	if d := time.Since(rounds[3].Began); d < -time.Minute || d > time.Minute {
		t.Errorf("the store's clock is off by %v", d)
	}
}

func testCreateAtOnce(t *testing.T, a, b *Store) {
	var mu sync.Mutex
	var numbers []int
	atOnce(t, a, b, func(ctx context.Context, s *Store, _ int) error {
		r := &Round{Environment: "prod", Kind: Live}
		err := s.Create(ctx, r)
		mu.Lock()
		defer mu.Unlock()
		numbers = append(numbers, r.Number)
		return err
	})
	slices.Sort(numbers)
	if !slices.Equal(numbers, []int{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("numbers %v", numbers)
	}
}

func testNoSuchRound(t *testing.T, s, _ *Store) {
	ctx := t.Context()
	calls := map[string]func() error{
		"Round":       func() error { _, err := s.Round(ctx, "x-1"); return err },
		"Entries":     func() error { _, err := s.Entries(ctx, "x-1", 0); return err },
		"Append":      func() error { _, err := s.Append(ctx, "x-1", 0, 0, round.Event{}); return err },
		"Claim":       func() error { _, err := s.Claim(ctx, "x-1", "ada", time.Second, true); return err },
		"Renew":       func() error { return s.Renew(ctx, "x-1", 1, time.Second) },
		"Release":     func() error { return s.Release(ctx, "x-1", 1) },
		"Holder":      func() error { _, err := s.Holder(ctx, "x-1"); return err },
		"Sign":        func() error { return s.Sign(ctx, "x-1", "shop", []byte("1")) },
		"Wait":        func() error { return s.Wait(ctx, "x-1", 0) },
		"RevokeToken": func() error { return s.RevokeToken(ctx, "x") },
		"TokenByHash": func() error { _, err := s.TokenByHash(ctx, "x"); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrNone) || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: %v of class %s", name, err, fault.ClassOf(err))
		}
	}
	if rounds, err := s.Rounds(ctx); err != nil || len(rounds) != 0 {
		t.Errorf("%v, %v", rounds, err)
	}
}

func testSigns(t *testing.T, a, b *Store) {
	r := create(t, a)
	for _, s := range []struct{ name, body string }{{"shop", `{"lag":1}`}, {"users", "null"}, {"shop", `{"lag": 2}`}} {
		if err := a.Sign(t.Context(), r.ID, s.name, []byte(s.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Sign(t.Context(), r.ID, "shop", []byte("{")); err == nil {
		t.Error("a body that is no JSON is kept")
	}
	signs, err := b.Signs(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(signs) != 2 || string(signs["shop"].Body) != `{"lag": 2}` || string(signs["users"].Body) != "null" || time.Since(signs["shop"].At) > time.Minute {
		t.Errorf("%v", signs)
	}
}

func testTokens(t *testing.T, a, b *Store) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	a.now = func() time.Time { return now }
	b.now = a.now
	for _, k := range []Token{
		{ID: "a1", Person: "ada", Hash: "ha", Expires: now.Add(time.Hour)},
		{ID: "b1", Person: "ben", Hash: "hb", Expires: now.Add(time.Minute)},
	} {
		if err := a.AddToken(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	for name, k := range map[string]Token{
		"SameID":   {ID: "a1", Person: "eve", Hash: "he", Expires: now.Add(time.Hour)},
		"SameHash": {ID: "e1", Person: "eve", Hash: "ha", Expires: now.Add(time.Hour)},
		"NoEnd":    {ID: "e1", Person: "eve", Hash: "he"},
		"NoHash":   {ID: "e1", Person: "eve", Expires: now.Add(time.Hour)},
	} {
		if err := a.AddToken(ctx, k); err == nil {
			t.Errorf("%s is kept", name)
		}
	}
	if k, err := b.TokenByHash(ctx, "hb"); err != nil || k.Person != "ben" || !k.Created.Equal(now) || !k.Expires.Equal(now.Add(time.Minute)) {
		t.Errorf("%+v, %v", k, err)
	}
	now = now.Add(time.Minute)
	if k, err := b.TokenByHash(ctx, "hb"); !errors.Is(err, ErrNone) || k != nil {
		t.Errorf("a token that has run out counts: %+v, %v", k, err)
	}
	for range 2 {
		if err := a.RevokeToken(ctx, "a1"); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
	}
	if k, err := b.TokenByHash(ctx, "ha"); !errors.Is(err, ErrNone) || k != nil {
		t.Errorf("a revoked token counts: %+v, %v", k, err)
	}
	tokens, err := b.Tokens(ctx)
	if err != nil || len(tokens) != 2 || tokens[0].ID != "a1" || !tokens[0].Revoked.Equal(now.Add(-2*time.Second)) || tokens[0].Hash != "ha" || !tokens[1].Revoked.IsZero() {
		t.Errorf("%+v, %v", tokens, err)
	}
}
