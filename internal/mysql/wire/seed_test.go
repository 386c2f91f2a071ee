package wire

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var updateSeeds = flag.Bool("update-seeds", false, "write the seeds of the fuzz tests to testdata/fuzz")

// seeds returns for each fuzz test the well-formed inputs that it starts from, and a few that are nearly so.
func seeds(t *testing.T) map[string][][]any {
	t.Helper()
	greet := append([]byte{10}, "9.7.4\x00"...)
	greet = append(greet, 7, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0x05, 0xa2, 255, 2, 0, 0x38, 0x01, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	greet = append(greet, "abcdefghijkl\x00caching_sha2_password\x00"...)
	maria := bytes.Clone(greet)
	maria[20] &^= 1

	column := appendLenencString(nil, "def")
	for _, s := range []string{"db", "alias", "table", "name", "org_name"} {
		column = appendLenencString(column, s)
	}
	fixed := []byte{12, 45, 0, 0, 1, 0, 0, 253, 1, 0, 0, 0, 0}
	extended := append(bytes.Clone(column), 7, 1, 4, 'j', 's', 'o', 'n', 9)

	row := []byte{
		0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 'a', 'b', 'c', 7, 232, 7, 2, 29, 1, 2, 3, 255,
		8, 1, 34, 0, 0, 0, 22, 59, 59, 0xfc, 3, 0, 'x', 'y', 'z', 0, 0, 128, 63, 1, 0, 4, 232, 7, 2, 29,
	}
	nulls := []byte{0, 0xfc, 0x07}
	seq := uint8(1)
	stream := appendPayload(nil, &seq, row)
	stream = appendPayload(stream, &seq, nulls)
	stream = appendPayload(stream, &seq, endOfRows)
	seq = 1
	failing := appendPayload(nil, &seq, row)
	failing = appendPayload(failing, &seq, []byte("\xff\x25\x05#70100interrupted"))

	seq = 0
	login := appendPayload(nil, &seq, []byte{1, 4})
	plain := appendPayload(nil, new(uint8), []byte("\xfemysql_clear_password\x00"))
	sha256 := appendPayload(nil, new(uint8), []byte("\xfesha256_password\x00abcdefghijklmnopqrst\x00"))
	parsec := appendPayload(nil, new(uint8), append([]byte("\xfeparsec\x00"), bytes.Repeat([]byte{7}, 32)...))
	parsec = append(parsec, 6, 0, 0, 2, 'P', 0, 's', 'a', 'l', 't')

	packed := func(k codec) []byte {
		var b bytes.Buffer
		fr := newFrames(&b, k)
		for _, p := range [][]byte{bytes.Repeat([]byte("frame"), 100), []byte("short")} {
			if _, err := fr.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		return b.Bytes()
	}
	seq = 1
	dump := appendPayload(nil, &seq, append([]byte{0}, bytes.Repeat([]byte{7}, 40)...))
	dump = appendPayload(dump, &seq, append([]byte{0}, bytes.Repeat([]byte{8}, 300)...))
	refused := appendPayload(bytes.Clone(dump), &seq, []byte("\xff\xd4\x04#HY000purged"))
	return map[string][][]any{
		"FuzzDump":            {{appendPayload(bytes.Clone(dump), new(uint8(3)), []byte{0xfe, 0, 0, 2, 0}), uint8(0)}, {refused, uint8(5)}, {dump[:50], uint8(2)}},
		"FuzzGreeting":        {{greet}, {maria}, {[]byte("\xff\x10\x04Too many connections")}, {greet[:30]}},
		"FuzzColumn":          {{append(column, fixed...), false}, {append(extended, fixed...), true}, {column, false}},
		"FuzzResult":          {{[]byte{0, 3, 0xfd, 1, 2, 3, 2, 0, 1, 0}, true}, {[]byte{0xfe, 0, 0, 2, 0}, false}, {[]byte("\xff\x15\x04#28000Access denied"), true}, {[]byte{0, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0}, true}},
		"FuzzLogin":           {{login, true}, {login, false}, {plain, false}, {plain, true}, {sha256, false}, {parsec, false}},
		"FuzzAuthSwitch":      {{plain[4:]}, {sha256[4:]}, {[]byte{0xfe}}},
		"FuzzLenenc":          {{uint64(250), []byte{0xfb}}, {uint64(251), []byte{0xfc, 255, 255}}, {uint64(1 << 24), []byte{0xfe, 0, 0, 0, 0, 0, 0, 0, 0x80}}, {uint64(1<<24 - 1), []byte{3, 1, 2, 3}}},
		"FuzzBinaryRow":       {{row}, {nulls}, {row[:20]}, {append(bytes.Clone(row), 0)}},
		"FuzzTextRow":         {{[]byte{1, 'a', 0xfb, 0, 0xfc, 2, 0, 'b', 'c'}, uint8(4)}, {[]byte{0xfe, 255, 255, 255, 255, 255, 255, 255, 255}, uint8(1)}},
		"FuzzReadBatch":       {{stream, uint16(4096), uint8(0)}, {stream, uint16(0), uint8(1)}, {failing, uint16(9000), uint8(7)}, {stream[:len(stream)-3], uint16(0), uint8(3)}},
		"FuzzFrames":          {{packed(&zlibCodec{}), false}, {packed(sharedZstd), true}, {[]byte{3, 0, 0, 0, 0, 0, 0, 1, 2, 3}, false}, {[]byte{9, 0, 0, 0, 255, 255, 255, 120, 1, 3, 0, 0, 0, 0, 1}, false}},
		"FuzzFramesRoundTrip": {{bytes.Repeat([]byte("ab"), 60), []byte("tail"), true}, {[]byte{}, bytes.Repeat([]byte{0}, 5000), false}},
	}
}

// TestSeedsAreCommitted compares testdata/fuzz with seeds; -update-seeds writes it.
func TestSeedsAreCommitted(t *testing.T) {
	for test, inputs := range seeds(t) {
		for i, args := range inputs {
			body := "go test fuzz v1\n"
			for _, a := range args {
				switch v := a.(type) {
				case []byte:
					body += fmt.Sprintf("[]byte(%q)\n", v)
				case uint8:
					body += fmt.Sprintf("byte(%q)\n", rune(v))
				default:
					body += fmt.Sprintf("%T(%v)\n", v, v)
				}
			}
			path := filepath.Join("testdata", "fuzz", test, fmt.Sprintf("seed%d", i))
			if *updateSeeds {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			// Compressed bytes can differ between versions of the library; any well-formed seed will do there.
			got, err := os.ReadFile(path)
			if err != nil || string(got) != body && test != "FuzzFrames" {
				t.Errorf("%s differs: %v; run with -update-seeds", path, err)
			}
		}
	}
}
