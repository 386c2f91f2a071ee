package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/drive"
	"github.com/bascule/bascule/internal/round/outside"
	"github.com/bascule/bascule/internal/round/store"
	"github.com/bascule/bascule/internal/secret"
)

// drive drives a round to its end.
func (d *desk) drive(ctx context.Context, r *store.Round, force, unattended bool) (*round.State, error) {
	quit := make(chan struct{})
	defer close(quit)
	v := newVitals(d.now)
	hand := newPhases(d, v, quit)
	world, err := d.world()
	if err != nil {
		return nil, err
	}
	notify, err := d.notify(ctx)
	if err != nil {
		return nil, err
	}
	head := func(ctx context.Context, id string) (string, error) {
		entries, err := d.store.Entries(ctx, id, 0)
		if err != nil || len(entries) == 0 {
			return "", err
		}
		return entries[len(entries)-1].Hash, nil
	}
	hook := drive.Hook{World: world}
	_, before, err := d.state(ctx, r)
	if err != nil {
		return nil, err
	}
	view := &roundView{desk: d, round: r, before: before}
	driver := &drive.Driver{
		Journal: d.store, Lease: d.store, Who: whoami(), Now: d.now, Observer: view,
		Hands: map[round.Kind]drive.Hand{
			round.KindAuto: hand, round.KindHook: hook, round.KindTraffic: drive.Traffic{Hook: hook}, round.KindWait: drive.Wait{World: world, Now: d.now},
			round.KindGate:    drive.Gate{World: world, Criteria: hand, Saw: view.gate},
			round.KindMessage: drive.Message{Poster: notify, Head: head, Now: func() time.Time { return d.now().In(zoneOf(r)) }},
		},
		Keeper: hand, Watch: hook, Slips: hand.slips, LetGo: hand.letGo, Breaches: d.lags(ctx, r, v, quit),
	}
	sctx, end := context.WithCancel(ctx)
	defer end()
	go v.write(sctx, d.store, r.ID)
	if unattended {
		go d.standIn(sctx, r)
	}
	return driver.Drive(ctx, r, force)
}

// world is what carries commands and webhooks out, in the folder of bascule.yaml.
func (d *desk) world() (*outside.Outside, error) {
	folder, err := filepath.Abs(d.folder)
	if err != nil {
		return nil, err
	}
	o := &outside.Outside{Folder: folder, Redact: d.redact.clean, Env: []string{fileVariable + "=" + filepath.Join(folder, filepath.Base(d.file))}}
	if ref := d.platform.WebhookSecret; ref != "" {
		o.Secret = func(ctx context.Context) (string, error) { return d.resolve(ctx, "webhook-secret", ref) }
	}
	return o, nil
}

// resolve resolves a reference of bascule.yaml; its value is shown nowhere.
func (d *desk) resolve(ctx context.Context, key, ref string) (string, error) {
	v, err := secret.Resolve(ctx, ref)
	if err != nil {
		return "", fault.New(fault.Usage, "resolve "+key+" of "+d.file, err, "the reference must give the value to the user who runs this")
	}
	d.redact.hide(v)
	return v, nil
}

// notify is where messages go.
func (d *desk) notify(ctx context.Context) (*outside.Notify, error) {
	n := &outside.Notify{Redact: d.redact.clean}
	to := d.platform.Notify
	if to == nil {
		return n, nil
	}
	for _, ref := range to.Slack {
		url, err := d.resolve(ctx, "notify.slack", ref)
		if err != nil {
			return nil, err
		}
		n.Slack = append(n.Slack, url)
	}
	if to.Mail == nil {
		return n, nil
	}
	m := &outside.Mail{Host: to.Mail.Host, Port: to.Mail.Port, User: to.Mail.User, From: to.Mail.From, To: to.Mail.To, TLS: to.Mail.TLS}
	if to.Mail.Password != "" {
		var err error
		if m.Password, err = d.resolve(ctx, "notify.mail.password", to.Mail.Password); err != nil {
			return nil, err
		}
	}
	n.Mail = m
	return n, nil
}

// lagging is how often in a row the lag must be beyond what is allowed.
const lagging = 5

