#!/bin/bash
# check-bpf.sh: the committed eBPF objects and their Go code are what the C
# sources make. The sources' stamp must agree everywhere; where clang has the
# version that the stamp names, everything is made again and compared byte by
# byte. Another version makes other bytes, so there the objects are only
# compiled, to see that they can be.
set -euo pipefail
cd "$(dirname "$0")/../internal/sensor"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bpf/stamp.sh > "$work/stamp"
if ! diff <(tail -n +2 bpf/stamp) <(tail -n +2 "$work/stamp"); then
    echo "check-bpf.sh: the C sources changed; run: go generate ./internal/sensor" >&2
    exit 1
fi
line=$(sed -n 's|^//go:generate go run ||p' generate.go)
GOPACKAGE=sensor bash -c "go run ${line/ / -output-dir \"$work\" }" > /dev/null
if [ "$(head -n 1 bpf/stamp)" != "$(head -n 1 "$work/stamp")" ]; then
    echo "check-bpf.sh: sources agree; $(head -n 1 "$work/stamp") compiles them, objects are of $(head -n 1 bpf/stamp)"
    exit 0
fi
for file in probe_*_bpfel.*; do
    cmp "$file" "$work/$file" || { echo "check-bpf.sh: run: go generate ./internal/sensor" >&2; exit 1; }
done
echo "check-bpf.sh: $(find . -maxdepth 1 -name 'probe_*_bpfel.*' | wc -l) generated files are current"
