package branch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/branch"
)

// repository is one with a commit, and somebody's work in the index and beside it.
type repository struct{ dir string }

func (r repository) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", r.dir}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T) repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	for k, v := range map[string]string{"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example"} {
		t.Setenv(k, v)
	}
	r := repository{t.TempDir()}
	r.git(t, "init", "--quiet", "--initial-branch=main")
	r.write(t, "README", "ours\n")
	r.write(t, "overrides/preprod/live/kustomization.yaml", "resources: []\n")
	r.git(t, "add", ".")
	r.git(t, "commit", "--quiet", "-m", "begin")
	r.write(t, "README", "half done\n")
	r.write(t, "staged", "x\n")
	r.git(t, "add", "staged")
	return r
}

// TestCommit commits an environment to its branch, nothing else, and leaves everything that somebody works on as it is.
func TestCommit(t *testing.T) {
	r := begin(t)
	before := r.git(t, "status", "--porcelain")
	r.write(t, "generated/preprod/base/a.yaml", "a: 1\n")
	r.write(t, "generated/prod/base/a.yaml", "not of this environment\n")
	got, err := branch.Commit(t.Context(), r.dir, "preprod", "", "Translate preprod")
	if err != nil || !got.Changed || got.Files != 1 {
		t.Fatal(got, err)
	}
	if files := r.git(t, "ls-tree", "-r", "--name-only", "bascule/preprod"); files != "README\ngenerated/preprod/base/a.yaml\noverrides/preprod/live/kustomization.yaml" {
		t.Error(files)
	}
	if text := r.git(t, "show", "bascule/preprod:README"); text != "ours" {
		t.Errorf("somebody's half done work is in it: %s", text)
	}
	after := strings.ReplaceAll(r.git(t, "status", "--porcelain"), "\n?? generated/", "")
	if before != after || r.git(t, "branch", "--show-current") != "main" {
		t.Errorf("status:\n%s\nwas:\n%s", after, before)
	}

	// Once more: nothing. Then a change, and a file that goes.
	if again, err := branch.Commit(t.Context(), r.dir, "preprod", "", "x"); err != nil || again.Changed || again.Commit != got.Commit {
		t.Error(again, err)
	}
	r.write(t, "generated/preprod/base/b.yaml", "b: 1\n")
	if err := os.Remove(filepath.Join(r.dir, "generated/preprod/base/a.yaml")); err != nil {
		t.Fatal(err)
	}
	second, err := branch.Commit(t.Context(), r.dir, "preprod", "", "Translate preprod")
	if err != nil || second.Files != 2 || r.git(t, "rev-parse", "bascule/preprod^") != got.Commit {
		t.Error(second, err)
	}

	// Back, once, and not twice.
	back, err := branch.Undo(t.Context(), r.dir, "preprod", "")
	if err != nil || r.git(t, "rev-parse", "bascule/preprod^{tree}") != r.git(t, "rev-parse", got.Commit+"^{tree}") || r.git(t, "rev-parse", "bascule/preprod^") != second.Commit {
		t.Error(back, err)
	}
	if _, err := branch.Undo(t.Context(), r.dir, "preprod", ""); fault.ClassOf(err) != fault.Refused {
		t.Error(err)
	}

	// Merged: the next one stands on what is checked out.
	r.git(t, "stash", "--quiet", "--include-untracked")
	r.git(t, "merge", "--quiet", "--no-edit", "bascule/preprod")
	r.write(t, "more", "x\n")
	r.git(t, "add", "more")
	r.git(t, "commit", "--quiet", "-m", "more")
	r.write(t, "generated/preprod/base/c.yaml", "c: 1\n")
	third, err := branch.Commit(t.Context(), r.dir, "preprod", "", "Translate preprod")
	if err != nil || r.git(t, "rev-parse", "bascule/preprod^") != r.git(t, "rev-parse", "main") {
		t.Error(third, err)
	}
}

// TestUndoOfARound takes back what that round has committed, once, and nothing of an earlier round where it has committed nothing.
func TestUndoOfARound(t *testing.T) {
	r := begin(t)
	r.write(t, "generated/preprod/base/a.yaml", "a: 1\n")
	first, err := branch.Commit(t.Context(), r.dir, "preprod", "preprod-1", "Translate preprod")
	if err != nil || !first.Changed {
		t.Fatal(first, err)
	}
	if again, err := branch.Commit(t.Context(), r.dir, "preprod", "preprod-2", "Translate preprod"); err != nil || again.Changed {
		t.Fatal(again, err)
	}
	if got, err := branch.Undo(t.Context(), r.dir, "preprod", "preprod-2"); err != nil || got.Changed || got.Commit != first.Commit {
		t.Errorf("it takes back an earlier round's: %v, %v", got, err)
	}
	back, err := branch.Undo(t.Context(), r.dir, "preprod", "preprod-1")
	if err != nil || !back.Changed {
		t.Fatal(back, err)
	}
	if got, err := branch.Undo(t.Context(), r.dir, "preprod", "preprod-1"); err != nil || got.Changed || got.Commit != back.Commit {
		t.Errorf("twice: %v, %v", got, err)
	}
}

// TestPush pushes the branch, and nothing else.
func TestPush(t *testing.T) {
	r := begin(t)
	remote := repository{t.TempDir()}
	remote.git(t, "init", "--quiet", "--bare")
	r.write(t, "generated/preprod/base/a.yaml", "a: 1\n")
	got, err := branch.Commit(t.Context(), r.dir, "preprod", "", "Translate preprod")
	if err != nil {
		t.Fatal(err)
	}
	if err := branch.Push(t.Context(), r.dir, "preprod", remote.dir); err != nil {
		t.Fatal(err)
	}
	if all := remote.git(t, "for-each-ref", "--format=%(refname) %(objectname)"); all != "refs/heads/bascule/preprod "+got.Commit {
		t.Error(all)
	}
}

// TestRefused: a folder without a repository, without a tree, or without a branch is an error that says what to do.
func TestRefused(t *testing.T) {
	r := begin(t)
	if _, err := branch.Commit(t.Context(), t.TempDir(), "preprod", "", "x"); fault.ClassOf(err) != fault.Usage {
		t.Error(err)
	}
	if _, err := branch.Commit(t.Context(), r.dir, "prod", "", "x"); fault.ClassOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "kube translate") {
		t.Error(err)
	}
	if _, err := branch.Undo(t.Context(), r.dir, "prod", ""); fault.ClassOf(err) != fault.Refused {
		t.Error(err)
	}
}
