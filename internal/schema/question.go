package schema

// Ask names one thing to find out about the data of a column.
type Ask string

// What can be asked. A count says how many rows hold such a value; a
// maximum is in the text form the comment gives.
const (
	// AskMax: the largest value of an integer column, in decimal.
	AskMax Ask = "max"
	// AskNotBoolean: rows of an integer column whose value is neither 0 nor 1.
	AskNotBoolean Ask = "not-boolean"
	// AskOutOfDay: rows of a TIME column below 00:00:00 or at or above 24:00:00.
	AskOutOfDay Ask = "out-of-day"
	// AskZeroDate: rows whose date is 0000-00-00 (or 0000-00-00 00:00:00).
	AskZeroDate Ask = "zero-date"
	// AskPartialDate: rows with a year, month or day of zero that are not the zero
	// date, or a day that the month does not have (ALLOW_INVALID_DATES).
	AskPartialDate Ask = "partial-date"
	// AskEmptyEnum: rows of an ENUM with index 0, the invalid value that reads as ''.
	AskEmptyEnum Ask = "empty-enum"
	// AskNulByte: rows of a text column that hold a byte 0x00.
	AskNulByte Ask = "nul-byte"
	// AskJSONNul: rows of a JSON column that hold the escape \u0000.
	AskJSONNul Ask = "json-nul"
	// AskMaxBytes: the longest value in bytes of utf8mb4, in decimal.
	AskMaxBytes Ask = "max-bytes"
	// AskDoubleEncoded: rows of a text column whose characters, taken as latin1 (cp1252)
	// bytes, are again valid multi-byte UTF-8: probably encoded twice.
	AskDoubleEncoded Ask = "double-encoded"
)

// Question asks one thing about one column. Decides tells that the answer
// chooses a type, so the copy needs it; other questions only foresee losses.
type Question struct {
	Table   Name `json:"table"`
	Column  Name `json:"column"`
	Ask     Ask  `json:"ask"`
	Decides bool `json:"decides,omitempty"`
}

// Answer is what the data said. Samples holds a few rows' keys and values, as
// text, for counts that are not zero.
type Answer struct {
	Question
	Count   int64    `json:"count,omitempty"`
	Max     string   `json:"max,omitempty"` // empty when the table is empty or all NULL
	Samples []Sample `json:"samples,omitempty"`
	// Estimated says that only part of the table was read. An estimated answer
	// never proves an absence.
	Estimated bool `json:"estimated,omitempty"`
}

// Sample is one row's key and the value in question, both as text.
type Sample struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}
