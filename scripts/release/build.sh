#!/bin/sh
# build.sh VERSION ARCHITECTURE OUT: builds the program as it is released, for
# Linux on amd64 or arm64 ("" is this machine's). The same source, version and
# Go make the same bytes, wherever the source lies: no path, no time and no
# state of the repository gets in.
set -eu
version=$1 arch=$2 out=$(realpath -m "$3")
cd "$(dirname "$0")/../.."
export CGO_ENABLED=0 GOFLAGS=-trimpath GOOS=linux
if [ -n "$arch" ]; then export GOARCH="$arch"; fi
exec go build -buildvcs=false -ldflags "-s -w -buildid= -X github.com/vexxy/action/internal/app.version=$version" -o "$out" ./cmd/vexxy
