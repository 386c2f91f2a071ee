package mysql

import (
	"fmt"
	"strconv"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// Within reports whether a transaction, by the name that a feed gives it, is part of a position.
func (e *End) Within(at change.Position, txn string) (bool, error) {
	p, err := parsePosition(at)
	if err != nil {
		return false, err
	}
	switch {
	case p.kind == positionGTID:
		id, n, err := parseGTID(txn)
		if err != nil {
			return false, err
		}
		set, err := parseGTIDSet(p.gtids)
		return err == nil && set.contains(gtidSet{id: {{n, n + 1}}}), err
	case e.server.dialect == schema.MariaDB && p.gtids == "":
		return false, nil // nothing had a GTID yet, and this transaction has one
	case e.server.dialect == schema.MariaDB:
		one, err := parseGTIDList(txn)
		if err != nil {
			return false, err
		}
		list, err := parseGTIDList(p.gtids)
		return err == nil && list.includes(one), err
	}
	file, offset, ok := cutLast(txn, ":")
	n, err := strconv.ParseUint(offset, 10, 64)
	if !ok || err != nil {
		return false, fmt.Errorf("%q names no transaction by file and offset", txn)
	}
	return fileAfter(p.file, file) || p.file == file && n < p.pos, nil
}
