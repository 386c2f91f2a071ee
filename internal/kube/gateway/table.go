package gateway

import (
	_ "embed" // annotations.yaml
	"fmt"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed annotations.yaml
var tableText []byte

// The prefixes of keys that the controller reads.
const (
	ingressPrefix   = "alb.ingress.kubernetes.io/"
	servicePrefix   = "service.beta.kubernetes.io/"
	servicePrefixV1 = "service.kubernetes.io/"
	balancerPrefix  = "aws-load-balancer-"
)

// Table is what is known about the controller's annotations, as data: annotations.yaml.
type Table struct {
	// Source and Date say where the list of keys was read, and when.
	Source string `yaml:"source"`
	Date   string `yaml:"date"`
	// Rows are the lines of the mapping tables.
	Rows []Row `yaml:"rows"`
	// Ingress, Dynamic and Service are the entries by suffix: of alb.ingress.kubernetes.io/, of its keys that end in the
	// name of a backend, and of service.beta.kubernetes.io/.
	Ingress []Entry `yaml:"ingress"`
	Dynamic []Entry `yaml:"dynamic"`
	Service []Entry `yaml:"service"`

	bySuffix map[string]Entry
}

// Row is one line of a mapping table.
type Row struct {
	ID     string `yaml:"id"`
	Source string `yaml:"source"`
	Target string `yaml:"target"`
}

// Entry is what becomes of one annotation: a row that implements it, or the reason why there is nothing to do.
type Entry struct {
	Suffix  string  `yaml:"suffix"`
	Row     string  `yaml:"row"`
	Verdict Verdict `yaml:"verdict"`
	Code    string  `yaml:"code"`
	What    string  `yaml:"what"`
	Do      string  `yaml:"do"`
	// Reason is set instead of a row where an annotation concerns nothing that is translated.
	Reason string `yaml:"reason"`
}

// embedded is the table of this program; it is data of the program itself, so that a mistake in it is a defect.
var embedded = sync.OnceValue(func() *Table {
	t, err := ReadTable(tableText)
	if err != nil {
		panic(err)
	}
	return t
})

// ReadTable reads a table. An entry needs a row that exists, or a reason, and stands once.
func ReadTable(text []byte) (*Table, error) {
	t := &Table{bySuffix: map[string]Entry{}}
	if err := yaml.UnmarshalWithOptions(text, t, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("annotations.yaml: %w", err)
	}
	rows := map[string]bool{}
	for _, r := range t.Rows {
		rows[r.ID] = true
	}
	for prefix, entries := range map[string][]Entry{ingressPrefix: t.Ingress, servicePrefix: t.Service, ingressPrefix + "*": t.Dynamic} {
		for _, e := range entries {
			switch _, twice := t.bySuffix[prefix+e.Suffix]; {
			case twice:
				return nil, fmt.Errorf("annotations.yaml: %s stands twice", e.Suffix)
			case e.Reason == "" && !rows[e.Row]:
				return nil, fmt.Errorf("annotations.yaml: %s has neither a reason nor a row that exists: %q", e.Suffix, e.Row)
			case e.Reason == "" && (e.Verdict == "" || e.Code == "" || e.What == ""):
				return nil, fmt.Errorf("annotations.yaml: %s lacks its verdict, its code or what it says", e.Suffix)
			}
			if e.Reason != "" {
				e.Row, e.Verdict, e.Code, e.What = "not-applicable", Same, "annotation-not-applicable", e.Reason
			}
			t.bySuffix[prefix+e.Suffix] = e
		}
	}
	return t, nil
}

// lookup finds the entry of a whole key.
func (t *Table) lookup(key string) (Entry, bool) {
	if rest, ok := strings.CutPrefix(key, servicePrefixV1); ok {
		key = servicePrefix + rest
	}
	if e, ok := t.bySuffix[key]; ok {
		return e, true
	}
	kind, name, dotted := strings.Cut(strings.TrimPrefix(key, ingressPrefix), ".")
	if !dotted || name == "" {
		return Entry{}, false
	}
	if strings.HasPrefix(key, ingressPrefix) {
		e, ok := t.bySuffix[ingressPrefix+"*"+kind]
		return e, ok
	}
	// A listener's attributes are keyed by its protocol and port: …-listener-attributes.TCP-80.
	at := strings.LastIndex(key, ".")
	e, ok := t.bySuffix[key[:at]]
	return e, ok && strings.HasSuffix(key[:at], "-listener-attributes")
}
