package platform

// Crossplane is what developers may ask for on Google Cloud, and what of it exists already.
type Crossplane struct {
	// Group is the API group of the kinds that developers use: platform.shop.example.
	Group string `yaml:"group,omitempty"`
	// Developers are the groups of people, as Kubernetes knows them, who may ask for databases, caches and the like.
	Developers []string `yaml:"developers,omitempty"`
	// Cluster is what every GKE cluster looks like; each environment that names a cluster gets one.
	Cluster *Cluster `yaml:"cluster,omitempty"`
	// Environments say where each environment lives on Google Cloud, by its name.
	Environments map[string]Landing `yaml:"environments,omitempty"`
}

// Cluster is the one definition of all GKE clusters.
type Cluster struct {
	// Channel is the release channel: RAPID, REGULAR, STABLE, EXTENDED; REGULAR without it.
	Channel string `yaml:"channel,omitempty"`
	// Pools are its node pools.
	Pools []Pool `yaml:"pools"`
}

// Pool is a node pool.
type Pool struct {
	// Name is what the pool is called.
	Name string `yaml:"name"`
	// Machine is the machine type: n2d-standard-8.
	Machine string `yaml:"machine"`
	// Min is how many nodes a zone has at the least.
	Min int `yaml:"min,omitempty"`
	// Max is how many nodes a zone has at the most.
	Max int `yaml:"max"`
	// DiskGB is the size of a node's disk; 100 without it.
	DiskGB int `yaml:"disk-gb,omitempty"`
	// Spot says that its nodes may be taken away at any time.
	Spot bool `yaml:"spot,omitempty"`
	// Labels are what workloads choose nodes by.
	Labels map[string]string `yaml:"labels,omitempty"`
}

// Landing is where an environment lives on Google Cloud, and what exists there already.
type Landing struct {
	// Project is the project's ID.
	Project string `yaml:"project,omitempty"`
	// Region is where everything of it is: europe-west1.
	Region string `yaml:"region,omitempty"`
	// Network is its network: projects/shop-net/global/networks/shop.
	Network string `yaml:"network,omitempty"`
	// Subnetwork is where the nodes of its cluster are.
	Subnetwork string `yaml:"subnetwork,omitempty"`
	// Pods is the name of the subnetwork's secondary range for pods.
	Pods string `yaml:"pods,omitempty"`
	// Services is the name of the subnetwork's secondary range for services.
	Services string `yaml:"services,omitempty"`
	// Cluster is the name of its GKE cluster.
	Cluster string `yaml:"cluster,omitempty"`
	// AdoptCluster says that the cluster exists already.
	AdoptCluster bool `yaml:"adopt-cluster,omitempty"`
	// Namespace is where the objects lie that stand for what exists already.
	Namespace string `yaml:"namespace,omitempty"`
	// Databases are servers of Cloud SQL for PostgreSQL, by the names of the environment's databases.
	Databases map[string]LandedDatabase `yaml:"databases,omitempty"`
	// Caches are instances of Memorystore for Valkey, by the names of the environment's caches.
	Caches map[string]LandedCache `yaml:"caches,omitempty"`
	// Buckets are buckets of Cloud Storage, by the names of the environment's buckets.
	Buckets map[string]LandedBucket `yaml:"buckets,omitempty"`
	// Topics are topics of Pub/Sub, by their names.
	Topics map[string]LandedTopic `yaml:"topics,omitempty"`
	// Identities are service accounts that workloads use, by their IDs.
	Identities map[string]LandedIdentity `yaml:"identities,omitempty"`
	// Records are records of Cloud DNS, by their names without the last dot.
	Records map[string]LandedRecord `yaml:"records,omitempty"`
	// Repositories are repositories of container images in Artifact Registry, by their names.
	Repositories map[string]LandedRepository `yaml:"repositories,omitempty"`
}

// LandedDatabase is a server of Cloud SQL that a round filled.
type LandedDatabase struct {
	// Instance is the name of the instance.
	Instance string `yaml:"instance,omitempty"`
	// Database is the name of the database in it; the database's own name without it.
	Database string `yaml:"database,omitempty"`
	// Version is the major version of PostgreSQL: "17".
	Version string `yaml:"version,omitempty"`
	// Tier is the machine type: db-custom-4-15360.
	Tier string `yaml:"tier,omitempty"`
	// DiskGB is the size of the disk.
	DiskGB int `yaml:"disk-gb,omitempty"`
	// Zonal says that it has no standby in another zone.
	Zonal bool `yaml:"zonal,omitempty"`
	// Identity is the ID of the service account that logs in, without a password.
	Identity string `yaml:"identity,omitempty"`
	// User is the name of the user that logs in by a password, in the place of an identity.
	User string `yaml:"user,omitempty"`
}

// LandedCache is an instance of Memorystore for Valkey.
type LandedCache struct {
	// Instance is the name of the instance.
	Instance string `yaml:"instance,omitempty"`
	// Version is its engine version: VALKEY_8_0.
	Version string `yaml:"version,omitempty"`
	// Node is the type of its nodes: HIGHMEM_MEDIUM.
	Node string `yaml:"node,omitempty"`
	// Shards is how many shards it has; 1 without it.
	Shards int `yaml:"shards,omitempty"`
	// Replicas is how many replicas each shard has.
	Replicas int `yaml:"replicas,omitempty"`
}

// LandedBucket is a bucket of Cloud Storage.
type LandedBucket struct {
	// Bucket is the name of the bucket.
	Bucket string `yaml:"bucket,omitempty"`
	// Location is where it is, when that is not the environment's region.
	Location string `yaml:"location,omitempty"`
}

// LandedTopic is a topic of Pub/Sub with its subscriptions.
type LandedTopic struct {
	// Subscriptions are the names of its subscriptions.
	Subscriptions []string `yaml:"subscriptions,omitempty"`
}

// LandedIdentity is a service account that a workload uses.
type LandedIdentity struct {
	// Namespace is where the workload's service account of Kubernetes is; the environment's namespace without it.
	Namespace string `yaml:"namespace,omitempty"`
	// ServiceAccount is the name of the workload's service account of Kubernetes; the ID without it.
	ServiceAccount string `yaml:"service-account,omitempty"`
	// Databases says that it logs in to databases of Cloud SQL.
	Databases bool `yaml:"databases,omitempty"`
}

// LandedRecord is a record set of Cloud DNS.
type LandedRecord struct {
	// Zone is the name of the managed zone.
	Zone string `yaml:"zone,omitempty"`
	// Type is the type of its records: A, CNAME.
	Type string `yaml:"type,omitempty"`
	// TTL is how many seconds it may be kept; 300 without it.
	TTL int `yaml:"ttl,omitempty"`
	// Data are its records.
	Data []string `yaml:"data,omitempty"`
}

// LandedRepository is a repository of container images.
type LandedRepository struct {
	// Location is where it is, when that is not the environment's region.
	Location string `yaml:"location,omitempty"`
	// Immutable says that a tag, once pushed, stays what it is.
	Immutable bool `yaml:"immutable,omitempty"`
}
