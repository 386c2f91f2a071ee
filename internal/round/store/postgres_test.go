package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/servertest"
)

// TestLostAnswer breaks the connection around a commit and looks whether what the caller is told is what is there.
func TestLostAnswer(t *testing.T) {
	server := servertest.Postgres15(t)
	database := server.Database(t)
	direct := open(t, database)
	if !direct.Shared() {
		t.Error("another machine cannot take over")
	}
	p, url := through(t, server, database)
	s := open(t, url)
	calls := map[string]struct {
		do    func(ctx context.Context, id string) error
		there func(id string) (int, error)
	}{
		"Append": {
			func(ctx context.Context, id string) error {
				_, err := s.Append(ctx, id, 0, 0, round.Event{What: round.Noted})
				return err
			},
			func(id string) (int, error) {
				es, err := direct.Entries(t.Context(), id, 0)
				return len(es), err
			},
		},
		"Claim": {
			func(ctx context.Context, id string) error {
				h, err := s.Claim(ctx, id, "ada", time.Minute, true)
				if err == nil && (h.Who != "ada" || h.Epoch == 0) {
					return fmt.Errorf("%+v", h)
				}
				return err
			},
			func(id string) (int, error) {
				h, err := direct.Holder(t.Context(), id)
				if h == nil {
					return 0, err
				}
				return int(h.Epoch), err
			},
		},
		"Create": {
			func(ctx context.Context, id string) error {
				r := &Round{Environment: id, Kind: Live}
				err := s.Create(ctx, r)
				if (r.ID == "") != (err != nil) {
					return fmt.Errorf("ID %q, and %w", r.ID, err)
				}
				return err
			},
			func(id string) (int, error) {
				_, err := direct.Round(t.Context(), id+"-1")
				if errors.Is(err, ErrNone) {
					return 0, nil
				}
				return 1, err
			},
		},
		"AddToken": {
			func(ctx context.Context, id string) error {
				return s.AddToken(ctx, Token{ID: id, Person: "ada", Hash: id, Expires: time.Now().Add(time.Hour)})
			},
			func(id string) (int, error) {
				_, err := direct.TokenByHash(t.Context(), id)
				if errors.Is(err, ErrNone) {
					return 0, nil
				}
				return 1, err
			},
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			check := func(what, id string, want int) {
				t.Helper()
				if n, err := call.there(id); n != want || err != nil {
					t.Errorf("%s: there are %d, want %d; %v", what, n, want, err)
				}
			}
			r := create(t, direct)
			p.next.Store(int32(lostBefore))
			if err := call.do(t.Context(), r.ID); err == nil || errors.Is(err, ErrUnsure) || fault.ClassOf(err) != fault.Connect || fault.HintOf(err) == "" {
				t.Errorf("lost before: %v of class %s", err, fault.ClassOf(err))
			}
			check("lost before", r.ID, 0)
			if err := call.do(t.Context(), r.ID); err != nil {
				t.Errorf("once more: %v", err)
			}
			check("once more", r.ID, 1)

			r = create(t, direct)
			p.next.Store(int32(lostAfter))
			if err := call.do(t.Context(), r.ID); err != nil {
				t.Errorf("lost after: %v", err)
			}
			check("lost after", r.ID, 1)

			// The server gets the commit only while somebody looks whether it is there.
			r = create(t, direct)
			p.next.Store(int32(late))
			done := make(chan error)
			go func() { done <- call.do(t.Context(), r.ID) }()
			awaitLock(t, server, database)
			p.letGo <- struct{}{}
			if err := <-done; err != nil {
				t.Errorf("late: %v", err)
			}
			check("late", r.ID, 1)
		})
	}
}

// awaitLock waits until a session waits for another's lock.
func awaitLock(t *testing.T, server *servertest.Server, database string) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(time.Minute)
	for server.Query(t, database, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")[0][0] == "0" {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatal("nobody waits")
		}
	}
}

