package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Open returns the record of the migration into that schema, or nil when there
// is none.
func (e *End) Open(ctx context.Context, name schema.Name) (*change.Record, error) {
	v, err := e.ledgerAt(ctx, e.control)
	if err != nil || v == 0 {
		return nil, err
	}
	return e.record(ctx, e.control, name)
}

func (e *End) record(ctx context.Context, q querier, name schema.Name) (*change.Record, error) {
	var r change.Record
	err := q.QueryRow(ctx, `SELECT id, schema, source, source_id, plan, position, created
		FROM bascule.migration WHERE schema = $1`, name).
		Scan(&r.ID, &r.Schema, &r.Source, &r.SourceID, &r.Plan, &r.Position, &r.Created)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, e.fail(fmt.Sprintf("read the ledger of %q", name), err)
	}
	return &r, nil
}

// Create writes the record and all that belongs to it in one transaction that is
// durable when Create returns. Tables are copied in the order in which tasks
// first name them: give the biggest first. When another process was faster,
// its record is returned and nothing changes. Relations of the plan's names
// that are already there are a fault.Refused that lists them.
func (e *End) Create(ctx context.Context, r change.Record, stmts []change.Statement, tasks []change.Task) (*change.Record, error) {
	op := fmt.Sprintf("create the migration into schema %q", r.Schema)
	var made *change.Record
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
			return err
		}
		if err := e.prepareLedger(ctx, tx); err != nil {
			return err
		}
		other, err := e.record(ctx, tx, r.Schema)
		if err != nil || other != nil {
			made = other
			return err
		}
		if err := refuseExisting(ctx, tx, r.Schema, stmts); err != nil {
			return err
		}
		if err := insertRecord(ctx, tx, &r); err != nil {
			return err
		}
		made = &r
		return e.fill(ctx, tx, &r, stmts, tasks)
	})
	if err != nil {
		return nil, e.fail(op, err)
	}
	return made, nil
}

// fill makes the schema, notes what came to be by it, and adds the tasks.
func (e *End) fill(ctx context.Context, tx pgx.Tx, r *change.Record, stmts []change.Statement, tasks []change.Task) error {
	if err := ensureSchema(ctx, tx, r.Schema); err != nil {
		return err
	}
	for _, s := range stmts {
		if s.Stage != change.StageSchema {
			continue
		}
		if err := runStatement(ctx, tx, s.SQL); err != nil {
			return e.fail(fmt.Sprintf("make %s %s", s.What, s.Table), refusedIfThere(err))
		}
	}
	there, err := objectsIn(ctx, tx, r.Schema)
	if err != nil {
		return err
	}
	var objects [][]any
	for _, o := range there {
		if o.own {
			objects = append(objects, []any{r.ID, o.Kind, o.Name, o.OID})
		}
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"bascule", "object"}, []string{"migration", "kind", "name", "oid"}, pgx.CopyFromRows(objects))
	if err != nil {
		return err
	}
	if err := insertTasks(ctx, tx, r.ID, stmts, tasks); err != nil {
		return err
	}
	// Without statistics the planner could choose to sort all open tasks at every claim.
	_, err = tx.Exec(ctx, "ANALYZE bascule.task")
	return err
}

// ensureSchema makes the schema where it is absent, public too, which some drop. Where
// it exists, nothing is asked of the server: even IF NOT EXISTS needs the right to create.
func ensureSchema(ctx context.Context, tx pgx.Tx, name schema.Name) error {
	var there bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", string(name)).Scan(&there)
	if err != nil || there {
		return err
	}
	_, err = tx.Exec(ctx, "CREATE SCHEMA "+quote(name))
	return err
}

// runStatement runs one or several statements with PostGIS's schema, when it is
// installed, behind pg_catalog in the search path: its types cannot be qualified before
// it is known where it lives.
func runStatement(ctx context.Context, tx pgx.Tx, sql string) error {
	if err := tx.Conn().PgConn().Exec(ctx, findPostGIS+sql).Close(); err != nil {
		return err
	}
	return nil
}

const findPostGIS = `SELECT pg_catalog.set_config('search_path', 'pg_catalog' || COALESCE((SELECT ', ' || quote_ident(nspname)
FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace WHERE extname = 'postgis'), ''), true);
`

// refusedIfThere turns «already exists» into a refusal: names were looked at
// before, so this is a type or an index of somebody else.
func refusedIfThere(err error) error {
	p := unwrapPg(err)
	if p == nil || !slices.Contains([]string{"42710", "42P07", "42P06"}, p.Code) {
		return err
	}
	return &fault.Error{
		Class: fault.Refused, Op: "keep what is there", Err: &serverError{p},
		Hint: "choose another --schema, or drop or rename what is in the way",
	}
}

// thereSQL lists what stands in the schema n: relations, types and
// collations. An array's own type gives way when its name is wanted.
const thereSQL = `SELECT relname::text FROM pg_class WHERE relnamespace = n.oid
	UNION SELECT typname FROM pg_type WHERE typnamespace = n.oid AND typcategory <> 'A'
	UNION SELECT collname FROM pg_collation WHERE collnamespace = n.oid`

