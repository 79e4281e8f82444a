#!/bin/bash
# cosign.sh [VERSION...]: builds cosign's command line, versions 2 and 3 unless
# told otherwise, from modules of their own, and lets it verify what vexxy
# writes. It needs no network but the Go module proxy's. Building one takes
# minutes the first time, the test seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."

export CGO_ENABLED=0 GOFLAGS=-trimpath
bin=$PWD/.cache/bin
programs=
[ $# -gt 0 ] || set -- 2 3
for version in "$@"; do
    start=$SECONDS
    (cd "scripts/consumers/cosign$version" && go build -o "$bin/cosign$version" tool)
    echo "cosign $version: built in $((SECONDS - start))s"
    programs=$programs${programs:+:}$bin/cosign$version
done
VEXXY_TEST_COSIGN=$programs go test -vet=off -count=1 -run TestCosignVerifies -v ./internal/attest | grep -vE '^ *=== '
