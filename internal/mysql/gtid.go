package mysql

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A tsid names who numbers transactions: a server's UUID and, since MySQL 8.3, a tag that may be empty.
type tsid struct {
	uuid [16]byte
	tag  string
}

// An interval is the numbers from, from+1 ... to-1.
type interval struct{ from, to uint64 }

// A gtidSet is a set of MySQL's GTIDs: for each tsid its intervals in rising order, with a gap between any two. The nil map is the empty
// set, to read from.
type gtidSet map[tsid][]interval

const (
	// maxGTID is one more than the largest number of a transaction (GNO_END).
	maxGTID = 1<<63 - 1
	// maxTag is the longest tag.
	maxTag = 32
)

// parseGTIDSet reads UUID:1-5:7:tag:1-3,UUID:... as servers print it, with or without spaces and line breaks, in any order.
func parseGTIDSet(s string) (gtidSet, error) {
	set := gtidSet{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := set.parse(part); err != nil {
			return nil, fmt.Errorf("%q is no set of GTIDs: %w", shorten(part), err)
		}
	}
	return set, nil
}

// parse adds what stands between two commas.
func (g gtidSet) parse(part string) error {
	fields := strings.Split(part, ":")
	var id tsid
	var err error
	if id.uuid, err = parseUUID(strings.TrimSpace(fields[0])); err != nil {
		return err
	}
	for _, f := range fields[1:] {
		f = strings.TrimSpace(f)
		if isTag(f) {
			id.tag = strings.ToLower(f)
			continue
		}
		first, last, ranged := strings.Cut(f, "-")
		var v interval
		if v.from, err = parseGNO(first); err != nil {
			return err
		}
		v.to = v.from + 1
		if ranged {
			if v.to, err = parseGNO(last); err != nil {
				return err
			}
			v.to++
		}
		if v.from < v.to { // servers take 5-3 as nothing
			g.insert(id, v)
		}
	}
	return nil
}

func parseGNO(s string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil || n == 0 || n >= maxGTID {
		return 0, fmt.Errorf("%q is no number of a transaction", s)
	}
	return n, nil
}

