package expr

import (
	"fmt"
	"strconv"
)

// nowFunctions differ from row to row or from session to session: MySQL and
// PostgreSQL allow them in defaults only.
var nowFunctions = map[string]function{
	"now":               {0, 1, volatile((*translator).now)},
	"current_timestamp": {0, 1, volatile((*translator).now)},
	"localtime":         {0, 1, volatile((*translator).now)},
	"localtimestamp":    {0, 1, volatile((*translator).now)},
	"sysdate":           {0, 1, volatile((*translator).sysdate)},
	"curdate":           {0, 0, volatile(today)},
	"current_date":      {0, 0, volatile(today)},
	"curtime":           {0, 1, volatile((*translator).timeNow)},
	"current_time":      {0, 1, volatile((*translator).timeNow)},
	"utc_timestamp":     {0, 1, volatile((*translator).utcNow)},
	"utc_date":          {0, 0, volatile(utcToday)},
	"utc_time":          {0, 1, volatile((*translator).utcTime)},
	"unix_timestamp":    {0, 0, volatile(unixNow)},
	"uuid":              {0, 0, volatile((*translator).newUUID)},
	"sys_guid":          {0, 0, volatile((*translator).newGUID)},
	"uuid_to_bin":       {1, 2, volatile((*translator).uuidBytes)},
	"rand":              {0, 0, volatile(random)},
	"random":            {0, 0, volatile(random)},
}

func volatile(of func(*translator, []value) (value, error)) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		if t.Use != Default {
			return value{}, refuse("its result changes from call to call, which only a default may")
		}
		return of(t, a)
	}
}

// instantNow is MySQL's NOW(n): the start of the statement, cut to n digits of a
// second. PostgreSQL's CURRENT_TIMESTAMP(n) is the start of the transaction and
// is rounded, so it can lie in the future.
func (t *translator) instantNow(clock string, a []value) (string, error) {
	digits := 0
	if len(a) == 1 {
		n, err := strconv.Atoi(a[0].num)
		if err != nil || n < 0 || n > 6 {
			return "", refuse("its precision is not 0 to 6")
		}
		digits = n
	}
	switch digits {
	case 6:
		return clock, nil
	case 3:
		return "date_trunc('milliseconds', " + clock + ")", nil
	case 0:
		return "date_trunc('second', " + clock + ")", nil
	}
	t.note("MySQL cuts the time to %d digits, PostgreSQL rounds it", digits)
	return fmt.Sprintf("%s::timestamptz(%d)", clock, digits), nil
}

func (t *translator) now(a []value) (value, error) { return t.nowOf("statement_timestamp()", a) }

func (t *translator) sysdate(a []value) (value, error) { return t.nowOf("clock_timestamp()", a) }

func (t *translator) nowOf(clock string, a []value) (value, error) {
	sql, err := t.instantNow(clock, a)
	if err != nil {
		return value{}, err
	}
	return value{sql: sql, prec: pCast, kind: instant, notNull: true}, nil
}

func today(*translator, []value) (value, error) {
	return value{sql: "statement_timestamp()::date", prec: pCast, kind: date, notNull: true}, nil
}

func (t *translator) timeNow(a []value) (value, error) {
	v, err := t.now(a)
	if err != nil {
		return value{}, err
	}
	return v.as("time", clock), nil
}

// utcNow has no zone, as MySQL's has none; into a TIMESTAMP MySQL would shift it.
func (t *translator) utcNow(a []value) (value, error) {
	sql, err := t.instantNow("statement_timestamp()", a)
	if err != nil {
		return value{}, err
	}
	return value{sql: "timezone('UTC', " + sql + ")", prec: pAtom, kind: datetime, notNull: true}, nil
}

func utcToday(*translator, []value) (value, error) {
	return value{sql: "timezone('UTC', statement_timestamp())::date", prec: pCast, kind: date, notNull: true}, nil
}

func (t *translator) utcTime(a []value) (value, error) {
	v, err := t.utcNow(a)
	if err != nil {
		return value{}, err
	}
	return v.as("time", clock), nil
}

func unixNow(*translator, []value) (value, error) {
	return value{sql: "floor(extract(epoch FROM statement_timestamp()))::bigint", prec: pCast, kind: integer, width: 64, notNull: true}, nil
}

func (t *translator) newUUID([]value) (value, error) {
	t.note("uuid() makes UUIDs of version 1, PostgreSQL random ones of version 4")
	return value{sql: "gen_random_uuid()", prec: pAtom, kind: uuid, notNull: true}, nil
}

// newGUID is MariaDB's SYS_GUID: 32 digits without dashes.
func (t *translator) newGUID([]value) (value, error) {
	t.note("sys_guid() makes GUIDs of version 1, PostgreSQL random ones of version 4")
	return value{sql: "replace(gen_random_uuid()::text, '-', '')", prec: pAtom, kind: text, notNull: true}, nil
}

// uuidBytes renders UUID_TO_BIN of a new UUID. Its second argument puts the
// time first so that values grow; a random UUID has no time.
func (t *translator) uuidBytes(a []value) (value, error) {
	if a[0].kind != uuid {
		return value{}, refuse("it is translated only of a new UUID")
	}
	if len(a) == 2 && a[1].num != "0" {
		t.note("the new keys are random; MySQL's grow with time")
	}
	return call(bytes, "uuid_send", a[0]), nil
}

func random(*translator, []value) (value, error) {
	return value{sql: "random()", prec: pAtom, kind: float, width: 64, notNull: true}, nil
}
