package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/event"
)

// stepNames says what a step of a cutover does, for a line that begins with «cutover».
var stepNames = map[string]string{
	"gates":    "look whether anything stands in the way",
	"arm":      "prepare the way back",
	"intent":   "record what will happen",
	"fence":    "stop the application's writes",
	"prove":    "prove that nothing writes",
	"drain":    "apply the last changes",
	"proof":    "compare what changed last",
	"prepare":  "make the target fit for the application",
	"hold":     "wait for the databases that move together with it",
	"switch":   "switch",
	"open":     "open the target",
	"hooks":    "tell the application where to go",
	"reverse":  "follow the changes back",
	"validate": "validate foreign keys",
	"done":     "close the cutover",
	"finish":   "let the old side go",
}

// stepText names a step of a cutover, or of the way back.
func stepText(direction, step string, undo bool) string {
	text := "cutover: "
	if direction == "back" {
		text = "fallback: "
	}
	if undo {
		text += "undo: "
	}
	if name := stepNames[step]; name != "" {
		if direction == "back" {
			name = strings.ReplaceAll(name, "target", "source")
		}
		return text + name
	}
	return text + clean(step)
}

// gateText says what a condition of a cutover was found to be.
func gateText(e event.GateSeen) string {
	text := stepText(e.Direction, "", false) + "gate " + e.Gate + ": "
	if e.Open {
		return text + "open: " + clean(e.Saw)
	}
	text += "shut: " + clean(e.Saw)
	if e.Do != "" {
		text += ". Do: " + clean(e.Do)
	}
	return text
}

// frozenText is the headline of a cutover.
func frozenText(e event.Frozen) string {
	if e.Switched {
		return fmt.Sprintf("switched: the application could not write for %s", duration(e.Elapsed))
	}
	return fmt.Sprintf("undone; the application could not write for %s, and can again", duration(e.Elapsed))
}

const unwatchedText = "cutover: no second process watches: if this one dies while writes are stopped, they stay so until a person runs bascule db cutover --abort " +
	"(bascule db cutover --watch, elsewhere, would do that)"

func tookOverText(e event.TookOver) string {
	return fmt.Sprintf("cutover: taking over from %s, silent since %s", clean(e.From), e.Since.UTC().Format(time.RFC3339))
}
