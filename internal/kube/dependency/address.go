package dependency

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/translate"
)

// ref is something that a value names.
type ref struct {
	kind  Kind
	name  string
	sure  Sure
	reads bool
	// host is the name in DNS, where it has one: a database of bascule.yaml or a Service may stand behind it.
	host string
}

var (
	arn     = regexp.MustCompile(`\barn:aws[a-z-]*:([a-z0-9-]+):[a-z0-9-]*:\d*:([A-Za-z0-9/_.*:+=@-]+)`)
	scheme  = regexp.MustCompile(`\b[a-z][a-z0-9+.-]*://`)
	host    = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?::\d{1,5})?$`)
	awsName = regexp.MustCompile(`\b([A-Za-z0-9][A-Za-z0-9._-]*\.amazonaws\.com(?:\.cn)?)(?::\d+)?(/[^\s"'?#,;<>]*)?`)
	inside  = regexp.MustCompile(`\b([a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.svc)(?:\.[a-z0-9.-]+)?\b`)
	bare    = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::\d{1,5})?$`)
	plain   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,127}$`)
)

// schemes say what stands behind an address.
var schemes = map[string]Kind{
	"postgres": Database, "postgresql": Database, "mysql": Database, "mysql2": Database, "mariadb": Database, "mongodb": Database, "mongodb+srv": Database,
	"sqlserver": Database, "oracle": Database, "cockroachdb": Database,
	"redis": Cache, "rediss": Cache, "valkey": Cache, "valkeys": Cache, "memcached": Cache,
	"amqp": Queue, "amqps": Queue, "kafka": Queue, "nats": Queue, "pulsar": Queue,
	"s3": Bucket, "s3a": Bucket, "s3n": Bucket, "gs": Bucket,
}

// hints are what the name of a variable suggests about a host in it.
var hints = []struct {
	name *regexp.Regexp
	kind Kind
}{
	{regexp.MustCompile(`(?i)(redis|valkey|memcache|elasticache|cache)`), Cache},
	{regexp.MustCompile(`(?i)(kafka|broker|rabbit|amqp|nats|pulsar|bootstrap_?servers)`), Queue},
	{regexp.MustCompile(`(?i)(elastic|opensearch|solr)`), Search},
	{regexp.MustCompile(`(?i)((^|[^a-z])(db|rds|pg)([^a-z]|$)|database|postgres|mysql|maria|mongo|jdbc)`), Database},
}

// located says whether a variable says where something is.
var located = regexp.MustCompile(`(?i)(host|hosts|hostname|url|uri|dsn|addr|address|endpoint|server|servers|brokers|connection|connection_?string)$`)

// named are what a variable says about a plain name in it.
var named = []struct {
	name *regexp.Regexp
	kind Kind
}{
	{regexp.MustCompile(`(?i)bucket(_?name)?$`), Bucket},
	{regexp.MustCompile(`(?i)queue(_?name)?$`), Queue},
	{regexp.MustCompile(`(?i)topic(_?name)?$`), Topic},
	{regexp.MustCompile(`(?i)(kinesis|stream)(_?stream)?(_?name)?$`), Stream},
	{regexp.MustCompile(`(?i)(dynamo.*table|dynamodb)(_?name)?$`), Table},
}

var readOnly = regexp.MustCompile(`(?i)(^|[^a-z])(read_?only|ro|replica|reader)([^a-z]|$)`)

// hint is what a variable's name suggests; empty for nothing.
func hint(name string) Kind {
	for _, h := range hints {
		if h.name.MatchString(name) {
			return h.kind
		}
	}
	return ""
}

// longest bounds what is looked through in one value.
const longest = 1 << 20

// refs finds what a value names. The variable's name may be empty.
func refs(name, value string) []ref { return refsOf(name, value, false) }

// guardedRefs is refs for the value of a Secret: only what has the form of an address counts, for any other word may be the secret.
func guardedRefs(name, value string) []ref { return refsOf(name, value, true) }

