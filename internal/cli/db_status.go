package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/schema"
)

func (a *app) dbStatus() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how far a copy is",
		Long: `Reads the ledger in the target: what is copied, what is open, which losses were accepted. It
needs the target only and writes nothing.

` + exitCodesShort(ExitConnect, ExitPrivilege),
		Example: "  bascule db status --target postgres://app@pg.example/shop --target-password env:PG_PASSWORD",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.status(cmd, &s)
		},
	}
	s.targetFlags(cmd.Flags())
	return cmd
}

func (a *app) status(cmd *cobra.Command, s *settings) error {
	return a.engage(cmd, s, needs{target: true}, silent{}, func(ctx context.Context, w *work) error {
		st, err := w.migration.Status(ctx)
		if err != nil {
			return err
		}
		doc := newStatusDoc(st)
		doc.Next = next(cmd, "db copy", "--source URL")
		switch {
		case doc.Cutover != nil && doc.Cutover.open():
			doc.Next = next(cmd, "db cutover", "--source URL", "--abort")
		case doc.Cutover != nil && doc.Cutover.Live == cutover.New:
			doc.Next = next(cmd, "db fallback", "--source URL")
		case doc.Done && doc.Follow != nil:
			doc.Next = next(cmd, "db follow", "--source URL")
		case doc.Done:
			doc.Next = next(cmd, "db verify", "--source URL")
		}
		if a.json {
			return a.printJSON(doc)
		}
		_, err = fmt.Fprint(a.out, doc.text(a.since(doc.Began)))
		return err
	})
}

// statusDoc is what the ledger says.
type statusDoc struct {
	Schema   schema.Name     `json:"schema"`
	Source   string          `json:"source"`
	Began    time.Time       `json:"began"`
	Position change.Position `json:"position"`
	Done     bool            `json:"done"`
	Left     int64           `json:"tasks_left"`
	Tables   []progressDoc   `json:"tables"`
	Losses   []lossDoc       `json:"losses"`
	Follow   *change.Mark    `json:"follow,omitempty"`
	Cutover  *cutoverDoc     `json:"cutover,omitempty"`
	Next     string          `json:"next"`
}

// progressDoc is what the ledger says of one table. While it walks, more chunks will be found.
type progressDoc struct {
	Table          schema.Name `json:"table"`
	Rows           int64       `json:"rows"`
	Bytes          int64       `json:"bytes"`
	Chunks         int64       `json:"chunks"`
	ChunksDone     int64       `json:"chunks_done"`
	Walking        bool        `json:"walking"`
	Statements     int64       `json:"statements"`
	StatementsDone int64       `json:"statements_done"`
}

func newStatusDoc(s *migration.Status) *statusDoc {
	d := &statusDoc{
		Schema: s.Record.Schema, Source: s.Record.Source, Began: s.Record.Created, Position: s.Record.Position,
		Done: s.Left == 0, Left: s.Left, Tables: []progressDoc{}, Losses: lossDocs(s.Losses),
	}
	if s.Follow {
		d.Follow = &s.Applied
		d.Cutover = newCutoverDoc(s)
	}
	for _, p := range s.Progress {
		d.Tables = append(d.Tables, progressDoc(p))
	}
	return d
}

func (d *statusDoc) text(age time.Duration) string {
	var b strings.Builder
	state := plural(d.Left, "task") + " left"
	if d.Done {
		state = "done"
	}
	fmt.Fprintf(&b, "copy of %s into schema %s: %s\n", clean(d.Source), clean(string(d.Schema)), state)
	fmt.Fprintf(&b, "begun %s, %s ago, at source position %s\n\n", stamp(d.Began), duration(age), clean(string(d.Position)))
	w := len("table")
	for _, t := range d.Tables {
		w = max(w, wide(clean(string(t.Table))))
	}
	w = min(w, 40)
	fmt.Fprintf(&b, "%s %15s %11s %15s %11s\n", left("table", w), "rows", "bytes", "chunks done", "statements")
	var rows, bytes int64
	for _, t := range d.Tables {
		chunks := fmt.Sprintf("%d/%d", t.ChunksDone, t.Chunks)
		if t.Walking {
			chunks += "+"
		}
		fmt.Fprintf(&b, "%s %15s %11s %15s %11s\n", left(clean(string(t.Table)), w), count(t.Rows), size(t.Bytes),
			chunks, fmt.Sprintf("%d/%d", t.StatementsDone, t.Statements))
		rows += t.Rows
		bytes += t.Bytes
	}
	fmt.Fprintf(&b, "%s %15s %11s\n\n%s", left("total", w), count(rows), size(bytes), lossesText(d.Losses))
	b.WriteString(d.followText())
	b.WriteString(d.Cutover.text())
	fmt.Fprintf(&b, "\nnext: %s\n", d.Next)
	return b.String()
}

// followText says how far the source's changes are applied, if they are to be.
func (d *statusDoc) followText() string {
	switch {
	case d.Follow == nil:
		return ""
	case d.Follow.Position == "":
		return "followed: not yet\n"
	}
	text := fmt.Sprintf("followed: %s with %s applied", plural(d.Follow.Txns, "transaction"), plural(d.Follow.Rows, "row change"))
	if !d.Follow.Time.IsZero() {
		text += ", the last committed on the source at " + stamp(d.Follow.Time)
	}
	return text + ", up to " + clean(string(d.Follow.Position)) + "\n"
}
