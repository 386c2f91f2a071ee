package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Throttle is how much load on the source is too much for reading on. A zero field takes its default, a negative one is no limit.
type Throttle struct {
	// MaxThreadsRunning is the most statements that may run at once, this program's included. The default of 64 is what servers of 32
	// cores take without queueing; a busy small server shows far less.
	MaxThreadsRunning int64
	// MaxReplicaLag is how far a source that is itself a replica may fall behind; default 60 s.
	MaxReplicaLag time.Duration
	// MaxHistory is the longest InnoDB history list, in transactions not yet purged; default 1,000,000, where reads begin to suffer.
	MaxHistory int64
	// OnWait is told why reading waits, once each time it begins to; it may be called from several goroutines.
	OnWait func(why string)
}

func (t Throttle) withDefaults() Throttle {
	if t.MaxThreadsRunning == 0 {
		t.MaxThreadsRunning = 64
	}
	if t.MaxReplicaLag == 0 {
		t.MaxReplicaLag = time.Minute
	}
	if t.MaxHistory == 0 {
		t.MaxHistory = 1_000_000
	}
	return t
}

// sampleEvery bounds how often the signals are read, by all lanes together.
const sampleEvery = time.Second

// throttle watches the source's load. A signal that could never be read (no privilege) is left out; one that was read before
// and cannot be now counts as too much, because a server in trouble is the likeliest reason. A server that cannot be reached at
// all is no load to wait for: that error is returned, so that whoever reads tries again for as long as it has patience.
type throttle struct {
	limit   Throttle
	signals []*signal

	mu  sync.Mutex
	at  time.Time // of the last sample
	why string    // why reading waits; empty for go
}

// signal is one figure of the server.
type signal struct {
	name  string
	limit int64
	unit  string
	// read returns errNoSignal where there is nothing to read, such as lag on a primary.
	read func(context.Context) (int64, error)
	seen bool
}

var errNoSignal = errors.New("no such signal here")

func newThrottle(t Throttle, e *End) *throttle {
	t = t.withDefaults()
	th := &throttle{limit: t}
	add := func(name string, limit int64, unit string, read func(context.Context) (int64, error)) {
		if limit < 0 {
			return
		}
		th.signals = append(th.signals, &signal{name: name, limit: limit, unit: unit, read: func(ctx context.Context) (int64, error) {
			v, err := read(ctx)
			if errors.Is(err, errNoSignal) {
				return 0, err
			}
			return v, e.explain("read the source's "+name, err)
		}})
	}
	add("running threads", t.MaxThreadsRunning, "", e.threadsRunning)
	lag := int64(t.MaxReplicaLag / time.Second)
	if t.MaxReplicaLag < 0 {
		lag = -1
	}
	add("replica lag", lag, " s", e.replicaLag)
	add("InnoDB history list", t.MaxHistory, "", e.historyLength)
	return th
}

// wait returns when the source may be read. It returns a fault.Connect when the server is gone.
func (t *throttle) wait(ctx context.Context) error {
	told := ""
	for {
		why, err := t.sample(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if why == "" || err != nil {
			return err
		}
		if told == "" && t.limit.OnWait != nil {
			t.limit.OnWait(why)
		}
		told = why
		timer := time.NewTimer(sampleEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// sample returns why to wait, from a sample that is at most sampleEvery old. Lanes that come while one samples wait for it.
func (t *throttle) sample(ctx context.Context) (why string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) < sampleEvery {
		return t.why, nil
	}
	t.why = ""
	for _, s := range t.signals {
		v, err := s.read(ctx)
		switch {
		case ctx.Err() != nil:
			return "", nil // this lane ends; the next one samples
		case err == nil:
			s.seen = true
			if v > s.limit {
				t.why = fmt.Sprintf("%s %d%s, limit %d%s", s.name, v, s.unit, s.limit, s.unit)
			}
		case fault.ClassOf(err) == fault.Connect:
			return "", err // no sample: the next lane finds out for itself
		case s.seen && !errors.Is(err, errNoSignal):
			t.why = fmt.Sprintf("%s cannot be read any more: %v", s.name, err)
		}
	}
	t.at = time.Now()
	return t.why, nil
}

func (e *End) threadsRunning(ctx context.Context) (int64, error) {
	return e.status(ctx, "Threads_running")
}

func (e *End) historyLength(ctx context.Context) (int64, error) {
	if e.server.dialect == schema.MariaDB {
		return e.status(ctx, "Innodb_history_list_length")
	}
	var n int64
	err := e.db.QueryRowContext(ctx,
		"SELECT `COUNT` FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'").Scan(&n)
	return n, err
}

func (e *End) status(ctx context.Context, name string) (int64, error) {
	m, err := e.pairs(ctx, "SHOW GLOBAL STATUS WHERE Variable_name = '"+name+"'")
	if err != nil {
		return 0, err
	}
	v, ok := m[strings.ToLower(name)]
	if !ok {
		return 0, errNoSignal
	}
	return strconv.ParseInt(v, 10, 64)
}

// replicaLag is in seconds. A replica whose replication stands still has no lag figure: that does not harm it.
func (e *End) replicaLag(ctx context.Context) (int64, error) {
	stmt := "SHOW SLAVE STATUS"
	if e.server.atLeast(schema.MySQL, 80022) {
		stmt = "SHOW REPLICA STATUS"
	}
	rows, err := e.db.QueryContext(ctx, stmt)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	row, err := rowByName(rows)
	if err != nil {
		return 0, err
	}
	for _, k := range []string{"Seconds_Behind_Source", "Seconds_Behind_Master"} {
		if v, ok := row[k]; ok && v.Valid {
			return strconv.ParseInt(v.String, 10, 64)
		}
	}
	return 0, errNoSignal
}

// rowByName reads the first row, by column name; nil when there is none.
func rowByName(rows *sql.Rows) (map[string]sql.NullString, error) {
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return nil, errors.Join(err, rows.Err())
	}
	values := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	m := make(map[string]sql.NullString, len(names))
	for i, n := range names {
		m[n] = values[i]
	}
	return m, nil
}
