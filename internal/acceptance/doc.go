// Package acceptance owns the stories that the program promises, told with the
// built binary on real servers and judged by a comparison that shares no code with
// it. It is tests only, and it looks at nothing but what a user sees.
package acceptance
