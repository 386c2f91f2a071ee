# Servers are real and private: testbed/ installs and runs them (see testbed/up).
# BASCULE_TEST_MYSQL, _MARIADB, _POSTGRES, _POSTGRES18 name other servers instead.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Packages whose goroutines share memory run under the race detector, which
# costs five times the CPU; the rest without. The wire protocol runs both ways:
# its giant values, which one goroutine reads, without the detector; and so does follow, whose ten thousand runs go without.
RACE := /internal/(cli|event|migration|mysql|postgres|round/drive|round/outside|round/store|snapshot|verify|web)$$
# The race detector needs cgo and a C compiler.
RACE_FLAG := $(shell test "$$(go env CGO_ENABLED)" = 1 && command -v "$$(go env CC)" >/dev/null && echo -race)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/bascule
	go build -trimpath -o bin/bascule ./cmd/bascule

.PHONY: test
test: servers-up browser ## start the servers, then run every test
	go test -timeout 40m $$(go list ./... | grep -vE '$(RACE)')
	go test $(RACE_FLAG) -timeout 30m $$(go list ./... | grep -E '$(RACE)')
	$(if $(RACE_FLAG),go test $(RACE_FLAG) -short ./internal/mysql/wire ./internal/follow)

.PHONY: browser
browser: ## install what the dashboard's browser test needs; without it that test is skipped, and says so
	@internal/web/browser/install >/dev/null || echo "no browser could be installed: the dashboard's browser test is skipped"

.PHONY: lint
lint: ## run the pinned linters
	bin=$$(tools/build) && "$$bin/golangci-lint" run ./...

.PHONY: fmt
fmt: ## format the Go code
	bin=$$(tools/build) && "$$bin/golangci-lint" fmt ./...

.PHONY: fmt-check
fmt-check: ## fail when fmt would change something
	bin=$$(tools/build) && "$$bin/golangci-lint" fmt --diff ./...

.PHONY: deadcode
deadcode: ## fail on functions that no program reaches
	tools/deadcode

.PHONY: ci
ci: ## everything that a change must pass
	.ci/run

.PHONY: demo
demo: ## move a platform of four environments, round by round; KEEP=1 leaves the dashboard open
	demo/run $(if $(KEEP),--keep)

.PHONY: demo-move
demo-move: build ## move one generated marketplace of two million rows into PostgreSQL and verify it
	demo/move

.PHONY: bench-copy
bench-copy: build ## copy: bascule, pgloader and a shell pipeline, in turn
	testbed/install mariadb postgres15 pgloader
	bench/copy

.PHONY: bench-memory
bench-memory: build ## copy: the memory that values of 64 MiB take
	testbed/install mariadb postgres15
	bench/copy --sets blobs --rounds 1 --movers bascule

.PHONY: bench-verify
bench-verify: build ## verify: rows/s and bytes over the wire
	testbed/install mariadb postgres15
	bench/verify

.PHONY: bench-follow
bench-follow: build ## follow: bascule and a native replica apply the same backlog, then lag under load
	testbed/install mariadb postgres15
	bench/follow

.PHONY: bench-cutover
bench-cutover: build ## cutover: an application moves to and fro under load, and the write freeze is timed
	testbed/install mariadb postgres15
	bench/cutover

.PHONY: bench-dashboard
bench-dashboard: ## dashboard: first load, bytes and CPU, with 40 databases, 2,000 tables and 20 viewers
	go run ./bench/dashboard

.PHONY: crash
crash: servers-up ## 100 random kill -9 during shared copies (long)
	BASCULE_CRASHES=$${BASCULE_CRASHES:-100} go test -count=1 -timeout 3h -v -run TestKill ./internal/crashtest

.PHONY: soak
soak: servers-up ## 30 minutes of writes and kills on each source, while copy and follow run (long)
	BASCULE_SOAK=$${BASCULE_SOAK:-30m} BASCULE_SOAK_KILLS=$${BASCULE_SOAK_KILLS:-60} go test -count=1 -timeout 8h -v -run TestSoak ./internal/crashtest

.PHONY: test-apiserver
test-apiserver: ## apply what is written for a cluster to a real API server, which the first run builds (long); FROM=DIR of manifests
	programs=$$(tools/apiserver/build) && BASCULE_APISERVER=$$programs BASCULE_APISERVER_FROM='$(abspath $(FROM))' \
		go test -count=1 -timeout 30m -v ./internal/acceptance/apiserver

.PHONY: test-helm
test-helm: ## render a chart with Helm 3 and Helm 4, which the first run builds (long), and deploy it in each way with the patches
	programs=$$(tools/helm/build) && BASCULE_HELM=$$programs go test -count=1 -timeout 10m -v ./internal/acceptance/helm

.PHONY: servers-up
servers-up: ## install and start the test servers
	testbed/up

.PHONY: servers-down
servers-down: ## stop the test servers
	testbed/down

.PHONY: clean
clean: ## remove what builds left; the testbed stays
	rm -rf bin coverage.out
