package profile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/kube/profile"
)

func load(t *testing.T) *profile.Profile {
	t.Helper()
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryTableHasASourceAndADate(t *testing.T) {
	p := load(t)
	for name, at := range map[string][2]string{
		"removed": {p.Removed.Source, p.Removed.Date}, "regions": {p.Regions.Source, p.Regions.Date},
		"machines": {p.Machines.Source, p.Machines.Date}, "storage": {p.Storage.Source, p.Storage.Date}, "addons": {p.Addons.Source, p.Addons.Date},
		"target": {p.Target.Source, p.Target.Date}, "present": {p.Present.Source, p.Present.Date}, "gateway": {p.Gateways.Source, p.Gateways.Date},
	} {
		if _, err := time.Parse(time.DateOnly, at[1]); at[0] == "" || err != nil {
			t.Errorf("%s: source %q, date %q", name, at[0], at[1])
		}
	}
	var text strings.Builder
	if err := p.WriteText(&text); err != nil || !strings.Contains(text.String(), "1.25  batch/v1beta1 CronJob -> batch/v1\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestQuestions(t *testing.T) {
	p := load(t)
	for from, want := range map[string]string{"m6i.4xlarge": "n4-standard-16", "r5.large": "n4-highmem-2", "c5.xlarge": "c4-standard-4", "t3.micro": "", "p4d.24xlarge": "", "m5.metal": ""} {
		if got := p.MachineType(from); got != want {
			t.Errorf("%s becomes %q, not %q", from, got, want)
		}
	}
	for version, want := range map[string]bool{"": true, "1.34": true, "1.25": true, "1.24": false, "1.9": false} {
		if got := p.RemovedIn("batch/v1beta1", "CronJob", version) != nil; got != want {
			t.Errorf("removed in %q: %t", version, got)
		}
	}
	if p.RemovedIn("batch/v1", "CronJob", "") != nil {
		t.Error("an API that is there counts as removed")
	}
	for name, want := range map[[3]string]bool{
		{"ServiceAccount", "shop", "default"}: true, {"ServiceAccount", "", "default"}: false, {"StorageClass", "", "standard-rwo"}: true, {"StorageClass", "", "gp2"}: false,
		{"ClusterRole", "", "system:node"}: true, {"ClusterRole", "", "viewer"}: false, {"Service", "default", "kubernetes"}: true, {"Service", "shop", "kubernetes"}: false,
	} {
		if got := p.Has(name[0], name[1], name[2]); got != want {
			t.Errorf("every cluster has %v: %t", name, got)
		}
	}
	if p.Limit("filter", "CORS") == nil || p.Limit("filter", "RequestRedirect") != nil || p.Limit("timeouts", "") == nil {
		t.Error("the limits of Gateways")
	}
	for name, want := range map[string]bool{"aws-node": true, "ebs-csi-controller": true, "calico-node": true, "karpenter": true, "kiam-server": true, "calicography": false, "web": false} {
		if got := p.Addon(name) != nil; got != want {
			t.Errorf("%s is an add-on: %t", name, got)
		}
	}
}
