package migration

import (
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/schema"
)

// retasks says what becomes of the ledger's statements, so that an index which still has to be built is built over what
// the table is now, and one that is built is not built again.
func (m *Migration) retasks(a *altering) []change.Retask {
	renamed := map[schema.Name]schema.Name{}
	for _, t := range a.differ.Tables {
		renamed[t.From] = t.To
	}
	later := map[taskKey][]change.Statement{}
	for _, s := range m.everything(a.after) {
		k := keyOf(s, nil)
		later[k] = append(later[k], s)
	}
	var out []change.Retask
	for _, s := range m.everything(a.before) {
		if s.Stage == change.StageSchema {
			continue
		}
		k := keyOf(s, a.differ.Kept)
		if to, ok := renamed[s.Table]; ok {
			k.table = to
		}
		from := s
		t := change.Retask{From: &from}
		if n := later[k]; len(n) > 0 {
			t.To, later[k] = &n[0], n[1:]
		}
		if t.To == nil || t.To.SQL != s.SQL || t.To.What != s.What {
			out = append(out, t)
		}
	}
	return append(out, m.made(a)...)
}

// everything is what a copy runs for a plan, and what stands in for what waits.
func (m *Migration) everything(p *convert.Plan) []change.Statement {
	early, _, _ := p.Late()
	all, now := m.Target.Render(p.Target), m.Target.Render(early)
	return append(all, without(now, all)...)
}

// taskKey tells a table's statements apart by what they are for.
type taskKey struct {
	stage change.Stage
	table schema.Name
	what  string
}

func keyOf(s change.Statement, kept map[schema.Name]schema.Name) taskKey {
	k := taskKey{s.Stage, s.Table, s.What}
	switch {
	case s.Stage == change.StageFinish:
		k.what = "finish"
	case strings.HasPrefix(s.What, "identity "):
		k.what = "identity"
	case kept != nil && strings.HasPrefix(s.What, "index "):
		to, ok := kept[schema.Name(strings.TrimPrefix(s.What, "index "))]
		if !ok {
			to = "\x00" // of no index
		}
		k.what = "index " + string(to)
	}
	return k
}

// made are the statements that the alteration carries out itself.
func (m *Migration) made(a *altering) (out []change.Retask) {
	early, _, _ := a.after.Late()
	fresh := map[schema.Name]bool{}
	index := map[string]bool{}
	for _, e := range a.differ.Edits {
		switch {
		case e.Kind == change.EditCreateTable:
			fresh[e.Table] = true
		case e.Kind == change.EditCreateIndex && e.Primary:
			index[string(e.Table)+" primary key"] = true
			index[string(e.Table)+" primary key index"] = true
		case e.Kind == change.EditCreateIndex:
			index[string(e.Table)+" index "+string(e.Index.Name)] = true
		}
	}
	for _, s := range m.Target.Render(early) {
		if s.Stage != change.StageSchema && (fresh[s.Table] || index[string(s.Table)+" "+s.What]) {
			own := s
			out = append(out, change.Retask{To: &own})
		}
	}
	return out
}
