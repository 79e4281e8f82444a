#!/bin/bash
# all.sh [FIXTURE]: a fresh cluster, Kubescape in it, one scan of a fixture
# (nginx unless named), and away with it. Prints seconds.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
name=bed-all-$$
trap '"$here/cluster.sh" down "$name"' EXIT
"$here/cluster.sh" up "$name"
"$here/cluster.sh" install "$name"
"$here/scan.sh" "$name" "${1:-nginx}"
echo "total=${SECONDS}"