// lags tells when a database is too far behind, for some seconds in a row.
func (d *desk) lags(ctx context.Context, r *store.Round, v *vitals, quit <-chan struct{}) <-chan string {
	most := r.Script.MaxLag
	if most <= 0 {
		return nil
	}
	out := make(chan string)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-tick.C:
			case <-quit:
				return
			case <-ctx.Done():
				return
			}
			db, lag := v.lag()
			if n++; lag <= most {
				n = 0
			}
			if n < lagging {
				continue
			}
			select {
			case out <- fmt.Sprintf("database %s is %s behind, and may be %s", db, duration(lag), duration(most)):
				return
			case <-quit:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// unattended is what stands in the journal for what nobody did.
const unattended = "nobody: this rehearsal is unattended"

// standIn answers in a rehearsal what people would: go at gates, and that manual steps are done.
func (d *desk) standIn(ctx context.Context, r *store.Round) {
	for ctx.Err() == nil {
		state, last, err := d.state(ctx, r)
		if err != nil {
			return
		}
		for i := range r.Script.Tasks {
			step := &r.Script.Tasks[i].Step
			st := state.Steps[step.ID]
			e := round.Event{Step: step.ID, Who: r.Who}
			switch {
			case step.Kind == round.KindGate && st.Status == round.StatusRunning && len(st.Votes) < step.Quorum:
				e.What, e.Reason, e.Who = round.Go, unattended, fmt.Sprintf("%s, vote %d", r.Who, len(st.Votes)+1)
			case step.Kind == round.KindManual && (st.Status == round.StatusRunning || st.Status == round.StatusUndoing):
				e.What, e.Evidence = round.Done, unattended
			default:
				continue
			}
			if _, err := d.tell(ctx, r, e); err != nil {
				return
			}
			last++
		}
		if d.store.Wait(ctx, r.ID, last) != nil {
			return
		}
	}
}

// roundView shows a round's entries as they come.
type roundView struct {
	*desk
	round *store.Round
	// before is the last entry that was there already: bascule round status tells of those.
	before int64
	mu     sync.Mutex // gates speak while the driver does
	gates  string
}

// Entry implements drive.Observer.
func (v *roundView) Entry(e *store.Entry, s *round.State) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Seq <= v.before {
		return
	}
	if v.json {
		(&objects{out: v.out, now: v.now}).write("entry", entryDoc{v.round.ID, e.Seq, e.At, e.Epoch, e.Event, e.Hash, s.Phase})
		return
	}
	// Output that is lost must not stop a round: its journal has everything.
	_, _ = fmt.Fprintln(v.out, entryText(e, zoneOf(v.round)))
	if s.Phase == round.PhaseAsking {
		_, _ = fmt.Fprintf(v.out, "    the round asks, open on the new side: %s; say: bascule round forward %s --reason TEXT, or bascule round fallback %s --reason TEXT\n",
			strings.Join(s.Open(), ", "), v.round.Environment, v.round.Environment)
	}
	v.asks(e, s)
}

// entryDoc is an entry of the journal as --json prints it. The event's own keys stand beside it, since "event" names the object.
type entryDoc struct {
	Round string    `json:"round"`
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"`
	Epoch int64     `json:"epoch,omitempty"`
	round.Event
	Hash  string      `json:"hash"`
	Phase round.Phase `json:"phase"`
}

// asks says whom a step that has started waits for, and what answers one that has failed.
func (v *roundView) asks(e *store.Entry, s *round.State) {
	t := v.round.Script.Task(e.Event.Step)
	switch {
	case t == nil:
		return
	case e.Event.What == round.Failed && s.Phase == round.PhaseRunning && s.Steps[t.Step.ID].Status == round.StatusFailed && t.Step.Kind != round.KindMessage:
		say := fmt.Sprintf("bascule round retry %s %s", v.round.Environment, shellQuote(string(t.Step.ID)))
		if t.Step.Role == "" && t.Step.Kind != round.KindGate {
			say += fmt.Sprintf(", or bascule round skip %s %s --reason TEXT", v.round.Environment, shellQuote(string(t.Step.ID)))
		}
		_, _ = fmt.Fprintf(v.out, "    the round waits for a word: %s\n", say)
		return
	case e.Event.What != round.Started && e.Event.What != round.UndoBegun:
		return
	}
	switch t.Step.Kind {
	case round.KindManual:
		text := t.Do
		if s.Steps[t.Step.ID].Backward {
			text = t.Back
		}
		owner := t.Owner
		if owner == "" {
			owner = "somebody"
		}
		_, _ = fmt.Fprintf(v.out, "    %s is asked: %s\n    then: bascule round done %s %s --evidence TEXT\n", clean(owner), clean(text), v.round.Environment, t.Step.ID)
	case round.KindGate:
		_, _ = fmt.Fprintf(v.out, "    %s to say go: bascule round approve %s %s\n", plural(int64(t.Step.Quorum), "person"), v.round.Environment, t.Step.ID)
	default:
	}
}

// gate shows what stands in a gate's way, when that has changed.
func (v *roundView) gate(step round.StepID, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if text := string(step) + ": " + what; text != v.gates {
		v.gates = text
		v.trouble(text)
	}
}

// Trouble implements drive.Observer.
func (v *roundView) Trouble(what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trouble(what)
}

func (v *roundView) trouble(what string) {
	if v.json {
		(&objects{out: v.out, now: v.now}).write("trouble", struct {
			Round string `json:"round"`
			What  string `json:"what"`
		}{v.round.ID, v.redact.clean(what)})
		return
	}
	_, _ = fmt.Fprintf(v.out, "    %s\n", clean(v.redact.clean(what)))
}

// entryText is an entry in a line.
func entryText(e *store.Entry, zone *time.Location) string {
	text := e.At.In(zone).Format("15:04:05") + "  " + left(string(e.Event.What), 13) + " " + string(e.Event.Step)
	if e.Event.Who != "" && e.Epoch == 0 {
		text += "  by " + e.Event.Who
	}
	if e.Event.Reason != "" {
		text += "  " + e.Event.Reason
	}
	if said := e.Event.Evidence; said != "" && !strings.HasPrefix(said, "{") {
		text += "  " + said
	}
	return clean(oneLine(text))
}
