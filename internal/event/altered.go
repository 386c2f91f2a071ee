package event

// Altered tells of a statement by which the source altered followed tables, and what it asks of the target.
type Altered struct {
	SQL    string   `json:"sql"`
	Tables []string `json:"tables"`
	// Statements are the target's, in order; there may be none.
	Statements []string `json:"statements"`
	// Applied says that the target has been altered; else somebody has to say so first.
	Applied bool `json:"applied"`
}

// Name returns the event's stable name.
func (Altered) Name() string { return "altered" }

func (Altered) sealed() {}
