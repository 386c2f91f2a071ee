package crosscheck

import "testing"

func TestNormals(t *testing.T) {
	tests := map[string]struct {
		reason   string
		normal   normal
		in, want string
	}{
		"Zeros":        {"zeros at both ends are no difference", number, "-0012.3400", "-12.34"},
		"Exponent":     {"1e2 is 100", number, "1e2", "100"},
		"Hundred":      {"100 is 1e2", number, "100.0", "100"},
		"Fraction":     {"leading zeros of a fraction stay", number, "5e-3", "0.005"},
		"BelowOne":     {"a number below one", number, ".50", "0.5"},
		"MinusNothing": {"a decimal zero has no sign", number, "-0.00", "0"},
		"ThirtyDigits": {"no digit is lost", number, "123456789012345678901234567891", "123456789012345678901234567891"},
		"HugeExponent": {"exponents beyond an int64", number, "1e99999999999999999999", "1e99999999999999999999"},
		"JSONOrder":    {"keys are sorted, spaces dropped", jsonValue, `{"bb": 1.50, "a":[true,null, "\u00e9"]}`, `{"a":[true,null,"é"],"bb":1.5}`},
		"JSONTwice":    {"the last of two equal keys counts", jsonValue, `{"a":1,"a":2}`, `{"a":2}`},
		"Clock":        {"hours beyond a day, negative", clockMicros, "-838:59:59.000001", "-3020399000001"},
		"ClockShort":   {"one digit of a fraction", clockMicros, "00:00:01.5", "1500000"},
		"EWKB":         {"the SRID moves to the front", ewkb, "0101000020E6100000CDCCCCCCCCCC02400000000000000000", "\xe6\x10\x00\x00\x01\x01\x00\x00\x00\xcd\xcc\xcc\xcc\xcc\xcc\x02\x40\x00\x00\x00\x00\x00\x00\x00\x00"},
		"EWKBNoSRID":   {"no SRID is SRID 0", ewkb, "0101000000CDCCCCCCCCCC02400000000000000000", "\x00\x00\x00\x00\x01\x01\x00\x00\x00\xcd\xcc\xcc\xcc\xcc\xcc\x02\x40\x00\x00\x00\x00\x00\x00\x00\x00"},
		"Address":      {"one way to write an address", address, "2001:0DB8::0042:8329", "2001:db8::42:8329"},
		"Bytes":        {"hexadecimal output", bytea, `\x00ff5c`, "\x00\xff\\"},
		"Moment":       {"zeros after the second", momentNormal(false), "2024-02-29 01:02:03.120000", "2024-02-29 01:02:03.12"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tc.normal([]byte(tc.in))
			if err != nil || string(got) != tc.want {
				t.Errorf("%s: %q became %q, error %v; want %q", tc.reason, tc.in, got, err, tc.want)
			}
		})
	}
}

func TestNormalsRefuse(t *testing.T) {
	tests := map[string]struct {
		normal normal
		in     string
	}{
		"NaN": {number, "NaN"}, "Empty": {number, ""}, "TwoDocuments": {jsonValue, "1 2"}, "NoJSON": {jsonValue, "{"},
		"NoClock": {clockMicros, "12:00"}, "BigEndian": {ewkb, "0000000001"}, "NoHex": {bytea, "00"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := tc.normal([]byte(tc.in)); err == nil {
				t.Errorf("%q became %q, want an error", tc.in, got)
			}
		})
	}
}

func TestSourceConfig(t *testing.T) {
	cfg, err := SourceConfig("mariadb://ro%40ot:p%2Fw@db.example/shop")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.User != "ro@ot" || cfg.Passwd != "p/w" || cfg.Addr != "db.example:3306" || cfg.DBName != "shop" {
		t.Errorf("got user %q, address %q, database %q", cfg.User, cfg.Addr, cfg.DBName)
	}
	for _, bad := range []string{"postgres://h/d", "mysql://h", "mysql://u:p%zz@h/d"} {
		if _, err := SourceConfig(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
