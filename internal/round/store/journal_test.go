//nolint:thelper // its functions are tests, run once for each dialect
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
)

// raw changes or reads the tables behind the store's back.
func raw(t *testing.T, s *Store, do work) {
	t.Helper()
	if err := s.in(t.Context(), s.write, nil, do); err != nil {
		t.Fatal(err)
	}
}

// audit checks a round's chain by the words of root and link alone, with nothing of theirs, and returns how many entries there are.
func audit(t *testing.T, s *Store, id string) int {
	t.Helper()
	n := 0
	raw(t, s, func(ctx context.Context, tx *tx) error {
		var body string
		if err := tx.row(ctx, "SELECT body FROM @rounds WHERE id = $1", id).Scan(&body); err != nil {
			return err
		}
		before := fmt.Sprintf("%x", sha256.Sum256([]byte("bascule round 1\n"+body+"\n")))
		rows, err := tx.rows(ctx, "SELECT seq, at, epoch, event, hash FROM @entries WHERE round = $1 ORDER BY seq", id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var seq, at, epoch int64
			var event, hash string
			if err := rows.Scan(&seq, &at, &epoch, &event, &hash); err != nil {
				return err
			}
			n++
			second := time.Unix(at/1_000_000, 0).UTC().Format(time.DateTime)
			text := fmt.Sprintf("%s\n%d\n%s.%06dZ\n%d\n%s\n", before, seq, strings.Replace(second, " ", "T", 1), at%1_000_000, epoch, event)
			if before = fmt.Sprintf("%x", sha256.Sum256([]byte(text))); seq != int64(n) || hash != before {
				return fmt.Errorf("entry %d: seq %d, hash %s, want %s", n, seq, hash, before)
			}
		}
		return rows.Err()
	})
	return n
}

