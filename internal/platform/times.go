package platform

import "time"

// Times returns when the environment's window begins and ends; both are zero without one.
func (e *Environment) Times() (from, to time.Time, err error) {
	if e.Window == nil {
		return from, to, nil
	}
	zone, err := time.LoadLocation(e.Zone) // "" is UTC
	if err != nil {
		return from, to, err
	}
	if from, err = time.ParseInLocation(local, e.Window.From, zone); err != nil {
		return from, to, err
	}
	to, err = time.ParseInLocation(local, e.Window.To, zone)
	return from.UTC(), to.UTC(), err
}
