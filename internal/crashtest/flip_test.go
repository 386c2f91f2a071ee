package crashtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
	"github.com/bascule/bascule/internal/storefront"
)

// shop is an application that moves between two private servers.
type shop struct {
	bin            string
	source, target *servertest.Instance
	from           string // the source's database, as its owner
	args           []string
	app            *storefront.App
}

const (
	shopAccounts = 200
	// shopSchema is the target's schema.
	shopSchema = "shop"
)

// newShop makes the tables, copies them and lets the application begin on the source. It has what has to stand still on a side that is
// applied to: a trigger, an event, a foreign key, ON UPDATE CURRENT_TIMESTAMP.
func newShop(t *testing.T, bin string, source, target servertest.Kind) *shop {
	t.Helper()
	s := &shop{bin: bin}
	s.source = servertest.Private(t, source, servertest.Options{})
	s.target = servertest.Private(t, target, servertest.Options{})
	s.from = database(t, s.source, "shop")
	s.source.Exec(t, s.source.URL, "CREATE DATABASE shop")
	s.source.Exec(t, s.from, storefront.Schema(shopAccounts)...)
	s.source.Exec(t, s.from,
		"CREATE TABLE audit (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, entry_id BIGINT NOT NULL)",
		"CREATE TRIGGER entry_audit AFTER INSERT ON entry FOR EACH ROW INSERT INTO audit (entry_id) VALUES (NEW.id)",
		"CREATE TABLE document (id INT NOT NULL PRIMARY KEY, body LONGTEXT NOT NULL, tag INT NOT NULL, twice INT AS (tag * 2) STORED)",
		"INSERT INTO document (id, body, tag) VALUES (1, REPEAT('a', 5000000), 0), (2, REPEAT('b', 5000000), 0), (3, REPEAT('c', 5000000), 0)",
		"CREATE TABLE heartbeat (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)", "INSERT INTO heartbeat VALUES (1, 0)",
		"CREATE EVENT beat ON SCHEDULE EVERY 1 SECOND DO UPDATE heartbeat SET n = n + 1",
		"SET GLOBAL event_scheduler = ON",
		"CREATE USER 'shop'@'%' IDENTIFIED BY 'shop'", "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO 'shop'@'%'")
	s.args = []string{"--source", s.from, "--target", s.target.URL, "--schema", shopSchema}
	run(t, bin, append([]string{"db", "copy", "--follow"}, s.args...)...)
	s.target.Exec(t, s.target.URL, "CREATE ROLE shop LOGIN PASSWORD 'shop'", "GRANT USAGE ON SCHEMA shop TO shop",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO shop")
	s.app = &storefront.App{
		Old: as(t, s.from, "shop"), New: as(t, s.target.URL, "shop"), Schema: shopSchema,
		Clients: 4, Rate: 200, Accounts: shopAccounts, NoteBytes: 60,
	}
	if err := s.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// as is a URL with another user, whose password is its name.
func as(t *testing.T, dbURL, user string) string {
	t.Helper()
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, user)
	return u.String()
}

// heard is one line of bascule's --json.
type heard struct {
	Event     string
	Direction string
	Step      string
	Undo      bool
	Elapsed   time.Duration `json:"elapsed_ns"`
	What      string
	Error     string
}

// flip runs one move to its end and returns for how long writes were stopped.
func (s *shop) flip(t *testing.T, command ...string) time.Duration {
	t.Helper()
	var mu sync.Mutex
	frozen := time.Duration(0)
	p := launch(t, s.bin, slices.Concat([]string{"db"}, command, []string{"--json", "--app-user", "shop"}, s.args), func(line string) {
		var h heard
		if json.Unmarshal([]byte(line), &h) == nil && h.Event == "frozen" {
			mu.Lock()
			frozen = h.Elapsed
			mu.Unlock()
		}
	})
	select {
	case code := <-p.ended:
		if code != 0 {
			t.Fatalf("%v ended with %d:\n%s", command, code, p.said())
		}
	case <-time.After(patience):
		t.Fatalf("%v hangs:\n%s", command, p.said())
	}
	mu.Lock()
	defer mu.Unlock()
	return frozen
}

// progresses waits until the application has made more orders.
func (s *shop) progresses(t *testing.T, what string) {
	t.Helper()
	want := s.app.Acked() + 20
	deadline, tick := time.NewTimer(time.Minute), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for s.app.Acked() < want {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %s the application has made no orders for a minute", what)
		}
	}
}

