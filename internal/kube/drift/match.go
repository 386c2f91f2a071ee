package drift

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// identity tells one object from another, across regions.
type identity struct{ kind, group, namespace, name string }

// matched is one object as the regions have it; nil for a region that does not.
type matched []*manifest.Object

// index sorts the objects of all regions by their identity. Objects whose identity is another region's word only are one where people have declared that;
// where two objects of a region would become one, they keep their own names, and are told.
func (c *comparison) index(regions []Region) []matched {
	groups := manyGroups(regions)
	same := c.declaredSame()
	count := make([]map[identity]int, len(regions))
	plain := func(i int, o *manifest.Object) (identity, bool) {
		if n, ok := same[[2]string{regions[i].Name, o.String()}]; ok {
			return identity{kind: "same", name: fmt.Sprint(n)}, true
		}
		id := identity{kind: o.Kind, namespace: cmp.Or(o.Namespace, "default"), name: o.Name}
		if groups[o.Kind+" "+id.namespace+"/"+o.Name] {
			id.group = o.Group
		}
		return id, false
	}
	worded := func(i int, id identity) identity {
		id.namespace = withoutWords(c.names[i].declared, id.namespace)
		id.name = withoutWords(c.names[i].declared, id.name)
		return id
	}
	for i, r := range regions {
		count[i] = map[identity]int{}
		for _, o := range r.Set.Objects {
			if id, declared := plain(i, o); !declared {
				count[i][worded(i, id)]++
			}
		}
	}
	all := map[identity]matched{}
	for i, r := range regions {
		for _, a := range r.Set.Aside {
			c.report.LeftOut = append(c.report.LeftOut, fmt.Sprintf("%s, %s: %s", r.Name, a.Where, a.What))
		}
		for _, o := range r.Set.Objects {
			if o.Name == "" {
				c.report.LeftOut = append(c.report.LeftOut, fmt.Sprintf("%s, %s: a %s without a name", r.Name, o.Where(), o.Kind))
				continue // nobody can say whether two of them are one
			}
			id, declared := plain(i, o)
			if w := worded(i, id); !declared && w != id {
				if count[i][w] == 1 {
					id = w
				} else {
					c.report.Unclear = append(c.report.Unclear, r.Name+": "+o.String())
				}
			}
			if all[id] == nil {
				all[id] = make(matched, len(regions))
			}
			if all[id][i] == nil {
				all[id][i] = o
			}
		}
	}
	out := make([]matched, 0, len(all))
	for _, id := range slices.SortedFunc(maps.Keys(all), compareIdentity) {
		out = append(out, all[id])
	}
	return out
}

func compareIdentity(a, b identity) int {
	return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.group, b.group))
}

// manyGroups are the kinds and names that a region has in several groups of APIs: there the group tells objects apart. Elsewhere it does not, for an object
// of an old API is the same as one of the new.
func manyGroups(regions []Region) map[string]bool {
	out := map[string]bool{}
	for _, r := range regions {
		seen := map[string]string{}
		for _, o := range r.Set.Objects {
			k := o.Kind + " " + cmp.Or(o.Namespace, "default") + "/" + o.Name
			if g, twice := seen[k]; twice && g != o.Group {
				out[k] = true
			}
			seen[k] = o.Group
		}
	}
	return out
}

// declaredSame gives for a region and what it calls an object the number of the declaration that names it.
func (c *comparison) declaredSame() map[[2]string]int {
	out := map[[2]string]int{}
	for i, same := range c.decided.Same {
		for name, object := range same {
			out[[2]string{name, object}] = i
		}
	}
	return out
}

// propose looks for objects that some regions lack, and that would be one if a word of their names meant the region.
func (c *comparison) propose(regions []Region, partial []matched) {
	type candidate struct {
		objects matched
		words   map[int]string
		twice   bool
	}
	all := map[identity]*candidate{}
	for _, m := range partial {
		for i, o := range m {
			if o == nil {
				continue
			}
			words := anyWord(c.names[i].candidates)
			id := identity{
				kind: o.Kind, namespace: withoutWords(words, withoutWords(c.names[i].declared, cmp.Or(o.Namespace, "default"))),
				name: withoutWords(words, withoutWords(c.names[i].declared, o.Name)),
			}
			k := all[id]
			if k == nil {
				k = &candidate{objects: make(matched, len(regions)), words: map[int]string{}}
				all[id] = k
			}
			k.twice = k.twice || k.objects[i] != nil
			k.objects[i] = o
			for _, s := range []string{o.Namespace, o.Name} {
				if words != nil && words.MatchString(s) {
					k.words[i] = words.FindStringSubmatch(s)[2]
				}
			}
		}
	}
	p := &Proposal{Words: map[string][]string{}}
	for _, id := range slices.SortedFunc(maps.Keys(all), compareIdentity) {
		k := all[id]
		if k.twice || len(k.words) < 2 {
			continue
		}
		p.Objects = append(p.Objects, named(k.objects))
		for i, w := range k.words {
			if name := regions[i].Name; !slices.Contains(p.Words[name], w) {
				p.Words[name] = append(p.Words[name], w)
				slices.Sort(p.Words[name])
			}
		}
	}
	if len(p.Objects) > 0 {
		c.report.Proposal = p
	}
}

func named(m matched) Object {
	out := Object{Names: make([]string, len(m))}
	for i, o := range m {
		if o != nil {
			out.Names[i] = o.String()
		}
	}
	return out
}
