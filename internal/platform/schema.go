package platform

import (
	"bufio"
	"bytes"
	_ "embed" // the types' own comments
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/bascule/bascule/internal/round"
)

//go:embed platform.go
var platformSource []byte

//go:embed workload.go
var workloadSource []byte

//go:embed around.go
var aroundSource []byte

//go:embed crossplane.go
var crossplaneSource []byte

// Schema returns the JSON Schema (draft 2020-12) of bascule.yaml, indented, ending in a newline. What it refuses Parse refuses too; Parse sees more.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", Anonymous: true, ExpandedStruct: true, CommentMap: comments(), Mapper: mapped,
	}
	s := r.Reflect(&Platform{})
	s.Title = "bascule.yaml"
	for _, l := range limited {
		of := s
		if l.of != "Platform" {
			of = s.Definitions[l.of]
		}
		property, ok := of.Properties.Get(l.key)
		if !ok {
			return nil, fmt.Errorf("type %s has no key %s", l.of, l.key)
		}
		l.set(property)
	}
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

// mapped are the types that are not written as Go holds them.
func mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: duration.String(), Examples: []any{"90s", "10m", "1h30m"}}
	case reflect.TypeFor[Role]():
		return &jsonschema.Schema{Type: "string", Enum: []any{RoleView, RoleOperate, RoleApprove}}
	default:
		return nil
	}
}

// limited are the values that not every value of their type is.
var limited = []struct {
	of, key string
	set     func(*jsonschema.Schema)
}{
	{"Platform", "platform", notEmpty},
	{"Platform", "environments", func(s *jsonschema.Schema) { s.MinItems = new(uint64(1)) }},
	{"Platform", "limits", func(s *jsonschema.Schema) { least(1)(s.AdditionalProperties) }},
	{"Platform", "rehearsal-days", between(1, 3650)},
	{"Person", "name", matches(namePattern)},
	{"Environment", "name", matches(namePattern)},
	{"Environment", "blackout", func(s *jsonschema.Schema) { matches(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)(s.Items) }},
	{"Environment", "cost", least(0)},
	{"Window", "from", matches(minutePattern)},
	{"Window", "to", matches(minutePattern)},
	{"Database", "name", matches(namePattern)},
	{"Database", "config", notEmpty},
	{"Host", "name", matches(namePattern)},
	{"Place", "name", matches(namePattern)},
	{"Workload", "name", matches(namePattern)},
	{"Workload", "exists", func(s *jsonschema.Schema) { matches(objectPattern)(s.Items) }},
	{"Hook", "do", notEmpty},
	{"Watch", "name", matches(namePattern)},
	{"Watch", "check", notEmpty},
	{"Mail", "host", notEmpty},
	{"Mail", "port", between(0, 65535)},
	{"Mail", "tls", oneOf(mailTLS)},
	{"Mail", "to", func(s *jsonschema.Schema) { s.MinItems = new(uint64(1)) }},
	{"Lesson", "finding", notEmpty},
	{"Crossplane", "group", matches(groupPattern)},
	{"Cluster", "channel", oneOf([]string{"RAPID", "REGULAR", "STABLE", "EXTENDED"})},
	{"Cluster", "pools", func(s *jsonschema.Schema) { s.MinItems = new(uint64(1)) }},
	{"Pool", "name", matches(labelPattern)},
	{"Pool", "machine", notEmpty},
	{"Pool", "min", least(0)},
	{"Pool", "max", least(1)},
	{"Step", "step", matches(namePattern)},
	{"Step", "kind", oneOf(round.Kinds)},
	{"Step", "each", oneOf([]string{eachDatabase})},
	{"Step", "where", oneOf([]string{whereWorkloads, whereNone})},
	{"Step", "criteria", oneOf([]string{round.CriteriaDatabases})},
	{"Step", "weights", func(s *jsonschema.Schema) { between(1, 100)(s.Items) }},
}

// minutePattern is how times of a window are written; see local.
const minutePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}$`

func notEmpty(s *jsonschema.Schema) { s.MinLength = new(uint64(1)) }

func matches(pattern string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Pattern = pattern }
}

func least(n int) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Minimum = json.Number(fmt.Sprint(n)) }
}

func between(low, high int) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		least(low)(s)
		s.Maximum = json.Number(fmt.Sprint(high))
	}
}

func oneOf[T ~string](values []T) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		for _, v := range values {
			s.Enum = append(s.Enum, v)
		}
	}
}

var (
	typeLine  = regexp.MustCompile(`^type (\w+) struct {$`)
	fieldLine = regexp.MustCompile("^\t(\\w+) +\\S+ +`yaml:\"([a-z-]+)")
)

// comments reads what the types' comments say, from their source, so that it stands in one place. Its keys are the library's.
func comments() map[string]string {
	pkg := reflect.TypeFor[Platform]().PkgPath()
	out := map[string]string{}
	of, said := "", ""
	lines := bufio.NewScanner(bytes.NewReader(bytes.Join([][]byte{platformSource, workloadSource, aroundSource, crossplaneSource}, nil)))
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "// "); ok {
			said = strings.TrimSpace(said + " " + text)
			continue
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			of = pkg + "." + m[1]
			out[of] = said
		}
		if m := fieldLine.FindStringSubmatch(line); m != nil {
			if rest, ok := strings.CutPrefix(said, m[1]+" "); ok {
				said = m[2] + " " + rest // people know the key
			}
			out[of+"."+m[1]] = said
		}
		said = ""
	}
	return out
}
