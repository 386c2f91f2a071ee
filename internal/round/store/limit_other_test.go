//go:build !unix

package store

import "testing"

func limitFiles(t *testing.T, size string) {
	t.Helper()
	if size != "" {
		t.Skip("this system has no such limit")
	}
}
