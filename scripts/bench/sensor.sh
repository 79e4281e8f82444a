#!/bin/bash
# sensor.sh: goals 5, 6 and 7, measured by the sensor's own tests on real
# containers. Each benchmark runs its workload bare and observed by turns, five
# times each, and prints both medians and their ratio.
source "$(dirname "$0")/lib.sh"

scripts/setup/packages.sh test
binary=$(mktemp)
trap 'rm -f "$binary"' EXIT
go test -c -o "$binary" ./internal/sensor
cd internal/sensor

echo 'goal 5: recall against fanotify in the same run (goal: 100 %)'
"$binary" -test.run TestRecallAgainstFanotify -test.v | sed -n 's/^ *groundtruth_test.go:[0-9]*: /  /p; /^--- FAIL/p'

echo 'goal 6: 50,000 distinct files (goal: 0 lost, or counted)'
echo 'goal 7: per open in a flat loop (goal: ratio at most 2), at real starts (at most 1.05)'
"$binary" -test.run '^$' -test.bench . -test.benchtime 1x -test.timeout 30m