// isTag reports whether s is a tag: a letter or _, then those and digits.
func isTag(s string) bool {
	for i, r := range []byte(s) {
		if r != '_' && (r|0x20 < 'a' || r|0x20 > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= maxTag
}

func parseUUID(s string) (u [16]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(u) {
		return u, fmt.Errorf("%q is no UUID", s)
	}
	return [16]byte(b), nil
}

func formatUUID(u [16]byte) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// parseGTID reads UUID:NUMBER or UUID:TAG:NUMBER.
func parseGTID(s string) (tsid, uint64, error) {
	id, number, ok := cutLast(s, ":")
	uuid, tag, tagged := strings.Cut(id, ":")
	u, err := parseUUID(uuid)
	if err != nil || !ok || tagged && !isTag(tag) {
		return tsid{}, 0, fmt.Errorf("%q is no GTID", s)
	}
	n, err := parseGNO(number)
	return tsid{u, strings.ToLower(tag)}, n, err
}

// add adds one transaction.
func (g gtidSet) add(id tsid, n uint64) {
	// Most of the time it is the next one.
	if v := g[id]; len(v) > 0 && v[len(v)-1].to == n {
		v[len(v)-1].to++
		return
	}
	g.insert(id, interval{n, n + 1})
}

// insert adds an interval and joins it with those that it meets.
func (g gtidSet) insert(id tsid, n interval) {
	old := g[id]
	lo, _ := slices.BinarySearchFunc(old, n.from, func(v interval, at uint64) int { return cmp.Compare(v.to, at) })
	hi := lo
	for hi < len(old) && old[hi].from <= n.to {
		n.from, n.to = min(n.from, old[hi].from), max(n.to, old[hi].to)
		hi++
	}
	g[id] = slices.Replace(old, lo, hi, n)
}

// union adds all of o.
func (g gtidSet) union(o gtidSet) {
	for id, vs := range o {
		for _, v := range vs {
			g.insert(id, v)
		}
	}
}

// minus returns what is in g and not in o.
func (g gtidSet) minus(o gtidSet) gtidSet {
	out := gtidSet{}
	for id, vs := range g {
		for _, v := range vs {
			for _, w := range o[id] {
				if w.to <= v.from || w.from >= v.to {
					continue
				}
				if v.from < w.from {
					out.insert(id, interval{v.from, w.from})
				}
				v.from = min(w.to, v.to)
			}
			if v.from < v.to {
				out.insert(id, v)
			}
		}
	}
	return out
}

// contains reports whether all of o is in g.
func (g gtidSet) contains(o gtidSet) bool { return len(o.minus(g)) == 0 }

func (g gtidSet) clone() gtidSet {
	out := make(gtidSet, len(g))
	for id, v := range g {
		out[id] = slices.Clone(v)
	}
	return out
}

// sorted returns the tsids in the order in which servers print and send them.
func (g gtidSet) sorted() []tsid {
	return slices.SortedFunc(maps.Keys(g), func(a, b tsid) int {
		return cmp.Or(slices.Compare(a.uuid[:], b.uuid[:]), strings.Compare(a.tag, b.tag))
	})
}

// String prints the set as servers do, on one line without spaces.
func (g gtidSet) String() string {
	var b strings.Builder
	var before tsid
	for i, id := range g.sorted() {
		if i == 0 || id.uuid != before.uuid {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(formatUUID(id.uuid))
		}
		if id.tag != "" {
			b.WriteString(":" + id.tag)
		}
		for _, v := range g[id] {
			b.WriteString(":" + strconv.FormatUint(v.from, 10))
			if v.to > v.from+1 {
				b.WriteString("-" + strconv.FormatUint(v.to-1, 10))
			}
		}
		before = id
	}
	return b.String()
}

// encode writes the set as Gtid_set::encode of MySQL does: the number of tsids in eight bytes, then for each its UUID, the
// number of intervals and their ends, eight bytes each, little-endian. When a tag occurs, the first and the last of the first
// eight bytes are 1 with the number between them, and each UUID is followed by its tag with its length, twice that number in a byte.
func (g gtidSet) encode() []byte {
	ids := g.sorted()
	tagged := slices.ContainsFunc(ids, func(id tsid) bool { return id.tag != "" })
	n := uint64(len(ids))
	if tagged {
		n = 1 | n<<8 | 1<<56
	}
	b := binary.LittleEndian.AppendUint64(nil, n)
	for _, id := range ids {
		b = append(b, id.uuid[:]...)
		if tagged {
			b = append(append(b, byte(len(id.tag)*2)), id.tag...)
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(len(g[id])))
		for _, v := range g[id] {
			b = binary.LittleEndian.AppendUint64(b, v.from)
			b = binary.LittleEndian.AppendUint64(b, v.to)
		}
	}
	return b
}

// A domainGTID is the last transaction of a domain of MariaDB.
type domainGTID struct {
	server uint32
	seq    uint64
}

// A gtidList is the last GTID of each domain of MariaDB.
type gtidList map[uint32]domainGTID

var errDomainGTID = errors.New("it is not DOMAIN-SERVER-SEQUENCE")

func parseDomainGTID(s string) (domain uint32, g domainGTID, err error) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return 0, g, fmt.Errorf("%q is no GTID: %w", s, errDomainGTID)
	}
	d, err1 := strconv.ParseUint(parts[0], 10, 32)
	srv, err2 := strconv.ParseUint(parts[1], 10, 32)
	seq, err3 := strconv.ParseUint(parts[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return 0, g, fmt.Errorf("%q is no GTID: %w", s, errDomainGTID)
	}
	return uint32(d), domainGTID{uint32(srv), seq}, nil
}

// parseGTIDList reads 0-1-100,1-1-7. Of several in one domain the highest sequence number counts.
func parseGTIDList(s string) (gtidList, error) {
	l := gtidList{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		d, g, err := parseDomainGTID(part)
		if err != nil {
			return nil, err
		}
		if old, ok := l[d]; !ok || g.seq > old.seq {
			l[d] = g
		}
	}
	return l, nil
}

// includes reports whether every domain of o is at least as far in l.
func (l gtidList) includes(o gtidList) bool {
	for d, g := range o {
		if have, ok := l[d]; !ok || have.seq < g.seq {
			return false
		}
	}
	return true
}

// String prints the list by rising domain.
func (l gtidList) String() string {
	var b strings.Builder
	for _, d := range slices.Sorted(maps.Keys(l)) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d-%d-%d", d, l[d].server, l[d].seq)
	}
	return b.String()
}
