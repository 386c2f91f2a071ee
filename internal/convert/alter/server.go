package alter

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// server is what a statement's meaning depends on beside its words.
type server struct {
	mariaDB      bool
	major, minor int
	database     *schema.Database
}

func newServer(db *schema.Database) server {
	s := server{mariaDB: db.Dialect == schema.MariaDB, database: db}
	_, _ = fmt.Sscanf(db.Version, "%d.%d", &s.major, &s.minor) // an unknown version is an old one
	return s
}

func (s *server) atLeast(major, minor int) bool {
	return s.major > major || s.major == major && s.minor >= minor
}

// explicitTimestamps reports whether TIMESTAMP columns are like all others unless somebody switched that off:
// explicit_defaults_for_timestamp is ON since MySQL 8.0 and MariaDB 10.10.
func (s *server) explicitTimestamps() bool {
	if s.mariaDB {
		return s.atLeast(10, 10)
	}
	return s.major >= 8
}

// defaultCollations are those that servers give to a character set without COLLATE.
var defaultCollations = map[string]string{
	"armscii8": "armscii8_general_ci", "ascii": "ascii_general_ci", "big5": "big5_chinese_ci", "binary": "binary",
	"cp1250": "cp1250_general_ci", "cp1251": "cp1251_general_ci", "cp1256": "cp1256_general_ci", "cp1257": "cp1257_general_ci",
	"cp850": "cp850_general_ci", "cp852": "cp852_general_ci", "cp866": "cp866_general_ci", "cp932": "cp932_japanese_ci",
	"dec8": "dec8_swedish_ci", "eucjpms": "eucjpms_japanese_ci", "euckr": "euckr_korean_ci", "gb18030": "gb18030_chinese_ci",
	"gb2312": "gb2312_chinese_ci", "gbk": "gbk_chinese_ci", "geostd8": "geostd8_general_ci", "greek": "greek_general_ci",
	"hebrew": "hebrew_general_ci", "hp8": "hp8_english_ci", "keybcs2": "keybcs2_general_ci", "koi8r": "koi8r_general_ci",
	"koi8u": "koi8u_general_ci", "latin1": "latin1_swedish_ci", "latin2": "latin2_general_ci", "latin5": "latin5_turkish_ci",
	"latin7": "latin7_general_ci", "macce": "macce_general_ci", "macroman": "macroman_general_ci", "sjis": "sjis_japanese_ci",
	"swe7": "swe7_swedish_ci", "tis620": "tis620_thai_ci", "ucs2": "ucs2_general_ci", "ujis": "ujis_japanese_ci",
	"utf16": "utf16_general_ci", "utf16le": "utf16le_general_ci", "utf32": "utf32_general_ci", "utf8": "utf8_general_ci", "utf8mb3": "utf8mb3_general_ci",
	"utf8mb4": "utf8mb4_general_ci",
}

// unicode are the character sets that hold every character.
var unicode = map[string]bool{"utf8mb4": true, "utf16": true, "utf16le": true, "utf32": true}

// charsetName is a character set as the catalog names it: what utf8 stands for depends on the version.
func (s *server) charsetName(name string) string {
	name = strings.ToLower(name)
	threeBytes := s.mariaDB && s.atLeast(10, 6) || !s.mariaDB && s.major >= 8
	if name == "utf8" && threeBytes {
		return "utf8mb3"
	}
	if name == "utf8mb3" && !threeBytes {
		return "utf8"
	}
	return name
}

// collation returns the collation that a character set has by itself.
func (s *server) collation(charset string) (string, error) {
	c, ok := defaultCollations[charset]
	switch {
	case !ok:
		return "", unsupported("CHARACTER SET "+charset, "it is not known")
	case charset == "utf8mb4" && !s.mariaDB && s.major >= 8:
		return "utf8mb4_0900_ai_ci", nil
	case s.mariaDB && s.atLeast(11, 5) && (unicode[charset] && charset != "utf16le" || charset == "utf8mb3" || charset == "ucs2"):
		return charset + "_uca1400_ai_ci", nil
	}
	return c, nil
}

// charsetOf returns the character set of a collation.
func (s *server) charsetOf(collation string) string {
	charset, _, _ := strings.Cut(collation, "_")
	return s.charsetName(charset)
}

// words is a character set and its collation; MariaDB leaves the set out of names such as uca1400_ai_ci.
type words struct{ charset, collation string }

// resolve fills in what a clause left open: COLLATE names the set, CHARACTER SET its own collation, neither is by.
func (s *server) resolve(charset, collation string, by words) (words, error) {
	charset, collation = s.charsetName(charset), strings.ToLower(collation)
	switch {
	case charset == "" && collation == "":
		return by, nil
	case collation == "":
		c, err := s.collation(charset)
		return words{charset, c}, err
	}
	of, _, _ := strings.Cut(collation, "_")
	if collation == "default" || of == "uca1400" {
		return words{}, unsupported("COLLATE "+collation, "its character set is not in its name")
	}
	if of == "utf8" { // the old name of utf8mb3_...
		collation = s.charsetName("utf8") + strings.TrimPrefix(collation, "utf8")
	}
	return words{s.charsetOf(collation), collation}, nil
}

// widths are the most bytes of a character.
var widths = map[string]int64{
	"utf8mb4": 4, "utf16": 4, "utf16le": 4, "utf32": 4, "gb18030": 4, "utf8mb3": 3, "utf8": 3, "ujis": 3, "eucjpms": 3,
	"big5": 2, "cp932": 2, "euckr": 2, "gb2312": 2, "gbk": 2, "sjis": 2, "ucs2": 2,
}

func width(charset string) int64 { return max(1, widths[charset]) }