func refsOf(name, value string, guarded bool) []ref {
	if len(value) > longest {
		value = value[:longest]
	}
	reads := readOnly.MatchString(name)
	var out []ref
	add := func(r ref) {
		if r.kind != "" && r.name != "" {
			r.reads = r.reads || reads
			out = append(out, r)
		}
	}
	if strings.Contains(value, "arn:aws") {
		for _, m := range arn.FindAllStringSubmatch(value, -1) {
			add(ofARN(m[1], m[2]))
		}
	}
	if strings.Contains(value, "://") {
		all, rest := urls(value)
		for _, u := range all {
			for _, h := range u.hosts {
				add(ofURL(name, u.scheme, h, u.path))
			}
		}
		value = rest
	}
	if strings.Contains(value, ".amazonaws.com") {
		for _, m := range awsName.FindAllStringSubmatch(value, -1) {
			add(ofHost(m[1], m[2]))
		}
	}
	if strings.Contains(value, ".svc") {
		for _, m := range inside.FindAllStringSubmatch(value, -1) {
			add(ofInside(name, m[1]))
		}
	}
	if len(out) == 0 && len(value) < 1024 && !translate.SecretByName(name, value) && !translate.SecretByForm(value) {
		for _, r := range ofName(name, strings.TrimSpace(value)) {
			if !guarded || r.host != "" && strings.Contains(r.host, ".") && located.MatchString(name) {
				add(r)
			}
		}
	}
	return out
}

// link is an address in a text, without what stands before its hosts and without its query: there are the secrets.
type link struct {
	scheme string
	hosts  []string
	path   string
}

// urls finds the addresses in a text, and returns the text without them. An address whose hosts are not plain is left out: a part of a password must not
// pass for a host.
func urls(text string) (all []link, rest string) {
	var b strings.Builder
	at := 0
	starts := scheme.FindAllStringIndex(text, -1)
	for i, s := range starts {
		if s[0] < at {
			continue
		}
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		token := text[s[1]:end]
		if j := strings.IndexAny(token, " \t\r\n\"'<>`"); j >= 0 {
			token = token[:j]
		}
		b.WriteString(text[at:s[0]])
		b.WriteByte(' ')
		at = s[1] + len(token)
		if l, ok := newLink(text[s[0]:s[1]-3], strings.TrimRight(token, ",;)]}")); ok {
			all = append(all, l)
		}
	}
	b.WriteString(text[at:])
	return all, b.String()
}

func newLink(scheme, token string) (link, bool) {
	authority, path := token, ""
	if i := strings.IndexAny(token, "/?#"); i >= 0 {
		authority, path = token[:i], token[i:]
	}
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	} else if strings.Contains(token[len(authority):], "@") && schemes[scheme] != "" {
		return link{}, false // a password with a slash in it
	}
	l := link{scheme: scheme, path: path, hosts: strings.Split(authority, ",")}
	for _, h := range l.hosts {
		if !host.MatchString(h) {
			return link{}, false
		}
	}
	return l, true
}

// ofARN reads the parts of an ARN: its service, and what stands behind the account.
func ofARN(service, resource string) ref {
	r := ref{sure: Found}
	last := resource[strings.LastIndexAny(resource, "/:")+1:]
	switch service {
	case "s3":
		r.kind, r.name = Bucket, strings.TrimSuffix(strings.SplitN(resource, "/", 2)[0], "*")
	case "sqs":
		r.kind, r.name = Queue, last
	case "sns":
		r.kind, r.name = Topic, strings.SplitN(resource, ":", 2)[0]
	case "kinesis", "firehose":
		r.kind, r.name = Stream, last
	case "kafka":
		r.kind = Queue
		if parts := strings.Split(resource, "/"); len(parts) > 1 {
			r.name = parts[1]
		}
	case "dynamodb":
		r.kind = Table
		if parts := strings.Split(resource, "/"); len(parts) > 1 {
			r.name = parts[1]
		}
	case "secretsmanager":
		r.kind, r.name = Secret, secretSuffix.ReplaceAllString(strings.TrimPrefix(resource, "secret:"), "")
	case "ssm":
		r.kind, r.name = Secret, strings.TrimPrefix(resource, "parameter")
	case "rds":
		r.kind, r.name = Database, last
	case "elasticache":
		r.kind, r.name = Cache, last
	case "es":
		r.kind, r.name = Search, last
	case "iam":
		if strings.HasPrefix(resource, "role/") {
			r.kind, r.name = Role, last
		}
	}
	return r
}

// secretSuffix is what Secrets Manager puts behind a name.
var secretSuffix = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

func ofURL(name, scheme, host, path string) ref {
	bareHost, _, _ := strings.Cut(host, ":")
	kind := schemes[scheme]
	if kind == Bucket {
		return ref{kind: Bucket, name: bareHost, sure: Found}
	}
	if r := ofHost(bareHost, path); strings.Contains(bareHost, ".amazonaws.com") && (r.kind != Outside || kind == "") {
		return r
	}
	if kind != "" {
		return ref{kind: kind, name: bareHost, host: bareHost, sure: Found}
	}
	if h := hint(name); h == Search || h == Queue {
		return ref{kind: h, name: bareHost, host: bareHost, sure: Naming}
	}
	return ref{kind: Outside, name: bareHost, host: bareHost, sure: Found}
}

