#!/bin/bash
# registry.sh DIR: puts Debian's docker-registry (CNCF Distribution), which the
# tests of attesting write to, below DIR unless it is there, and prints the path
# of its program. It is unpacked and not installed: no service starts.
set -euo pipefail
dir=$1/docker-registry
program=$dir/usr/bin/docker-registry
if [ ! -x "$program" ]; then
    as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
    mkdir -p "$1"
    new=$(mktemp -d "$1/docker-registry.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    (cd "$new" && { apt-get -qq download docker-registry || { as_root apt-get -qq update && apt-get -qq download docker-registry; }; }) >&2
    dpkg-deb -x "$new"/docker-registry_*.deb "$new/tree"
    rm -rf "$dir"
    mv -T "$new/tree" "$dir"
fi
echo "$program"
