// Package web owns the dashboard: one page that shows the rounds of a platform, live, and lets people answer where a round waits for them. Everything that it
// sends is in the binary.
//
// It drives nothing: what a person says becomes an entry of the round's journal, checked against its history like any other, and whoever drives the round reads
// it there. It asks no database, holds no secret, and shows none. Without a token it only shows, and that only to the machine that it runs on.
//
// The pieces, each using only what stands above it:
//
//   - document.go is a state as sections of keys, and what changed between two of them;
//   - watch.go reads a round's journal, only what is new of it; view*.go makes of it what the page shows;
//   - hub.go keeps one document for all its viewers; stream.go sends it to one of them;
//   - guard.go and who.go decide which requests are answered, and to whom;
//   - act.go takes what people say;
//   - metrics.go tells Prometheus; asset.go holds the page; web.go and serve.go put it all together.
package web
