package marketplace

import (
	"fmt"
	"hash/fnv"
	"strings"
	"text/template"
)

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
			h.Write([]byte(prefix + name))
			return fmt.Sprintf("%s-0%016x", prefix, h.Sum64())
		},
		"indent": func(n int, text string) string {
			return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+strings.Repeat(" ", n))
		},
		"teams": func() []string {
			return []string{"shop", "trade", "payments", "sellers", "workshop", "customers", "data"}
		},
		"components": func() []string { return []string{"cert-manager", "cert-manager-webhook", "cert-manager-cainjector"} },
		"addons":     addons,
		"google":     google,
		"number":     number,
		"roles":      roles,
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

// place is where an environment goes.
type place struct {
	Region, Network string
	Zones           []string
}

func google(e *Environment) place {
	return map[string]place{
		"preprod": {"europe-west1", "10.140.0.0/16", []string{"europe-west1-b", "europe-west1-c"}},
		"eu":      {"europe-west1", "10.110.0.0/16", []string{"europe-west1-b", "europe-west1-c", "europe-west1-d"}},
		"na":      {"us-east4", "10.120.0.0/16", []string{"us-east4-a", "us-east4-b", "us-east4-c"}},
		"ap":      {"asia-northeast1", "10.130.0.0/16", []string{"asia-northeast1-a", "asia-northeast1-c"}},
	}[e.Name]
}

// number is the number of an environment's project.
func number(environment string) string {
	h := fnv.New32a()
	h.Write([]byte(environment))
	return fmt.Sprintf("%012d", h.Sum32())
}

// role is what stands for a role of IAM.
type role struct{ Role, To string }

// roles are those of an environment's pods. The queue of mails stays on AWS for now, and one team grants rights to service accounts themselves.
func roles(e *Environment) ([]role, error) {
	out := map[string][]byte{}
	if err := services(e, out); err != nil {
		return nil, err
	}
	if err := platform(e, out); err != nil {
		return nil, err
	}
	var all []role
	for _, name := range found(rolePattern, out) {
		short := name[strings.LastIndexAny(name, "/:")+1:]
		service := strings.TrimPrefix(short, "mkt-"+e.Name+"-")
		to := "mkt-" + service + "@refurb-" + e.Name + ".iam.gserviceaccount.com"
		switch service {
		case "mailer", "notifications":
			to = "aws"
			if !e.EKS() { // kube2iam goes without the account, and a token does not
				name = "arn:aws:iam::" + e.Account + ":role/" + name
			}
		case "reviews", "recommendations":
			to = "direct"
		case "aws-load-balancer-controller", "autoscaler", "cluster-autoscaler", "ebs-csi-controller", "ecr-login", "karpenter", "metrics-server":
			continue // left behind with the old platform
		}
		all = append(all, role{name, to})
	}
	return all, nil
}
