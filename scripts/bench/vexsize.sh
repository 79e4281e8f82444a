#!/bin/bash
# vexsize.sh: goal 10, the size of the OpenVEX document of 5,000 findings:
# 1,000 vulnerabilities in five packages each, four fifths cleared. The other
# side holds the same findings and texts with one statement a finding and one
# product. Sizes do not vary, so that one run is enough.
source "$(dirname "$0")/lib.sh"

measured=$(go test ./internal/vexdoc -run '^$' -bench '^BenchmarkSize$' -benchtime 1x)
value() { awk -v unit="$1" '/^BenchmarkSize/ { for (i = 3; i < NF; i += 2) if ($(i + 1) == unit) print $i }' <<< "$measured"; }

size=$(calc "$(value bytes) / 1000")
report "goal 10: OpenVEX of 5,000 findings" "grouped" "$size" "one statement a finding" "$(calc "$(value ungrouped-bytes) / 1000")" kB "at most 450 kB"
echo "  bytes a finding: $(value bytes/finding); as gzip: $(calc "$(value gzip-bytes) / 1000") kB"
outcome "grouped, kB" "$size" 450
