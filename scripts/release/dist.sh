#!/bin/sh
# dist.sh VERSION DIR: builds what a release publishes into DIR, for both
# architectures, with the file of checksums.
set -eu
here=$(dirname "$0")
mkdir -p "$2"
for arch in amd64 arm64; do
    "$here/build.sh" "$1" "$arch" "$2/vexxy_linux_$arch"
done
cd "$2"
sha256sum vexxy_linux_amd64 vexxy_linux_arm64 > SHA256SUMS
cat SHA256SUMS
