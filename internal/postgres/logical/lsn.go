package logical

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// LSN is a place in the write-ahead log, in bytes since its beginning. Zero is no place.
type LSN uint64

// String returns the LSN as the server prints it: two hexadecimal halves, 16/B374D848.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// ParseLSN reads what String returns, and what the server prints.
func ParseLSN(s string) (LSN, error) {
	high, low, ok := strings.Cut(s, "/")
	if !ok {
		return 0, fmt.Errorf("%q is no LSN, which is two hexadecimal numbers as in 16/B374D848", s)
	}
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no LSN: %w", s, err)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no LSN: %w", s, err)
	}
	return LSN(h<<32 | l), nil
}

// epoch is where PostgreSQL's timestamps begin.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// fromMicros reads a timestamp of the protocol: microseconds since 2000-01-01 UTC.
func fromMicros(µs int64) time.Time {
	// A Duration holds 292 years only, a timestamp more.
	return time.Unix(epoch.Unix()+µs/1e6, µs%1e6*1e3).UTC()
}

func toMicros(t time.Time) int64 {
	return (t.Unix()-epoch.Unix())*1e6 + int64(t.Nanosecond())/1e3
}
