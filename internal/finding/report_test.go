package finding_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/finding"
)

var update = flag.Bool("update", false, "rewrite testdata")

func mixed() []finding.Finding {
	return []finding.Finding{
		{Code: "collation", Kind: finding.Problem, Severity: finding.Warning, Object: "customer.email", What: "utf8mb4_0900_ai_ci compares without regard to case and accents; the target column compares exactly.", Owner: "application"},
		{Code: finding.LossNulByte, Kind: finding.Loss, Severity: finding.Blocker, Object: "log.message", What: "3 texts hold a byte 0x00, which PostgreSQL's text cannot.", Evidence: []string{"id 17: 'a\x00b'", "id 90: \x1b[2J"}, Count: 3},
		{Code: "server-time", Kind: finding.Problem, Severity: finding.Info, What: "The clocks of the two servers differ by 40 ms."},
		{Code: "binlog-format", Kind: finding.Problem, Severity: finding.Blocker, Object: "binlog_format", What: "binlog_format is STATEMENT; following changes needs ROW.", Do: "SET GLOBAL binlog_format = 'ROW';\n-- and binlog_format=ROW in the server's configuration", Evidence: []string{"@@global.binlog_format = STATEMENT"}, Owner: "dba"},
		{Code: finding.LossZeroDate, Kind: finding.Loss, Severity: finding.Warning, Object: "old table.it's", What: "12 dates are 0000-00-00 and would arrive as NULL.", Do: "Name a sentinel, mend the rows, or accept NULL.", Count: 12},
		{Code: finding.LossZeroDate, Kind: finding.Loss, Severity: finding.Warning, Object: "customer.born", What: "1 date is 0000-00-00 and arrives as NULL.", Count: 1, Accepted: true},
		{Code: "index-duplicate", Kind: finding.Opportunity, Severity: finding.Info, Object: "customer.idx_a", What: "The index repeats the first columns of idx_a_b."},
	}
}

func TestOrder(t *testing.T) {
	got := []string{}
	given := mixed()
	for _, f := range finding.NewReport(given).Findings {
		got = append(got, string(f.Severity)+" "+f.Object)
	}
	want := []string{
		"blocker binlog_format", "blocker log.message", "warning customer.born", "warning customer.email",
		"warning old table.it's", "info ", "info customer.idx_a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(mixed(), given); diff != "" {
		t.Errorf("the caller's findings were changed:\n%s", diff)
	}
	backwards := mixed()
	slices.Reverse(backwards)
	if diff := cmp.Diff(finding.NewReport(mixed()), finding.NewReport(backwards)); diff != "" {
		t.Errorf("the order depends on the input's:\n%s", diff)
	}
}

func TestBlocking(t *testing.T) {
	tests := map[string]struct {
		reason string
		f      finding.Finding
		want   bool
	}{
		"blocker":                          {"stops", finding.Finding{Kind: finding.Problem, Severity: finding.Blocker}, true},
		"warning":                          {"does not", finding.Finding{Kind: finding.Problem, Severity: finding.Warning}, false},
		"loss":                             {"stops at any severity", finding.Finding{Kind: finding.Loss, Severity: finding.Info}, true},
		"accepted loss":                    {"was named", finding.Finding{Kind: finding.Loss, Severity: finding.Blocker, Accepted: true}, false},
		"question":                         {"an open question that blocks", finding.Finding{Kind: finding.Question, Severity: finding.Blocker}, true},
		"accepted blocker that is no loss": {"only losses can be accepted", finding.Finding{Kind: finding.Problem, Severity: finding.Blocker, Accepted: true}, true},
		"unknown severity":                 {"what cannot be read counts as the worst", finding.Finding{Kind: finding.Problem, Severity: "fatal"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := len(finding.NewReport([]finding.Finding{test.f}).Blocking()) == 1; got != test.want {
				t.Errorf("%s: blocks is %t", test.reason, got)
			}
		})
	}
}

func TestWriteText(t *testing.T) {
	tests := map[string]struct {
		findings []finding.Finding
		width    int
	}{
		"mixed":  {mixed(), 80},
		"narrow": {mixed(), 44},
		"clean":  {mixed()[:1], 0},
		"empty":  {nil, 80},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := finding.NewReport(test.findings).WriteText(&b, test.width); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", b.Bytes())
			if strings.ContainsAny(b.String(), "\x00\x1b") {
				t.Error("control characters of the data reach the terminal")
			}
		})
	}
}

func TestBefore(t *testing.T) {
	for want, findings := range map[string][]finding.Finding{
		"1 blocker. 1 finding to settle before the switch.\n": {{Severity: finding.Blocker}},
		"1 warning. Nothing stops the switch.\n":              {{Severity: finding.Warning}},
	} {
		var b strings.Builder
		r := finding.NewReport(findings)
		r.Before = "the switch"
		if err := r.WriteText(&b, 80); err != nil || !strings.HasPrefix(b.String(), want) {
			t.Errorf("%v: %q", err, b.String())
		}
	}
}

// golden compares with a file under testdata; -update rewrites it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// TestWriteBrief names what stops a copy, and only that, each in a line.
func TestWriteBrief(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := finding.NewReport(mixed()).WriteBrief(&b); err != nil {
		t.Fatal(err)
	}
	want := `2 blockers, 3 warnings, 2 info. 3 findings to settle before a copy.
binlog_format [binlog-format]: binlog_format is STATEMENT; following changes needs ROW.
log.message [nul-byte] (3 of them): 3 texts hold a byte 0x00, which PostgreSQL's text cannot.
old table.it's [zero-date] (12 of them): 12 dates are 0000-00-00 and would arrive as NULL.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
