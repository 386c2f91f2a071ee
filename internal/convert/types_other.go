package convert

import (
	"fmt"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// decideTime: PostgreSQL's time is a time of day, so it takes a proof.
func (t *tablePlan) decideTime(r ref, src schema.Time) decision {
	group := t.tied.of(r)
	if t.evidence.absent(group, schema.AskOutOfDay) {
		return decision{typ: src, why: "TIME becomes time: no row is below 00:00:00 or beyond 23:59:59."}
	}
	why := "it is not known whether all values are times of a day"
	if n := t.total(group, schema.AskOutOfDay); n > 0 {
		why = fmt.Sprintf("%d rows are below 00:00:00 or at least 24:00:00", n)
	}
	return decision{typ: schema.Interval(src), why: "TIME becomes interval: " + why + "."}
}

func decideDate(src schema.Type) decision {
	switch src := src.(type) {
	case schema.DateTime:
		return decision{typ: src, why: fmt.Sprintf("DATETIME becomes timestamp(%d): digits without a zone.", src.Precision)}
	case schema.Timestamp:
		return decision{typ: src, why: fmt.Sprintf("TIMESTAMP becomes timestamptz(%d): an instant, read in UTC.", src.Precision)}
	}
	return decision{typ: src, why: "DATE becomes date."}
}

func (t *tablePlan) decideOther(r ref, src schema.Type, named bool) decision {
	switch src := src.(type) {
	case schema.UUID:
		return decision{typ: src, why: "UUID becomes uuid."}
	case schema.Inet:
		return decision{typ: schema.Inet{}, why: fmt.Sprintf("INET%d becomes inet.", src.Version)}
	case schema.Geometry:
		return t.decideGeometry(r, src)
	case schema.Vector:
		t.find(finding.Finding{
			Code: CodeVectorRaw, Kind: finding.Problem, Severity: finding.Warning, Object: r.String(),
			What: fmt.Sprintf("VECTOR(%d) becomes bytea: %d bytes, little-endian 32-bit floats.", src.N, 4*src.N),
			Do:   "Install pgvector on the target and convert the column after the move; distance functions must be rewritten.", Owner: "application",
		})
		return decision{typ: schema.Binary{}, why: fmt.Sprintf("VECTOR(%d) becomes bytea: PostgreSQL has no vector type of its own.", src.N)}
	}
	if !named {
		t.find(finding.Finding{
			Code: CodeTypeUnknown, Kind: finding.Problem, Severity: finding.Blocker, Object: r.String(),
			What: fmt.Sprintf("Its type %q is not known, so nothing says how its values read.", spellSource(src)),
			Do:   fmt.Sprintf("Name a type for %s: text when it reads as text, bytea otherwise.", r), Owner: "operator",
		})
	}
	return decision{typ: schema.Text{}, why: fmt.Sprintf("The type %s is unknown; a type must be named.", spellSource(src))}
}

func (t *tablePlan) decideGeometry(r ref, src schema.Geometry) decision {
	if t.able.PostGIS {
		return decision{typ: src, why: src.Shape + " becomes PostGIS's geometry with the stored axis order."}
	}
	t.find(finding.Finding{
		Code: CodeSpatialRaw, Kind: finding.Problem, Severity: finding.Warning, Object: r.String(),
		What: src.Shape + " becomes bytea, because the target has no PostGIS: 4 bytes of SRID, little-endian, then WKB.",
		Do:   "CREATE EXTENSION postgis on the target before the move.", Owner: "dba",
	})
	return decision{typ: schema.Binary{}, why: src.Shape + " becomes bytea: the target has no PostGIS."}
}
