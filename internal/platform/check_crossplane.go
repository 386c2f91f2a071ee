package platform

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// groupPattern is what an API group is called: a name in DNS with a dot at least.
const groupPattern = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`

// labelPattern is a name of RFC 1035, of which namespaces, clusters, pools and most of what Google Cloud has are made.
const labelPattern = `^[a-z]([-a-z0-9]*[a-z0-9])?$`

var (
	group = regexp.MustCompile(groupPattern)
	label = regexp.MustCompile(labelPattern)
)

// crossplane looks at what is said of Crossplane. What is not said is no mistake: bascule crossplane generate asks for it.
func (c *checker) crossplane() {
	x := c.p.Crossplane
	if x == nil {
		return
	}
	if x.Group != "" && !group.MatchString(x.Group) {
		c.add("$.crossplane.group", "%q is no API group such as platform.shop.example", x.Group)
	}
	if x.Cluster != nil {
		c.cluster("$.crossplane.cluster", x.Cluster)
	}
	for _, n := range slices.Sorted(maps.Keys(x.Environments)) {
		path := "$.crossplane.environments." + n
		i := slices.IndexFunc(c.p.Environments, func(e Environment) bool { return e.Name == n })
		if i < 0 {
			c.add(path, "there is no environment %q", n)
			continue
		}
		l := x.Environments[n]
		c.landing(path, &l, &c.p.Environments[i])
	}
}

func (c *checker) cluster(path string, x *Cluster) {
	if !slices.Contains([]string{"", "RAPID", "REGULAR", "STABLE", "EXTENDED"}, x.Channel) {
		c.add(path+".channel", "there is no channel %q: RAPID, REGULAR, STABLE and EXTENDED are", x.Channel)
	}
	if len(x.Pools) == 0 {
		c.add(path+".pools", "a cluster without a node pool runs nothing")
	}
	seen := map[string]bool{}
	for i, p := range x.Pools {
		at := fmt.Sprintf("%s.pools[%d]", path, i)
		switch {
		case !label.MatchString(p.Name) || len(p.Name) > 40:
			c.add(at+".name", "%q is no name of a node pool: 40 small letters, digits and dashes at the most, a letter first", p.Name)
		case seen[p.Name]:
			c.add(at+".name", "node pool %q is there twice", p.Name)
		case p.Machine == "":
			c.add(at, "node pool %q has no machine type", p.Name)
		case p.Max < 1 || p.Min < 0 || p.Min > p.Max:
			c.add(at, "node pool %q has from %d to %d nodes in a zone: there must be room for one, and the first no more than the second", p.Name, p.Min, p.Max)
		case p.DiskGB != 0 && p.DiskGB < 10:
			c.add(at+".disk-gb", "a node's disk has 10 GB at the least")
		}
		seen[p.Name] = true
	}
}

// landing looks whether what is said to exist belongs to something that the environment has.
func (c *checker) landing(path string, l *Landing, e *Environment) {
	for key, value := range map[string]string{"namespace": l.Namespace, "cluster": l.Cluster} {
		if value != "" && (!label.MatchString(value) || len(value) > 40) {
			c.add(path+"."+key, "%q is no name: 40 small letters, digits and dashes at the most, a letter first", value)
		}
	}
	for n := range l.Databases {
		if !slices.ContainsFunc(e.Databases, func(d Database) bool { return d.Name == n }) {
			c.add(path+".databases."+n, "environment %s has no database %q", e.Name, n)
		}
	}
	for key, have := range map[string][]Place{"caches": e.Caches, "buckets": e.Buckets} {
		names := slices.Sorted(maps.Keys(l.Caches))
		if key == "buckets" {
			names = slices.Sorted(maps.Keys(l.Buckets))
		}
		for _, n := range names {
			if !slices.ContainsFunc(have, func(p Place) bool { return p.Name == n }) {
				c.add(path+"."+key+"."+n, "environment %s has no such %s", e.Name, key[:len(key)-1])
			}
		}
	}
	for n, d := range l.Databases {
		if d.Identity != "" && d.User != "" {
			c.add(path+".databases."+n, "either an identity logs in, or a user by a password")
		}
	}
}