func ofInside(name, host string) ref {
	if h := hint(name); h != "" && located.MatchString(name) {
		return ref{kind: h, name: host, host: host, sure: Naming}
	}
	return ref{kind: Service, name: host, host: host, sure: Found}
}

// ofHost reads a name of AWS, with the path behind it.
func ofHost(host, path string) ref {
	r := ref{kind: Outside, name: host, host: host, sure: Found}
	labels := strings.Split(strings.TrimSuffix(strings.TrimSuffix(host, ".cn"), ".amazonaws.com"), ".")
	n := len(labels)
	first := func() string {
		p, err := url.PathUnescape(strings.SplitN(strings.TrimPrefix(path, "/"), "/", 2)[0])
		if err != nil {
			return ""
		}
		return p
	}
	has := func(label string) bool { return slices.Contains(labels, label) }
	switch {
	case !strings.Contains(host, ".amazonaws.com"):
	case labels[n-1] == "rds" && n > 2:
		r.kind, r.name = Database, labels[0]
		r.reads = strings.HasPrefix(labels[1], "cluster-ro-")
	case labels[n-1] == "cache":
		r.kind, r.name, r.reads = Cache, cacheName(labels), labels[0] == "replica" || strings.HasSuffix(labels[0], "-ro")
	case has("sqs") || has("queue"):
		if i := strings.LastIndexByte(path, '/'); i >= 0 && path[i+1:] != "" {
			r.kind, r.name, r.host = Queue, path[i+1:], ""
		}
	case strings.HasPrefix(labels[0], "s3") && first() != "":
		r.kind, r.name, r.host = Bucket, first(), ""
	case n > 1 && !strings.HasPrefix(labels[0], "s3") && (has("s3") || strings.HasPrefix(labels[n-1], "s3-")):
		for i, l := range labels {
			if l == "s3" || strings.HasPrefix(l, "s3-") {
				r.kind, r.name, r.host = Bucket, strings.Join(labels[:i], "."), ""
				break
			}
		}
	case labels[n-1] == "es" || labels[n-1] == "aoss":
		r.kind, r.name = Search, labels[0]
	case has("kafka"):
		r.kind, r.name = Queue, strings.Join(labels[min(1, n-1):min(2, n)], ".")
	case has("mq"):
		r.kind, r.name = Queue, labels[0]
	case has("ecr"):
		return ref{} // where images are from, and nothing that is used
	}
	return r
}

// endpoint is a host by which a database is known. A cluster of RDS has several, for its writer, its readers and by its proxy: they are one.
func endpoint(host string) string {
	host = strings.ToLower(host)
	labels := strings.Split(host, ".")
	if len(labels) > 2 && strings.HasSuffix(host, ".rds.amazonaws.com") {
		for _, role := range []string{"cluster-ro-", "cluster-"} {
			labels[1] = strings.TrimPrefix(labels[1], role)
		}
	}
	return strings.Join(labels, ".")
}

// cacheName is the name of a cache: its endpoints differ by what stands before and behind it.
func cacheName(labels []string) string {
	if len(labels) > 2 && (labels[0] == "master" || labels[0] == "replica" || labels[0] == "clustercfg") {
		labels = labels[1:]
	}
	return strings.TrimSuffix(labels[0], "-ro")
}

// ofName reads a value that is a host, a list of hosts or a plain name, by what its variable's name suggests.
func ofName(name, value string) []ref {
	for _, n := range named {
		if n.name.MatchString(name) && plain.MatchString(value) {
			return []ref{{kind: n.kind, name: value, sure: Naming}}
		}
	}
	var out []ref
	kind := hint(name)
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if !bare.MatchString(part) {
			return nil
		}
		host, port, _ := strings.Cut(part, ":")
		dotted := strings.Contains(host, ".") && strings.Trim(host, "0123456789.") != ""
		switch {
		case kind != "" && located.MatchString(name) && (dotted || port != "" || len(host) > 1 && strings.Trim(host, "0123456789.") != ""):
			out = append(out, ref{kind: kind, name: host, host: host, sure: Naming})
		case located.MatchString(name) && dotted, port != "" && dotted:
			out = append(out, ref{kind: Outside, name: host, host: host, sure: Found})
		case located.MatchString(name) || port != "":
			out = append(out, ref{kind: Service, name: host, host: host, sure: Found})
		}
	}
	return out
}
