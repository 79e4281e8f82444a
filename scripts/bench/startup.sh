#!/bin/bash
# startup.sh: goals 11 and 12, how long `vexxy version` takes against an empty
# Go program, and how large the binary is.
source "$(dirname "$0")/lib.sh"
RUNS=${RUNS_STARTUP:-15}

make -s build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'package main\n\nfunc main() {}\n' > "$work/main.go"
printf 'module empty\n\ngo 1.24\n' > "$work/go.mod"
(cd "$work" && go build -o empty .)

# wall PROGRAM ARG...: its time in milliseconds.
wall() {
    local start
    start=$(now)
    "$@" > /dev/null
    calc "$(elapsed "$start") * 1000"
}

bin/vexxy version > /dev/null   # into the page cache
"$work/empty"
ours='' base=''
for ((i = 0; i < RUNS; i++)); do
    ours+=" $(wall bin/vexxy version)"
    base+=" $(wall "$work/empty")"
done
report "goal 11: start of the program" "vexxy version" "$ours" "an empty Go program" "$base" ms "at most 100 ms"
# shellcheck disable=SC2086
outcome "vexxy version, ms" "$(median $ours)" 100

size=$(stat -c %s bin/vexxy)
packed=$(xz -T0 -6 -c bin/vexxy | wc -c)
report "goal 12: size of the binary, once" "as xz" "$(calc "$packed / 1e6")" "stripped" "$(calc "$size / 1e6")" MB "at most 60 MB as xz"
outcome "as xz, MB" "$(calc "$packed / 1e6")" 60
