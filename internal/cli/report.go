package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
)

func (a *app) joinReports() *cobra.Command {
	var html, title string
	cmd := &cobra.Command{
		Use:   "report FILE...",
		Short: "Join what several commands have found, as text or as a page",
		Long: `Reads what commands printed with --json (db plan, db check, kube translate, kube gateway, crossplane
generate, ...) and joins their findings: what blocks first, whatever it is about. With --html it
writes a page that needs no network. It ends with 4 when a finding blocks.

` + exitCodesShort(ExitRefused, ExitResource, ExitData),
		Example: `  bascule db plan --source mysql://... --json > shop.json
  bascule kube translate --from manifests/ --env preprod --out gitops --json > workloads.json
  bascule report shop.json workloads.json --html findings.html`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "read the command line", errors.New("no FILE is named"))
			}
			return a.join(args, html, title)
		},
	}
	cmd.Flags().StringVar(&html, "html", "", "write a page to `FILE`")
	cmd.Flags().StringVar(&title, "title", "Findings", "the page's `TITLE`")
	return cmd
}

func (a *app) join(files []string, html, title string) error {
	var parts []finding.Part
	for _, file := range files {
		p, err := a.part(file)
		if err != nil {
			return err
		}
		if p == nil {
			if _, err := fmt.Fprintf(a.err, "%s is left out: what printed it reports no findings\n", file); err != nil {
				return err
			}
			continue
		}
		parts = append(parts, *p)
	}
	if len(parts) == 0 {
		return fault.New(fault.Data, "join the findings", errors.New("none of the files has findings"), "of the commands that report findings, print one with --json: bascule db plan, db check, kube translate")
	}
	all := finding.Joined(parts)
	all.Before = "the move"
	if html != "" {
		var page bytes.Buffer
		if err := finding.WriteHTML(&page, title, parts); err != nil {
			return err
		}
		if err := os.WriteFile(html, page.Bytes(), 0o644); err != nil { //nolint:gosec // it is to be read by others
			return fault.New(fault.Resource, fmt.Sprintf("write %q", html), cmp.Or(errors.Unwrap(err), err), "")
		}
	}
	var err error
	switch {
	case a.json:
		err = a.printJSON(struct {
			Command  string            `json:"command"`
			Findings []finding.Finding `json:"findings"`
		}{"report", append([]finding.Finding{}, all.Findings...)})
	case html == "":
		err = all.WriteText(a.out, textWidth)
	default:
		_, err = fmt.Fprintln(a.out, html)
	}
	if n := len(all.Blocking()); err == nil && n > 0 {
		err = fault.New(fault.Refused, "join the findings", fmt.Errorf("%s to settle", plural(int64(n), "finding")), "settle each as it says; then run what found it again")
	}
	return err
}

// part reads what one command printed; nil where it is a command that reports no findings, such as kube map.
func (a *app) part(file string) (p *finding.Part, err error) {
	op := fmt.Sprintf("read %q", file)
	var text []byte
	if file == "-" {
		text, err = io.ReadAll(a.in)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return p, fault.New(fault.Usage, op, cmp.Or(errors.Unwrap(err), err), "name files that a command wrote with --json; - is the standard input")
	}
	var doc struct {
		Command, Environment, Schema string
		Source                       json.RawMessage
		Findings                     *[]finding.Finding
	}
	// A command that ends with an error has printed that behind its document.
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = errors.New("it is JSON of another form") // the decoder tells of Go's types
		} else if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return p, fault.New(fault.Data, op, err, "it is to be what a command printed with --json")
	}
	if doc.Findings == nil && doc.Command != "" {
		return nil, nil //nolint:nilnil // see above
	}
	if doc.Findings == nil {
		return p, fault.New(fault.Data, op, errors.New("it has no findings"), "of the commands that report findings, print one with --json: bascule db plan, db check, kube translate")
	}
	var source struct{ Database string }
	_ = json.Unmarshal(doc.Source, &source) // other commands have other sources, or none
	title := strings.TrimSpace(doc.Command + " " + cmp.Or(doc.Environment, source.Database, doc.Schema))
	return &finding.Part{Title: cmp.Or(title, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))), Report: finding.NewReport(*doc.Findings)}, nil
}
