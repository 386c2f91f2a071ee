package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/event"
)

// eventText says an event in one line for a person, without its time. The set of
// events is sealed; one without words here is a bug that TestEveryEventHasWords finds.
func eventText(e event.Event) string {
	switch e := e.(type) {
	case event.PhaseStarted:
		return e.Phase + ": started"
	case event.PhaseDone:
		return fmt.Sprintf("%s: done in %s", e.Phase, duration(e.Elapsed))
	case event.Found:
		return foundText(e)
	case event.TableStarted:
		return tableStartedText(e)
	case event.ChunkCopied:
		return fmt.Sprintf("%s: chunk %d copied by lane %d: %s, %s in %s",
			clean(e.Table), e.Chunk, e.Lane, plural(e.Rows, "row"), size(e.Bytes), duration(e.Elapsed))
	case event.StatementRun:
		return fmt.Sprintf("%s: %s: done in %s", clean(e.Table), clean(e.What), duration(e.Elapsed))
	case event.RangeVerified:
		return fmt.Sprintf("%s: %s compared: %s", clean(e.Table), plural(e.Rows, "row"), verdict(e.Equal))
	case event.TableVerified:
		return tableVerifiedText(e)
	case event.Difference:
		return differenceText(e)
	case event.Followed:
		return followedText(e)
	case event.Passed:
		return passedText(e)
	case event.Repaired:
		return repairedText(e)
	case event.Retried:
		return fmt.Sprintf("%s: lost, trying again after %s: %s", clean(e.What), duration(e.After), clean(e.Error))
	case event.GateSeen:
		return gateText(e)
	case event.Waiting:
		return fmt.Sprintf("%s: waits for %s: %s", e.What, e.For, e.Do)
	case event.StepStarted:
		return stepText(e.Direction, e.Step, e.Undo) + ": started"
	case event.StepDone:
		return fmt.Sprintf("%s: done in %s", stepText(e.Direction, e.Step, e.Undo), duration(e.Elapsed))
	case event.StepFailed:
		return fmt.Sprintf("%s: failed after %s: %s", stepText(e.Direction, e.Step, e.Undo), duration(e.Elapsed), clean(e.Error))
	case event.Frozen:
		return frozenText(e)
	case event.Unwatched:
		return unwatchedText
	case event.TookOver:
		return tookOverText(e)
	case event.Altered:
		return alteredText(e)
	case event.Throttled:
		return "reading the source waits: " + clean(e.Why)
	}
	return ""
}

func foundText(e event.Found) string {
	f := e.Finding
	text := string(f.Severity) + " " + string(f.Code)
	if f.Object != "" {
		text += " at " + clean(f.Object)
	}
	text += ": " + clean(f.What)
	if f.Do != "" {
		text = strings.TrimSuffix(text, ".") + ". Do: " + clean(f.Do)
	}
	return text
}

func tableStartedText(e event.TableStarted) string {
	text := fmt.Sprintf("%s: about %s, %s", clean(e.Table), plural(e.Rows, "row"), size(e.Bytes))
	if e.DoneRows > 0 {
		text += fmt.Sprintf("; %s, %s are loaded already", plural(e.DoneRows, "row"), size(e.DoneBytes))
	}
	return text
}

func tableVerifiedText(e event.TableVerified) string {
	text := fmt.Sprintf("%s: %s: %s on the source, %s on the target",
		clean(e.Table), verdict(e.Differences == 0), plural(e.RowsSource, "row"), count(e.RowsTarget))
	if e.Differences > 0 {
		text += ", " + plural(e.Differences, "difference")
	}
	if e.ByClient > 0 {
		text += fmt.Sprintf(", %s compared by value", plural(e.ByClient, "row"))
	}
	return text + ", " + duration(e.Elapsed)
}

// followedText says how far changes are applied.
func followedText(e event.Followed) string {
	text := fmt.Sprintf("follow: %s behind", duration(e.Lag))
	if e.LagBytes >= 0 {
		text += fmt.Sprintf(", %s of the log unread", size(e.LagBytes))
	}
	text += fmt.Sprintf("; %s/s, %s/s; %s applied so far", plural(int64(e.TxnsPerSecond+0.5), "transaction"), plural(int64(e.RowsPerSecond+0.5), "row"), plural(e.Rows, "row"))
	if e.Table != "" {
		text += ", most of late in " + clean(e.Table)
	}
	return text
}

// passedText is the verdict of one pass.
func passedText(e event.Passed) string {
	text := fmt.Sprintf("pass %d: %s: %s compared, %s", e.Pass, verdict(e.Differences == 0), plural(e.Rows, "row"), plural(e.Differences, "difference"))
	if e.Unproved > 0 {
		text += fmt.Sprintf(", %s changed at every look", plural(e.Unproved, "row"))
	}
	return text + fmt.Sprintf(", in %s, up to %s", duration(e.Elapsed), clean(e.Position))
}

// repairedText says what was copied again.
func repairedText(e event.Repaired) string {
	text := fmt.Sprintf("%s: %s copied again for %s", clean(e.Table), plural(e.Rows, "row"), plural(e.Keys, "key"))
	if e.Keys == 0 {
		text = clean(e.Table) + ": nothing copied again"
	} else {
		text += fmt.Sprintf(", at %s, with the follow paused for %s", clean(e.Position), duration(e.Paused))
	}
	if e.Left != "" {
		text += "; " + clean(e.Left)
	}
	return text
}

// differenceText shows values as package verify quotes them, so that a trailing
// space and a NULL beside an empty text can be seen.
func differenceText(e event.Difference) string {
	where := fmt.Sprintf("difference: %s", clean(e.Table))
	if e.Key != "" {
		where += " " + clean(e.Key)
	}
	switch e.Kind {
	case "missing":
		return where + ": the row is not on the target: " + clean(e.Source)
	case "extra":
		return where + ": the row is not on the source: " + clean(e.Target)
	case "duplicate":
		return fmt.Sprintf("%s: the key stands for %s on the source and %s on the target", where, clean(e.Source), clean(e.Target))
	case "sum":
		return fmt.Sprintf("%s: the sums differ although no row was found that does: source %s, target %s", where, clean(e.Source), clean(e.Target))
	}
	return fmt.Sprintf("%s column %s: source %s, target %s", where, clean(e.Column), clean(e.Source), clean(e.Target))
}

func verdict(equal bool) string {
	if equal {
		return "equal"
	}
	return "DIFFERENT"
}

// stamp is the time that opens a line in a pipe.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// alteredText shows a statement of the source and what it becomes, a line each.
func alteredText(e event.Altered) string {
	verb := "would be altered so"
	if e.Applied {
		verb = "was altered so"
	}
	text := "the source altered " + clean(strings.Join(e.Tables, ", ")) + ": " + clean(e.SQL)
	if len(e.Statements) == 0 {
		return text + "; the target stays as it is"
	}
	text += "; the target " + verb + ":"
	for _, s := range e.Statements {
		text += "\n    " + clean(strings.ReplaceAll(s, "\n", " ")) + ";"
	}
	return text
}
