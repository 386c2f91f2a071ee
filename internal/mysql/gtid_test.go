package mysql

import (
	"testing"

	"pgregory.net/rapid"
)

const (
	uuidA = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	uuidB = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
)

func gtids(t testing.TB, s string) gtidSet {
	t.Helper()
	g, err := parseGTIDSet(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGTIDSetText(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		uuidA + ":1":                     uuidA + ":1",
		uuidA + ":3-5:1-2":               uuidA + ":1-5",
		uuidA + ":1-2:4":                 uuidA + ":1-2:4",
		uuidB + ":1,\n" + uuidA + ":7-9": uuidA + ":7-9," + uuidB + ":1",
		uuidA + ":1,3E11FA47-71CA-11E1-9E33-C80AA9429562:2": uuidA + ":1-2",
		uuidA + ":1-5:Tag_1:1-3:4":                          uuidA + ":1-5:tag_1:1-4",
		uuidA + ":b:2," + uuidA + ":a:1":                    uuidA + ":a:1:b:2",
		uuidA + ":5-3":                                      "",
	} {
		if got := gtids(t, in).String(); got != want {
			t.Errorf("%q is printed as %q, not %q", in, got, want)
		}
	}
	for _, in := range []string{"x", uuidA[1:] + ":1", uuidA + ":0", uuidA + ":1-x", uuidA + ":9223372036854775807", uuidA + ":1#2", uuidA + ":-"} {
		if g, err := parseGTIDSet(in); err == nil {
			t.Errorf("%q was read as %s", in, g)
		}
	}
}

// TestGTIDSetAlgebra compares with sets of single numbers.
func TestGTIDSetAlgebra(t *testing.T) {
	ids := []tsid{{tag: ""}, {tag: "x"}, {uuid: [16]byte{1}}}
	type plain map[tsid]map[uint64]bool
	draw := func(t *rapid.T, name string) (gtidSet, plain) {
		g, p := gtidSet{}, plain{}
		for range rapid.IntRange(0, 30).Draw(t, name) {
			id, n := rapid.SampledFrom(ids).Draw(t, "id"), rapid.Uint64Range(1, 20).Draw(t, "n")
			if p[id] == nil {
				p[id] = map[uint64]bool{}
			}
			g.add(id, n)
			p[id][n] = true
		}
		return g, p
	}
	same := func(t *rapid.T, what string, g gtidSet, has func(tsid, uint64) bool) {
		for _, id := range ids {
			for n := range uint64(22) {
				in := false
				for i, v := range g[id] {
					in = in || n >= v.from && n < v.to
					if v.from >= v.to || i > 0 && g[id][i-1].to >= v.from {
						t.Fatalf("%s: intervals %v", what, g[id])
					}
				}
				if n > 0 && in != has(id, n) {
					t.Fatalf("%s: %v:%d is in it: %v", what, id, n, in)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, pa := draw(t, "a")
		b, pb := draw(t, "b")
		same(t, "a", a, func(id tsid, n uint64) bool { return pa[id][n] })
		same(t, "a minus b", a.minus(b), func(id tsid, n uint64) bool { return pa[id][n] && !pb[id][n] })
		u := a.clone()
		u.union(b)
		same(t, "a or b", u, func(id tsid, n uint64) bool { return pa[id][n] || pb[id][n] })
		if !u.contains(a) || !u.contains(b) || a.contains(b) != (len(b.minus(a)) == 0) {
			t.Fatal("contains")
		}
		if again, err := parseGTIDSet(u.String()); err != nil || again.String() != u.String() {
			t.Fatalf("%s is read as %s, %v", u, again, err)
		}
	})
}

func TestGTIDLists(t *testing.T) {
	l, err := parseGTIDList("1-2-30,0-1-100")
	if err != nil || l.String() != "0-1-100,1-2-30" {
		t.Fatalf("%s, %v", l, err)
	}
	more, err := parseGTIDList("0-9-100")
	if err != nil || !l.includes(more) || more.includes(l) {
		t.Errorf("%s and %s: %v", l, more, err)
	}
	for _, in := range []string{"0-1", "0-1-2-3", "a-b-c", "4294967296-1-1"} {
		if _, err := parseGTIDList(in); err == nil {
			t.Errorf("%q was read", in)
		}
	}
}

func FuzzGTIDSet(f *testing.F) {
	f.Add(uuidA + ":1-5:tag:1-3:9," + uuidB + ":7")
	f.Add(" \n,")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := parseGTIDSet(s)
		if err != nil {
			return
		}
		text := g.String()
		again, err := parseGTIDSet(text)
		if err != nil || again.String() != text || !again.contains(g) || !g.contains(again) {
			t.Errorf("%q, printed as %q, is read as %v: %v", s, text, again, err)
		}
		if n := len(g.encode()); n < 8 {
			t.Errorf("%d bytes", n)
		}
	})
}

func FuzzGTIDList(f *testing.F) {
	f.Add("0-1-100,1-2-3")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseGTIDList(s)
		if err != nil {
			return
		}
		if again, err := parseGTIDList(l.String()); err != nil || !again.includes(l) || !l.includes(again) {
			t.Errorf("%q is read as %v, then as %v: %v", s, l, again, err)
		}
	})
}

func FuzzStatement(f *testing.F) {
	for _, s := range []string{"XA START X'61',X'',1", "DROP TABLE `a`, b /* x */", "/*!40000 ALTER TABLE a */", "ROLLBACK TO `x`", "CREATE TABLE a (x INT) START TRANSACTION", "'", "/*", "\"a\\"} {
		f.Add(s)
	}
	follow := &followed{database: "db", fold: true}
	f.Fuzz(func(t *testing.T, s string) {
		st := classify(s)
		if got := follow.scanned(&st, "db"); len(got.tables) > 0 {
			t.Errorf("%q touches %v of no table", s, got.tables)
		}
	})
}
