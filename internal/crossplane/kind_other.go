package crossplane

func topicKind() kind {
	return kind{
		name: "Topic", plural: "topics", rule: nameTopic,
		what: "A topic of Pub/Sub.",
		spec: object{
			"retention": text("How long messages can be replayed, in seconds: 86400s.", like(`^[0-9]+s$`)),
		},
		composed: []managed{topic},
		compositions: func(e *Environment, _ *Definition) []composition {
			return []composition{{"topic", "Pub/Sub.", []resource{{
				name: "topic",
				base: topic.base(object{"project": e.Project, "labels": object{"environment": e.Name}}),
				patches: append(append(list{patchSet(free)}, named(nameTopic, plain, externalName)...),
					copied("spec.retention", "spec.forProvider.messageRetentionDuration")),
			}}}}
		},
		example: example{"order-placed", object{"retention": "86400s"}},
	}
}

func subscriptionKind() kind {
	return kind{
		name: "Subscription", plural: "subscriptions", rule: nameSubscription,
		what: "A subscription to a topic of Pub/Sub, which never expires.",
		spec: object{
			"topic":      text("The Topic in the same namespace, by its object's name.", like(plainName.String())),
			"topicName":  text("A topic by its name on Google Cloud, in the place of an object.", like(`^(projects/[a-z][a-z0-9-]+/topics/)?[A-Za-z][A-Za-z0-9._~+%-]{2,254}$`)),
			"ackSeconds": number("How long a consumer may take to acknowledge a message.", between(10, 600), byDefault(60)),
			"ordered":    flag("Whether messages with the same key come in order.", byDefault(false)),
			"once":       flag("Whether a message that was acknowledged never comes again.", byDefault(false)),
			"filter":     text("Which messages come, in Pub/Sub's own language.", atMost(256)),
		},
		composed: []managed{subscription},
		compositions: func(e *Environment, _ *Definition) []composition {
			return []composition{{"subscription", "Pub/Sub.", []resource{{
				name: "subscription",
				base: subscription.base(object{"project": e.Project, "expirationPolicy": object{"ttl": ""}, "labels": object{"environment": e.Name}}),
				patches: append(append(list{patchSet(free)}, named(nameSubscription, plain, externalName)...),
					combined(plain, []string{ownNamespace, "spec.topic"}, "spec.forProvider.topic"),
					copied("spec.topicName", "spec.forProvider.topic"),
					copied("spec.ackSeconds", "spec.forProvider.ackDeadlineSeconds"),
					copied("spec.ordered", "spec.forProvider.enableMessageOrdering"),
					copied("spec.once", "spec.forProvider.enableExactlyOnceDelivery"),
					copied("spec.filter", "spec.forProvider.filter"),
				),
			}}}}
		},
		example: example{"invoices", object{"topic": "order-placed"}},
	}
}

func identity() kind {
	return kind{
		name: "WorkloadIdentity", plural: "workloadidentities", short: "wi", rule: nameAccount,
		what: "A service account of Google Cloud that one workload of the namespace acts as, without a key.",
		spec: object{
			"serviceAccount": text("The workload's service account of Kubernetes; that of the object's name without it.", like(plainName.String()), atMost(63)),
		},
		status:   object{"email": text("What Google Cloud calls the service account.")},
		composed: []managed{account, accountMember, projectMember},
		compositions: func(e *Environment, _ *Definition) []composition {
			plainly := []resource{serviceAccount(e), member(e)}
			return []composition{
				{"workloadidentity", "A service account without any role in the project.", plainly},
				{
					"workloadidentity-databases", "One that may log in to the project's databases where it is a user of theirs.",
					append(plainly, role(e, "client", "roles/cloudsql.client"), role(e, "login", "roles/cloudsql.instanceUser")),
				},
			}
		},
		example: example{"checkout", object{"serviceAccount": "checkout"}},
	}
}

