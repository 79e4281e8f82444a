#!/bin/bash
# all.sh: every measure of this folder, one after the other.
set -euo pipefail
cd "$(dirname "$0")"
for measure in *.sh; do
    case $measure in lib.sh|all.sh) continue ;; esac
    echo "== $measure"
    "./$measure"
done