// atOnce runs do eight times at once, on one Store or the other.
func atOnce(t *testing.T, a, b *Store, do func(ctx context.Context, s *Store, i int) error) {
	t.Helper()
	errs := make(chan error)
	for i := range 8 {
		go func() { errs <- do(t.Context(), []*Store{a, b}[i%2], i) }()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func testAppendAtOnce(t *testing.T, a, b *Store) {
	const each8 = 10
	r := create(t, a)
	atOnce(t, a, b, func(ctx context.Context, s *Store, i int) error {
		var last int64
		for n := range each8 {
			for {
				e, err := s.Append(ctx, r.ID, last, 0, round.Event{What: round.Noted, Who: fmt.Sprint(i), Reason: fmt.Sprint(n)})
				if err == nil {
					last = e.Seq
					break
				}
				if !errors.Is(err, ErrBehind) {
					return err
				}
				es, err := s.Entries(ctx, r.ID, last)
				if err != nil {
					return err
				}
				last += int64(len(es))
			}
		}
		return nil
	})
	if n := audit(t, a, r.ID); n != 8*each8 {
		t.Errorf("%d entries", n)
	}
	es := entries(t, b, r.ID, 0)
	next := map[string]int{}
	for i, e := range es {
		if i > 0 && e.At.Before(es[i-1].At) {
			t.Errorf("entry %d is older than the one before", e.Seq)
		}
		if e.Event.Reason != fmt.Sprint(next[e.Event.Who]) {
			t.Errorf("entry %d of %s is its %s, want %d", e.Seq, e.Event.Who, e.Event.Reason, next[e.Event.Who])
		}
		next[e.Event.Who]++
	}
	if len(es) != 8*each8 || len(next) != 8 {
		t.Errorf("%d entries of %v", len(es), next)
	}
}

func testBehind(t *testing.T, a, b *Store) {
	r := create(t, a)
	first := mustAppend(t, a, r.ID, 0, 0, round.Event{What: round.Noted, Reason: "a < b & \x00 \xff"})
	for _, after := range []int64{0, 2, -1} {
		e, err := b.Append(t.Context(), r.ID, after, 0, round.Event{What: round.Noted})
		if !errors.Is(err, ErrBehind) || fault.ClassOf(err) != fault.Busy || e != nil {
			t.Errorf("after %d: %v, %v", after, e, err)
		}
	}
	es := entries(t, b, r.ID, 0)
	if len(es) != 1 || es[0] != *first {
		t.Errorf("%+v, want %+v", es, first)
	}
	if audit(t, a, r.ID) != 1 {
		t.Error("more was written")
	}
	// Whoever knows more entries than there are, as after an old backup was restored, is told so.
	for _, after := range []int64{2, 3} {
		if es, err := b.Entries(t.Context(), r.ID, after); !errors.Is(err, ErrChain) || !strings.Contains(err.Error(), fmt.Sprintf("entry %d ", after)) {
			t.Errorf("after %d: %v, %v", after, es, err)
		}
	}
}

func testTampering(t *testing.T, a, b *Store) {
	cases := map[string]struct {
		// do is SQL in which ROUND is the round's ID.
		do    string
		names string
		// later is what a reader after entry 3 is told; empty for nothing.
		later string
	}{
		"Event":     {`UPDATE @entries SET event = replace(event, 'copy', 'lose') WHERE round = ROUND AND seq = 3`, "entry 3 ", ""},
		"EventLate": {`UPDATE @entries SET event = replace(event, 'copy', 'lose') WHERE round = ROUND AND seq = 4`, "entry 4 ", "entry 4 "},
		"Time":      {`UPDATE @entries SET at = at - 1 WHERE round = ROUND AND seq = 2`, "entry 2 ", ""},
		"Epoch":     {`UPDATE @entries SET epoch = 1 WHERE round = ROUND AND seq = 4`, "entry 4 ", "entry 4 "},
		"Hash":      {`UPDATE @entries SET hash = 'x' WHERE round = ROUND AND seq = 3`, "entry 3 ", "entry 4 "},
		"LastHash":  {`UPDATE @entries SET hash = 'x' WHERE round = ROUND AND seq = 5`, "entry 5 ", "entry 5 "},
		"Gone":      {`DELETE FROM @entries WHERE round = ROUND AND seq = 2`, "entry 2 ", ""},
		"GoneHere":  {`DELETE FROM @entries WHERE round = ROUND AND seq = 3`, "entry 3 ", "entry 3 "},
		"GoneLast":  {`DELETE FROM @entries WHERE round = ROUND AND seq = 5`, "entry 5 ", "entry 5 "},
		"GoneAll":   {`DELETE FROM @entries WHERE round = ROUND`, "entry 1 ", "entry 3 "},
		"Head":      {`UPDATE @rounds SET head = 'x' WHERE id = ROUND`, "entry 5 ", "entry 5 "},
		"CutShort":  {`UPDATE @rounds SET seq = 2 WHERE id = ROUND`, "entry 3 ", "entry 3 "},
		"Round":     {`UPDATE @rounds SET body = replace(body, 'ada', 'eve') WHERE id = ROUND`, "entry 1 ", ""},
		"RoundID":   {`UPDATE @rounds SET body = replace(body, id, 'other') WHERE id = ROUND`, "round preprod-", "round preprod-"},
		"Moved":     {`UPDATE @entries SET seq = 6 WHERE round = ROUND AND seq = 3`, "entry 3 ", "entry 3 "},
		// These two know how the chain is made.
		"Rewritten": {"5", "entry 5 ", "entry 5 "},
		"Added":     {"6", "entry 6 ", "entry 6 "},
		"Nothing":   {`UPDATE @rounds SET seq = seq WHERE id = ROUND`, "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := create(t, a)
			for i := range int64(5) {
				mustAppend(t, a, r.ID, i, 0, round.Event{What: round.Started, Step: "copy"})
			}
			raw(t, a, func(ctx context.Context, tx *tx) error {
				if seq, err := strconv.ParseInt(tc.do, 10, 64); err == nil {
					return relink(ctx, tx, r.ID, seq)
				}
				return tx.exec(ctx, strings.ReplaceAll(tc.do, "ROUND", "'"+r.ID+"'"))
			})
			for after, want := range map[int64]string{0: tc.names, 3: tc.later} {
				es, err := b.Entries(t.Context(), r.ID, after)
				switch {
				case want == "" && (err != nil || len(es) != 5-int(after)):
					t.Errorf("after %d: %d entries, %v", after, len(es), err)
				case want != "" && (!errors.Is(err, ErrChain) || !strings.Contains(err.Error(), want) || es != nil || fault.ClassOf(err) != fault.Difference):
					t.Errorf("after %d: %v of class %s, want it to name %q", after, err, fault.ClassOf(err), want)
				}
			}
		})
	}
}

// relink puts an entry of somebody's own at the end of a chain.
func relink(ctx context.Context, tx *tx, id string, seq int64) error {
	var before string
	var at int64
	if err := tx.row(ctx, "SELECT hash, at FROM @entries WHERE round = $1 AND seq = $2", id, seq-1).Scan(&before, &at); err != nil {
		return err
	}
	if err := tx.exec(ctx, "DELETE FROM @entries WHERE round = $1 AND seq = $2", id, seq); err != nil {
		return err
	}
	event := `{"what":"go"}`
	return tx.exec(ctx, "INSERT INTO @entries VALUES ($1, $2, $3, 0, $4, $5)", id, seq, at, event, link(before, seq, stamp(at), 0, event))
}

func testTamperedRound(t *testing.T, a, b *Store) {
	r := create(t, a)
	raw(t, a, func(ctx context.Context, tx *tx) error {
		return tx.exec(ctx, `UPDATE @rounds SET body = replace(body, 'ada', 'eve')`)
	})
	if _, err := b.Entries(t.Context(), r.ID, 0); !errors.Is(err, ErrChain) {
		t.Errorf("%v", err)
	}
}

func testWait(t *testing.T, a, b *Store) {
	r := create(t, a)
	done := make(chan error)
	go func() { done <- b.Wait(t.Context(), r.ID, 1) }()
	mustAppend(t, a, r.ID, 0, 0, round.Event{What: round.Noted})
	select {
	case err := <-done:
		t.Fatalf("it returned before entry 2: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	mustAppend(t, a, r.ID, 1, 0, round.Event{What: round.Noted})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Wait(ctx, r.ID, 2); !errors.Is(err, context.DeadlineExceeded) || fault.ClassOf(err) != fault.Internal {
		t.Errorf("%v of class %s", err, fault.ClassOf(err))
	}
}

func testCancelled(t *testing.T, a, _ *Store) {
	r := create(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Append(ctx, r.ID, 0, 0, round.Event{What: round.Noted}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := a.Entries(ctx, r.ID, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	mustAppend(t, a, r.ID, 0, 0, round.Event{What: round.Noted})
}
