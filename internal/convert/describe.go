package convert

import "github.com/bascule/bascule/internal/schema"

// SourceType returns a source type as MySQL spells it, for people.
func SourceType(t schema.Type) string { return spellSource(t) }

// TargetType returns a target type as PostgreSQL spells it, for people; an enum by
// its type's name.
func TargetType(t schema.Type) string {
	if e, ok := t.(schema.Enum); ok && e.Name != "" {
		return string(e.Name)
	}
	return spell(t)
}