// settle stops the application, lets the last changes flow by command, and asks both verifications and the oracle of both sides.
func (s *shop) settle(t *testing.T, command string) {
	t.Helper()
	if err := s.app.Stop(); err != nil {
		t.Errorf("a client met what it should not: %v", err)
	}
	if command == "follow" { // the event goes on, and would be a difference
		s.source.Exec(t, s.from, "ALTER EVENT beat DISABLE")
	}
	run(t, s.bin, append([]string{"db", command, "--until-now"}, s.args...)...)
	run(t, s.bin, append([]string{"db", "verify"}, s.args...)...)
	r, err := crosscheck.Compare(t.Context(), s.from, s.target.URL, crosscheck.Options{Schema: shopSchema})
	if err != nil {
		t.Fatal(err)
	}
	if r.Different() != 0 || r.Values() == 0 {
		t.Errorf("the independent comparison: %d of %d values differ: %+v", r.Different(), r.Values(), r)
	}
	for _, u := range []string{s.from, s.target.URL} {
		v, err := s.app.Judge(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		if !v.Good() || v.Orders == 0 {
			t.Errorf("%.8s…: %+v", u, v)
		}
		t.Logf("%.8s…: %d orders acknowledged, %d missing, %d twice, %d invented, %d of %d balances wrong", u, v.Orders, v.Missing, v.Twice, v.Invented, v.Balances, shopAccounts)
	}
}

// TestFlips moves an application to and fro under load: cutover, fallback, cutover, fallback, cutover. No acknowledged write may be missing,
// none invented, and both sides must hold equal values at the end. BASCULE_FLIPS is how many there are (default 5).
func TestFlips(t *testing.T) {
	if testing.Short() {
		t.Skip("moves an application for a minute")
	}
	flips := 5
	if s := os.Getenv("BASCULE_FLIPS"); s != "" {
		var err error
		if flips, err = strconv.Atoi(s); err != nil {
			t.Fatalf("BASCULE_FLIPS=%q: %v", s, err)
		}
	}
	bin := build(t)
	for _, k := range []struct{ source, target servertest.Kind }{
		{servertest.KindMySQL, servertest.KindPostgres18}, {servertest.KindMariaDB, servertest.KindPostgres15},
	} {
		t.Run(string(k.source), func(t *testing.T) {
			s := newShop(t, bin, k.source, k.target)
			report := []string{fmt.Sprintf("%4s  %-20s %12s %16s %8s", "flip", "", "freeze", "longest pause", "orders")}
			for n := range flips {
				command := []string{"cutover"}
				if n%2 == 1 {
					command = []string{"fallback", "--switch"}
				}
				s.progresses(t, "the flip before")
				s.app.ResetGap()
				frozen := s.flip(t, command...)
				s.progresses(t, command[0])
				report = append(report, fmt.Sprintf("%4d  %-20s %12s %16s %8d", n+1, strings.Join(command, " "), frozen.Round(time.Millisecond), s.app.Gap().Round(time.Millisecond), s.app.Acked()))
			}
			// Both sides live, whichever way the changes flow.
			run(t, s.bin, append([]string{"db", "verify", "--live"}, s.args...)...)
			if flips%2 == 1 {
				s.settle(t, "fallback")
			} else {
				s.settle(t, "follow")
			}
			t.Log("\n" + strings.Join(report, "\n"))
		})
	}
}
