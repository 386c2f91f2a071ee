package follow

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// The ends of these tests: a source whose log is a slice, and a target that is a few maps. Rows are integers: column 0 is the key
// of a table that has one. NULL is the smallest integer.

const null = -1 << 62

type row []int

// tuple renders a row without a key, so that equal rows can be counted.
func (r row) tuple() string { return fmt.Sprint([]int(r)) }

// content is what a table holds: by key, or without one by tuple, with a count.
type content struct {
	rows  map[int]row
	bag   map[string]int
	keyed bool
}

func newContent(keyed bool) *content {
	return &content{rows: map[int]row{}, bag: map[string]int{}, keyed: keyed}
}

func (c *content) clone() *content {
	n := &content{rows: make(map[int]row, len(c.rows)), bag: maps.Clone(c.bag), keyed: c.keyed}
	for k, r := range c.rows {
		n.rows[k] = slices.Clone(r)
	}
	return n
}

type state []*content

func (s state) clone() state {
	n := make(state, len(s))
	for i, c := range s {
		n[i] = c.clone()
	}
	return n
}

func (s state) String() string {
	var out string
	for i, c := range s {
		out += fmt.Sprintf("table %d: ", i)
		for _, k := range slices.Sorted(maps.Keys(c.rows)) {
			out += fmt.Sprint(c.rows[k], " ")
		}
		for _, k := range slices.Sorted(maps.Keys(c.bag)) {
			out += fmt.Sprintf("%d×%s ", c.bag[k], k)
		}
		out += "\n"
	}
	return out
}

// logged is one row change in a source's log.
type logged struct {
	table    int
	op       change.Op
	old, new row
}

// memorySource is a feed over a log of transactions. Positions are the number of transactions before.
type memorySource struct {
	tables   []*change.Select
	log      [][]logged
	cascades bool // the source runs foreign keys' actions and does not log them
	draw     *rand.Rand
	// breaks is how often, of 100 calls of Next, the connection breaks.
	breaks int
}

func position(n int) change.Position { return change.Position("at:" + strconv.Itoa(n)) }

func offset(p change.Position) int {
	n, err := strconv.Atoi(string(p)[len("at:"):])
	if err != nil {
		panic(err)
	}
	return n
}

func (s *memorySource) Stream(ctx context.Context, at change.Position, _ []*change.Select, fn func(context.Context, change.Feed) error) error {
	return fn(ctx, &memoryFeed{source: s, at: offset(at)})
}

func (s *memorySource) End(context.Context) (change.Position, error) {
	return position(len(s.log)), nil
}

func (s *memorySource) Includes(_ context.Context, a, b change.Position) (bool, error) {
	return offset(a) >= offset(b), nil
}

func (s *memorySource) Within(at change.Position, txn string) (bool, error) {
	n, err := strconv.Atoi(txn)
	return n < offset(at), err
}

type memoryFeed struct {
	source *memorySource
	at     int // transactions given
	inside bool
	next   int // change within the transaction
	event  change.Event
}

var errBroken = fault.New(fault.Connect, "read the log", errors.New("cut"), "")

func (f *memoryFeed) Next(ctx context.Context) (*change.Event, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s := f.source
	if s.draw != nil && s.draw.IntN(100) < s.breaks {
		return nil, errBroken
	}
	e := &f.event
	*e = change.Event{Rows: change.Rows{Old: e.Rows.Old, New: e.Rows.New}}
	switch {
	case f.at == len(s.log):
		e.Kind = change.EventIdle
	case !f.inside:
		e.Kind, e.Txn, f.inside, f.next = change.EventBegin, strconv.Itoa(f.at), true, 0
	case f.next == len(s.log[f.at]):
		e.Kind, e.Txn, f.inside = change.EventCommit, strconv.Itoa(f.at), false
		f.at++
	default:
		c := s.log[f.at][f.next]
		f.next++
		e.Kind, e.Rows.Table, e.Rows.Op, e.Rows.Cascades = change.EventRows, s.tables[c.table], c.op, s.cascades
		encode(&e.Rows.Old, len(s.tables[c.table].Columns), c.old)
		encode(&e.Rows.New, len(s.tables[c.table].Columns), c.new)
	}
	return e, nil
}

func (f *memoryFeed) Buffered() bool {
	return f.at < len(f.source.log) && (f.source.draw == nil || f.source.draw.IntN(4) > 0)
}
func (f *memoryFeed) Position() change.Position { return position(f.at) }
func (f *memoryFeed) Lag() int64                { return -1 }
func (f *memoryFeed) Confirm(change.Position)   {}

func encode(b *change.Batch, columns int, r row) {
	b.Reset(columns)
	if r == nil {
		return
	}
	for _, v := range r {
		if v == null {
			b.Spans = append(b.Spans, change.Span{Len: change.NullLen})
			continue
		}
		b.Spans = append(b.Spans, change.Span{Off: uint32(len(b.Data)), Len: 8})
		b.Data = binary.LittleEndian.AppendUint64(b.Data, uint64(v))
	}
	b.Rows = 1
}