// TestUnsure has the server vanish at a commit, with and without a word.
func TestUnsure(t *testing.T) {
	server := servertest.Postgres15(t)
	for name, f := range map[string]fate{"Gone": gone, "Silent": silent} {
		t.Run(name, func(t *testing.T) {
			p, url := through(t, server, server.Database(t))
			s := open(t, url)
			s.patience, s.settling = 300*time.Millisecond, 400*time.Millisecond
			r := create(t, s)
			p.next.Store(int32(f))
			_, err := s.Append(t.Context(), r.ID, 0, 0, round.Event{What: round.Noted})
			if !errors.Is(err, ErrUnsure) || fault.ClassOf(err) != fault.Ambiguous || fault.HintOf(err) == "" {
				t.Errorf("%v of class %s", err, fault.ClassOf(err))
			}
			// Nothing else hangs, and nothing else is unsure: no commit was sent.
			_, err = s.Append(t.Context(), r.ID, 0, 0, round.Event{What: round.Noted})
			if errors.Is(err, ErrUnsure) || fault.ClassOf(err) != fault.Connect {
				t.Errorf("%v of class %s", err, fault.ClassOf(err))
			}
			if _, err = s.Entries(t.Context(), r.ID, 0); fault.ClassOf(err) != fault.Connect || fault.HintOf(err) == "" {
				t.Errorf("%v of class %s", err, fault.ClassOf(err))
			}
		})
	}
}

// TestRights opens a store as a role that may not make one, and with what the hint grants.
func TestRights(t *testing.T) {
	server := servertest.Postgres15(t)
	database := server.Database(t)
	role := "bascule_test_" + strings.ToLower(rand.Text()[:10])
	server.Exec(t, database, "CREATE ROLE "+role+" LOGIN PASSWORD 'x'")
	defer server.Exec(t, database, "DROP OWNED BY "+role, "DROP ROLE "+role)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "x")
	_, err = Open(t.Context(), u.String())
	if fault.ClassOf(err) != fault.Privilege || !strings.Contains(fault.HintOf(err), "GRANT") {
		t.Errorf("%v of class %s", err, fault.ClassOf(err))
	}
	// The hint's words suffice.
	owner := open(t, database)
	server.Exec(t, database, "GRANT USAGE ON SCHEMA bascule_rounds TO "+role, "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA bascule_rounds TO "+role)
	s := open(t, u.String())
	r := create(t, s)
	mustAppend(t, s, r.ID, 0, 0, round.Event{What: round.Noted})
	claim(t, s, r.ID, "ada", time.Minute, false)
	for range 2 {
		if err := s.Sign(t.Context(), r.ID, "shop", []byte("1")); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(s.AddToken(t.Context(), Token{ID: "a", Person: "ada", Hash: "h", Expires: time.Now()}), s.RevokeToken(t.Context(), "a")); err != nil {
		t.Error(err)
	}
	u.User = url.UserPassword(role, "s3cret")
	_, err = Open(t.Context(), u.String())
	if fault.ClassOf(err) != fault.Login || strings.Contains(fmt.Sprint(err, fault.HintOf(err)), "s3cret") {
		t.Errorf("%v of class %s", err, fault.ClassOf(err))
	}

	raw(t, owner, func(ctx context.Context, tx *tx) error { return tx.exec(ctx, "UPDATE @meta SET version = 99") })
	if _, err := Open(t.Context(), database); fault.ClassOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "99") {
		t.Errorf("%v of class %s", err, fault.ClassOf(err))
	}
}

// TestPostgresOpenAtOnce makes one store eight times at once.
func TestPostgresOpenAtOnce(t *testing.T) {
	database := servertest.Postgres15(t).Database(t)
	atOnce(t, nil, nil, func(ctx context.Context, _ *Store, _ int) error {
		s, err := Open(ctx, database)
		if err != nil {
			return err
		}
		return errors.Join(s.Create(ctx, &Round{Environment: "prod", Kind: Live}), s.Close())
	})
	if rounds, err := open(t, database).Rounds(t.Context()); len(rounds) != 8 || err != nil {
		t.Errorf("%d rounds, %v", len(rounds), err)
	}
}
