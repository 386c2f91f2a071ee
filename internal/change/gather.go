package change

// Gather joins rows that come in parts. It is not safe for concurrent use.
type Gather struct {
	rows Batch
	open bool // the last row of rows is not whole
}

// Add takes the next batch. It returns whole rows, or nil while the last of them has more parts to come; they are the caller's until the next Add, or
// until it changes the batch that it gave.
func (g *Gather) Add(b *Batch) *Batch {
	if !g.open {
		if b.Whole() {
			return b
		}
		g.rows.Reset(b.Columns)
	}
	base := uint32(len(g.rows.Data))
	if b.Lead > 0 {
		g.rows.Spans[len(g.rows.Spans)-1].Len += uint32(b.Lead)
	}
	g.rows.Data = append(g.rows.Data, b.Data...)
	for _, s := range b.Spans {
		if !s.Null() {
			s.Off += base
		}
		g.rows.Spans = append(g.rows.Spans, s)
	}
	g.rows.Rows += b.Rows
	if g.open = b.Open > 0 || len(g.rows.Spans) != g.rows.Rows*g.rows.Columns; g.open {
		return nil
	}
	return &g.rows
}
