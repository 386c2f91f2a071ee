// Package plain reads the plain values of Kubernetes' objects, as package manifest makes them: map[string]any, []any, string, int64, float64, bool
// and nil. What is not there, or is of another type, reads as nothing. It never changes a value, and knows no kind of object.
package plain
