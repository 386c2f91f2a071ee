package crossplane

// sizes of databases: what a developer says in the place of a machine type.
var databaseSizes = object{"small": "db-custom-1-3840", "medium": "db-custom-2-7680", "large": "db-custom-4-15360", "xlarge": "db-custom-8-30720"}

func postgresql() kind {
	return kind{
		name: "PostgreSQL", plural: "postgresqls", short: "pg", stateful: true, rule: nameInstance,
		what: "A PostgreSQL database on a server of its own, with a private address, backups and protection from deletion.",
		spec: object{
			"version":  text("The major version.", oneOf("14", "15", "16", "17", "18"), byDefault("17")),
			"size":     text("How large the server is.", oneOf("small", "medium", "large", "xlarge"), byDefault("small")),
			"tier":     text("A machine type of Cloud SQL, in the place of a size.", like(`^db-[A-Za-z0-9-]+$`)),
			"diskGB":   number("How large the disk is at first; it grows by itself.", between(10, 65536)),
			"zonal":    flag("Without a standby in another zone.", byDefault(false)),
			"database": text("The database's name; that of the object without it.", like(`^[a-z][a-z0-9_-]{0,62}$`)),
			"identity": text("The ID of the service account that logs in, without a password.", like(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)),
			"user":     text("The user who logs in by a generated password; that of the object without it. Only with the composition postgresql-password.", like(`^[a-z][a-z0-9_-]{0,62}$`)),
		},
		status: object{
			"address":  text("The server's private address."),
			"instance": text("What Cloud SQL's connectors call the server: project:region:name."),
		},
		composed: []managed{sqlInstance, sqlDatabase, sqlUser},
		compositions: func(e *Environment, _ *Definition) []composition {
			return []composition{
				{"postgresql-identity", "A service account logs in, without a password.", []resource{server(e), database(e), identityUser(e), connection()}},
				{"postgresql-password", "A user logs in by a password that is generated into the Secret NAME-password.", []resource{server(e), database(e), password(), passwordUser(e), connection()}},
			}
		},
		example: example{"orders", object{"size": "medium", "identity": "shop-checkout"}},
	}
}

// server is the instance of Cloud SQL.
func server(e *Environment) resource {
	return resource{
		name: "instance",
		base: sqlInstance.base(object{
			"project": e.Project, "region": e.Region, "deletionProtection": true,
			"settings": object{
				"edition":                   "ENTERPRISE",
				"deletionProtectionEnabled": true, "retainBackupsOnDelete": true, "diskType": "PD_SSD", "diskAutoresize": true,
				"backupConfiguration": object{
					"enabled": true, "pointInTimeRecoveryEnabled": true, "transactionLogRetentionDays": 7,
					"backupRetentionSettings": object{"retentionUnit": "COUNT", "retainedBackups": 14},
				},
				"ipConfiguration": object{"ipv4Enabled": false, "privateNetwork": e.Network, "sslMode": "ENCRYPTED_ONLY"},
				"databaseFlags":   list{object{"name": "cloudsql.iam_authentication", "value": "on"}},
				"insightsConfig":  object{"queryInsightsEnabled": true},
				"userLabels":      object{"environment": e.Name},
			},
		}),
		patches: append(append(list{patchSet(keep)}, named(nameInstance, plain, externalName)...),
			copied("spec.version", "spec.forProvider.databaseVersion", formatted("POSTGRES_%s")),
			copied("spec.size", "spec.forProvider.settings.tier", mapped(databaseSizes)),
			copied("spec.tier", "spec.forProvider.settings.tier"),
			copied("spec.tier", "spec.forProvider.settings.edition", chosen("^db-perf-optimized-", "ENTERPRISE_PLUS", "ENTERPRISE")),
			copied("spec.diskGB", "spec.forProvider.settings.diskSize"),
			copied("spec.zonal", "spec.forProvider.settings.availabilityType", asText(), mapped(object{"true": "ZONAL", "false": "REGIONAL"})),
			copied(ownNamespace, "spec.forProvider.settings.userLabels.namespace"),
			told("status.atProvider.privateIpAddress", "status.address"),
			told("status.atProvider.connectionName", "status.instance"),
		),
	}
}

