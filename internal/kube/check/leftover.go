package check

import (
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

var (
	registry = regexp.MustCompile(`\b\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?(/[A-Za-z0-9._/-]+)?`)
	// region finds regions and zones of AWS: those of Google have no dash before the digit.
	region  = regexp.MustCompile(`\b(us|eu|ap|sa|ca|me|af|il|mx|cn)-(gov-|iso[a-z]?-)?(north|south|east|west|central|northeast|southeast|northwest|southwest)-[1-9][a-f]?\b`)
	account = regexp.MustCompile(`(?i)(^|[^a-z])(aws[_.-]?)?account([_.-]?id)?$`)
	twelve  = regexp.MustCompile(`^\d{12}$`)
	// credential are the variables by which the SDKs of AWS know who they are.
	credential = map[string]bool{
		"AWS_ACCESS_KEY_ID": true, "AWS_SECRET_ACCESS_KEY": true, "AWS_SESSION_TOKEN": true, "AWS_ROLE_ARN": true, "AWS_WEB_IDENTITY_TOKEN_FILE": true,
		"AWS_PROFILE": true, "AWS_CONTAINER_CREDENTIALS_FULL_URI": true,
	}
)

const perPhase = "give it a value for each phase: the old one, through the network between the clouds, while it is there; the new one once it has moved"

// leftovers reports what only makes sense on AWS. Of a text it tells what it recognises, and nothing else: it may hold passwords.
func leftovers(l *log) {
	if l.o.Kind == "CustomResourceDefinition" {
		return // it describes values, and holds none
	}
	secret := l.o.Kind == "Secret" && l.o.Group == ""
	f := &left{log: l, seen: map[string]bool{}}
	translate.Walk(l.o.Value, func(path []string, v any) bool {
		if secret && len(path) > 0 && (path[0] == "data" || path[0] == "stringData") {
			return false
		}
		f.value(path, v)
		return true
	})
}

// aside looks at what is no object: the values of a chart, or something that lies about.
func (w *world) aside(a manifest.Aside) {
	f := &left{log: &log{o: &manifest.Object{}}, seen: map[string]bool{}}
	if m, ok := a.Value.(map[string]any); ok {
		translate.Walk(m, func(path []string, v any) bool { f.value(path, v); return true })
	}
	for _, n := range f.notes {
		n.object, n.where = a.Where, "/"+strings.Join(n.path, "/")
		n.o, n.path = nil, nil
		w.notes = append(w.notes, n)
	}
	w.notes = append(w.notes, note{code: "not-an-object", severity: finding.Info, object: a.Where, where: a.Where, what: "It is no object: " + a.What + ". Only what is left of AWS was looked for in it."})
}

// left is the search in one object: each thing is told once.
type left struct {
	*log
	seen map[string]bool
}

func (f *left) tell(code finding.Code, severity finding.Severity, path []string, thing, what, do string) {
	if f.seen[string(code)+thing] {
		return
	}
	f.seen[string(code)+thing] = true
	f.add(code, severity, path, what, do, application)
}

func (f *left) value(path []string, v any) {
	switch x := v.(type) {
	case map[string]any:
		for _, k := range keys(x) {
			f.key(k, join(path, k))
		}
		if name, _ := x["name"].(string); credential[name] && len(path) > 1 && path[len(path)-2] == "env" {
			f.tell("leftover-credentials", finding.Warning, path, name, "Its variable "+name+" is how the SDKs of AWS know who they are.", "remove it where nothing on AWS is used any more; on GKE the service account is the identity")
		}
	case string:
		f.text(path, x)
	}
}

// placing says whether a path belongs to what decides on which node a pod may run: what no node has leaves it pending. A preference does not.
func placing(path []string) bool {
	return slices.ContainsFunc(path, func(s string) bool { return s == "nodeSelector" || s == "nodeAffinity" || s == "allowedTopologies" }) &&
		!slices.Contains(path, "preferredDuringSchedulingIgnoredDuringExecution")
}

func (f *left) key(key string, path []string) {
	if !translate.AWSKey(key) {
		return
	}
	if placing(path) {
		f.tell("leftover-placement", finding.Blocker, path, key, "It asks for nodes by "+key+", which no node of GKE has: its pods would stay pending.", "remove it, or name what stands for it on GKE: cloud.google.com/compute-class")
		return
	}
	f.tell("leftover-key", finding.Warning, path, key, "Nothing on GKE reads "+key+".", "remove it, or put there what is to stand for it")
}

func (f *left) text(path []string, s string) {
	last := path[len(path)-1]
	if last != "apiVersion" && !strings.Contains(s, ".dkr.ecr.") {
		f.key(s, path) // a value may name a key, of a label or a taint
	}
	rest := s
	if strings.Contains(s, ".dkr.ecr.") {
		rest = f.images(path, s)
	}
	for _, m := range translate.Addresses(rest) {
		f.tell("leftover-address", finding.Warning, path, m, "It names "+m+", "+translate.AddressOf(m)+".", perPhase)
		rest = strings.ReplaceAll(rest, m, "")
	}
	if mayBePlace(rest) {
		f.places(path, rest)
	}
	name := last
	if name == "value" {
		name = text(f.o.Value, join(path[:len(path)-1], "name")...)
	}
	if len(s) == 12 && twelve.MatchString(s) && account.MatchString(name) {
		f.tell("leftover-account", finding.Warning, path, s, "It names "+s+", which seems to be an account of AWS.", perPhase)
	}
}

// mayBePlace says whether a text can hold a region: most hold none, and are soon done with.
func mayBePlace(s string) bool {
	for _, way := range []string{"-north", "-south", "-east", "-west", "-central", "-gov-", "-iso"} {
		if strings.Contains(s, way) {
			return true
		}
	}
	return false
}

// images tells the images in ECR, and returns the text without them.
func (f *left) images(path []string, s string) string {
	for _, m := range registry.FindAllString(s, -1) {
		f.tell("leftover-image", finding.Blocker, path, m, "It names the image "+m+" in ECR, from which nodes of GKE cannot pull.", "copy it to Artifact Registry, and name the copy by its digest: bascule kube translate --images")
	}
	return registry.ReplaceAllString(s, "")
}

// places tells the regions and zones of AWS.
func (f *left) places(path []string, s string) {
	for _, m := range region.FindAllString(s, -1) {
		if placing(path) && m == s { // and not a class or pool that has it in its name
			f.tell("leftover-placement", finding.Blocker, path, m, "It asks for nodes in "+m+", which is a place of AWS: its pods would stay pending.", "name a zone or region of Google, or spread by topologySpreadConstraints")
			continue
		}
		f.tell("leftover-region", finding.Warning, path, m, "It names "+m+", a region or zone of AWS.", perPhase)
	}
}
