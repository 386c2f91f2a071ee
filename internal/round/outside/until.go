package outside

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

// often is how often a condition is asked for when nobody says.
const often = 5 * time.Second

// Until asks Check, at once and then every so often (0 means 5 s), until what holds. An error is remembered, and what is asked again, save for one of
// fault.Usage, which no waiting mends. When ctx ends first, the error wraps its cause and tells the last answer.
func (o *Outside) Until(ctx context.Context, what string, c Call, every time.Duration) (output string, err error) {
	if every <= 0 {
		every = often
	}
	return until(ctx, &c, every, func() (bool, string, error) { return o.Check(ctx, what, c) })
}

func until(ctx context.Context, c *Call, every time.Duration, check func() (bool, string, error)) (output string, err error) {
	op := "wait for the condition" + c.of()
	var last error
	asked := 0
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		holds, said, err := check()
		if ctx.Err() != nil && !holds {
			break // this answer tells less than the one before
		}
		asked++
		output, last = said, err
		if holds {
			return output, nil
		}
		if err != nil && fault.ClassOf(err) == fault.Usage {
			return output, fault.New(fault.Usage, op, err, "")
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return output, unmet(ctx, op, asked, output, last)
}

// unmet returns the fault of a condition that did not come to hold while somebody waited.
func unmet(ctx context.Context, op string, asked int, output string, last error) error {
	cause := context.Cause(ctx)
	switch {
	case asked == 0:
		cause = fmt.Errorf("%w, before there was an answer", cause)
	case last != nil:
		cause = fmt.Errorf("%w; asked %d times, and the last time nobody could tell: %s", cause, asked, last.Error())
	default:
		cause = fmt.Errorf("%w; asked %d times, and the last answer was no; %s", cause, asked, said(output))
	}
	hint := fault.HintOf(last)
	if hint == "" && errors.Is(cause, context.DeadlineExceeded) {
		hint = "a longer timeout is set at the step"
	}
	return fault.New(fault.Resource, op, cause, hint)
}
