#!/bin/bash
# trivy.sh: builds Trivy's command line from a module of its own, and a database
# of Trivy's from the advisory facts in testdata, and lets Trivy read what
# vexxy attests to images. It needs Docker, and no network but the Go module
# proxy's and what the fixture images need. Building takes minutes the first
# time.
set -euo pipefail
cd "$(dirname "$0")/../.."

export CGO_ENABLED=0 GOFLAGS=-trimpath
cache=$PWD/.cache start=$SECONDS
# Trivy reads JSON by a package that Go still has as an experiment.
(cd scripts/consumers/trivy &&
    GOEXPERIMENT=jsonv2 go build -ldflags '-s -w' -o "$cache/bin/trivy" tool &&
    GOEXPERIMENT=jsonv2 go run . "$OLDPWD/testdata/advisories" "$cache/trivy")
echo "Trivy: built in $((SECONDS - start))s"
VEXXY_TEST_TRIVY=$cache/bin/trivy VEXXY_TEST_TRIVY_CACHE=$cache/trivy \
    go test -vet=off -count=1 -timeout 15m -run '^TestTrivyReads$' -v ./internal/e2e | grep -vE '^ *=== '
