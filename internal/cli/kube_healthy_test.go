package cli

import (
	"errors"
	"testing"

	"github.com/bascule/bascule/internal/kube/cluster"
)

// TestWaits: whoever waits is told how many objects are missing, and the first of them with its reason; or that nobody answers.
func TestWaits(t *testing.T) {
	t.Parallel()
	all := []cluster.Health{{Object: "Service shop/web", Healthy: true}, {Object: "Deployment shop/web", Why: "0 of 2 pods:\nreadyReplicas"}, {Object: "Job shop/a", Why: "x"}}
	if got, want := waits(all, 2, nil), "waiting for 2 objects, first Deployment shop/web: 0 of 2 pods: readyReplicas"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := waits(nil, 0, errors.New("nobody answers")), "waiting: nobody answers"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
