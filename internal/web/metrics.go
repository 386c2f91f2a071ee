package web

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bascule/bascule/internal/round"
)

// meters count what this process does.
type meters struct {
	registry *prometheus.Registry
	viewers  prometheus.Gauge
	dropped  prometheus.Counter
}

func newMeters(r *prometheus.Registry) *meters {
	m := &meters{
		registry: r,
		viewers:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "bascule_sse_viewers", Help: "Pages that follow a round, or the list of them, now."}),
		dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "bascule_sse_dropped_total", Help: "Pages that did not read what was sent to them, and were let go."}),
	}
	r.MustRegister(m.viewers, m.dropped)
	return m
}

// figures are the metrics of rounds. They are drawn up at each question, of all rounds that go on, and of the phase of the others.
type figures struct{ rounds []*sight }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("bascule_"+name, help, append([]string{"round", "environment"}, labels...), nil)
}

var (
	phases = []round.Phase{
		round.PhaseRunning, round.PhaseAborting, round.PhaseAborted, round.PhaseAsking, round.PhaseFallingBack, round.PhaseFellBack, round.PhaseDone,
	}

	descPhase   = gauge("round_phase", "1 for the phase that the round is in, 0 for the others.", "kind", "phase")
	descPaused  = gauge("round_paused", "1 while the round is paused.")
	descDriven  = gauge("round_driven", "1 while somebody drives the round.")
	descElapsed = gauge("round_elapsed_seconds", "Since the round began, or until it ended.")
	descDrift   = gauge("round_drift_seconds", "How much later than planned the round is.")
	descLeft    = gauge("round_left_seconds", "How long the rest is expected to take.")
	descWaits   = gauge("round_waits", "Answers of people that the round waits for.")
	descStep    = gauge("round_step_status", "1, with the step's status as a label.", "step", "kind", "status")
	descFreeze  = gauge("round_write_freeze_seconds", "For how long writes were stopped, in all.")
	descFrozen  = gauge("round_writes_stopped", "1 while writes are stopped.")
	descDBFrost = gauge("database_write_freeze_seconds", "For how long writes to the database were stopped, in all.", "database")
	descLag     = gauge("database_lag_seconds", "How far the side that follows is behind, as of its last sign of life.", "database")
	descBehind  = gauge("database_lag_bytes", "How many bytes of log the side that follows has not applied.", "database")
	descRate    = gauge("database_rows_per_second", "Rows a second, copied or applied.", "database")
	descAge     = gauge("database_sign_age_seconds", "How old the database's last sign of life is.", "database")
)

// Describe sends nothing: which metrics there are depends on the rounds.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect sends every round's metrics.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	for _, a := range f.rounds {
		a.collect(ch)
	}
}

func (a *sight) collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{a.Round.ID, a.Round.Environment}, labels...)...)
	}
	yes := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	for _, p := range phases {
		send(descPhase, yes(a.Phase == p), string(a.Round.Kind), string(p))
	}
	send(descFreeze, a.Freeze.Seconds())
	send(descElapsed, a.Elapsed.Seconds())
	if !a.Ended.IsZero() {
		return
	}
	send(descPaused, yes(a.Paused))
	send(descDriven, yes(a.Driver.Holds()))
	send(descDrift, a.Drift.Seconds())
	send(descLeft, a.Left.Expected.Seconds())
	send(descWaits, float64(len(a.Waits)))
	send(descFrozen, yes(a.Frozen))
	for i := range a.Steps {
		s := &a.Steps[i]
		send(descStep, 1, string(s.Task.Step.ID), string(s.Task.Step.Kind), string(s.State.Status))
	}
	for db, d := range a.Freezes {
		send(descDBFrost, d.Seconds(), db)
	}
	for db, sign := range a.Signs {
		_, p := readSign(&sign)
		if p == nil {
			continue
		}
		send(descAge, max(0, a.Now.Sub(sign.At)).Seconds(), db)
		if p.Lag != nil {
			send(descLag, (time.Duration(*p.Lag) * time.Millisecond).Seconds(), db)
		}
		if p.Behind != nil {
			send(descBehind, float64(*p.Behind), db)
		}
		if p.Rate != nil {
			send(descRate, float64(*p.Rate), db)
		}
	}
}

func (s *server) metrics(w http.ResponseWriter, r *http.Request) {
	rounds, _, err := s.sights(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	now := prometheus.NewRegistry()
	if err := now.Register(&figures{rounds}); err != nil {
		s.refuse(w, r, err)
		return
	}
	promhttp.HandlerFor(prometheus.Gatherers{s.meters.registry, now}, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}
