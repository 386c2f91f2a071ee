package schema

// Type is a column's type. The set is sealed: only this package extends it, so
// that a switch over it can be exhaustive. Source types and target types share
// it; a type that exists on one side only says so.
type Type interface {
	// Kind is the type's stable name in JSON and in findings.
	Kind() string
	sealed()
}

type (
	// Bool is PostgreSQL's boolean.
	Bool struct{}

	// Int is an integer of Bits 8, 16, 24, 32 or 64 (16, 32, 64 on the target).
	// Width is MySQL's display width where it carries meaning (tinyint(1)), else 0.
	Int struct {
		Bits     int  `json:"bits"`
		Unsigned bool `json:"unsigned,omitempty"`
		Width    int  `json:"width,omitempty"`
	}

	// Bit is bit(N), 1 to 64 on MySQL.
	Bit struct {
		N int `json:"n"`
	}

	// Decimal is an exact number of Precision digits, Scale of them after the point.
	Decimal struct {
		Precision int  `json:"precision"`
		Scale     int  `json:"scale"`
		Unsigned  bool `json:"unsigned,omitempty"`
	}

	// Float is an IEEE number of Bits 32 or 64. Digits and Scale are MySQL's
	// FLOAT(m,d) declaration, -1 when absent; they round the display, not the value.
	Float struct {
		Bits     int  `json:"bits"`
		Unsigned bool `json:"unsigned,omitempty"`
		Digits   int  `json:"digits,omitempty"`
		Scale    int  `json:"scale,omitempty"`
	}

	// Text is character data of at most Length characters. Length 0 means no
	// limit of its own (PostgreSQL's text). MySQL's TEXT family has Length 0 and
	// MaxBytes set. Fixed marks CHAR(n), whose trailing spaces MySQL strips.
	Text struct {
		Length    int    `json:"length,omitempty"`
		MaxBytes  int64  `json:"max_bytes,omitempty"`
		Fixed     bool   `json:"fixed,omitempty"`
		Charset   string `json:"charset,omitempty"`
		Collation string `json:"collation,omitempty"`
	}

	// Binary is bytes: BINARY(n) when Fixed, VARBINARY(n), the BLOB family
	// (Length 0, MaxBytes set), or PostgreSQL's bytea.
	Binary struct {
		Length   int   `json:"length,omitempty"`
		MaxBytes int64 `json:"max_bytes,omitempty"`
		Fixed    bool  `json:"fixed,omitempty"`
	}

	// Enum is one of Members. On the target, Name is the enum type's name.
	Enum struct {
		Name      Name     `json:"name,omitempty"`
		Members   []string `json:"members"`
		Charset   string   `json:"charset,omitempty"`
		Collation string   `json:"collation,omitempty"`
	}

	// Set is any subset of Members, at most 64.
	Set struct {
		Members   []string `json:"members"`
		Charset   string   `json:"charset,omitempty"`
		Collation string   `json:"collation,omitempty"`
	}

	// TextArray is PostgreSQL's text[].
	TextArray struct{}

	// JSON is a JSON document. On MySQL Parsed is true (keys deduplicated and
	// sorted); on MariaDB it is false (text that passed json_valid). On the
	// target Parsed means jsonb, otherwise json.
	JSON struct {
		Parsed bool `json:"parsed,omitempty"`
	}

	// Date is a calendar date.
	Date struct{}

	// Time is MySQL's TIME (-838:59:59 to 838:59:59) or PostgreSQL's time of
	// day, with Precision fractional digits (0 to 6).
	Time struct {
		Precision int `json:"precision,omitempty"`
	}

	// Interval is PostgreSQL's interval.
	Interval struct {
		Precision int `json:"precision,omitempty"`
	}

	// DateTime is a date and a time without zone: DATETIME, timestamp.
	DateTime struct {
		Precision int `json:"precision,omitempty"`
	}

	// Timestamp is an instant: TIMESTAMP, timestamptz.
	Timestamp struct {
		Precision int `json:"precision,omitempty"`
	}

	// Year is MySQL's YEAR: 0, 1901 to 2155.
	Year struct{}

	// UUID is a UUID type (MariaDB 10.7+, PostgreSQL).
	UUID struct{}

	// Inet is an IP address: MariaDB's INET4 or INET6 (Version 4 or 6), or
	// PostgreSQL's inet (Version 0).
	Inet struct {
		Version int `json:"version,omitempty"`
	}

	// Geometry is a spatial value. Shape is upper case (POINT, GEOMETRY ...);
	// SRID is -1 when the column does not restrict it. On the target it is
	// PostGIS's geometry.
	Geometry struct {
		Shape string `json:"shape"`
		SRID  int    `json:"srid"`
	}

	// Vector is MySQL 9's and MariaDB 11.7's VECTOR(n) of 32-bit floats.
	Vector struct {
		N int `json:"n"`
	}

	// Other is a type this program does not know, as the server prints it. It is
	// never silently moved: the plan refuses it or a person names a type for it.
	Other struct {
		SQL string `json:"sql"`
	}
)

// Kind returns the type's stable name.
func (Bool) Kind() string      { return "bool" }
func (Int) Kind() string       { return "int" }
func (Bit) Kind() string       { return "bit" }
func (Decimal) Kind() string   { return "decimal" }
func (Float) Kind() string     { return "float" }
func (Text) Kind() string      { return "text" }
func (Binary) Kind() string    { return "binary" }
func (Enum) Kind() string      { return "enum" }
func (Set) Kind() string       { return "set" }
func (TextArray) Kind() string { return "textarray" }
func (JSON) Kind() string      { return "json" }
func (Date) Kind() string      { return "date" }
func (Time) Kind() string      { return "time" }
func (Interval) Kind() string  { return "interval" }
func (DateTime) Kind() string  { return "datetime" }
func (Timestamp) Kind() string { return "timestamp" }
func (Year) Kind() string      { return "year" }
func (UUID) Kind() string      { return "uuid" }
func (Inet) Kind() string      { return "inet" }
func (Geometry) Kind() string  { return "geometry" }
func (Vector) Kind() string    { return "vector" }
func (Other) Kind() string     { return "other" }

func (Bool) sealed()      {}
func (Int) sealed()       {}
func (Bit) sealed()       {}
func (Decimal) sealed()   {}
func (Float) sealed()     {}
func (Text) sealed()      {}
func (Binary) sealed()    {}
func (Enum) sealed()      {}
func (Set) sealed()       {}
func (TextArray) sealed() {}
func (JSON) sealed()      {}
func (Date) sealed()      {}
func (Time) sealed()      {}
func (Interval) sealed()  {}
func (DateTime) sealed()  {}
func (Timestamp) sealed() {}
func (Year) sealed()      {}
func (UUID) sealed()      {}
func (Inet) sealed()      {}
func (Geometry) sealed()  {}
func (Vector) sealed()    {}
func (Other) sealed()     {}
