package platform

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Draft is what a first bascule.yaml is made of.
type Draft struct {
	Name         string
	Environments []string // in the order in which they move
	Databases    []string // of each environment
	// Configs are files of databases of the first environment that are there already, relative to bascule.yaml, by the database's name.
	Configs map[string]string
}

// Text returns a commented bascule.yaml that Parse takes. Its errors are Parse's.
func (d *Draft) Text() ([]byte, error) {
	w := &strings.Builder{}
	fmt.Fprintf(w, draftHead, scalar(d.Name))
	for i, e := range d.Environments {
		fmt.Fprintf(w, "\n  - name: %s\n", scalar(e))
		if strings.HasPrefix(e, "prod") {
			w.WriteString("    production: true               # it is moved only after a rehearsal, and one such environment at a time\n")
		}
		if i == 0 {
			w.WriteString(draftTimes)
		}
		d.databases(w, i, e)
		if i == 0 {
			w.WriteString(draftRest)
		}
	}
	w.WriteString(draftFoot)
	text := []byte(w.String())
	_, err := Parse(text)
	return text, err
}

func (d *Draft) databases(w *strings.Builder, i int, environment string) {
	if len(d.Databases) == 0 {
		fmt.Fprintf(w, "    # databases:\n    #   - {name: orders, config: %s/orders.yaml}\n", environment)
		return
	}
	if i == 0 {
		w.WriteString("    # Each as bascule db reads it with --config. Those of a group switch together: group: shop. A rehearsal is on scratch copies: rehearsal: FILE.\n")
	}
	w.WriteString("    databases:\n")
	for _, db := range d.Databases {
		fmt.Fprintf(w, "      - {name: %s, config: %s}\n", scalar(db), scalar(d.file(i, environment, db)))
	}
}

// Files lists the files that a draft names and that are not known to be there.
func (d *Draft) Files() (names []string) {
	for i, e := range d.Environments {
		for _, db := range d.Databases {
			if _, there := d.Configs[db]; !there || i > 0 {
				names = append(names, d.file(i, e, db))
			}
		}
	}
	return names
}

func (d *Draft) file(i int, environment, db string) string {
	if name, ok := d.Configs[db]; ok && i == 0 {
		return name
	}
	return path.Join(environment, db+".yaml")
}

// NameOf makes of any name one that can stand in bascule.yaml, and that none of the others is.
func NameOf(text string, others []string) string {
	n := strings.Trim(regexp.MustCompile(`[^a-z0-9._-]+`).ReplaceAllString(strings.ToLower(text), "-"), "._-")
	if n == "" {
		n = "database"
	}
	for i, base := 2, n; slices.Contains(others, n); i++ {
		n = fmt.Sprintf("%s-%d", base, i)
	}
	return n
}

// word is what YAML takes for nothing but a text, when it is none of reserved; a path is words with slashes and dots between them.
var (
	word     = regexp.MustCompile(`^[a-z][a-z0-9_-]*([/.][a-z][a-z0-9_-]*)*$`)
	reserved = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
)

// scalar writes a text, in the quotes of JSON, which YAML reads too, where it needs some.
func scalar(text string) string {
	if word.MatchString(text) && !slices.Contains(reserved, text) {
		return text
	}
	out, err := json.Marshal(text)
	if err != nil {
		return `""` // a text is always JSON
	}
	return string(out)
}

const draftHead = `# yaml-language-server: $schema=https://raw.githubusercontent.com/bascule/bascule/main/docs/bascule.schema.json
#
# What is moved, environment by environment. Every key is explained in docs/bascule.yaml.md; bascule config check says what is wrong.
# Nothing in this file is a secret: where one is needed, name it as env:NAME, file:PATH or exec:COMMAND.
platform: %s

# Who has a say in rounds. Without it nobody's name is checked.
# people:
#   - {name: ann, roles: [operate, approve]}
#   - {name: bob, roles: [approve]}

# Where rounds are written down. A file on this machine is enough for one; a team, and a round that another machine can take over, need PostgreSQL.
# journal: env:ROUNDS_DATABASE         # without it: .bascule/rounds.db

# Where people are told.
# notify:
#   slack: [env:SLACK_WEBHOOK]

# In the order in which they move.
environments:`

const draftTimes = `    # zone: Europe/Paris               # in which its people read times; UTC without it
    # window: {from: 2026-12-01 02:00, to: 2026-12-01 06:00}
    # blackout: ["2026-11-27"]         # days on which no round may run
    # max-lag: 30s                     # what is further behind is a breach
`

const draftRest = `    # hosts:
    #   - {name: api.shop.example}
    #   - {name: static.shop.example, ramp: true}   # it only reads, so its traffic may move by shares
    # What bascule kube reads: where its manifests are, what people decided about them, and where the tree for the new side is written. With the new side's
    # cluster (a context of kubectl), rounds bring them over by that tree.
    # workloads:
    #   - {name: shop, from: [manifests/preprod], config: preprod/kube.yaml, out: gitops, cluster: gke-preprod}
    # What a person does, a command can do, by the step's name.
    # hooks:
    #   quiesce: {do: ./quiesce on, check: ./quiesce is-on, undo: ./quiesce off, rehearse: ./quiesce --scratch on}
    # What is looked at while the round runs.
    # watch:
    #   - {name: errors, check: ./errors-below 1, every: 10s, from: traffic, until: soak}
    # cost: 12000                      # a month
`

const draftFoot = `
# Without steps a round is the built-in one: bascule config check shows what it asks of people. docs/bascule.yaml.md shows how to write your own.
`
