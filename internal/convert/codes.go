package convert

import "github.com/bascule/bascule/internal/finding"

// The codes of this package's findings, losses aside (package finding). Each
// has its section in docs/findings.md; a test holds the two together.
const (
	// CodeTableRenamed: the target's table name is not the source's, folded.
	CodeTableRenamed finding.Code = "table-renamed"
	// CodeColumnRenamed: the target's column name is not the source's, folded.
	CodeColumnRenamed finding.Code = "column-renamed"
	// CodeIndexRenamed: indexes of a table had to take other names.
	CodeIndexRenamed finding.Code = "index-renamed"

	// CodeTypeUnknown: a type that this program does not know.
	CodeTypeUnknown finding.Code = "type-unknown"
	// CodeTypeRefused: the type asked for contradicts the data, or nothing proves it.
	CodeTypeRefused finding.Code = "type-refused"
	// CodeFloatDisplay: FLOAT(m,d) rounds what is shown, not what is stored.
	CodeFloatDisplay finding.Code = "float-display"
	// CodeEmptyEnum: an ENUM holds the invalid value that reads as ''.
	CodeEmptyEnum finding.Code = "empty-enum"
	// CodeMemberUnreadable: members of an ENUM or SET that the catalog cannot print.
	CodeMemberUnreadable finding.Code = "member-unreadable"
	// CodeDoubleEncoded: text that was probably encoded as UTF-8 twice.
	CodeDoubleEncoded finding.Code = "double-encoded"
	// CodeSpatialRaw: spatial values arrive as raw bytes, for want of PostGIS.
	CodeSpatialRaw finding.Code = "spatial-raw"
	// CodeVectorRaw: vectors arrive as raw bytes.
	CodeVectorRaw finding.Code = "vector-raw"
	// CodeNullRelaxed: a NOT NULL column becomes nullable because of an accepted loss.
	CodeNullRelaxed finding.Code = "null-relaxed"
	// CodeKeyNotNull: a loss was accepted for a primary key, which cannot hold NULL.
	CodeKeyNotNull finding.Code = "key-not-null"
	// CodeDateTimeZone: nobody but the application knows the zone of DATETIME values.
	CodeDateTimeZone finding.Code = "datetime-zone"

	// CodeCollation: text columns compare more loosely on the source than on the target.
	CodeCollation finding.Code = "collation"
	// CodeCollationLike: LIKE does not work on the columns that take an ICU collation.
	CodeCollationLike finding.Code = "collation-like"
	// CodeCollationICU: ICU collations were asked for and the target has none.
	CodeCollationICU finding.Code = "collation-icu"

	// CodeDefaultDropped: a default that has no form on the target.
	CodeDefaultDropped finding.Code = "default-dropped"
	// CodeOnUpdateNow: ON UPDATE CURRENT_TIMESTAMP needs a trigger.
	CodeOnUpdateNow finding.Code = "on-update-now"
	// CodeIdentityDropped: AUTO_INCREMENT on a type that cannot be an identity.
	CodeIdentityDropped finding.Code = "identity-dropped"
	// CodeGeneratedStored: a VIRTUAL generated column is stored on the target.
	CodeGeneratedStored finding.Code = "generated-stored"
	// CodeGeneratedPlain: a generated column arrives as a plain column with its values.
	CodeGeneratedPlain finding.Code = "generated-plain"
	// CodeInvisibleColumn: PostgreSQL has no invisible columns.
	CodeInvisibleColumn finding.Code = "invisible-column"
	// CodeCheckDropped: a CHECK that could not be translated, or was not enforced.
	CodeCheckDropped finding.Code = "check-dropped"

	// CodeExpression: an expression was translated, and differs in a way that may matter.
	CodeExpression finding.Code = "expression-differs"

	// CodeNoKey: a table without a key that it could be cut by.
	CodeNoKey finding.Code = "no-chunk-key"
	// CodeKeyPrefix: a primary key over prefixes becomes a unique index.
	CodeKeyPrefix finding.Code = "key-prefix"
	// CodeIndexPrefix: a prefix index becomes an expression index.
	CodeIndexPrefix finding.Code = "index-prefix"
	// CodeIndexDropped: an index without a form on the target.
	CodeIndexDropped finding.Code = "index-dropped"
	// CodeIndexInvisible: an invisible index becomes an ordinary one.
	CodeIndexInvisible finding.Code = "index-invisible"
	// CodeIndexTooLong: values may exceed what a B-tree entry can hold.
	CodeIndexTooLong finding.Code = "index-too-long"
	// CodeFullText: a FULLTEXT index, whose queries must be rewritten.
	CodeFullText finding.Code = "fulltext"
	// CodeForeignKeyDropped: a foreign key that PostgreSQL would refuse.
	CodeForeignKeyDropped finding.Code = "foreign-key-dropped"
	// CodeForeignKeyLater: foreign keys are left for the switch.
	CodeForeignKeyLater finding.Code = "foreign-key-later"
	// CodeForeignKeySpelling: a foreign key acts between texts that the source holds for equal and the target does not.
	CodeForeignKeySpelling finding.Code = "foreign-key-spelling"
	// CodePartitioned: a partitioned table becomes one table.
	CodePartitioned finding.Code = "partitioned"

	// CodeBackDate: a date without a form on the target is not what it was after the way back.
	CodeBackDate finding.Code = "back-date"
	// CodeBackText: text that lost bytes on the way there does not get them back.
	CodeBackText finding.Code = "back-text"
	// CodeBackJSON: the target keeps numbers in JSON that the source rounds.
	CodeBackJSON finding.Code = "back-json"
	// CodeBackUnique: the target takes rows that a unique index of the source refuses.
	CodeBackUnique finding.Code = "back-unique"

	// CodeView: a view, which is not moved.
	CodeView finding.Code = "view"
	// CodeTrigger: a trigger, which is not moved.
	CodeTrigger finding.Code = "trigger"
	// CodeRoutine: a procedure or function, which is not moved.
	CodeRoutine finding.Code = "routine"
	// CodeEvent: a scheduled event, which is not moved.
	CodeEvent finding.Code = "event"
	// CodeSequence: a sequence of MariaDB, which is not moved.
	CodeSequence finding.Code = "sequence"
)
