// Command cmd compares a MySQL or MariaDB database with the PostgreSQL schema
// it was moved to, value by value, and exits with 1 when anything differs and
// with 2 when something could not be compared. It never writes to either side.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"

	"github.com/bascule/bascule/internal/crosscheck"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var o crosscheck.Options
	fs := flag.NewFlagSet("crosscheck", flag.ContinueOnError)
	source := fs.String("source", "", "URL of the source, mysql://user:password@host:port/database")
	target := fs.String("target", "", "URL of the target, postgres://user:password@host:port/database")
	fs.StringVar(&o.Schema, "schema", "public", "schema of the target")
	fs.BoolVar(&o.NullDates, "null-dates", false, "expect NULL for dates that do not exist")
	fs.IntVar(&o.MaxDifferences, "max", 20, "differences to print per table")
	only := fs.String("only", "", "tables to compare, separated by commas")
	exclude := fs.String("exclude", "", "patterns of tables to leave out, separated by commas (loss_*)")
	asJSON := fs.Bool("json", false, "print the report as JSON")
	o.Rename = map[string]string{}
	fs.Func("rename", "NAME=TARGET: what a table or table.column is called on the target; may be repeated", func(s string) error {
		from, to, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=TARGET", s)
		}
		o.Rename[from] = to
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	if *exclude != "" {
		o.Exclude = strings.Split(*exclude, ",")
	}
	report, err := crosscheck.Compare(ctx, *source, *target, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "crosscheck:", err)
		return 2
	}
	if *asJSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(report); err != nil {
			fmt.Fprintln(os.Stderr, "crosscheck:", err)
			return 2
		}
	} else {
		if err := write(os.Stdout, report); err != nil {
			fmt.Fprintln(os.Stderr, "crosscheck:", err)
			return 2
		}
	}
	if report.Different() > 0 {
		return 1
	}
	return 0
}

// write prints the report as a table, and below it each difference and note.
// Writing to b cannot fail, so only the whole is checked.
func write(out io.Writer, r *crosscheck.Report) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 2, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "table\ttarget\tsource rows\ttarget rows\tvalues\tdifferences")
	for _, t := range r.Tables {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", t.Source, t.Target, t.SourceRows, t.TargetRows, t.Values, t.Different)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, t := range r.Tables {
		for _, d := range t.Differences {
			fmt.Fprintf(&b, "%s: %s: %s", d.Table, d.Kind, d.Key)
			if d.Kind == crosscheck.ChangedValue {
				fmt.Fprintf(&b, ": %s: source %s, target %s", d.Column, crosscheck.Show(d.Source), crosscheck.Show(d.Target))
			} else if d.Column != "" {
				b.WriteString(d.Column)
			}
			b.WriteByte('\n')
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&b, "note:", n)
	}
	fmt.Fprintf(&b, "%d tables, %d values compared, %d differences\n", len(r.Tables), r.Values(), r.Different())
	_, err := out.Write(b.Bytes())
	return err
}
