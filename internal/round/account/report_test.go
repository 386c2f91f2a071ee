package account_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
)

// nasty is what somebody may type, or a server may say.
const nasty = "</td><script>alert(1)</script> | `rm -rf` *now* [x](javascript:1) <!-- \n# title\r\n- list & \x1b[31m\u202e https://evil.example www.evil.example a@evil.example"

// report is a round with everything in it: a failure, a retry, a skip, an override, notes and a fallback.
func report(t *testing.T, typed string) *account.Account {
	t.Helper()
	r := moving("preprod", "a")
	r.Override, r.WindowFrom, r.WindowTo = typed, began, began.Add(time.Hour)
	r.Script.Task("copy a").Title = typed
	x := newTale(t, r).tell("0s started: copy a\n5m failed: copy a | no space\n0s retried: copy a\n" + head)
	x.event(round.Event{What: round.Noted, Who: typed, Reason: typed, Kind: "problem", Owner: "erin"})
	x.tell("0s started: close a\n1s done: close a\n0s started: open a\n1s done: open a")
	x.event(round.Event{What: round.Skipped, Step: "traffic", Who: "ann", Reason: typed})
	x.event(round.Event{What: round.Fallback, Who: "ann", Reason: "orders are missing", Evidence: typed})
	return x.of([]account.Past{newTale(t, named(moving("preprod", "a"), "preprod-0")).tell(whole).past}, time.Minute)
}

// pageText parses a page, which is well-formed XML, and returns its text, what elements it has, and its tables' cells.
func pageText(t *testing.T, page []byte) (text string, elements map[string]int, cells []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(page)))
	d.Entity = xml.HTMLEntity
	elements = map[string]int{}
	var all strings.Builder
	var cell *strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all.String(), elements, cells
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, page)
		}
		switch x := token.(type) {
		case xml.StartElement:
			elements[x.Name.Local]++
			if x.Name.Local == "td" {
				cell = &strings.Builder{}
			}
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "src" || a.Name.Local == "href" {
					t.Errorf("%s has %s", x.Name.Local, a.Name.Local)
				}
			}
		case xml.EndElement:
			if x.Name.Local == "td" {
				cells, cell = append(cells, cell.String()), nil
			}
		case xml.CharData:
			all.Write(x)
			if cell != nil {
				cell.Write(x)
			}
		case xml.Comment:
			t.Errorf("a comment: %s", x)
		}
	}
}

// steering is what a report takes out of a text.
var steering = regexp.MustCompile(`[\x00-\x1f\x{202e}]+`)

func TestHTML(t *testing.T) {
	a := report(t, nasty)
	page := a.HTML()
	text, elements, cells := pageText(t, page)
	if elements["script"] > 0 || elements["table"] != 7 {
		t.Errorf("elements: %v", elements)
	}
	want, found := steering.ReplaceAllString(nasty, " "), 0
	for _, c := range cells {
		if strings.Contains(c, want) {
			found++
		}
	}
	// Override, title, and each of note, note's author, skip and fallback in its own table and in the timeline; the skip is an exception too.
	if found < 9 {
		t.Errorf("what was typed is in %d cells of\n%s", found, page)
	}
	for _, s := range []string{
		"Round preprod-1: falling back", "hash-18, entry 18", "2026-03-14 02:00:00 CET", "no space", "orders are missing", "erin", "fall", "as expected", "plan",
	} {
		if !strings.Contains(text, s) {
			t.Errorf("no %q on the page", s)
		}
	}
	// The policy lets in its own style alone.
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindSubmatch(page)
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindSubmatch(page)
	if style == nil || policy == nil {
		t.Fatal("no style, or no policy")
	}
	sum := sha256.Sum256(style[1])
	if p := html.UnescapeString(string(policy[1])); !strings.HasPrefix(p, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("policy %s", p)
	}
}

// TestMarkdown takes the tables apart again: each row has as many cells as its head, and what was typed comes back from its escapes and has no mark left.
func TestMarkdown(t *testing.T) {
	text := report(t, nasty).Markdown()
	for what, mark := range map[string]string{"HTML": "<", "a bare link": "://", "a bare host": "www.", "an address": "a@", "a code": "\x1b"} {
		if strings.Contains(text, mark) {
			t.Errorf("%s is left in\n%s", what, text)
		}
	}
	want, columns, found := steering.ReplaceAllString(nasty, " "), 0, 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			columns = 0
			continue
		case !strings.HasPrefix(line, "|"):
			continue
		}
		cells := cut(line)
		if columns == 0 {
			columns = len(cells)
		}
		if len(cells) != columns {
			t.Errorf("%d cells, not %d: %s", len(cells), columns, line)
		}
		for _, c := range cells {
			if plain := escaped.ReplaceAllString(regexp.MustCompile(`&#?\w+;`).ReplaceAllString(c, ""), ""); strings.ContainsAny(plain, "`*[]<>#_~") {
				t.Errorf("a mark is left: %s", c)
			}
			if strings.Contains(html.UnescapeString(escaped.ReplaceAllStringFunc(c, func(e string) string { return e[1:] })), want) {
				found++
			}
		}
	}
	if found < 9 {
		t.Errorf("what was typed is in %d cells of\n%s", found, text)
	}
	for _, s := range []string{"# Round preprod-1: falling back", "## Timeline", "## Failures", "hash-18, entry 18", "5 min"} {
		if !strings.Contains(text, s) {
			t.Errorf("no %q in\n%s", s, text)
		}
	}
}

// escaped is a mark that is none.
var escaped = regexp.MustCompile(`\\[!-/:-@\[-` + "`" + `{-~]`)

// cut takes a row of a table apart at the bars that are not escaped.
func cut(line string) (cells []string) {
	var cell strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			cell.WriteString(line[i : i+2])
			i++
		case line[i] == '|':
			cells = append(cells, strings.TrimSpace(cell.String()))
			cell.Reset()
		default:
			cell.WriteByte(line[i])
		}
	}
	return cells[1:]
}

// TestReportOfNothing: a round that has only begun has a report too.
func TestReportOfNothing(t *testing.T) {
	a := newTale(t, moving("preprod", "a")).of(nil, time.Minute)
	text, _, _ := pageText(t, a.HTML())
	for _, want := range []string{"Nothing failed.", "Nobody had to decide anything.", "Nothing was left out or overridden.", "it has not ended", "not known"} {
		if !strings.Contains(text, want) || !strings.Contains(a.Markdown(), want) {
			t.Errorf("no %q", want)
		}
	}
}
