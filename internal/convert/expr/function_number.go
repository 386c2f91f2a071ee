package expr

import "strconv"

var numberFunctions = map[string]function{
	"abs":      {1, 1, (*translator).abs},
	"sign":     {1, 1, (*translator).sign},
	"floor":    {1, 1, whole("floor")},
	"ceil":     {1, 1, whole("ceil")},
	"ceiling":  {1, 1, whole("ceil")},
	"round":    {1, 2, digitsAfter("round")},
	"truncate": {2, 2, digitsAfter("trunc")},
	"sqrt":     {1, 1, (*translator).sqrt},
}

func (t *translator) abs(a []value) (value, error) {
	v, err := t.number(a[0])
	if err != nil {
		return value{}, err
	}
	if v.kind == null {
		return v, nil
	}
	if v.kind == integer {
		v = wide(v)
	}
	return like(v, call(v.kind, "abs", v)), nil
}

// like gives a computed value what is known of the number it was computed from.
func like(v, computed value) value {
	computed.width, computed.big, computed.unsigned = v.width, v.big, v.unsigned
	computed.scale, computed.fracLow, computed.fracHigh = v.scale, v.fracLow, v.fracHigh
	return computed
}

func (t *translator) sign(a []value) (value, error) {
	v, err := t.number(a[0])
	if err != nil {
		return value{}, err
	}
	if v.kind == null {
		return v, nil
	}
	s := call(v.kind, "sign", v).as("int", integer)
	s.width = 32
	return s, nil
}

func whole(name string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		v, err := t.number(a[0])
		if err != nil || v.kind == integer || v.kind == null {
			return v, err
		}
		w := call(v.kind, name, v)
		w.width = v.width
		if v.kind == decimal {
			w.kind, w.big = integer, true
		}
		return w, nil
	}
}

// digitsAfter renders ROUND and TRUNCATE. Both servers round exact numbers half
// away from zero, and floats to whole numbers half to even; for floats with
// digits PostgreSQL has no function.
func digitsAfter(name string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		v, err := t.number(a[0])
		if err != nil {
			return value{}, err
		}
		digits := 0
		if len(a) == 2 {
			if digits, err = strconv.Atoi(a[1].num); err != nil || a[1].kind != integer {
				return value{}, refuse("it is translated only with a literal count of digits")
			}
		}
		digits = min(digits, maxScale)
		switch {
		case v.kind == null, v.kind == integer && digits >= 0, v.kind == decimal && digits >= v.fracHigh:
			return v, nil
		case v.kind == float && digits == 0:
			w := call(float, name, v)
			w.width = 64
			return w, nil
		case v.kind == float:
			return value{}, refuse("PostgreSQL does not round floats to digits")
		}
		w := call(decimal, name, value{sql: v.in(pCast) + "::numeric", kind: decimal, notNull: v.notNull}, intLiteral(int64(digits)))
		if v.kind == decimal {
			w = call(decimal, name, v, intLiteral(int64(digits)))
		}
		if digits <= 0 {
			w.kind, w.big, w.width, w.unsigned = integer, true, 64, v.unsigned
			return w, nil
		}
		w.scale, w.fracLow, w.fracHigh = min(v.scale, digits), digits, digits
		return w, nil
	}
}

// sqrt is exact to the last bit on both servers, as IEEE 754 wants; of a
// negative number MySQL makes NULL.
func (t *translator) sqrt(a []value) (value, error) {
	if a[0].kind == null {
		return a[0], nil
	}
	v, err := t.into(a[0], float)
	if err != nil {
		return value{}, err
	}
	return value{sql: "sqrt(CASE WHEN " + v.in(pCompare+1) + " >= 0 THEN " + v.sql + " END)", prec: pAtom, kind: float, width: 64}, nil
}
