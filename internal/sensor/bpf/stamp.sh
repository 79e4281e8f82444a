#!/bin/sh
# stamp.sh: what the generated files were made from. `go generate` writes it to
# bpf/stamp; scripts/check-bpf.sh compares.
set -eu
export LC_ALL=C
cd "$(dirname "$0")"
"${CLANG:-clang}" --version | sed -n 's/.*clang version \([0-9]*\).*/clang \1/p'
sed -n 's|^//go:generate .*/bpf2go@|bpf2go |p' ../generate.go
sha256sum ./*.c ./*.h
