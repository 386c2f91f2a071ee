package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/servertest"
)

// kinds are the two dialects. url makes a place for a store that is not there yet.
var kinds = []struct {
	name string
	url  func(t *testing.T) string
}{
	{"SQLite", sqliteURL},
	{"PostgreSQL", postgresURL},
}

func sqliteURL(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "a folder", "rounds?.db")
}

func postgresURL(t *testing.T) string {
	t.Helper()
	return servertest.Postgres15(t).Database(t)
}

// each runs a test on both dialects, on two Stores of one place.
func each(t *testing.T, test func(t *testing.T, a, b *Store)) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			url := k.url(t)
			test(t, open(t, url), open(t, url))
		})
	}
}

func open(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// create makes a round with one step.
func create(t *testing.T, s *Store) *Round {
	t.Helper()
	r := &Round{
		Environment: "preprod", Kind: Live, Who: "ada", Hash: "h", Program: "1",
		Script: round.Script{Tasks: []round.Task{{Step: round.Step{ID: "copy", Kind: round.KindAuto, Undo: round.UndoNothing}}}},
	}
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func mustAppend(t *testing.T, s *Store, id string, after, epoch int64, e round.Event) *Entry {
	t.Helper()
	n, err := s.Append(t.Context(), id, after, epoch, e)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func entries(t *testing.T, s *Store, id string, after int64) []Entry {
	t.Helper()
	es, err := s.Entries(t.Context(), id, after)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func TestSmoke(t *testing.T) {
	each(t, func(t *testing.T, a, b *Store) {
		r := create(t, a)
		if r.ID != "preprod-1" || r.Number != 1 || r.Began.IsZero() {
			t.Fatalf("%+v", r)
		}
		h, err := a.Claim(t.Context(), r.ID, "ada", time.Minute, false)
		if err != nil || !h.Holds() || h.Epoch != 1 {
			t.Fatalf("%+v, %v", h, err)
		}
		mustAppend(t, a, r.ID, 0, 1, round.Event{What: round.Started, Step: "copy"})
		mustAppend(t, b, r.ID, 1, 0, round.Event{What: round.Noted, Who: "ben", Reason: "slow <&>"})
		if es := entries(t, a, r.ID, 0); len(es) != 2 || es[1].Event.Reason != "slow <&>" {
			t.Fatalf("%+v", es)
		}
		if es := entries(t, a, r.ID, 1); len(es) != 1 {
			t.Fatalf("%+v", es)
		}
		if h, err := b.Claim(t.Context(), r.ID, "ben", time.Minute, false); !errors.Is(err, ErrHeld) || h.Who != "ada" {
			t.Fatalf("%+v, %v", h, err)
		}
		if err := a.Sign(t.Context(), r.ID, "shop", []byte(`{"lag":1}`)); err != nil {
			t.Fatal(err)
		}
		if err := a.Renew(t.Context(), r.ID, 1, time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := a.Release(t.Context(), r.ID, 1); err != nil {
			t.Fatal(err)
		}
	})
}
