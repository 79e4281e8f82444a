#!/bin/bash
# gomod.sh 1.34.4: makes go.mod for that release of Kubernetes; `go mod tidy`
# does the rest. k8s.io/kubernetes names its own modules v0.0.0 and replaces
# them by folders, so each needs a replacement by its published v0.34.4.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
version=$1
dir=$(go mod download -json "k8s.io/kubernetes@v$version" | jq -r .Dir)
{
    printf 'module testbed.local/kubernetes\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$version"
    go mod edit -json "$dir/go.mod" | jq -r --arg v "v0.${version#*.}" '.Replace[] | "\t\(.Old.Path) => \(.Old.Path) \($v)"'
    echo ")"
} > go.mod
