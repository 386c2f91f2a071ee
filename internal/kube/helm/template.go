package helm

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/decision"
)

// Renderer is one release as the program helm renders it.
type Renderer struct {
	// Program is helm, by its name or path.
	Program string
	// ID is NAMESPACE/NAME.
	ID string
	decision.Release
	// KubeVersion is the target's minor version of Kubernetes, for charts that ask; empty for what helm takes itself.
	KubeVersion string
}

// Template renders the chart with its values, and further files of values on top: what helm template prints, hooks among it and tests not. It asks no cluster.
func (c *Renderer) Template(ctx context.Context, more ...string) ([]byte, error) {
	namespace, name, _ := strings.Cut(c.ID, "/")
	args := []string{"template", name, c.Chart, "--namespace", namespace, "--skip-tests"}
	if c.Repo != "" {
		args = append(args, "--repo", c.Repo)
	}
	if c.Version != "" {
		args = append(args, "--version", c.Version)
	}
	for _, v := range append(append([]string{}, c.Values...), more...) {
		args = append(args, "--values", v)
	}
	if c.KubeVersion != "" {
		args = append(args, "--kube-version", c.KubeVersion)
	}
	for _, v := range c.APIVersions {
		args = append(args, "--api-versions", v)
	}
	cmd := exec.CommandContext(ctx, c.Program, args...) //nolint:gosec // the program that people name, with what they say of the release
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	op := "render the release " + c.ID
	err := cmd.Run()
	_, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && !ran:
		return nil, fault.New(fault.Usage, op, err, "name the program with --helm, or render it elsewhere and give the file with --release "+c.ID+"=FILE")
	case err != nil:
		return nil, fault.New(fault.Data, op, fmt.Errorf("%s %s: %s", c.Program, strings.Join(args, " "), cmp.Or(strings.TrimSpace(said.String()), err.Error())), "mend the chart or its values; nothing was written")
	}
	return out.Bytes(), nil
}
