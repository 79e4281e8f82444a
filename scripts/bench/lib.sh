#!/bin/bash
# lib.sh: what the measures share. Source it; it changes to the repository.
# Every measure prints both sides and their ratio, each the median of at least
# five runs taken in turn on this machine: see README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# RUNS is how many times each side runs.
RUNS=${RUNS:-5}
# As in the Makefile, so that nothing is compiled twice.
export CGO_ENABLED=0 GOFLAGS=-trimpath
cache=$PWD/.cache
export cache

# now: seconds with a fraction.
now() { date +%s.%N; }

# elapsed START: seconds since START.
elapsed() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.3f", b - a }'; }

# calc EXPRESSION: what awk makes of it, to three digits.
calc() { awk "BEGIN { printf \"%.3f\", ($1) }"; }

# median NUMBER...
median() {
    printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END {
        if (NR == 0) exit 1
        printf "%.3f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# report GOAL OURS-LABEL "OURS..." BASE-LABEL "BASE..." UNIT LIMIT: both sides
# with their medians, and the ratio. LIMIT is the goal in words.
report() {
    local a b
    # The lists are split on purpose.
    # shellcheck disable=SC2086
    a=$(median $3) b=$(median $5)
    echo "$1"
    printf '  %-34s %10s %s   (%s)\n' "$2" "$a" "$6" "$3"
    printf '  %-34s %10s %s   (%s)\n' "$4" "$b" "$6" "$5"
    printf '  %-34s %10s     goal: %s\n' ratio "$(calc "$a / $b")" "$7"
}

# outcome NAME VALUE LIMIT: one line that says whether VALUE is within LIMIT.
outcome() {
    if awk -v v="$2" -v l="$3" 'BEGIN { exit !(v <= l) }'; then
        echo "  $1: $2, within $3"
    else
        echo "  $1: $2, NOT within $3"
    fi
}

# helper NAME: builds a program of scripts/ into the cache and prints its path.
helper() { make -s "$cache/bin/$1" >&2 && echo "$cache/bin/$1"; }

# need_bed: builds what runs on the test bed need; see scripts/testbed.
need_bed() {
    scripts/setup/packages.sh demo
    scripts/setup/docker.sh
    make -s build db testbed
}

# bed_node: the name of the bed's node image.
bed_node() { echo "testbed/node:$(sed -n 's/^kubernetes=\([^ ]*\).*/\1/p' scripts/testbed/common.sh)"; }

# in_cluster LOG ARGUMENT...: a run with a cluster of its own on the test bed.
# Its output goes to LOG, and to standard error if it fails.
in_cluster() {
    local log=$1 apps=() app; shift
    # The bed's database server is for clusters that are given no database.
    for app in kubevuln node-agent operator storage; do apps+=(--image-archives "$cache/testbed/apps/$app.tar"); done
    bin/vexxy run --engine kubescape --node-image "$(bed_node)" --chart testdata/chart/kubescape-operator "${apps[@]}" \
        --vulnerability-db "$cache/vulnerability-db/installed" --max-db-age 0 "$@" > "$log" 2>&1 || { cat "$log" >&2; return 1; }
}
