package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/bascule/bascule/internal/round"
)

// Hash returns SHA-256, in hexadecimal, over what a rehearsal proves something about: the steps and their order, everything that they do, what limits and
// watches them, and whatever else is given, in its order: schema fingerprints, accepted losses, the program's version. It does not hold endpoints (the names of
// configuration files), nor who does a step, nor its title.
//
// A rehearsal leaves steps out and does others by their forms. What binds it to the live round is the hash of the live script at its time, not of its own.
func Hash(script round.Script, extra ...string) string {
	counted := script
	counted.Tasks = make([]round.Task, len(script.Tasks))
	for i, t := range script.Tasks {
		t.Config, t.Title, t.Owner, t.Backup, t.Approvers = "", "", "", "", nil
		counted.Tasks[i] = t
	}
	text, err := json.Marshal(struct {
		Script round.Script
		Extra  []string
	}{counted, extra})
	if err != nil {
		panic(fmt.Sprintf("a script that is no JSON: %v", err)) // it has no value that could not be
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
