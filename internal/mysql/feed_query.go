package mysql

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/mysql/binlog"
)

// A verb is what a logged statement does to a transaction or to tables.
type verb uint8

const (
	verbBegin verb = iota + 1
	verbCommit
	verbRollback
	verbSavepoint
	verbRollbackTo
	verbXAStart
	verbXAEnd
	verbXACommit
	verbXARollback
	verbHarmless // changes no table
	verbDDL      // may change a table
	verbWrite    // changes rows, or nobody knows
)

// A statement is what the words of a logged statement say.
type statement struct {
	verb  verb
	name  string // of a savepoint
	xa    binlog.XAID
	words []word
}

// A word is an identifier or a keyword of SQL, or one of its signs.
type word struct {
	text string // without quotes
	// name says that it was quoted as an identifier, or as a string in double quotes, which ANSI_QUOTES makes one.
	name bool
}

func (w word) is(keyword string) bool { return !w.name && strings.EqualFold(w.text, keyword) }

// sqlWords splits SQL. Strings in single quotes and comments are left out, what stands in comments that servers execute is not.
func sqlWords(sql string) []word {
	var out []word
	executed := 0
	for i := 0; i < len(sql); {
		switch c := sql[i]; {
		case strings.HasPrefix(sql[i:], "/*!") || strings.HasPrefix(sql[i:], "/*M!"):
			i += strings.IndexByte(sql[i:], '!') + 1
			for i < len(sql) && sql[i] >= '0' && sql[i] <= '9' {
				i++
			}
			executed++
		case executed > 0 && strings.HasPrefix(sql[i:], "*/"):
			executed--
			i += 2
		case strings.HasPrefix(sql[i:], "/*"):
			i = after(sql, i+2, "*/")
		case c == '#' || strings.HasPrefix(sql[i:], "-- "):
			i = after(sql, i, "\n")
		case c == '\'':
			_, i = quoted(sql, i)
		case c == '`' || c == '"':
			var text string
			text, i = quoted(sql, i)
			out = append(out, word{text, true})
		case isWordByte(c):
			j := i
			for j < len(sql) && isWordByte(sql[j]) {
				j++
			}
			out = append(out, word{text: sql[i:j]})
			i = j
		case c > ' ':
			out = append(out, word{text: sql[i : i+1]})
			i++
		default:
			i++
		}
	}
	return out
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// after returns where what follows the next mark begins.
func after(sql string, from int, mark string) int {
	if from > len(sql) {
		return len(sql)
	}
	if n := strings.Index(sql[from:], mark); n >= 0 {
		return from + n + len(mark)
	}
	return len(sql)
}

// quoted reads what stands in the quotes that begin at i, and returns where it ends. A doubled quote is one; backslashes escape
// in strings and not in backquotes.
func quoted(sql string, i int) (string, int) {
	q := sql[i]
	var b strings.Builder
	for i++; i < len(sql); i++ {
		switch {
		case sql[i] == '\\' && q != '`' && i+1 < len(sql):
			i++
		case sql[i] == q && i+1 < len(sql) && sql[i+1] == q:
			i++
		case sql[i] == q:
			return b.String(), i + 1
		}
		b.WriteByte(sql[i])
	}
	return b.String(), i
}

// classify tells what a logged statement does.
func classify(sql string) statement {
	s := statement{words: sqlWords(sql)}
	first, second, third := s.at(0), s.at(1), s.at(2)
	switch {
	case first.is("BEGIN"), first.is("START") && second.is("TRANSACTION"):
		s.verb = verbBegin
	case first.is("COMMIT"):
		s.verb = verbCommit
	case first.is("ROLLBACK") && second.is("TO"):
		s.verb, s.name = verbRollbackTo, third.text
		if third.is("SAVEPOINT") && s.at(3).text != "" {
			s.name = s.at(3).text
		}
	case first.is("ROLLBACK"):
		s.verb = verbRollback
	case first.is("SAVEPOINT"):
		s.verb, s.name = verbSavepoint, second.text
	case first.is("RELEASE") && second.is("SAVEPOINT"):
		s.verb = verbHarmless
	case first.is("XA"):
		s.classifyXA(sql, second)
	case first.is("CREATE"), first.is("ALTER"), first.is("DROP"):
		s.verb = s.classifyDDL()
	case first.is("RENAME"):
		s.verb = verbDDL
		if second.is("USER") {
			s.verb = verbHarmless
		}
	case first.is("TRUNCATE"), first.is("IMPORT"):
		s.verb = verbDDL
	default:
		s.verb = verbWrite
		for _, w := range harmless {
			if first.is(w) {
				s.verb = verbHarmless
			}
		}
	}
	return s
}

// harmless are the first words of statements that change no rows and no definition of a table.
var harmless = []string{
	"SET", "FLUSH", "GRANT", "REVOKE", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK", "CHECKSUM", "INSTALL", "UNINSTALL", "RESET", "USE", "CACHE", "PURGE", "KILL",
	"LOCK", "UNLOCK", "CHANGE", "STOP", "SHUTDOWN", "RESTART", "CLONE",
}

func (s *statement) at(i int) word {
	if i < len(s.words) {
		return s.words[i]
	}
	return word{}
}

// objects are what CREATE, ALTER and DROP make or change; those that are true hold rows that a feed follows. A view
// has no rows, and what a trigger, a routine or an event does is logged as rows when it does it.
var objects = map[string]bool{
	"TABLE": true, "TABLES": true, "INDEX": true, "DATABASE": true, "SCHEMA": true,
	"VIEW": false, "TRIGGER": false, "PROCEDURE": false, "FUNCTION": false, "EVENT": false, "USER": false, "ROLE": false, "SERVER": false,
	"TABLESPACE": false, "LOGFILE": false, "UNDO": false, "RESOURCE": false, "REFERENCE": false, "INSTANCE": false, "PACKAGE": false,
	"LIBRARY": false, "SEQUENCE": false, "SONAME": false,
}

// classifyDDL finds the kind of object; whatever it does not know may be a table.
func (s *statement) classifyDDL() verb {
	temporary := false
	for i, w := range s.words[1:] {
		if w.name {
			continue
		}
		temporary = temporary || w.is("TEMPORARY")
		kind := strings.ToUpper(w.text)
		holds, known := objects[kind]
		switch {
		case !known:
			continue
		case kind == "UNDO" && !s.at(i+2).is("TABLESPACE"), kind == "ROLE" && s.at(i).is("DEFAULT"):
			continue
		case holds && !temporary:
			return verbDDL
		}
		return verbHarmless
	}
	return verbDDL
}

var xaParts = regexp.MustCompile(`(?is)^\s*XA\s+\w+\s+(?:X'([0-9a-f]*)'|'([^']*)')(?:\s*,\s*(?:X'([0-9a-f]*)'|'([^']*)')(?:\s*,\s*(\d+))?)?`)

// classifyXA reads XA START X'67747269',X'62',1 as servers log it.
func (s *statement) classifyXA(sql string, second word) {
	switch strings.ToUpper(second.text) {
	case "START", "BEGIN":
		s.verb = verbXAStart
	case "END", "PREPARE":
		s.verb = verbXAEnd
	case "COMMIT":
		s.verb = verbXACommit
	case "ROLLBACK":
		s.verb = verbXARollback
	}
	m := xaParts.FindStringSubmatch(sql)
	if m == nil {
		s.verb = 0
		return
	}
	text := func(hexed, plain string) string {
		if hexed == "" {
			return plain
		}
		b, err := hex.DecodeString(hexed)
		if err != nil {
			s.verb = 0
		}
		return string(b)
	}
	s.xa = binlog.XAID{Format: 1, Global: text(m[1], m[2]), Branch: text(m[3], m[4])}
	if m[5] != "" {
		n, err := strconv.ParseUint(m[5], 10, 32)
		if err != nil {
			s.verb = 0
		}
		s.xa.Format = int32(n)
	}
}