// existing lists what is there of the names that statements take in a schema.
func existing(ctx context.Context, q querier, name schema.Name, stmts []change.Statement) ([]string, error) {
	var names []string
	for _, s := range stmts {
		if s.Stage == change.StageSchema && s.Table != "" {
			names = append(names, string(s.Table))
		}
		for _, n := range s.Makes {
			names = append(names, string(n))
		}
	}
	rows, err := q.Query(ctx, "SELECT o.name FROM pg_namespace n, LATERAL ("+thereSQL+`) AS o(name)
		WHERE n.nspname = $1 AND o.name = ANY($2) ORDER BY 1`, string(name), names)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// refuseExisting refuses when names that the plan takes, those of later stages too, are
// taken: this migration has made nothing yet.
func refuseExisting(ctx context.Context, tx pgx.Tx, name schema.Name, stmts []change.Statement) error {
	there, err := existing(ctx, tx, name, stmts)
	if err != nil || len(there) == 0 {
		return err
	}
	const most = 20
	list := there
	if len(list) > most {
		list = append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(there)-most))
	}
	return &fault.Error{
		Class: fault.Refused, Op: fmt.Sprintf("use schema %q", name),
		Err:  fmt.Errorf("bascule did not make what is already there: %s", strings.Join(list, ", ")),
		Hint: "choose another --schema, exclude these tables, or drop them yourself",
	}
}

// insertRecord draws the migration's id. A counter would begin anew with the ledger, which
// the last drop removes, and a worker of the dropped migration would take the next for its own.
func insertRecord(ctx context.Context, tx pgx.Tx, r *change.Record) error {
	r.ID = rand.Int64N(math.MaxInt64) + 1 //nolint:gosec // tells migrations apart; nobody gains by guessing it
	if r.Created.IsZero() {
		r.Created = time.Now()
	}
	r.Created = r.Created.UTC().Truncate(time.Microsecond)
	if len(r.Plan) == 0 {
		r.Plan = json.RawMessage("null")
	}
	_, err := tx.Exec(ctx, `INSERT INTO bascule.migration (id, schema, source, source_id, plan, position, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		r.ID, string(r.Schema), r.Source, r.SourceID, r.Plan, string(r.Position), r.Created)
	return err
}

// insertTasks adds the tasks, then the statements of later stages.
func insertTasks(ctx context.Context, tx pgx.Tx, id int64, stmts []change.Statement, tasks []change.Task) error {
	all := slices.Clone(tasks)
	for _, s := range stmts {
		if s.Stage != change.StageSchema {
			all = append(all, change.Task{
				Kind: change.TaskStatement, Table: s.Table, Stage: s.Stage, Parent: s.Parent, SQL: s.SQL, What: s.What,
			})
		}
	}
	place := map[schema.Name]int64{}
	i := -1
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"bascule", "task"},
		[]string{"migration", "rank", "kind", "tbl", "stage", "parent", "after", "upto", "lim", "sql", "what"},
		pgx.CopyFromFunc(func() ([]any, error) {
			if i++; i == len(all) {
				return nil, nil
			}
			t := &all[i]
			if _, ok := place[t.Table]; !ok {
				place[t.Table] = int64(len(place))
			}
			return []any{
				id, rank(place[t.Table], t), string(t.Kind), string(t.Table), int16(t.Stage), string(t.Parent),
				[][]byte(t.Range.After), [][]byte(t.Range.UpTo), t.Limit, t.SQL, t.What,
			}, nil
		}))
	return err
}

// rank is the order of claims: table by table, so that the indexes of a table
// are built as soon as it is loaded, beside the copy of the next; foreign keys
// and what follows them come after everything, since they wait for other tables.
// A walk stands before the chunks of its table: see claimSQL.
func rank(place int64, t *change.Task) int64 {
	const late = int64(1) << 40
	switch {
	case t.Kind == change.TaskWalk:
		return place*8 + 0
	case t.Kind == change.TaskChunk:
		return place*8 + 1
	case t.Stage < change.StageForeignKey:
		return place*8 + int64(t.Stage)
	default:
		return late + place*8 + int64(t.Stage)
	}
}

// Amend replaces the record's plan and drops NOT NULL from columns, durably and
// in one transaction. It may run twice.
func (e *End) Amend(ctx context.Context, name schema.Name, plan json.RawMessage, relax []change.Relax) error {
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE bascule.migration SET plan = $2 WHERE schema = $1", string(name), plan)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Usage, "amend the plan", fmt.Errorf("the ledger has no migration into schema %q", name), "run bascule db copy first")
		}
		for _, r := range relax {
			sql := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", qualify(name, r.Table), quote(r.Column))
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("relax %s.%s: %w", r.Table, r.Column, err)
			}
		}
		return nil
	})
	return e.fail(fmt.Sprintf("amend the migration into schema %q", name), err)
}
