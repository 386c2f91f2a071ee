package story

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Story is a file of several parts.
type Story struct {
	// Name is the file's without its ending.
	Name string
	// Parts are its texts by their names, and Names those in their order.
	Parts map[string]string
	Names []string

	file    string
	archive *txtar.Archive
}

// All reads the stories that a pattern of files matches: at least one.
func All(t testing.TB, pattern string) []*Story {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no story in %s: %v", pattern, err)
	}
	var out []*Story
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := &Story{Name: strings.TrimSuffix(filepath.Base(file), ".txtar"), Parts: map[string]string{}, file: file, archive: archive}
		for _, f := range archive.Files {
			s.Parts[f.Name] = string(f.Data)
			s.Names = append(s.Names, f.Name)
		}
		out = append(out, s)
	}
	return out
}

// Each tells each story that a pattern matches, in a test of its name.
func Each(t *testing.T, pattern string, tell func(*testing.T, *Story)) {
	t.Helper()
	for _, s := range All(t, pattern) {
		t.Run(s.Name, func(t *testing.T) { tell(t, s) })
	}
}

// Compare holds parts of the story to what has become of its input. Parts that it does not have are none of its business, save for those that it must have.
// With update they are written to the file instead, those that it must have at its end.
func (s *Story) Compare(t *testing.T, update bool, got map[string]string, must ...string) {
	t.Helper()
	for _, name := range must {
		if _, there := s.Parts[name]; there {
			continue
		}
		if !update {
			t.Errorf("the story does not tell %s", name)
		}
		s.archive.Files = append(s.archive.Files, txtar.File{Name: name})
	}
	for i, f := range s.archive.Files {
		text, compared := got[f.Name]
		if diff := cmp.Diff(string(f.Data), text); compared && !update && diff != "" && slices.Contains(s.Names, f.Name) {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
		if compared {
			s.archive.Files[i].Data = []byte(text)
		}
	}
	if !update {
		return
	}
	if err := os.WriteFile(s.file, txtar.Format(s.archive), 0o644); err != nil { //nolint:gosec // as Git has it
		t.Fatal(err)
	}
}