func database(e *Environment) resource {
	return resource{
		name: "database",
		base: sqlDatabase.base(object{"project": e.Project, "deletionPolicy": "ABANDON"}),
		patches: append(append(list{patchSet(keep)}, named(nameInstance, plain, "spec.forProvider.instance")...),
			copied(ownName, externalName), copied("spec.database", externalName)),
	}
}

// identityUser waits until an identity is said.
func identityUser(e *Environment) resource {
	return resource{
		name: "user",
		base: sqlUser.base(object{"project": e.Project, "type": "CLOUD_IAM_SERVICE_ACCOUNT", "deletionPolicy": "ABANDON"}),
		patches: append(append(list{patchSet(keep)}, named(nameInstance, plain, "spec.forProvider.instance")...),
			required(copied("spec.identity", externalName, formatted("%s@"+e.Project+".iam")))),
	}
}

func passwordUser(e *Environment) resource {
	return resource{
		name: "user",
		base: sqlUser.base(object{"project": e.Project, "type": "BUILT_IN", "deletionPolicy": "ABANDON", "passwordSecretRef": object{"name": "", "key": "password"}}),
		patches: append(append(list{patchSet(keep)}, named(nameInstance, plain, "spec.forProvider.instance")...),
			copied(ownName, externalName), copied("spec.user", externalName),
			copied(ownName, "spec.forProvider.passwordSecretRef.name", formatted("%s-password"))),
	}
}

// password has External Secrets generate one, once: neither Crossplane's two functions nor the provider can. What it made stays when the object goes.
func password() resource {
	return resource{
		name: "password",
		base: object{
			"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
			"spec": object{
				"refreshPolicy": "CreatedOnce", "target": object{"creationPolicy": "Orphan"},
				"dataFrom": list{object{"sourceRef": object{"generatorRef": object{
					"apiVersion": generatorVersion, "kind": "ClusterGenerator", "name": generatorName,
				}}}},
			},
		},
		patches: list{
			copied(ownName, ownName, formatted("%s-password")),
			copied(ownName, "spec.target.name", formatted("%s-password")),
		},
	}
}

// connection is what an application mounts. It holds no secret.
func connection() resource {
	return resource{
		name: "connection",
		base: object{"apiVersion": "v1", "kind": "ConfigMap", "data": object{"port": "5432", "sslmode": "require"}},
		patches: list{
			copied(ownName, ownName, formatted("%s-connection")),
			copied(ownName, "data.database"), copied("spec.database", "data.database"),
			required(copied("status.address", "data.host")),
			copied("status.instance", "data.instance"),
		},
		ready: list{object{"type": "None"}},
	}
}

// cacheNodes are the sizes of caches.
var cacheNodes = object{"small": "SHARED_CORE_NANO", "medium": "STANDARD_SMALL", "large": "HIGHMEM_MEDIUM", "xlarge": "HIGHMEM_XLARGE"}

