// Package estate owns the proof of the translation of workloads on a whole estate: the marketplace of examples/marketplace in its four environments. It
// is tests only: what is written is valid, nothing acts twice, a change stays as small as it was, and what people wrote stays.
package estate
