package convert

import (
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// chunkKey chooses the key that the table is cut by: the primary key, else the
// best unique index that has no NULL, no prefix and no expression.
func (t *tablePlan) chunkKey() {
	candidates := slices.Clone(t.source.Indexes)
	slices.SortStableFunc(candidates, func(a, b *schema.Index) int { return t.keyCost(a) - t.keyCost(b) })
	if t.source.PrimaryKey != nil {
		candidates = append([]*schema.Index{t.source.PrimaryKey}, candidates...)
	}
	why := "it has no primary key and no unique index over NOT NULL columns"
	for _, i := range candidates {
		key, cannot := t.usableKey(i)
		if cannot == "" {
			t.plan.Select.Key, t.plan.Select.Index = key, i.Name
			return
		}
		if i == t.source.PrimaryKey {
			why = "its primary key cannot order chunks: " + cannot
		}
	}
	t.find(finding.Finding{
		Code: CodeNoKey, Kind: finding.Problem, Severity: finding.Warning, Object: string(t.source.Name),
		What:     fmt.Sprintf("It cannot be cut into chunks, because %s; one lane copies it from one exact snapshot and starts anew when interrupted.", why),
		Do:       fmt.Sprintf("ALTER TABLE `%s` ADD COLUMN id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY on the source, if it is large.", t.source.Name),
		Evidence: []string{fmt.Sprintf("about %d rows, %d bytes", t.source.Rows, t.source.Bytes)}, Owner: "dba",
	})
}

// keyCost orders unique indexes: few parts first, then those of numbers.
func (t *tablePlan) keyCost(i *schema.Index) int {
	cost := 4 * len(i.Parts)
	for _, p := range i.Parts {
		if c := t.source.Column(p.Column); c != nil {
			if _, isInt := c.Type.(schema.Int); !isInt {
				cost++
			}
		}
	}
	return cost
}

// usableKey returns the columns of an index that can cut the table, or why it
// cannot.
func (t *tablePlan) usableKey(i *schema.Index) (key []*schema.Column, cannot string) {
	if i != t.source.PrimaryKey && !i.Unique || i.Method != "" && i.Method != schema.BTree {
		return nil, "it is not a unique B-tree"
	}
	for _, p := range i.Parts {
		c := t.source.Column(p.Column)
		switch {
		case c == nil || p.Expr != "":
			return nil, "a part of it is an expression"
		case p.Prefix > 0:
			return nil, fmt.Sprintf("only a prefix of %s is in it", p.Column)
		case c.Nullable && i != t.source.PrimaryKey:
			return nil, fmt.Sprintf("%s can be NULL", p.Column)
		case p.Desc:
			return nil, fmt.Sprintf("%s is in descending order", p.Column)
		case !ordersChunks(c.Type):
			return nil, fmt.Sprintf("%s is %s, whose order differs from that of its text", p.Column, spellSource(c.Type))
		case !t.plan.columnOf(c.Name).Travels:
			return nil, fmt.Sprintf("%s is generated and does not travel", p.Column)
		}
		key = append(key, c)
	}
	return key, ""
}

// ordersChunks reports whether a row can be found again by comparing the
// column with the text of its value: an ENUM or a SET is ordered by number and
// compared by label, and a FLOAT equals no decimal.
func ordersChunks(t schema.Type) bool {
	switch t.(type) {
	case schema.Int, schema.Decimal, schema.Text, schema.Binary, schema.Date, schema.DateTime, schema.Timestamp,
		schema.Time, schema.Year, schema.UUID, schema.Inet:
		return true
	}
	return false
}
