# make demo   a whole run on a demo application: the quickest look at vexxy
# make test   everything that is checked, with the set-up it needs
#
# Both begin on a Debian 12 machine with Go, as root or with sudo.
# The other targets are their parts.

GO ?= go
CACHE := $(CURDIR)/.cache
# Cgo is off: one static binary that runs in any Linux. All that is built here
# is built with the same two settings, so that nothing is compiled twice.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
FLAGS := -ldflags '-s -w -X github.com/vexxy/action/internal/app.version=$(VERSION)'
# The advisories are a sample of a known day, so the demo lifts the limit on
# the age of the database, where it can be seen. Real runs must not.
AGE := 0
DB := $(CACHE)/vulnerability-db

.PHONY: demo test build images db lint unit e2e bench clean setup FORCE

demo: setup build db $(CACHE)/bin/images $(CACHE)/bin/registry
	$(CACHE)/bin/images build demo
	$(CACHE)/bin/registry -push demo=$(CACHE)/images/demo -- \
		bin/vexxy run --vulnerability-db $(DB)/installed --max-db-age $(AGE) \
		--http-probe / --http-probe '/search?q=march' --http-probe /feed --http-probe /healthz \
		--output-dir vexxy-results '{demo}'

test:
	scripts/test.sh

setup:
	scripts/setup/packages.sh demo
	scripts/setup/docker.sh

build: bin/vexxy

bin/vexxy: FORCE
	$(GO) build $(FLAGS) -o $@ ./cmd/vexxy

$(CACHE)/bin/%: FORCE
	$(GO) build -o $@ ./scripts/$*

# All fixture images; see scripts/images/README.md.
images: $(CACHE)/bin/images
	scripts/setup/packages.sh test
	$(CACHE)/bin/images build all

# The demo's vulnerability database, out of testdata/advisories.
db: $(DB)/.made
$(DB)/.made: $(wildcard testdata/advisories/*) $(wildcard scripts/demodb/*.go scripts/demodb/go.*)
	rm -rf $(DB)
	cd scripts/demodb && $(GO) run . build -advisories $(CURDIR)/testdata/advisories -out $(DB)
	touch $@

lint:
	scripts/test.sh lint

unit:
	scripts/test.sh unit

e2e:
	scripts/test.sh e2e

# Kubernetes and Kubescape without a registry; see scripts/testbed/README.md.
include scripts/testbed/testbed.mk

# The measures of scripts/bench/README.md, one after the other.
bench: setup build db
	scripts/setup/packages.sh bench
	scripts/bench/all.sh

# Parts of the cache belong to root, as the packages in it were installed by root.
clean:
	rm -rf bin vexxy-results
	rm -rf .cache 2>/dev/null || sudo -n rm -rf .cache
