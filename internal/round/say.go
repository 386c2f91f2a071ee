package round

// Say is Apply for what a person says: it refuses what is not for people to say, and what nobody has said.
func (s *State) Say(e Event) error {
	if e.Who == "" {
		return not("nobody says so")
	}
	switch e.What {
	case Paused, Resumed, Aborted, Forward, Fallback, Noted, Go, NoGo, Skipped, Retried:
		return s.Apply(e)
	case Done, Undone:
		step := s.Plan.Step(e.Step)
		if step == nil {
			return not("there is no step %s", e.Step)
		}
		if step.Role != "" || step.Kind != KindManual && s.Steps[e.Step].Status != StatusUnsure {
			return not("step %s is not done by people", e.Step)
		}
		if e.Evidence == "" {
			return not("how is it seen that step %s is done?", e.Step)
		}
		return s.Apply(e)
	default:
		return not("%q is not for people to say", e.What)
	}
}

// DoneBy returns what a person says who has done a step, or undone it where that was asked for.
func (s *State) DoneBy(who string, id StepID, evidence string) Event {
	e := Event{What: Done, Step: id, Who: who, Evidence: evidence}
	if st := s.Steps[id]; st != nil && st.Backward {
		e.What = Undone
	}
	return e
}

// Clone returns a state of its own with the same content.
func (s *State) Clone() *State {
	c := New(s.Plan)
	c.Phase, c.Paused, c.Trouble = s.Phase, s.Paused, s.Trouble
	for i, st := range s.of {
		*c.of[i] = *st
		c.of[i].Votes = append([]string(nil), st.Votes...)
	}
	return c
}

// Replay returns the state that a history leads to, or the number of the first event, from 1, that cannot have been, and why.
func Replay(p *Plan, events []Event) (*State, int, error) {
	s := New(p)
	for i, e := range events {
		if err := s.Apply(e); err != nil {
			return nil, i + 1, err
		}
	}
	return s, 0, nil
}
