package crossplane

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/platform"
)

// The codes of findings; docs/findings.md lists them.
const (
	// CodeMissing asks for something that nobody can guess; its object is the key of bascule.yaml to fill in.
	CodeMissing finding.Code = "crossplane-missing"
	// CodeName is about a name that Google Cloud would refuse.
	CodeName finding.Code = "crossplane-name"
	// CodePassword is about a user with a password that could do without one.
	CodePassword finding.Code = "crossplane-password"
)

// Definition is everything that is known about a platform's place on Google Cloud.
type Definition struct {
	Platform   string
	Group      string
	Developers []string
	Cluster    *platform.Cluster // nil where none is described
	// Environments are those of which project, region, network and namespace are known, in the order of bascule.yaml.
	Environments []Environment
}

// Environment is one of them.
type Environment struct {
	Name string
	platform.Landing
}

// Environment returns the environment of a name.
func (d *Definition) Environment(name string) (*Environment, bool) {
	i := slices.IndexFunc(d.Environments, func(e Environment) bool { return e.Name == name })
	if i < 0 {
		return nil, false
	}
	return &d.Environments[i], true
}

// hasClusters reports whether there is a cluster to write.
func (d *Definition) hasClusters() bool {
	return d.Cluster != nil && slices.ContainsFunc(d.Environments, func(e Environment) bool { return e.Cluster != "" })
}

// Define takes from a platform what is known. What is missing is a question with the exact key; what needs it is left out. There is nothing to generate
// (Definition without environments) when the first questions are open.
func Define(p *platform.Platform) (*Definition, []finding.Finding) {
	x := cmp.Or(p.Crossplane, &platform.Crossplane{})
	d := &Definition{Platform: p.Name, Group: x.Group, Developers: x.Developers, Cluster: x.Cluster}
	q := &questions{}
	if d.Group == "" {
		q.ask(finding.Blocker, "crossplane.group", "The API group of the kinds that developers use is not said.", "group: platform.EXAMPLE, of a domain that is yours")
	}
	if len(d.Developers) == 0 {
		q.ask(finding.Info, "crossplane.developers", "No group of people may ask for anything, so no binding is written.", "developers: [GROUP]")
	}
	for i := range p.Environments {
		e := &p.Environments[i]
		l := x.Environments[e.Name]
		if q.landing(d, e, &l) && d.Group != "" {
			d.Environments = append(d.Environments, Environment{Name: e.Name, Landing: l})
		}
	}
	return d, q.found
}

// questions collects findings.
type questions struct{ found []finding.Finding }

func (q *questions) ask(severity finding.Severity, key, what, do string) {
	q.found = append(q.found, finding.Finding{
		Code: CodeMissing, Kind: finding.Question, Severity: severity, Object: key, What: what, Do: "bascule.yaml: " + do, Owner: "operator",
	})
}

// landing looks at an environment, leaves out what lacks something, and reports whether anything can be written for it.
func (q *questions) landing(d *Definition, e *platform.Environment, l *platform.Landing) bool {
	at := "crossplane.environments." + e.Name
	whole := true
	for _, key := range []struct{ name, value, example string }{
		{"project", l.Project, "the project's ID"},
		{"region", l.Region, "such as europe-west1"},
		{"network", l.Network, "projects/PROJECT/global/networks/NAME"},
		{"namespace", l.Namespace, "where the objects lie that stand for what exists already"},
	} {
		if key.value == "" {
			whole = false
			q.ask(finding.Warning, at+"."+key.name, fmt.Sprintf("The %s of environment %s on Google Cloud is not known, so nothing is written for it.", key.name, e.Name), key.name+": "+key.example)
		}
	}
	if !whole {
		return false
	}
	q.cluster(d, at, l)
	q.databases(at, e, l)
	q.caches(at, e, l)
	q.buckets(at, e, l)
	q.others(at, l)
	return true
}

func (q *questions) cluster(d *Definition, at string, l *platform.Landing) {
	if l.Cluster == "" {
		return
	}
	missing := ""
	for _, key := range []struct{ name, value string }{{"subnetwork", l.Subnetwork}, {"pods", l.Pods}, {"services", l.Services}} {
		if key.value == "" {
			missing = key.name
			q.ask(finding.Warning, at+"."+key.name, "Where the cluster's nodes, pods and services are is not known, so the cluster is not written.", key.name+": its name")
		}
	}
	if d.Cluster == nil {
		missing = "cluster"
		q.ask(finding.Warning, "crossplane.cluster", "An environment names a cluster, and nothing says what clusters look like.", "cluster: {pools: [{name: NAME, machine: TYPE, max: N}]}")
	}
	if missing != "" {
		l.Cluster = ""
	}
}

