#!/bin/bash
# judge.sh: goal 4, judging a record and writing its document, at 10,000
# packages with 5,000 findings, against the same at a quarter and at double
# the size. Time is wall time; processor time stands beside it, since the
# machine may be shared.
source "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go test -c -o "$work/judge.test" ./internal/vexdoc

# one PACKAGES: "wall-ms cpu-ms peak-MiB allocated-MB" of one pass in a process of its own.
one() {
    (cd "$work" && ./judge.test -test.run '^$' -test.bench "BenchmarkJudge/packages=$1\$" -test.benchtime 3x -test.benchmem) |
        awk '/^BenchmarkJudge/ { for (i = 3; i < NF; i += 2) v[$(i + 1)] = $i
            printf "%.1f %.1f %.1f %.2f\n", v["ns/op"] / 1e6, v["cpu-ms/op"], v["peak-MiB"], v["B/op"] / 1e6 }'
}

declare -A wall cpu peak allocated
for ((i = 0; i < RUNS; i++)); do
    for size in 5000 10000 20000; do
        read -r w c p a < <(one "$size")
        wall[$size]+=" $w" cpu[$size]+=" $c" peak[$size]+=" $p" allocated[$size]+=" $a"
    done
done

report "goal 4: growth, wall" "20,000 packages, 10,000 findings" "${wall[20000]}" "5,000 packages, 2,500 findings" "${wall[5000]}" ms "at most 4.5"
report "goal 4: growth, processor" "20,000 packages, 10,000 findings" "${cpu[20000]}" "5,000 packages, 2,500 findings" "${cpu[5000]}" ms "at most 4.5"
report "goal 4: growth, memory allocated" "20,000 packages, 10,000 findings" "${allocated[20000]}" "5,000 packages, 2,500 findings" "${allocated[5000]}" MB "no load of the machine changes it"
report "goal 4: 10,000 packages, 5,000 findings" "wall" "${wall[10000]}" "processor" "${cpu[10000]}" ms "wall at most 500 ms"
# The lists are split on purpose.
# shellcheck disable=SC2086
{
    outcome "wall, ms" "$(median ${wall[10000]})" 500
    outcome "peak memory, MiB" "$(median ${peak[10000]})" 256
    outcome "growth, processor" "$(calc "$(median ${cpu[20000]}) / $(median ${cpu[5000]})")" 4.5
}
