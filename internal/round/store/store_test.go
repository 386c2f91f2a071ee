package store

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/servertest"
)

// tests run on both dialects, each on two Stores of one new place.
var tests = map[string]func(t *testing.T, a, b *Store){
	"Numbers":              testNumbers,
	"RoundsAreOldestFirst": testRoundsAreOldestFirst,
	"CreateAtOnce":         testCreateAtOnce,
	"NoSuchRound":          testNoSuchRound,
	"Signs":                testSigns,
	"Tokens":               testTokens,
	"AppendAtOnce":         testAppendAtOnce,
	"Behind":               testBehind,
	"Tampering":            testTampering,
	"TamperedRound":        testTamperedRound,
	"Wait":                 testWait,
	"Cancelled":            testCancelled,
	"Lease":                testLease,
	"ClaimAtOnce":          testClaimAtOnce,
	"ClockJumps":           testClockJumps,
	"RoundTrip":            testRoundTrip,
}

func TestSQLite(t *testing.T) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a folder", "rounds?#%41.db")
			test(t, open(t, path), open(t, "sqlite:"+path))
		})
	}
}

func TestPostgres(t *testing.T) {
	for _, server := range servertest.Targets(t) {
		url := server.Database(t)
		for name, test := range tests {
			t.Run(server.Name+"/"+name, func(t *testing.T) {
				server.Exec(t, url, "DROP SCHEMA IF EXISTS bascule_rounds CASCADE")
				test(t, open(t, url), open(t, strings.Replace(url, "postgres:", "postgresql:", 1)))
			})
		}
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
