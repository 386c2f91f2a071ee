package mysql

import (
	"encoding/hex"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// quote writes an identifier for SQL.
func quote(n schema.Name) string {
	return "`" + strings.ReplaceAll(string(n), "`", "``") + "`"
}

// quoteString writes a string literal of utf8mb4. Hex has no escapes that a mode could change.
func quoteString(s string) string {
	if s == "" {
		return "''"
	}
	return "_utf8mb4 0x" + hex.EncodeToString([]byte(s))
}

func quoteStrings[S ~string](list []S) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quoteString(string(s))
	}
	return strings.Join(out, ", ")
}

// quoteAll writes columns, separated by commas.
func quoteAll(cs []*schema.Column) string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = quote(c.Name)
	}
	return strings.Join(out, ", ")
}
