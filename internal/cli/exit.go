package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// The exit codes. A code never changes its meaning: scripts branch on it.
const (
	ExitOK          = 0
	ExitInternal    = 1
	ExitUsage       = 2
	ExitDifferences = 3
	ExitRefused     = 4
	ExitConnect     = 5
	ExitPrivilege   = 6
	ExitUnsupported = 7
	ExitResource    = 8
	ExitData        = 9
	ExitBusy        = 10
	ExitAmbiguous   = 11
	ExitInterrupted = 130
)

// exits tells what each code means and which classes of faults lead to it.
var exits = []struct {
	code    int
	classes []fault.Class
	short   string
	long    string
}{
	{ExitOK, nil, "success", "It is done; for verify: both sides are equal."},
	{ExitInternal, []fault.Class{fault.Internal}, "internal error", "Something that was not foreseen: please report it."},
	{ExitUsage, []fault.Class{fault.Usage}, "wrong usage", "A command line or a configuration that cannot be carried out. Nothing was done."},
	{ExitDifferences, []fault.Class{fault.Difference}, "differences", "The verification ended and found differences; they are printed."},
	{ExitRefused, []fault.Class{fault.Refused}, "refused", "Going on would lose or overwrite something that nobody named: losses not accepted, a target that is not empty, a blocker in the preflight, a drop that was not confirmed."},
	{ExitConnect, []fault.Class{fault.Connect, fault.Login}, "cannot connect or log in", "A server cannot be reached, was lost for too long, or refused the user, the password, the certificate or the database."},
	{ExitPrivilege, []fault.Class{fault.Privilege}, "missing privilege", "The account lacks a right; the hint holds the GRANT."},
	{ExitUnsupported, []fault.Class{fault.Unsupported}, "unsupported", "A server version, a setting or a type that cannot be handled."},
	{ExitResource, []fault.Class{fault.Resource}, "resource", "A full disk, a limit or a time-out of a server. Mend it and run the same command again."},
	{ExitData, []fault.Class{fault.Data}, "data", "The data contradicts the plan, for instance by a duplicate key."},
	{ExitBusy, []fault.Class{fault.Busy}, "busy", "Another process does this work for the same migration: the message says who and since when."},
	{ExitAmbiguous, []fault.Class{fault.Ambiguous}, "outcome unknown", "Nobody knows whether the switch is durable, because the target could not be asked since. Writes stay stopped until its journal can be read."},
	{ExitInterrupted, nil, "interrupted", "Stopped by Ctrl-C or SIGTERM. What was committed stays; the same command goes on from there."},
}

// InterruptedError is the cause of a context that a signal cancelled. Run answers it with
// ExitInterrupted.
type InterruptedError struct{ Signal string }

// Error names the signal.
func (i InterruptedError) Error() string { return "stopped by a signal: " + i.Signal }

// exitCode maps an error to its code.
func exitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if _, ok := errors.AsType[InterruptedError](err); ok {
		return ExitInterrupted
	}
	class := classOf(err)
	for _, e := range exits {
		if slices.Contains(e.classes, class) {
			return e.code
		}
	}
	return ExitInternal
}

// classOf is fault.ClassOf, which does not know that a loss is a refusal.
func classOf(err error) fault.Class {
	class := fault.ClassOf(err)
	if _, ok := errors.AsType[*change.LossError](err); ok && class == fault.Internal {
		return fault.Refused
	}
	return class
}

// withCause puts the reason of a cancellation in place of "context canceled".
func withCause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if i, ok := errors.AsType[InterruptedError](context.Cause(ctx)); ok {
		return i
	}
	return err
}

// exitCodesLong is the help topic that all commands refer to.
func exitCodesLong() string {
	var b strings.Builder
	b.WriteString("Every command ends with one of these codes:\n\n")
	for _, e := range exits {
		for i, l := range wrap(e.long, 66) {
			if i == 0 {
				fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.short)
			}
			fmt.Fprintf(&b, "       %s\n", l)
		}
	}
	b.WriteString("\nWith --json the last line on stdout tells an error's class, text, hint and code.\n")
	return b.String()
}

// exitCodesShort is the line in each command's help; codes are those it can end with
// beside the common ones.
func exitCodesShort(codes ...int) string {
	said := []string{"0 ok", "1 internal", "2 usage"}
	for _, e := range exits {
		for _, c := range codes {
			if e.code == c {
				said = append(said, fmt.Sprintf("%d %s", e.code, e.short))
			}
		}
	}
	said = append(said, "130 interrupted")
	return strings.Join(wrap("Exit codes: "+strings.Join(said, ", ")+".", 98), "\n") + "\nSee bascule help exit-codes."
}
