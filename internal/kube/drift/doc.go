// Package drift owns the comparison of regions: environments that hold the same
// application, laid side by side. It matches their objects, finds each
// difference by its path, says which are the region's own and which are drift,
// and suggests a harmonised value where something supports one. It reads no
// file and changes none, it takes no two names for one object unless somebody
// has said so, and it never repeats the value of a secret.
package drift
