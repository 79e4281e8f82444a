#!/bin/sh
# build.sh NAME...: builds fixture images and prints the path of each one's OCI
# layout (with -archive first: of its docker archive). See README.md.
set -eu
cd "$(dirname "$0")/../.."
exec go run ./scripts/images build "$@"
