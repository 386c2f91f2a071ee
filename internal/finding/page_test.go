package finding_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/bascule/bascule/internal/finding"
)

// TestPage: a page has every finding of every part, what samples of data hold stays text, and it asks nobody for anything.
func TestPage(t *testing.T) {
	evil := `<script>alert(1)</script>"'&`
	parts := []finding.Part{
		{Title: "db plan shop", Report: finding.NewReport(mixed())},
		{Title: "kube translate preprod", Report: finding.NewReport([]finding.Finding{{Code: "node-zones", Kind: finding.Question, Severity: "unheard", Object: evil, What: evil, Do: evil, Evidence: []string{evil}, Owner: evil}})},
		{Title: "nothing", Report: finding.NewReport(nil)},
	}
	var out bytes.Buffer
	if err := finding.WriteHTML(&out, evil, parts); err != nil {
		t.Fatal(err)
	}
	top, err := html.Parse(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	articles, said := 0, ""
	for n := range top.Descendants() {
		switch {
		case n.Type == html.TextNode:
			said += n.Data + "\n"
		case n.Data == "article":
			articles++
		case n.Data == "script" || n.Data == "link" || n.Data == "img":
			t.Errorf("the page has a %s", n.Data)
		}
		for _, a := range n.Attr {
			if regexp.MustCompile(`^(src|href)$`).MatchString(a.Key) && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("%s leads to %s", n.Data, a.Val)
			}
		}
	}
	want := 0
	for _, p := range parts {
		for _, f := range p.Findings {
			want++
			for _, text := range append([]string{f.Object, f.What, string(f.Code)}, f.Evidence...) {
				if !strings.Contains(said, strings.ToValidUTF8(text, "�")) && !strings.ContainsAny(text, "\x00\x1b") {
					t.Errorf("%s: %q is not said", p.Title, text)
				}
			}
		}
	}
	if articles != want {
		t.Errorf("%d findings are shown, of %d", articles, want)
	}
	if got := fmt.Sprint(parts[1].Numbers()); got != "[1 0 0 1 0]" {
		t.Errorf("a severity that nobody knows must count as the worst: %s", got)
	}
}

// TestJoined puts what blocks first, whatever it is about, and says what each is about.
func TestJoined(t *testing.T) {
	r := finding.Joined([]finding.Part{
		{Title: "a", Report: finding.NewReport([]finding.Finding{{Code: "x", Severity: finding.Info, Object: "o"}})},
		{Title: "b", Report: finding.NewReport([]finding.Finding{{Code: "y", Severity: finding.Blocker}})},
	})
	if got := r.Findings[0].Object + "|" + r.Findings[1].Object; got != "b|a: o" {
		t.Error(got)
	}
}
