package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bascule/bascule/internal/fault"
)

func TestClassAndHint(t *testing.T) {
	cause := errors.New("boom")
	inner := fault.New(fault.Privilege, "read orders", cause, "GRANT SELECT ON shop.* TO app")
	cases := map[string]struct {
		err   error
		class fault.Class
		hint  string
		text  string
	}{
		"Plain":   {cause, fault.Internal, "", "boom"},
		"Direct":  {inner, fault.Privilege, "GRANT SELECT ON shop.* TO app", "read orders: boom"},
		"Wrapped": {fmt.Errorf("copy: %w", inner), fault.Privilege, "GRANT SELECT ON shop.* TO app", "copy: read orders: boom"},
		"Outer":   {fault.New(fault.Refused, "begin", inner, ""), fault.Refused, "GRANT SELECT ON shop.* TO app", "begin: read orders: boom"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := fault.ClassOf(tc.err); got != tc.class {
				t.Errorf("class %q, want %q", got, tc.class)
			}
			if got := fault.HintOf(tc.err); got != tc.hint {
				t.Errorf("hint %q, want %q", got, tc.hint)
			}
			if tc.err.Error() != tc.text || !errors.Is(tc.err, cause) {
				t.Errorf("text %q", tc.err)
			}
		})
	}
	if fault.New(fault.Connect, "x", nil, "h") != nil {
		t.Error("no cause is no error")
	}
}
