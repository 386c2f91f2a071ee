package mysql

import "context"

// twoPhases is what is known of XA transactions at one moment. No server promises that what an XA COMMIT makes visible shows in the same
// moment as its entry in the log. So a snapshot counts only when no XA COMMIT was on its way when it was opened. A transaction that stays
// prepared, for years perhaps, is neither in the log nor visible, and bothers nobody.
type twoPhases struct {
	commits string // how many XA COMMITs were begun since the server started
	ending  bool   // one of them may be on its way
}

// twoPhases counts first and looks afterwards: whichever XA COMMIT is counted has ended, together with all that it does, or is seen; whichever is not
// had not begun. A server counts a statement when it begins to run it, and shows its text from before that until after its end.
func (r *reader) twoPhases(ctx context.Context) (x twoPhases, err error) {
	row, err := r.row(ctx, "SHOW GLOBAL STATUS LIKE 'Com_xa_commit'")
	if err != nil {
		return x, err
	}
	if x.commits = row[1]; x.commits == "0" {
		return x, nil // nobody uses them
	}
	rows, err := r.e.prepared(ctx, r)
	if err != nil || len(rows) == 0 {
		return x, err
	}
	x.ending, err = r.xaEnding(ctx)
	return x, err
}

// xaEnding reports whether a session may be running an XA COMMIT. An account without PROCESS sees no session but its own, and so has to wait until
// no transaction is prepared at all.
func (r *reader) xaEnding(ctx context.Context) (bool, error) {
	if !r.seesAll { // asked once: a try has to be quick, or there is always an XA COMMIT within it
		mine, err := (&checkup{e: r.e}).granted(ctx)
		if err != nil || !mine.hasAny("*.*", "PROCESS") {
			return true, err
		}
		r.seesAll = true
	}
	// Procedures and EXECUTE show the statement that they run.
	n, err := r.row(ctx, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND INFO LIKE '%XA%COMMIT%'")
	if err != nil {
		return true, err
	}
	return n[0] != "0", nil
}
