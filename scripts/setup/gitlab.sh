#!/bin/bash
# gitlab.sh DIR: puts gitlab-ci-local, which runs GitLab pipelines without
# GitLab, below DIR unless it is there, and prints the path of its program for
# node. Newer versions need a newer Node.
set -euo pipefail
version=4.61.1
dir=$1/gitlab-ci-local-$version
tool=$dir/node_modules/gitlab-ci-local/src/index.js
if [ ! -f "$tool" ]; then
    mkdir -p "$1"
    new=$(mktemp -d "$1/gitlab-ci-local.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$new" "gitlab-ci-local@$version" >&2
    rm -rf "$dir"
    mv -T "$new" "$dir" 2> /dev/null || [ -f "$tool" ] # another one was quicker
fi
echo "$tool"
