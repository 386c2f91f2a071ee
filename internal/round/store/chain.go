package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// stampLayout is how a time enters a hash: UTC, always six digits after the second.
const stampLayout = "2006-01-02T15:04:05.000000Z"

// root is the hash that the first entry chains onto. It is, in lower-case hexadecimal, the SHA-256 of
//
//	bascule round 1 LF
//	BODY LF
//
// where LF is the byte 10, and BODY the round's JSON in the very bytes that the store keeps in rounds.body; there is no line end in it.
func root(body string) string {
	return digest("bascule round 1\n" + body + "\n")
}

// link is an entry's hash. It is, in lower-case hexadecimal, the SHA-256 of five lines, each with LF at its end:
//
//	the hash of the entry before, in hexadecimal; of the first entry, what root says
//	seq, in decimal
//	at, in UTC with six digits after the second, as in 2026-03-01T02:00:00.000000Z
//	epoch, in decimal
//	the event's JSON, in the very bytes that the store keeps in entries.event; there is no line end in it
//
// The bytes are hashed as they are kept, not as this program would write them, so that what a newer program wrote can be checked too.
func link(before string, seq int64, at time.Time, epoch int64, event string) string {
	return digest(fmt.Sprintf("%s\n%s\n%s\n%s\n%s\n", before, strconv.FormatInt(seq, 10), at.UTC().Format(stampLayout), strconv.FormatInt(epoch, 10), event))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
