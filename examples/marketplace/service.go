package marketplace

import (
	"encoding/json"
	"strings"
	"text/template"
)

// Service is the description of one service: see the folder services.
type Service struct {
	Name string `json:"name"`
	What string `json:"what"`
	// Kind is Deployment unless named.
	Kind     string `json:"kind,omitempty"`
	Image    string `json:"image"`
	Port     int    `json:"port"`
	Replicas int    `json:"replicas"`
	CPU      string `json:"cpu"`
	Memory   string `json:"memory"`
	// Nodes is the group of nodes it wants: general unless named; Arch is amd64 unless named.
	Nodes string `json:"nodes,omitempty"`
	Arch  string `json:"arch,omitempty"`
	Probe string `json:"probe,omitempty"`
	// Env and Config may use {{ }} for what the environment says.
	Env         map[string]string `json:"env,omitempty"`
	Config      map[string]string `json:"config,omitempty"`
	Secrets     []string          `json:"secrets,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Database, Cache, Bucket and the queues are what it uses on AWS; with any of the last three, or with Role, it has a role.
	Database  string `json:"database,omitempty"`
	Cache     string `json:"cache,omitempty"`
	Bucket    string `json:"bucket,omitempty"`
	Consumes  string `json:"consumes,omitempty"`
	Publishes string `json:"publishes,omitempty"`
	Role      bool   `json:"role,omitempty"`
	// Charges says that it moves money, Mails that it writes to people.
	Charges    bool        `json:"charges,omitempty"`
	Mails      bool        `json:"mails,omitempty"`
	Scale      *Scale      `json:"scale,omitempty"`
	QueueScale *QueueScale `json:"queueScale,omitempty"`
	Budget     string      `json:"budget,omitempty"`
	Ingress    *Ingress    `json:"ingress,omitempty"`
	Balancer   *Balancer   `json:"balancer,omitempty"`
	Volume     *Volume     `json:"volume,omitempty"`
	// Shared names a claim of files that several pods mount.
	Shared string `json:"shared,omitempty"`
	// Allow are those who may call it; Egress says that it may call only what it needs.
	Allow  []string `json:"allow,omitempty"`
	Egress bool     `json:"egress,omitempty"`
	// TLS says that its pods have a certificate of their own.
	TLS bool `json:"tls,omitempty"`
	// Unbroken says that its pods must not be moved while they work.
	Unbroken bool  `json:"unbroken,omitempty"`
	Jobs     []Job `json:"jobs,omitempty"`
	Crons    []Job `json:"crons,omitempty"`
	// Drift is what an environment has otherwise, and Note why, where somebody has said it. Absent services do not exist there.
	Drift  map[string]json.RawMessage `json:"drift,omitempty"`
	Note   string                     `json:"note,omitempty"`
	Absent bool                       `json:"absent,omitempty"`

	Environment *Environment `json:"-"`
	Namespace   string       `json:"-"`
}

// Scale is between how many pods it scales, by which use of CPU in percent.
type Scale struct {
	Min int `json:"min"`
	Max int `json:"max"`
	CPU int `json:"cpu"`
}

// QueueScale is how many pods there are at most, and how many messages one of them has to do.
type QueueScale struct {
	Max    int `json:"max"`
	Length int `json:"length"`
}

// Ingress is how requests from outside arrive.
type Ingress struct {
	// Group shares a load balancer.
	Group  string `json:"group"`
	Host   string `json:"host"`
	Path   string `json:"path"`
	Health string `json:"health"`
	CIDRs  string `json:"cidrs,omitempty"`
	// Seconds is the idle timeout.
	Seconds int `json:"seconds,omitempty"`
	// Internal is for the company, Sticky binds a client to a pod, Login asks who it is, Wafed has rules before it, Split sends a part to
	// the version that is next, Mixed has an answer of its own for some paths.
	Internal bool `json:"internal,omitempty"`
	Sticky   bool `json:"sticky,omitempty"`
	Login    bool `json:"login,omitempty"`
	Wafed    bool `json:"wafed,omitempty"`
	Split    bool `json:"split,omitempty"`
	Mixed    bool `json:"mixed,omitempty"`
}

// Balancer is a Service of type LoadBalancer: nlb, internal, or plain.
type Balancer struct {
	Kind      string `json:"kind"`
	Host      string `json:"host"`
	Addresses bool   `json:"addresses,omitempty"`
}

// Volume is a claim for each pod.
type Volume struct {
	Size  string `json:"size"`
	Class string `json:"class"`
	Path  string `json:"path"`
}

// Job runs once, or by a schedule. Hook says that Helm or Argo CD runs it before each release.
type Job struct {
	Name     string `json:"name"`
	What     string `json:"what"`
	Schedule string `json:"schedule,omitempty"`
	Command  string `json:"command"`
	Hook     bool   `json:"hook,omitempty"`
	Mails    bool   `json:"mails,omitempty"`
	Charges  bool   `json:"charges,omitempty"`
}

// AWS says whether it uses anything that needs a role.
func (s *Service) AWS() bool {
	return s.Role || s.Bucket != "" || s.Consumes != "" || s.Publishes != ""
}

// RoleName is its role of IAM.
func (s *Service) RoleName() string { return "mkt-" + s.Environment.Name + "-" + s.Name }

// Pull is its image with the registry.
func (s *Service) Pull() string { return s.Environment.Registry() + "/" + s.Image }

// values fills in what the environment says.
func (s *Service) values() error {
	for _, m := range []*map[string]string{&s.Env, &s.Config} {
		out := map[string]string{}
		for k, v := range *m {
			form, err := template.New(k).Funcs(functions()).Parse(v)
			if err != nil {
				return err
			}
			var b strings.Builder
			var data any = s.Environment
			if strings.Contains(v, ".Environment") {
				data = s
			}
			if err := form.Execute(&b, data); err != nil {
				return err
			}
			out[k] = b.String()
		}
		*m = out
	}
	return nil
}