func decode(b *change.Batch, i int) row {
	r := make(row, b.Columns)
	for j, s := range b.Row(i) {
		r[j] = null
		if !s.Null() {
			r[j] = int(int64(binary.LittleEndian.Uint64(b.Bytes(s))))
		}
	}
	return r
}

// memoryTarget applies steps as the contract of change.Step says, to a copy that a commit makes the state.
type memoryTarget struct {
	replicas []*change.Replica
	state    state
	mark     change.Mark
	draw     *rand.Rand
	breaks   int // of 100 calls
	unique   int // a column whose values must be unique within table 0, 0 for none
	last     int // how many transactions its source's log has
}

func (m *memoryTarget) Applying(ctx context.Context, _ *change.Record, _ string, _ []*change.Replica, fn func(context.Context, change.Session) error) error {
	return fn(ctx, &memorySession{target: m})
}

func (m *memoryTarget) Applied(context.Context, *change.Record) (change.Mark, error) {
	return m.mark, nil
}

func (m *memoryTarget) breaksNow() bool { return m.draw != nil && m.draw.IntN(100) < m.breaks }

type memorySession struct {
	target *memoryTarget
	work   state // of the open transaction
}

func (s *memorySession) Mark(context.Context) (change.Mark, error) { return s.target.mark, nil }

func (s *memorySession) Begin(context.Context) (change.Applying, error) {
	if s.work != nil {
		return nil, errors.New("two transactions at once")
	}
	s.work = s.target.state.clone()
	return s, nil
}

func (s *memorySession) Rollback(context.Context) error {
	s.work = nil
	return nil
}

func (s *memorySession) Commit(_ context.Context, m change.Mark) error {
	if s.target.breaksNow() {
		return errBroken // before the commit
	}
	s.target.state, s.target.mark, s.work = s.work, m, nil
	if s.target.breaksNow() {
		return errBroken // after it, and nobody knows
	}
	return nil
}

func (s *memorySession) Apply(_ context.Context, step *change.Step) error {
	if s.target.breaksNow() {
		return errBroken
	}
	for i := range step.Tables {
		if err := s.table(&step.Tables[i]); err != nil {
			return err
		}
	}
	for i := range step.Cascades {
		s.cascade(&step.Cascades[i])
	}
	return nil
}

func (s *memorySession) content(r *change.Replica) *content {
	return s.work[slices.Index(s.target.replicas, r)]
}

func (s *memorySession) table(t *change.TableStep) error {
	c := s.content(t.Table)
	if t.Truncate {
		clear(c.rows)
		clear(c.bag)
	}
	seen := map[int]bool{}
	for i := range t.Delete.Rows {
		r := decode(&t.Delete, i)
		if c.keyed {
			if seen[r[0]] {
				return fmt.Errorf("key %d stands twice in Delete", r[0])
			}
			seen[r[0]] = true
			delete(c.rows, r[0])
			continue
		}
		if c.bag[r.tuple()] == 0 {
			return fmt.Errorf("row %v is to be removed and is not there", r)
		}
		if c.bag[r.tuple()]--; c.bag[r.tuple()] == 0 {
			delete(c.bag, r.tuple())
		}
	}
	for i := range t.Insert.Rows {
		r := decode(&t.Insert, i)
		if !c.keyed {
			c.bag[r.tuple()]++
			continue
		}
		if !seen[r[0]] || c.rows[r[0]] != nil {
			return fmt.Errorf("key %d is inserted over a row", r[0])
		}
		for _, other := range c.rows {
			if u := s.target.unique; u > 0 && c == s.work[0] && other[u] == r[u] && r[u] != null {
				return fmt.Errorf("%v and %v share a unique value", other, r)
			}
		}
		c.rows[r[0]] = r
	}
	return nil
}

func (s *memorySession) cascade(c *change.Cascade) {
	for i := range c.Old.Rows {
		var after row
		if c.New.Rows > 0 {
			after = decode(&c.New, i)
		}
		act(s.work, s.target.replicas, c.Table, decode(&c.Old, i), after)
	}
}

// act carries out foreign keys as InnoDB does: it is the source's behaviour and, on the target, what an applier has to do.
func act(st state, replicas []*change.Replica, parent *change.Replica, old, after row) {
	for _, a := range parent.Actions {
		child := st[slices.Index(replicas, a.Child)]
		pc, cc := a.Parent[0], a.Columns[0]
		action := a.OnDelete
		if after != nil {
			if action = a.OnUpdate; after[pc] == old[pc] {
				continue
			}
		}
		for _, k := range slices.Sorted(maps.Keys(child.rows)) {
			r := child.rows[k]
			if r == nil || r[cc] != old[pc] || r[cc] == null {
				continue
			}
			was := slices.Clone(r)
			switch {
			case action == schema.Cascade && after == nil:
				delete(child.rows, k)
				act(st, replicas, a.Child, was, nil)
			case action == schema.Cascade:
				r[cc] = after[pc]
				act(st, replicas, a.Child, was, r)
			case action == schema.SetNull:
				r[cc] = null
				act(st, replicas, a.Child, was, r)
			}
		}
	}
}
