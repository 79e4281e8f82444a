package sensor

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go@v0.22.0 -tags linux -target amd64,arm64 -cc clang -cflags "-O2 -g -mcpu=v3 -Wall -Werror" -type event -type group -type mark probe bpf/sensor.bpf.c
//go:generate sh -c "bpf/stamp.sh > bpf/stamp"
