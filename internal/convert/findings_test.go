package convert

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// declaredCodes reads the codes of a file from its source, so that a new one
// cannot be forgotten in a list.
func declaredCodes(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !isCode(v.Type) {
			return true
		}
		for _, value := range v.Values {
			code, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes[code] = true
		}
		return true
	})
	return codes
}

func isCode(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "Code"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Code"
	}
	return false
}

// TestEveryCodeIsDocumented holds docs/findings.md and the code together.
func TestEveryCodeIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := declaredCodes(t, "codes.go")
	if len(codes) < 30 {
		t.Fatalf("only %d codes were read", len(codes))
	}
	for _, file := range []string{"../finding/finding.go", "../migration/recorded.go"} {
		for code := range declaredCodes(t, file) {
			codes[code] = true
		}
	}
	for code := range codes {
		if n := strings.Count(string(page), "\n| `"+code+"` | "); n != 1 {
			t.Errorf("docs/findings.md has %d rows for %s, want 1", n, code)
		}
	}
}

// TestStoriesShowEveryCode keeps the fixtures complete: each code is told by
// some plan.
func TestStoriesShowEveryCode(t *testing.T) {
	told := map[string]bool{}
	for name, in := range stories() {
		plan, err := New(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := plan.WayBack(nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range append(back, plan.Findings...) {
			told[string(f.Code)] = true
			if f.What == "" || f.Do == "" || f.Kind == "" || f.Owner == "" {
				t.Errorf("%s: the finding %s of %s lacks a part: %+v", name, f.Code, f.Object, f)
			}
		}
	}
	for code := range declaredCodes(t, "codes.go") {
		if !told[code] {
			t.Errorf("no story shows %s", code)
		}
	}
}
