package account

import (
	"fmt"
	"time"
)

// Duration writes a duration for people, in at most two units: 0.84 s, 42 s, 3 min 20 s, 1 h 52 min, 5 d 3 h.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	switch {
	case d == 0:
		return "0 s"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2g ms", max(0.1, float64(d)/float64(time.Millisecond)))
	case d < 995*time.Millisecond:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	const day = 24 * time.Hour
	switch s := d.Round(time.Second); {
	case s < time.Minute:
		return fmt.Sprintf("%d s", s/time.Second)
	case s < 10*time.Minute:
		return two(s, time.Minute, "min", time.Second, "s")
	}
	switch m := d.Round(time.Minute); {
	case m < time.Hour:
		return fmt.Sprintf("%d min", m/time.Minute)
	case m < day:
		return two(m, time.Hour, "h", time.Minute, "min")
	default:
		return two(d.Round(time.Hour), day, "d", time.Hour, "h")
	}
}

// two writes a duration in two units, or in one when nothing of the other is left.
func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	if rest := d % big / small; rest > 0 {
		return fmt.Sprintf("%d %s %d %s", d/big, bigName, rest, smallName)
	}
	return fmt.Sprintf("%d %s", d/big, bigName)
}

// String writes an estimate with its interval: 3 min (2 min to 5 min).
func (e Estimate) String() string {
	switch {
	case !e.Known():
		return "not known"
	case e.Low == e.High:
		return Duration(e.Expected)
	}
	low, high := Duration(e.Low), Duration(e.High)
	if low == high {
		return Duration(e.Expected)
	}
	return fmt.Sprintf("%s (%s to %s)", Duration(e.Expected), low, high)
}
