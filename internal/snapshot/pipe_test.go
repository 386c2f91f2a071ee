package snapshot

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// fill drives a pipe as a reader does: sizes are the batches' bytes.
func fill(ctx context.Context, p *pipe, sizes []int, end error) error {
	b, err := p.swap(ctx, nil)
	for i := 0; err == nil && i < len(sizes); i++ {
		b.Reset(1)
		b.Data = append(b.Data, make([]byte, sizes[i])...)
		b.Rows = i + 1
		b, err = p.swap(ctx, b)
	}
	p.end(errors.Join(err, end))
	return err
}

func TestPipe(t *testing.T) {
	cases := map[string]struct {
		reason string
		sizes  []int
		end    error
	}{
		"None":  {reason: "a range may be empty", sizes: nil},
		"Small": {reason: "batches arrive once each, in order", sizes: []int{10, 20, 30, 40, 50}},
		"Error": {reason: "the reader's error comes after its batches", sizes: []int{1, 2}, end: errBoom},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipe()
				go func() { _ = fill(t.Context(), p, tc.sizes, tc.end) }()
				var rows []int
				var got error
				for b, err := range p.batches() {
					if err != nil {
						got = err
						continue
					}
					rows = append(rows, b.Rows)
				}
				if len(rows) != len(tc.sizes) || !errors.Is(got, tc.end) {
					t.Fatalf("%s: got batches %v and error %v", tc.reason, rows, got)
				}
				for i, r := range rows {
					if r != i+1 {
						t.Fatalf("%s: batch %d is %d", tc.reason, i, r)
					}
				}
			})
		})
	}
}

// TestPipeStopped holds that a reader ends when the loading side has gone.
func TestPipeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error)
		go func() { ended <- fill(ctx, p, make([]int, 100), nil) }()
		for _, err := range p.batches() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		cancel(errLoadEnded)
		if err := <-ended; !errors.Is(err, errLoadEnded) {
			t.Fatalf("the reader ended with %v", err)
		}
	})
}
