package crossplane

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// asked is an object of a kind in a namespace.
func asked(d *Definition, kind, namespace, name string, spec object) object {
	return object{
		"apiVersion": d.apiVersion(), "kind": kind,
		"metadata": object{"name": name, "namespace": namespace},
		"spec":     spec,
	}
}

// observed is a spec of something that exists: Crossplane only looks at it until somebody promotes it.
func observed(name string, more object) object {
	spec := object{"adopt": "Observe"}
	if name != "" {
		spec["name"] = name
	}
	for k, v := range more {
		if v != "" && v != 0 && v != false && v != nil {
			spec[k] = v
		}
	}
	return spec
}

var notInNames = regexp.MustCompile(`[^a-z0-9-]+`)

// objectName makes a name for an object of what something is called in bascule.yaml or in DNS.
func objectName(name string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// existing are the objects that stand for what an environment has already, in the order of kinds and names.
func (e *Environment) existing(d *Definition) (out []object) {
	for _, n := range slices.Sorted(maps.Keys(e.Databases)) {
		x := e.Databases[n]
		out = append(out, asked(d, "PostgreSQL", e.Namespace, objectName(n), observed(x.Instance, object{
			"version": x.Version, "tier": x.Tier, "diskGB": x.DiskGB, "zonal": x.Zonal,
			"database": cmp.Or(x.Database, n), "identity": x.Identity,
		})))
	}
	for _, n := range slices.Sorted(maps.Keys(e.Caches)) {
		x := e.Caches[n]
		spec := observed(x.Instance, object{"version": x.Version, "node": x.Node, "shards": cmp.Or(x.Shards, 1), "cluster": x.Shards > 1})
		spec["replicas"] = x.Replicas
		out = append(out, asked(d, "Valkey", e.Namespace, objectName(n), spec))
	}
	for _, n := range slices.Sorted(maps.Keys(e.Buckets)) {
		x := e.Buckets[n]
		out = append(out, asked(d, "Bucket", e.Namespace, objectName(n), observed(x.Bucket, object{"location": x.Location})))
	}
	return append(out, e.messages(d)...)
}

func (e *Environment) messages(d *Definition) (out []object) {
	topics := slices.Sorted(maps.Keys(e.Topics))
	for _, n := range topics {
		out = append(out, asked(d, "Topic", e.Namespace, n, observed(n, nil)))
	}
	for _, n := range topics {
		for _, s := range e.Topics[n].Subscriptions {
			out = append(out, asked(d, "Subscription", e.Namespace, s, observed(s, object{"topicName": n})))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(e.Identities)) {
		x := e.Identities[n]
		spec := observed(n, object{"serviceAccount": cmp.Or(x.ServiceAccount, n)})
		if x.Databases {
			spec["crossplane"] = object{"compositionRef": object{"name": "workloadidentity-databases"}}
		}
		out = append(out, asked(d, "WorkloadIdentity", cmp.Or(x.Namespace, e.Namespace), n, spec))
	}
	for _, n := range slices.Sorted(maps.Keys(e.Records)) {
		x := e.Records[n]
		id := "projects/" + e.Project + "/managedZones/" + x.Zone + "/rrsets/" + n + "./" + x.Type
		out = append(out, asked(d, "DNSRecord", e.Namespace, objectName(n), observed(id, object{
			"zone": x.Zone, "host": n, "type": x.Type, "ttl": cmp.Or(x.TTL, 300), "data": asList(x.Data),
		})))
	}
	for _, n := range slices.Sorted(maps.Keys(e.Repositories)) {
		x := e.Repositories[n]
		spec := observed(n, object{"location": x.Location})
		spec["immutable"] = x.Immutable
		out = append(out, asked(d, "ImageRepository", e.Namespace, n, spec))
	}
	return out
}

// clustersNamespace is where the objects of clusters lie.
const clustersNamespace = "clusters"

// clusterObject is the object of an environment's cluster.
func (e *Environment) clusterObject(d *Definition) object {
	spec := object{
		"environment": e.Name, "project": e.Project, "region": e.Region, "network": e.Network,
		"subnetwork": e.Subnetwork, "pods": e.Pods, "services": e.Services,
	}
	if e.AdoptCluster {
		spec["adopt"], spec["name"] = "Observe", e.Cluster
	}
	return asked(d, "GKECluster", clustersNamespace, e.Cluster, spec)
}

// namespaces are those that an environment's objects lie in.
func (e *Environment) namespaces() []string {
	names := []string{e.Namespace}
	for _, x := range e.Identities {
		if x.Namespace != "" {
			names = append(names, x.Namespace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
