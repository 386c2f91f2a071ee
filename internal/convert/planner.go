package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// New plans the move of a database. It is a pure function of its input. An
// error means that the options contradict each other or name nothing; what
// the data or the schema cannot do is told by findings.
func New(in Input) (*Plan, error) {
	if in.Source == nil {
		return nil, errors.New("plan a database: the input holds no source schema")
	}
	if err := in.Options.validate(in.Source); err != nil {
		return nil, err
	}
	p := newPlanner(in)
	if err := p.nameTypes(); err != nil {
		return nil, err
	}
	p.tableNames()
	if err := p.tables(); err != nil {
		return nil, err
	}
	p.primaryKeys()
	p.indexes()
	p.foreignKeys()
	p.objects()
	return &Plan{Source: p.source, Target: p.target, Tables: p.planned, Findings: p.findings}, nil
}

// planner is the state of one planning. Steps run in a fixed order, because
// names are handed out first come, first served.
type planner struct {
	source    *schema.Database
	target    *schema.Database
	opt       Options
	able      change.Capabilities
	evidence  evidence
	tied      *components
	names     namespace // tables, indexes, sequences and types share one per schema
	tableName map[schema.Name]schema.Name
	asked     map[ref]asked
	planned   []*Table
	findings  []finding.Finding
}

func newPlanner(in Input) *planner {
	opt := in.Options.withDefaults()
	return &planner{
		source: in.Source,
		target: &schema.Database{
			Name: opt.Schema, Dialect: schema.PostgreSQL,
			Version: fmt.Sprintf("%d.%d", in.Target.Version/10000, in.Target.Version%10000),
		},
		opt: opt, able: in.Target, evidence: newEvidence(in.Answers), tied: newComponents(in.Source),
		names: namespace{}, asked: map[ref]asked{},
	}
}

// tables plans all tables and their columns, without what ties them together.
func (p *planner) tables() error {
	for _, src := range p.source.Tables {
		t := &tablePlan{planner: p, source: src, column: p.columnNames(src), names: namespace{}}
		t.target = &schema.Table{
			Name: p.tableName[src.Name], Comment: src.Comment, NextIdentity: src.NextIdentity, Rows: src.Rows, Bytes: src.Bytes,
		}
		t.plan = &Table{Target: t.target, Select: change.Select{Table: src}}
		if err := t.columns(); err != nil {
			return err
		}
		t.checks()
		t.collations()
		t.partition()
		t.chunkKey()
		p.planned = append(p.planned, t.plan)
		p.target.Tables = append(p.target.Tables, t.target)
	}
	p.dateTimeZone()
	return nil
}

// dateTimeZone asks, once a database, what only the application knows.
func (p *planner) dateTimeZone() {
	var columns []string
	for _, t := range p.source.Tables {
		for _, c := range t.Columns {
			if _, ok := c.Type.(schema.DateTime); ok {
				columns = append(columns, ref{t.Name, c.Name}.String())
			}
		}
	}
	if len(columns) == 0 {
		return
	}
	p.find(finding.Finding{
		Code: CodeDateTimeZone, Kind: finding.Question, Severity: finding.Info,
		What: "DATETIME has no zone and becomes timestamp without time zone, digit for digit; only the application knows which zone it writes.",
		Do: "Ask the application's owners. When the values are UTC and must become instants, name the type: timestamptz for these columns. " +
			"Defaults of CURRENT_TIMESTAMP follow the session's TimeZone: set it to what the source uses.",
		Evidence: columns, Count: int64(len(columns)), Owner: "application",
	})
}

// find adds a finding.
func (p *planner) find(f finding.Finding) { p.findings = append(p.findings, f) }

// renamed tells that a name could not be kept.
func (p *planner) renamed(code finding.Code, object string, want, got schema.Name) {
	why := fmt.Sprintf("%q is taken by another name of the schema", want)
	switch {
	case len(want) > maxName:
		why = fmt.Sprintf("%q has %d bytes and PostgreSQL keeps %d", want, len(want), maxName)
	case isSystemColumn(want):
		why = fmt.Sprintf("every PostgreSQL table has a system column %q", want)
	}
	p.find(finding.Finding{
		Code: code, Kind: finding.Problem, Severity: finding.Warning, Object: object,
		What: fmt.Sprintf("It is called %q on the target, because %s.", got, why),
		Do:   fmt.Sprintf("Use %q in the application's SQL, or rename it on the source before the move.", got), Owner: "application",
	})
}

// tablePlan is the state of planning one table.
type tablePlan struct {
	*planner
	source *schema.Table
	target *schema.Table
	plan   *Table
	column map[schema.Name]schema.Name // source name → target name
	names  namespace                   // of constraints, which share one per table
}

// inPrimaryKey reports whether the primary key holds the column.
func (t *tablePlan) inPrimaryKey(c schema.Name) bool {
	return t.source.PrimaryKey != nil && slices.ContainsFunc(t.source.PrimaryKey.Parts, func(p schema.IndexPart) bool { return p.Column == c })
}

// planOf returns the plan of a source table.
func (p *planner) planOf(name schema.Name) *Table {
	for _, t := range p.planned {
		if t.Select.Table.Name == name {
			return t
		}
	}
	return nil
}

// columnOf returns what becomes of a source column, or nil.
func (t *Table) columnOf(name schema.Name) *Column {
	for i := range t.Columns {
		if t.Columns[i].Source.Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// partition tells that a partitioned table becomes one table.
func (t *tablePlan) partition() {
	part := t.source.Partition
	if part == nil {
		return
	}
	t.find(finding.Finding{
		Code: CodePartitioned, Kind: finding.Problem, Severity: finding.Warning, Object: string(t.source.Name),
		What: fmt.Sprintf("It is partitioned BY %s (%s) into %d partitions and becomes one table that holds all of them.",
			part.Method, part.Expr, len(part.Partitions)),
		Do:       "Check that queries need no pruning and that retention by DROP PARTITION is replaced by DELETE, or partition the target by hand.",
		Evidence: []string{"partitions: " + strings.Join(part.Partitions, ", ")}, Count: int64(len(part.Partitions)), Owner: "dba",
	})
}