func serviceAccount(e *Environment) resource {
	return resource{
		name: "account",
		base: account.base(object{"project": e.Project}),
		patches: append(append(list{patchSet(free)}, named(nameAccount, plain, externalName)...),
			combined("Workload %s/%s", []string{ownNamespace, ownName}, "spec.forProvider.displayName"),
			told("status.atProvider.email", "status.email"),
		),
	}
}

// member lets the workload act as the service account.
func member(e *Environment) resource {
	const who = "spec.forProvider.member"
	pool := "serviceAccount:" + e.Project + ".svc.id.goog[%s/%s]"
	return resource{
		name: "member",
		base: accountMember.base(object{"role": "roles/iam.workloadIdentityUser"}),
		patches: append(append(list{patchSet(bind)}, named(nameAccount, plain, "spec.forProvider.serviceAccountId",
			formatted("projects/"+e.Project+"/serviceAccounts/%s@"+e.Project+".iam.gserviceaccount.com"))...),
			combined(pool, []string{ownNamespace, ownName}, who),
			combined(pool, []string{ownNamespace, "spec.serviceAccount"}, who),
		),
	}
}

// role gives the service account a role in the project.
func role(e *Environment, name, of string) resource {
	return resource{
		name: name,
		base: projectMember.base(object{"project": e.Project, "role": of}),
		patches: append(list{patchSet(bind), copied(ownName, ownName, formatted("%s-"+name))},
			named(nameAccount, plain, "spec.forProvider.member", formatted("serviceAccount:%s@"+e.Project+".iam.gserviceaccount.com"))...),
	}
}

func record() kind {
	return kind{
		name: "DNSRecord", plural: "dnsrecords", short: "dnsr", rule: nameRule{"a record", 1, 253},
		what: "A record set of Cloud DNS.",
		spec: object{
			"zone": text("The managed zone, by its name.", like(plainName.String())),
			"host": text("The name in DNS, without the last dot.", like(`^(\*\.)?([a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9-]+$`), atMost(253)),
			"type": text("What its data are.", oneOf("A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"), byDefault("A")),
			"ttl":  number("How many seconds it may be kept.", between(0, 86400), byDefault(300)),
			"data": texts("Its records."),
		},
		needs:    list{"zone", "host", "data"},
		composed: []managed{recordSet},
		compositions: func(e *Environment, _ *Definition) []composition {
			return []composition{{"dnsrecord", "Cloud DNS.", []resource{{
				name: "record",
				base: recordSet.base(object{"project": e.Project}),
				patches: list{
					patchSet(free),
					copied("spec.name", externalName), // the provider finds what it makes by an identifier of its own
					copied("spec.zone", "spec.forProvider.managedZone"),
					copied("spec.host", "spec.forProvider.name", formatted("%s.")),
					copied("spec.type", "spec.forProvider.type"),
					copied("spec.ttl", "spec.forProvider.ttl"),
					copied("spec.data", "spec.forProvider.rrdatas"),
				},
			}}}}
		},
		example: example{"api", object{"zone": "shop-example", "host": "api.shop.example", "data": list{"192.0.2.10"}}},
	}
}

func images() kind {
	return kind{
		name: "ImageRepository", plural: "imagerepositories", short: "imgrepo", stateful: true, rule: nameRepository,
		what: "A repository for container images.",
		spec: object{
			"location":  text("Where it is, when not in the environment's region: europe, us, europe-west3.", like(`^[a-z0-9-]+$`)),
			"immutable": flag("Whether a tag, once pushed, stays what it is.", byDefault(true)),
		},
		composed: []managed{repository},
		compositions: func(e *Environment, _ *Definition) []composition {
			return []composition{{"imagerepository", "Artifact Registry.", []resource{{
				name: "repository",
				base: repository.base(object{"project": e.Project, "location": e.Region, "format": "DOCKER", "labels": object{"environment": e.Name}}),
				patches: append(append(list{patchSet(keep)}, named(nameRepository, plain, externalName)...),
					copied("spec.location", "spec.forProvider.location"),
					copied("spec.immutable", "spec.forProvider.dockerConfig.immutableTags"),
				),
			}}}}
		},
		example: example{"images", object{"immutable": true}},
	}
}
