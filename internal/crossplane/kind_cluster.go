package crossplane

import (
	"cmp"

	"github.com/bascule/bascule/internal/platform"
)

// gke is the kind of which the platform's people, not developers, make one an environment; it lives where Crossplane makes clusters, not in one of them.
func gke() kind {
	required := list{"environment", "project", "region", "network", "subnetwork", "pods", "services"}
	return kind{
		name: "GKECluster", plural: "gkeclusters", short: "gke", stateful: true, rule: nameCluster,
		what: "A GKE cluster with its node pools, like every other of the platform.",
		spec: object{
			"environment": text("The environment that runs in it.", like(`^[a-z0-9][a-z0-9._-]*$`)),
			"project":     text("The project's ID.", like(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)),
			"region":      text("Its region.", like(`^[a-z]+-[a-z]+[0-9]+$`)),
			"network":     text("Its network.", notEmpty()),
			"subnetwork":  text("Where its nodes are.", notEmpty()),
			"pods":        text("The subnetwork's secondary range for pods.", notEmpty()),
			"services":    text("The subnetwork's secondary range for services.", notEmpty()),
		},
		needs:    required,
		status:   object{"endpoint": text("The address of its API server.")},
		composed: []managed{cluster, nodePool},
		compositions: func(_ *Environment, d *Definition) []composition {
			shape := cmp.Or(d.Cluster, &platform.Cluster{})
			resources := []resource{controlPlane(shape)}
			for _, p := range shape.Pools {
				resources = append(resources, pool(p))
			}
			return []composition{{"gkecluster", "The one definition of all clusters.", resources}}
		},
		example: example{},
	}
}

// placed are the patches that a cluster and its pools share.
func placed() list {
	return list{
		patchSet(keep),
		copied("spec.environment", "spec.providerConfigRef.name"),
		copied("spec.project", "spec.forProvider.project"),
		copied("spec.region", "spec.forProvider.location"),
	}
}

func controlPlane(shape *platform.Cluster) resource {
	base := cluster.base(object{
		"location":           "",
		"deletionProtection": true,
		// Its pools are resources of their own.
		"removeDefaultNodePool": true, "initialNodeCount": 1,
		"networkingMode": "VPC_NATIVE", "datapathProvider": "ADVANCED_DATAPATH", "enableFqdnNetworkPolicy": true,
		"gatewayApiConfig":            object{"channel": "CHANNEL_STANDARD"},
		"releaseChannel":              object{"channel": cmp.Or(shape.Channel, "REGULAR")},
		"privateClusterConfig":        object{"enablePrivateNodes": true},
		"controlPlaneEndpointsConfig": object{"dnsEndpointConfig": object{"allowExternalTraffic": true}},
		"monitoringConfig":            object{"managedPrometheus": object{"enabled": true}},
		"verticalPodAutoscaling":      object{"enabled": true},
		"costManagementConfig":        object{"enabled": true},
		"addonsConfig":                object{"dnsCacheConfig": object{"enabled": true}},
	})
	base["spec"].(object)["providerConfigRef"] = object{"kind": "ClusterProviderConfig", "name": ""}
	return resource{
		name: "cluster", base: base,
		patches: append(append(placed(), clusterName(externalName)...),
			copied("spec.project", "spec.forProvider.workloadIdentityConfig.workloadPool", formatted("%s.svc.id.goog")),
			copied("spec.environment", "spec.forProvider.resourceLabels.environment"),
			copied("spec.network", "spec.forProvider.network"),
			copied("spec.subnetwork", "spec.forProvider.subnetwork"),
			copied("spec.pods", "spec.forProvider.ipAllocationPolicy.clusterSecondaryRangeName"),
			copied("spec.services", "spec.forProvider.ipAllocationPolicy.servicesSecondaryRangeName"),
			told("status.atProvider.endpoint", "status.endpoint"),
		),
	}
}

// clusterName is the name of the object, or the one that it had: the clusters' namespace has no other.
func clusterName(to string) list {
	return list{copied(ownName, to, matched(nameCluster.refused(), tooLong)), copied("spec.name", to)}
}

func pool(p platform.Pool) resource {
	node := object{
		"machineType": p.Machine, "diskSizeGb": cmp.Or(p.DiskGB, 100), "spot": p.Spot,
		"oauthScopes":            list{"https://www.googleapis.com/auth/cloud-platform"},
		"workloadMetadataConfig": object{"mode": "GKE_METADATA"},
		"shieldedInstanceConfig": object{"enableSecureBoot": true, "enableIntegrityMonitoring": true},
	}
	if len(p.Labels) > 0 {
		labels := object{}
		for k, v := range p.Labels {
			labels[k] = v
		}
		node["labels"] = labels
	}
	base := nodePool.base(object{
		"location":    "",
		"autoscaling": object{"minNodeCount": p.Min, "maxNodeCount": p.Max},
		"management":  object{"autoRepair": true, "autoUpgrade": true},
		"nodeConfig":  node,
	})
	meta := object{"annotations": object{"crossplane.io/external-name": p.Name}}
	base["metadata"] = meta
	base["spec"].(object)["providerConfigRef"] = object{"kind": "ClusterProviderConfig", "name": ""}
	return resource{
		name: "pool-" + p.Name, base: base,
		patches: append(append(placed(), copied(ownName, ownName, formatted("%s-"+p.Name))), clusterName("spec.forProvider.cluster")...),
	}
}
