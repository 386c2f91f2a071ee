// Package branch owns how the tree of an environment gets into a branch of Git,
// by the program git. It touches neither the work tree nor the index nor the
// branch that somebody has checked out, and never rewrites what is committed.
package branch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bascule/bascule/internal/fault"
)

// The trailers of this package's commits: the environment, the round that made it, if any, and the commit that it takes back, if it does.
const (
	trailer      = "Bascule-Environment: "
	roundTrailer = "Bascule-Round: "
	backTrailer  = "Bascule-Takes-Back: "
)

// Name is the branch of an environment.
func Name(environment string) string { return "bascule/" + environment }

// Result is what became of a branch.
type Result struct {
	Branch string `json:"branch"`
	// Commit is the branch's last one.
	Commit string `json:"commit"`
	// Changed says that it is new.
	Changed bool `json:"changed"`
	// Files are those that it changes.
	Files int `json:"files"`
}

// Commit commits what lies below generated/ENVIRONMENT and overrides/ENVIRONMENT of dir to the environment's branch, which is made where it is not there, from
// what is checked out; so is one that was merged into that. Without a difference nothing is committed.
// The round is that which asks for it; empty for none.
func Commit(ctx context.Context, dir, environment, round, message string) (*Result, error) {
	g, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer g.close()
	tip, parent, err := g.parent(ctx, environment)
	if err != nil {
		return nil, err
	}
	if parent != "" {
		if _, err := g.run(ctx, "read-tree", parent); err != nil {
			return nil, err
		}
	}
	add := []string{"add", "--all", "--force", "--"}
	for _, part := range []string{"generated", "overrides"} {
		if _, err := os.Stat(filepath.Join(dir, part, environment)); err == nil {
			add = append(add, part+"/"+environment)
		}
	}
	if len(add) == 4 {
		return nil, fault.New(fault.Usage, "commit the tree of "+environment, fmt.Errorf("there is no generated/%s in %s", environment, dir), "bascule kube translate writes it")
	}
	if _, err := g.run(ctx, add...); err != nil {
		return nil, err
	}
	return g.commit(ctx, environment, tip, parent, message, told(environment, round))
}

// told is the trailers of a commit.
func told(environment, round string) string {
	if round == "" {
		return trailer + environment
	}
	return trailer + environment + "\n" + roundTrailer + round
}

// Undo takes the last commit of the environment's branch back, by a commit that has the tree before it. What others have committed since is not touched: then it
// refuses. In a round only that round's commit is taken back: where it has made none, or has taken it back already, nothing changes.
func Undo(ctx context.Context, dir, environment, round string) (*Result, error) {
	g, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer g.close()
	op := "take back the last commit of " + Name(environment)
	tip, err := g.run(ctx, "rev-parse", "--verify", "--quiet", "refs/heads/"+Name(environment))
	if err != nil {
		return nil, fault.New(fault.Refused, op, errors.New("there is no such branch"), "")
	}
	message, err := g.run(ctx, "show", "--no-patch", "--format=%B", tip)
	if err != nil {
		return nil, err
	}
	has := func(line string) bool { return strings.Contains("\n"+message+"\n", "\n"+line+"\n") }
	back := strings.Contains("\n"+message, "\n"+backTrailer)
	if round != "" && has(trailer+environment) && (back || !has(roundTrailer+round)) {
		return &Result{Branch: Name(environment), Commit: tip}, nil
	}
	if !has(trailer+environment) || back {
		return nil, fault.New(fault.Refused, op, fmt.Errorf("%s is not one of this program's that could be taken back", tip[:min(12, len(tip))]), "git revert takes back any commit")
	}
	if _, err := g.run(ctx, "read-tree", tip+"^"); err != nil {
		return nil, fault.New(fault.Refused, op, errors.New("nothing is before it"), "git branch -D "+Name(environment)+" removes the branch")
	}
	return g.commit(ctx, environment, tip, tip, "Take back "+tip, told(environment, round)+"\n"+backTrailer+tip)
}

// Push pushes the environment's branch.
func Push(ctx context.Context, dir, environment, remote string) error {
	g, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer g.close()
	ref := "refs/heads/" + Name(environment)
	if _, err = g.run(ctx, "push", "--quiet", remote, ref+":"+ref); err != nil {
		return fault.New(fault.Resource, fmt.Sprintf("push %s to %q", Name(environment), remote), err, "the commit stands here; once git -C "+dir+" push "+remote+" "+Name(environment)+" works, run the same command again")
	}
	return nil
}

// git runs git in a folder, with an index of its own.
type git struct{ dir, temporary string }

func open(ctx context.Context, dir string) (*git, error) {
	temporary, err := os.MkdirTemp("", "bascule-git-*")
	if err != nil {
		return nil, fault.New(fault.Resource, "make a folder for Git's index", err, "")
	}
	g := &git{dir: dir, temporary: temporary}
	if _, err := g.run(ctx, "rev-parse", "--git-dir"); err != nil {
		g.close()
		return nil, fault.New(fault.Usage, fmt.Sprintf("commit to the repository of %q", dir), err, "name a folder in a Git repository with --out")
	}
	return g, nil
}

func (g *git) close() { _ = os.RemoveAll(g.temporary) }

func (g *git) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", g.dir}, args...)...) //nolint:gosec // arguments of this package, and the names that people gave
	cmd.Env = append(os.Environ(), "GIT_INDEX_FILE="+filepath.Join(g.temporary, "index"), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fault.New(fault.Resource, "git "+args[0], errors.New(cmp.Or(strings.TrimSpace(said.String()), err.Error())), "")
	}
	return strings.TrimSpace(out.String()), nil
}

// parent finds the branch's tip, if it is there, and what the next commit stands on.
func (g *git) parent(ctx context.Context, environment string) (tip, parent string, err error) {
	head, _ := g.run(ctx, "rev-parse", "--verify", "--quiet", "HEAD") // a repository without commits has none
	tip, _ = g.run(ctx, "rev-parse", "--verify", "--quiet", "refs/heads/"+Name(environment))
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	if tip == "" {
		return "", head, nil
	}
	if head != "" {
		if _, err := g.run(ctx, "merge-base", "--is-ancestor", tip, head); err == nil {
			return tip, head, nil
		}
	}
	return tip, tip, nil
}

// commit commits the index and moves the branch there from its tip: whoever has moved it meanwhile wins.
func (g *git) commit(ctx context.Context, environment, tip, parent, message, trailers string) (*Result, error) {
	tree, err := g.run(ctx, "write-tree")
	if err != nil {
		return nil, err
	}
	r := &Result{Branch: Name(environment), Commit: cmp.Or(tip, parent)}
	args := []string{"commit-tree", tree, "-m", message, "-m", trailers}
	if parent != "" {
		before, err := g.run(ctx, "rev-parse", parent+"^{tree}")
		if err != nil || before == tree {
			return r, err
		}
		args = append(args, "-p", parent)
	}
	if r.Commit, err = g.run(ctx, args...); err != nil {
		return nil, err
	}
	changed, err := g.run(ctx, "diff-tree", "--root", "--no-commit-id", "--name-only", "-r", r.Commit)
	if err != nil {
		return nil, err
	}
	r.Changed, r.Files = true, len(strings.Split(changed, "\n"))
	_, err = g.run(ctx, "update-ref", "-m", "bascule: "+message, "refs/heads/"+r.Branch, r.Commit, cmp.Or(tip, strings.Repeat("0", len(r.Commit))))
	return r, err
}