func (q *questions) databases(at string, e *platform.Environment, l *platform.Landing) {
	kept := map[string]platform.LandedDatabase{}
	for _, db := range e.Databases {
		x := l.Databases[db.Name]
		key := at + ".databases." + db.Name
		whole := q.need(key, map[string]string{"instance": x.Instance, "version": x.Version, "tier": x.Tier}, "It exists already and would be made a second time, so no object is written for it.")
		if !whole || !q.named(key+".instance", nameInstance, x.Instance) {
			continue
		}
		if x.User != "" {
			q.found = append(q.found, finding.Finding{
				Code: CodePassword, Kind: finding.Opportunity, Severity: finding.Info, Object: key, Owner: "application",
				What: fmt.Sprintf("User %s logs in by a password, which stays outside of Crossplane.", x.User),
				Do:   "bascule.yaml: identity: ID in the place of user, once the application logs in by its service account",
			})
		}
		kept[db.Name] = x
	}
	l.Databases = kept
}

func (q *questions) caches(at string, e *platform.Environment, l *platform.Landing) {
	kept := map[string]platform.LandedCache{}
	for _, c := range e.Caches {
		x := l.Caches[c.Name]
		key := at + ".caches." + c.Name
		if q.need(key, map[string]string{"instance": x.Instance, "version": x.Version, "node": x.Node}, "It exists already and would be made a second time, so no object is written for it.") &&
			q.named(key+".instance", nameCache, x.Instance) {
			kept[c.Name] = x
		}
	}
	l.Caches = kept
}

func (q *questions) buckets(at string, e *platform.Environment, l *platform.Landing) {
	kept := map[string]platform.LandedBucket{}
	for _, b := range e.Buckets {
		x := l.Buckets[b.Name]
		key := at + ".buckets." + b.Name
		if q.need(key, map[string]string{"bucket": x.Bucket}, "Names of buckets are the world's, so this one cannot be guessed, and no object is written for it.") &&
			q.named(key+".bucket", nameBucket, x.Bucket) {
			kept[b.Name] = x
		}
	}
	l.Buckets = kept
}

// others looks at what is named by its own name.
func (q *questions) others(at string, l *platform.Landing) {
	l.Records = maps.Clone(l.Records)
	for _, n := range slices.Sorted(maps.Keys(l.Records)) {
		x := l.Records[n]
		data := ""
		if len(x.Data) > 0 {
			data = x.Data[0]
		}
		if !q.need(at+".records."+n, map[string]string{"zone": x.Zone, "type": x.Type, "data": data}, "A record without it is none, so no object is written for it.") {
			delete(l.Records, n)
		}
	}
	for _, of := range []struct {
		key   string
		rule  nameRule
		names []string
	}{
		{"topics", nameTopic, slices.Sorted(maps.Keys(l.Topics))},
		{"identities", nameAccount, slices.Sorted(maps.Keys(l.Identities))},
		{"repositories", nameRepository, slices.Sorted(maps.Keys(l.Repositories))},
	} {
		for _, n := range of.names {
			q.named(at+"."+of.key+"."+n, of.rule, n)
		}
	}
}

// need asks for every value that is empty, and reports whether none is.
func (q *questions) need(key string, values map[string]string, why string) bool {
	whole := true
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] == "" {
			whole = false
			q.ask(finding.Warning, key+"."+name, fmt.Sprintf("The %s of %s is not known. %s", name, key, why), name+": …")
		}
	}
	return whole
}

// named reports whether Google Cloud would take a name.
func (q *questions) named(key string, rule nameRule, name string) bool {
	if rule.takes(name) {
		return true
	}
	q.found = append(q.found, finding.Finding{
		Code: CodeName, Kind: finding.Problem, Severity: finding.Warning, Object: key, Owner: "operator",
		What: fmt.Sprintf("%q cannot be the name of %s.", name, rule.of),
		Do:   "bascule.yaml: " + rule.says(),
	})
	return false
}

// nameRule is what Google Cloud takes as a name.
type nameRule struct {
	of          string
	least, most int
}

// The rules, from Google Cloud's documentation of each resource (November 2026). All want small letters, digits and dashes, a letter first and no dash last, or
// are kept to it here. An instance of Cloud SQL may have 98 with its project and a colon; a project's ID has up to 30.
var (
	nameInstance     = nameRule{"an instance of Cloud SQL", 1, 67}
	nameCache        = nameRule{"an instance of Memorystore", 4, 63}
	nameBucket       = nameRule{"a bucket", 3, 63}
	nameTopic        = nameRule{"a topic", 3, 255}
	nameSubscription = nameRule{"a subscription", 3, 255}
	nameAccount      = nameRule{"a service account", 6, 30}
	nameRepository   = nameRule{"an image repository", 1, 63}
	nameCluster      = nameRule{"a GKE cluster", 1, 40}
)

var plainName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

func (r nameRule) takes(name string) bool {
	return len(name) >= r.least && len(name) <= r.most && plainName.MatchString(name)
}

func (r nameRule) says() string {
	return fmt.Sprintf("%d to %d small letters, digits and dashes, a letter first and no dash last", r.least, r.most)
}

// refused is the pattern of everything that the rule does not take.
func (r nameRule) refused() string {
	long := fmt.Sprintf(`.{%d,}`, r.most+1)
	if r.least > 1 {
		long += fmt.Sprintf(`|.{0,%d}`, r.least-1)
	}
	return `^(` + long + `|[^a-z].*|.*[^a-z0-9-].*|.*-)$`
}
