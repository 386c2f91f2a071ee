package account

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round/store"
)

// TestFrozenBySigns lets a database say when its writes stopped, which its step cannot: it compares first.
func TestFrozenBySigns(t *testing.T) {
	began := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	f := &ice{from: began}
	w := &watch{ice: map[string]*ice{"a": f}}
	now := began.Add(time.Minute)
	for body, want := range map[string]time.Duration{
		`{"lag_ns": 5}`:                            time.Minute, // it does not say
		`{"frozen_since": null}`:                   0,
		`{"frozen_since": "2026-03-01T02:00:58Z"}`: 2 * time.Second,
		`{"frozen_since": "2026-03-01T01:00:00Z"}`: time.Minute, // an older freeze
		`{"frozen_since": 7}`:                      0,
	} {
		all, _, is := w.frozen(now, map[string]store.Sign{"a": {Body: json.RawMessage(body)}})
		if all != want || is != (want > 0) {
			t.Errorf("%s: stopped for %s, now %v; want %s", body, all, is, want)
		}
	}
}
