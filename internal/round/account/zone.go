package account

import "time"

// zone is where people read times. A name that the system does not know is UTC, and the times say so, since each carries its zone's name.
type zone struct{ *time.Location }

func clock(name string) zone {
	if l, err := time.LoadLocation(name); err == nil {
		return zone{l}
	}
	return zone{time.UTC}
}

// full writes a moment with its zone.
func (z zone) full(t time.Time) string { return z.text(t, "2006-01-02 15:04:05 MST") }

// day writes a moment to the minute.
func (z zone) day(t time.Time) string { return z.text(t, "2006-01-02 15:04 MST") }

func (z zone) text(t time.Time, layout string) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(z.Location).Format(layout)
}
