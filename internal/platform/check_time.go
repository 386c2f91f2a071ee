package platform

import (
	"fmt"
	"time"
	_ "time/tzdata" // machines without zone files know the zones too
)

// times looks at when an environment may be moved.
func (c *checker) times(path string, e *Environment) {
	zone := c.zone(path, e)
	c.window(path+".window", e.Window, zone)
	c.lasts(path+".max-lag", e.MaxLag)
	for i, w := range e.Watch {
		c.lasts(fmt.Sprintf("%s.watch[%d].every", path, i), w.Every)
	}
	for i, day := range e.Blackout {
		if _, err := time.ParseInLocation(time.DateOnly, day, zone); err != nil {
			c.add(fmt.Sprintf("%s.blackout[%d]", path, i), "%q is no day such as 2026-11-27", day)
		}
	}
}

// lasts refuses a duration that stands there and is none.
func (c *checker) lasts(path string, d time.Duration) {
	if _, there := c.at[path]; there && d <= 0 {
		c.add(path, "nothing lasts %s", d)
	}
}

func (c *checker) zone(path string, e *Environment) *time.Location {
	zone, err := time.LoadLocation(e.Zone) // "" is UTC
	if err != nil || e.Zone == "Local" {
		c.add(path+".zone", "there is no time zone %q: Europe/Paris is one", e.Zone)
		return time.UTC
	}
	return zone
}

// local is how times of a window are written.
const local = "2006-01-02 15:04"

// window refuses what people would read in two ways: times that the clocks skip or show twice, and a change of the clocks in between.
func (c *checker) window(path string, w *Window, zone *time.Location) {
	if w == nil {
		return
	}
	from, okFrom := c.moment(path+".from", w.From, zone)
	to, okTo := c.moment(path+".to", w.To, zone)
	if !okFrom || !okTo {
		return
	}
	_, before := from.Zone()
	_, after := to.Zone()
	switch {
	case !to.After(from):
		c.add(path+".to", "the window ends before it begins")
	case before != after:
		c.add(path, "the clocks of %s change within the window, so that its times say little: choose another day", zone)
	}
}

// moment reads a local time that is there once.
func (c *checker) moment(path, text string, zone *time.Location) (time.Time, bool) {
	t, err := time.ParseInLocation(local, text, zone)
	if err != nil {
		c.add(path, "%q is no time such as 2026-11-27 02:00", text)
		return t, false
	}
	if t.Format(local) != text {
		c.add(path, "%s does not come in %s: the clocks skip it", text, zone)
		return t, false
	}
	for _, shift := range []time.Duration{-time.Hour, time.Hour} {
		if t.Add(shift).Format(local) == text {
			c.add(path, "%s comes twice in %s: the clocks are set back", text, zone)
			return t, false
		}
	}
	return t, true
}
