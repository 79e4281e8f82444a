#!/bin/bash
# evidence.sh: goal 3, from the last evidence to the OpenVEX document on disk,
# with the demo's application; beside it the replay of the same record, which
# is the same work in a process of its own.
# shellcheck source=scripts/bench/lib.sh
. "$(dirname "$0")/lib.sh"

make -s build db
images=$(helper images)
layout=$("$images" build demo)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
runs=() replays=()
for _ in $(seq "$RUNS"); do
    bin/vexxy run --vulnerability-db "$cache/vulnerability-db/installed" --max-db-age 0 \
        --http-probe / --quiet 2s --output-dir "$work/run" "oci-dir:$layout" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    end=$(date -d "$(jq -r .evidence.window.end "$work/run/result.json")" +%s.%N)
    runs+=("$(awk -v a="$end" -v b="$(stat -c %.9Y "$work/run/vex.openvex.json")" 'BEGIN { printf "%.3f", b - a }')")
    start=$(now)
    bin/vexxy replay --output-dir "$work/replay" "$work/run/record" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    replays+=("$(elapsed "$start")")
done
report 'goal 3: last evidence to the OpenVEX document' 'the end of a run' "${runs[*]}" 'replay of its record' "${replays[*]}" s 'at most 0.5 s'
outcome 'the end of a run, s' "$(median "${runs[@]}")" 0.5
