package mysql

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// source is a fresh database on one server with an End on it.
type source struct {
	*servertest.Server
	url string
	end *End
	db  *schema.Database // set by inspect
}

// open makes a fresh database, runs the statements in it and opens it.
func open(t *testing.T, s *servertest.Server, statements ...string) *source {
	t.Helper()
	src := &source{Server: s, url: s.Database(t)}
	s.Exec(t, src.url, statements...)
	src.end = openURL(t, src.url)
	return src
}

func openURL(t *testing.T, url string) *End {
	t.Helper()
	cfg, err := ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), cfg, Options{Throttle: Throttle{MaxThreadsRunning: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// onSources runs a test on every server that speaks MySQL's dialect.
func onSources(t *testing.T, fn func(t *testing.T, s *servertest.Server)) {
	t.Helper()
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, s)
		})
	}
}

func isMariaDB(s *servertest.Server) bool { return strings.HasPrefix(string(s.Kind), "mariadb") }
