package convert

import (
	"fmt"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// asked is a target type that the operator named, for the column itself or
// for one that a foreign key ties to it.
type asked struct {
	typ  schema.Type
	from ref
}

// nameTypes reads Options.Types. A name holds for the whole group of columns
// that foreign keys tie together; two names in one group must agree.
func (p *planner) nameTypes() error {
	for _, r := range allColumns(p.source) {
		name, ok := p.opt.Types[r.String()]
		if !ok {
			continue
		}
		for _, member := range p.tied.of(r) {
			if err := p.nameType(member, r, name); err != nil {
				return fault.New(fault.Usage, fmt.Sprintf("give column %q the type %q", member, name), err,
					"docs/types.md lists which type can become which")
			}
		}
	}
	return nil
}

func (p *planner) nameType(member, from ref, name string) error {
	src := p.columnType(member)
	dst, err := parseType(name, src)
	if err != nil {
		return err
	}
	if !convertible(src, dst) {
		return fmt.Errorf("%s cannot become %s", spellSource(src), name)
	}
	if e, ok := dst.(schema.Enum); ok {
		src := src.(schema.Enum) // convertible says so
		e.Members = src.Members
		dst = e
	}
	if _, ok := dst.(schema.Geometry); ok && !p.able.PostGIS {
		return fmt.Errorf("the target has no PostGIS")
	}
	if before, ok := p.asked[member]; ok && spell(before.typ) != spell(dst) {
		return fmt.Errorf("a foreign key ties %s to %s, for which %s is named", from, before.from, spell(before.typ))
	}
	p.asked[member] = asked{typ: dst, from: from}
	return nil
}

func (p *planner) columnType(r ref) schema.Type { return p.source.Table(r.table).Column(r.column).Type }

// convertible reports whether a codec exists from src to dst. It lists every
// pair that Options.Types may ask for, defaults included.
func convertible(src, dst schema.Type) bool {
	switch s := src.(type) {
	case schema.Int:
		return intConvertible(dst)
	case schema.Year:
		i, ok := dst.(schema.Int)
		return ok && i.Bits >= 16
	case schema.Bit:
		b, ok := dst.(schema.Bit)
		_, boolean := dst.(schema.Bool)
		return ok && b.N == s.N || boolean && s.N == 1
	case schema.Decimal:
		d, ok := dst.(schema.Decimal)
		return ok && d.Precision <= 1000 && d.Scale >= s.Scale && d.Precision-d.Scale >= s.Precision-s.Scale
	case schema.Float:
		f, ok := dst.(schema.Float)
		return ok && f.Bits >= s.Bits
	case schema.Text, schema.Binary, schema.Enum, schema.Set, schema.JSON:
		return stringConvertible(src, dst)
	case schema.Date, schema.Time, schema.DateTime, schema.Timestamp:
		return timeConvertible(src, dst)
	}
	return otherConvertible(src, dst)
}

func intConvertible(dst schema.Type) bool {
	switch d := dst.(type) {
	case schema.Bool:
		return true
	case schema.Int:
		return d.Bits >= 16 && d.Bits != 24
	case schema.Decimal:
		return d.Scale == 0 && d.Precision > 0 && d.Precision <= 1000
	}
	return false
}

func stringConvertible(src, dst schema.Type) bool {
	text, isText := dst.(schema.Text)
	_, isUUID := dst.(schema.UUID)
	_, isBytes := dst.(schema.Binary)
	_, isJSON := dst.(schema.JSON)
	switch s := src.(type) {
	case schema.Text:
		return isText && (text.Length == 0 || s.Length > 0 && text.Length >= s.Length) || isBytes || isJSON || isUUID && s.Length >= 36
	case schema.Binary:
		return isBytes || isText && text.Length == 0 || isUUID && s.Length == 16
	case schema.JSON:
		return isJSON || isText && text.Length == 0
	case schema.Enum:
		_, isEnum := dst.(schema.Enum)
		return isEnum || isText && text.Length == 0
	case schema.Set:
		_, isArray := dst.(schema.TextArray)
		return isArray || isText && text.Length == 0
	}
	return false
}

func timeConvertible(src, dst schema.Type) bool {
	switch src.(type) {
	case schema.Date:
		_, ok := dst.(schema.Date)
		return ok
	case schema.Time:
		switch dst.(type) {
		case schema.Time, schema.Interval:
			return true
		}
	case schema.DateTime, schema.Timestamp:
		switch dst.(type) {
		case schema.DateTime, schema.Timestamp:
			return true
		}
	}
	return false
}

func otherConvertible(src, dst schema.Type) bool {
	text, isText := dst.(schema.Text)
	isText = isText && text.Length == 0
	_, isBytes := dst.(schema.Binary)
	switch src.(type) {
	case schema.UUID:
		_, ok := dst.(schema.UUID)
		return ok || isText
	case schema.Inet:
		_, ok := dst.(schema.Inet)
		return ok || isText
	case schema.Geometry:
		_, ok := dst.(schema.Geometry)
		return ok || isBytes
	case schema.Vector:
		return isBytes
	case schema.Other:
		return isText || isBytes
	}
	return false
}
