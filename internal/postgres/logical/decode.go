package logical

import "fmt"

// Decoder decodes pgoutput's messages. It reuses what it returns, allocates nothing for a row, and is not safe for
// concurrent use. The zero value is ready.
type Decoder struct {
	msg      Message
	old, new []Value
}

// Decode reads one message, the payload of a FrameData.
func (d *Decoder) Decode(data []byte) (*Message, error) {
	r := reader{rest: data}
	m := &d.msg
	m.Kind = Kind(r.uint8("kind"))
	if r.err != nil {
		return nil, fmt.Errorf("decode a message of pgoutput: %w", r.err)
	}
	switch m.Kind {
	case KindBegin:
		m.Begin = Begin{LSN(r.uint64("commit")), fromMicros(int64(r.uint64("time"))), r.uint32("xid")}
	case KindCommit:
		r.zero("flags")
		m.Commit = Commit{LSN(r.uint64("commit")), LSN(r.uint64("end")), fromMicros(int64(r.uint64("time")))}
	case KindOrigin:
		m.Origin = Origin{LSN(r.uint64("commit")), r.text("name")}
	case KindRelation:
		r.relation(&m.Relation)
	case KindType:
		m.Type = Type{r.uint32("type"), r.schema(), r.text("name")}
	case KindInsert, KindUpdate, KindDelete:
		d.change(&r)
	case KindTruncate:
		r.truncate(&m.Truncate)
	case KindLogical:
		flags := r.flags("flags", 1)
		m.Logical = Logical{Transactional: flags == 1, Position: LSN(r.uint64("position")), Prefix: r.text("prefix")}
		m.Logical.Content = r.take(int(int32(r.uint32("length"))), "content")
	default:
		return nil, fmt.Errorf("decode a message of pgoutput: unknown kind %q", byte(m.Kind))
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode a message of pgoutput of kind %q: %w", byte(m.Kind), err)
	}
	return m, nil
}

// zero reads a byte that is reserved.
func (r *reader) zero(what string) { r.flags(what, 0) }

// flags reads a byte in which only the bits of known may be set.
func (r *reader) flags(what string, known byte) byte {
	f := r.uint8(what)
	if r.err == nil && f&^known != 0 {
		r.err = fmt.Errorf("%s has the unknown bits %#x", what, f&^known)
	}
	return f
}

// schema reads the name of a schema, which is empty for pg_catalog.
func (r *reader) schema() string {
	if s := r.text("schema"); s != "" {
		return s
	}
	return "pg_catalog"
}

func (r *reader) relation(t *Relation) {
	columns := t.Columns[:0]
	*t = Relation{ID: r.uint32("relation"), Schema: r.schema(), Name: r.text("name"), Identity: Identity(r.uint8("identity"))}
	switch t.Identity {
	case IdentityDefault, IdentityNothing, IdentityFull, IdentityIndex:
	default:
		if r.err == nil {
			r.err = fmt.Errorf("the replica identity of %s.%s is %q", t.Schema, t.Name, byte(t.Identity))
		}
	}
	for range r.uint16("columns") {
		c := Column{Key: r.flags("column's flags", 1) == 1, Name: r.text("column's name"), Type: r.uint32("column's type"), TypeMod: int32(r.uint32("column's modifier"))}
		if r.err != nil {
			return
		}
		columns = append(columns, c)
	}
	t.Columns = columns
}

func (r *reader) truncate(t *Truncate) {
	n := r.uint32("relations")
	options := r.flags("options", 3)
	*t = Truncate{Relations: t.Relations[:0], Cascade: options&1 != 0, RestartIdentity: options&2 != 0}
	for range n {
		id := r.uint32("relation")
		if r.err != nil {
			return
		}
		t.Relations = append(t.Relations, id)
	}
}

// change reads an insert, update or delete: what may stand before a row says which row it is.
func (d *Decoder) change(r *reader) {
	c := &d.msg.Change
	*c = Change{Relation: r.uint32("relation")}
	what := r.uint8("row's kind")
	if d.msg.Kind != KindInsert && (what == 'K' || what == 'O') {
		c.OldKey = what == 'K'
		d.old = r.row(d.old[:0])
		c.Old = d.old
		if d.msg.Kind == KindDelete {
			return
		}
		what = r.uint8("row's kind")
	}
	if r.err == nil && (what != 'N' || d.msg.Kind == KindDelete) {
		r.err = fmt.Errorf("it has a row of the unknown kind %q", what)
	}
	d.new = r.row(d.new[:0])
	c.New = d.new
}

// row appends the columns of a row to vs. It never returns nil, which means that there is no row.
func (r *reader) row(vs []Value) []Value {
	if vs == nil {
		vs = []Value{}
	}
	for range r.uint16("columns") {
		v := Value{Kind: ValueKind(r.uint8("value's kind"))}
		switch v.Kind {
		case ValueNull, ValueUnchanged:
		case ValueText, ValueBinary:
			v.Data = r.take(int(int32(r.uint32("value's length"))), "value")
		default:
			if r.err == nil {
				r.err = fmt.Errorf("a value has the unknown kind %q", byte(v.Kind))
			}
		}
		if r.err != nil {
			return vs
		}
		vs = append(vs, v)
	}
	return vs
}
