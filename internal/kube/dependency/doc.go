// Package dependency owns the map of who uses what: which workload uses which
// database, cache, bucket, queue, secret and host, as its manifests tell; where
// each was found, and how sure it is; which workloads must move together
// because they share state; and a picture of it. It talks to nothing, so what
// no manifest names it cannot know, and it says what it could not follow. It
// never repeats the value of a secret.
package dependency
