package marketplace

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
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

// functions are what templates may call.
func functions() template.FuncMap {
	return template.FuncMap{
		"queue": func(e *Environment, name string) string {
			return fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/mkt-%s-%s", e.Region, e.Account, e.Name, name)
		},
		"topic": func(e *Environment, name string) string {
			return fmt.Sprintf("arn:aws:sns:%s:%s:mkt-%s-%s", e.Region, e.Account, e.Name, name)
		},
		"database": func(e *Environment, name string) string {
			return fmt.Sprintf("mkt-%s-%s.cluster-%s.%s.rds.amazonaws.com", e.Name, name, e.RDS, e.Region)
		},
		"cache": func(e *Environment, name string) string {
			return fmt.Sprintf("mkt-%s-%s.k7x2ab.ng.0001.%s.cache.amazonaws.com", e.Name, name, e.Short)
		},
		// made is a number that looks like one of AWS, and is the same each time.
		"made": func(prefix, name string) string {
			h := fnv.New64a()
			fmt.Fprint(h, prefix, name)
			return fmt.Sprintf("%s-0%016x", prefix, h.Sum64())
		},
		"indent": func(n int, text string) string {
			return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+strings.Repeat(" ", n))
		},
		"teams":      func() []string { return []string{"shop", "trade", "payments", "sellers", "workshop", "customers", "data"} },
		"components": func() []string { return []string{"cert-manager", "cert-manager-webhook", "cert-manager-cainjector"} },
		"addons":     addons,
		// job is what the pods of a job of a service are made from, so many spaces to the right.
		"job": func(s *Service, j Job, right int) any {
			return struct {
				*Service
				Job Job
				Pad string
			}{s, j, strings.Repeat(" ", right)}
		},
	}
}

// addon is a part of the cluster itself, by its image.
type addon struct {
	Name, Image string
	// Master says that it runs beside the control plane.
	Master bool
}

// addons are those of one kind: daemons and controllers of EKS, daemons of kops.
func addons(kind string) []addon {
	return map[string][]addon{
		"eks daemons": {
			{Name: "aws-node", Image: "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.19.0"},
			{Name: "kube-proxy", Image: "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.31.2"},
			{Name: "ebs-csi-node", Image: "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.37.0"},
		},
		"eks controllers": {
			{Name: "aws-load-balancer-controller", Image: "public.ecr.aws/eks/aws-load-balancer-controller:v2.10.1"},
			{Name: "cluster-autoscaler", Image: "registry.k8s.io/autoscaling/cluster-autoscaler:v1.31.0"},
			{Name: "karpenter", Image: "public.ecr.aws/karpenter/controller:1.1.0"},
			{Name: "ebs-csi-controller", Image: "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.37.0"},
			{Name: "metrics-server", Image: "registry.k8s.io/metrics-server/metrics-server:v0.7.2"},
		},
		"kops daemons": {
			{Name: "kops-controller", Image: "registry.k8s.io/kops/kops-controller:1.29.2", Master: true},
			{Name: "kube2iam", Image: "jtblin/kube2iam:0.12.0"},
			{Name: "calico-node", Image: "docker.io/calico/node:v3.28.2"},
			{Name: "aws-node-termination-handler", Image: "public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.22.1"},
			// What the teams of the workshop want of the old control plane: a copy of etcd each night.
			{Name: "etcd-copy", Image: "333344445555.dkr.ecr.ap-northeast-1.amazonaws.com/platform/etcd-copy:0.2.0", Master: true},
		},
	}[kind]
}