func cache() kind {
	return kind{
		name: "Valkey", plural: "valkeys", short: "vk", stateful: true, rule: nameCache,
		what: "A Valkey, which speaks the protocol of Redis, with a private address and protection from deletion.",
		spec: object{
			"version":        text("The engine's version.", like(`^VALKEY_[0-9]+_[0-9]+$`), byDefault("VALKEY_8_0")),
			"size":           text("How large a node is.", oneOf("small", "medium", "large", "xlarge"), byDefault("small")),
			"node":           text("A node type of Memorystore, in the place of a size.", like(`^[A-Z0-9_]+$`)),
			"cluster":        flag("Clients speak the cluster's protocol; without it there is one shard.", byDefault(false)),
			"shards":         number("How many shards it has.", between(1, 250), byDefault(1)),
			"replicas":       number("How many replicas each shard has.", between(0, 5), byDefault(1)),
			"persistence":    text("What survives a restart.", oneOf("DISABLED", "RDB", "AOF"), byDefault("DISABLED")),
			"authentication": text("How clients log in.", oneOf("AUTH_DISABLED", "IAM_AUTH"), byDefault("IAM_AUTH")),
			"encryption":     text("Whether connections are encrypted.", oneOf("TRANSIT_ENCRYPTION_DISABLED", "SERVER_AUTHENTICATION"), byDefault("SERVER_AUTHENTICATION")),
		},
		status:   object{"address": text("The address at which clients find it.")},
		composed: []managed{valkey},
		compositions: func(e *Environment, _ *Definition) []composition {
			return []composition{{"valkey", "Memorystore for Valkey.", []resource{{
				name: "instance",
				base: valkey.base(object{
					"project": e.Project, "location": e.Region, "deletionProtectionEnabled": true,
					"desiredAutoCreatedEndpoints": list{object{"network": e.Network, "projectId": e.Project}},
					"labels":                      object{"environment": e.Name},
				}),
				patches: append(append(list{patchSet(keep)}, named(nameCache, plain, externalName)...),
					copied("spec.version", "spec.forProvider.engineVersion"),
					copied("spec.size", "spec.forProvider.nodeType", mapped(cacheNodes)),
					copied("spec.node", "spec.forProvider.nodeType"),
					copied("spec.cluster", "spec.forProvider.mode", asText(), mapped(object{"true": "CLUSTER", "false": "CLUSTER_DISABLED"})),
					copied("spec.shards", "spec.forProvider.shardCount"),
					copied("spec.replicas", "spec.forProvider.replicaCount"),
					copied("spec.persistence", "spec.forProvider.persistenceConfig.mode"),
					copied("spec.authentication", "spec.forProvider.authorizationMode"),
					copied("spec.encryption", "spec.forProvider.transitEncryptionMode"),
					copied(ownNamespace, "spec.forProvider.labels.namespace"),
					told("status.atProvider.discoveryEndpoints[0].address", "status.address"),
				),
			}}}}
		},
		example: example{"sessions", object{"size": "medium", "replicas": 1}},
	}
}

func objectBucket() kind {
	return kind{
		name: "Bucket", plural: "buckets", stateful: true, rule: nameBucket,
		what: "A bucket for objects, closed to the public, whose deleted objects can be had back for a week.",
		spec: object{
			"location":     text("Where it is, when not in the environment's region: EU, US, europe-west3.", like(`^[A-Za-z0-9-]+$`)),
			"storageClass": text("How its objects are kept.", oneOf("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"), byDefault("STANDARD")),
			"versioning":   flag("Whether objects that are overwritten are kept.", byDefault(true)),
		},
		composed: []managed{bucket},
		compositions: func(e *Environment, _ *Definition) []composition {
			return []composition{{"bucket", "Cloud Storage.", []resource{{
				name: "bucket",
				base: bucket.base(object{
					"project": e.Project, "location": e.Region, "forceDestroy": false, "uniformBucketLevelAccess": true, "publicAccessPrevention": "enforced",
					"softDeletePolicy": object{"retentionDurationSeconds": 604800}, "labels": object{"environment": e.Name},
				}),
				// Names of buckets are the world's, and so are IDs of projects.
				patches: append(append(list{patchSet(keep)}, named(nameBucket, e.Project+"-%s-%s", externalName)...),
					copied("spec.location", "spec.forProvider.location"),
					copied("spec.storageClass", "spec.forProvider.storageClass"),
					copied("spec.versioning", "spec.forProvider.versioning.enabled"),
					copied(ownNamespace, "spec.forProvider.labels.namespace"),
				),
			}}}}
		},
		example: example{"pictures", object{"storageClass": "STANDARD"}},
	}
}
