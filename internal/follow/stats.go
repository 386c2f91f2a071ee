package follow

import (
	"sync/atomic"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
)

// stats gathers what a follower tells about itself. Only the applying side touches it, but for lagBytes.
type stats struct {
	told     time.Time
	then     change.Mark // at the last telling
	mark     change.Mark
	tables   map[*Table]int64 // rows by table since then
	busy     time.Duration    // spent applying since then
	lagBytes atomic.Int64
}

func newStats(m change.Mark) stats {
	return stats{told: time.Now(), then: m, mark: m, tables: map[*Table]int64{}}
}

func (s *stats) add(u *unit, took time.Duration) {
	s.busy += took
	for t, n := range u.touched {
		s.tables[t] += n
	}
	if u.mark != nil {
		s.mark = *u.mark
	}
}

// tell emits what happened since the last telling, at most once a second.
func (s *stats) tell(f *Follower) {
	now := time.Now()
	took := now.Sub(s.told)
	if took < tellEvery {
		return
	}
	e := event.Followed{
		Position: string(s.mark.Position), Lag: lag(s.mark, now), LagBytes: s.lagBytes.Load(),
		Txns: s.mark.Txns, Rows: s.mark.Rows,
		TxnsPerSecond: float64(s.mark.Txns-s.then.Txns) / took.Seconds(),
		RowsPerSecond: float64(s.mark.Rows-s.then.Rows) / took.Seconds(),
		Busy:          min(1, s.busy.Seconds()/took.Seconds()),
	}
	if e.TxnsPerSecond == 0 {
		e.Lag = 0 // nothing has come since: the last transaction is old, and applied
	}
	var most int64
	for t, n := range s.tables {
		if n > most {
			most, e.Table = n, string(t.Select.Table.Name)
		}
	}
	f.emit(e)
	clear(s.tables)
	s.told, s.then, s.busy = now, s.mark, 0
}
