#!/bin/bash
# test.sh [STEP...]: all checks, or the named ones, with what they need set up
# first. Each step says how long it took; any failure fails the whole, after
# the other steps have run. Steps: setup lint unit e2e cluster. No STEP is all.
# shellcheck disable=SC2317 # the functions are called by name
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# As in the Makefile, so that nothing is compiled twice.
export CGO_ENABLED=0 GOFLAGS=-trimpath
cache=$PWD/.cache
tools=$cache/bin
passed=0
failed=()
begun=$SECONDS

# step NAME COMMAND...
step() {
    local name=$1 start=$SECONDS; shift
    echo "=== $name"
    if "$@"; then
        passed=$((passed + 1))
        echo "--- $name: ok, $((SECONDS - start))s"
    else
        failed+=("$name")
        echo "--- $name: FAILED, $((SECONDS - start))s"
        return 1
    fi
}

finish() {
    echo "took $((SECONDS - begun))s"
    [ ${#failed[@]} = 0 ] || printf 'failed: %s\n' "${failed[@]}"
    echo "steps: $passed passed, ${#failed[@]} failed"
    [ ${#failed[@]} = 0 ]
    exit
}

# Modules of their own, so that they do not move the product's versions. Those
# of the test bed are built where they are used: they are a cluster's programs.
modules() { git ls-files 'scripts/demodb/go.mod' 'scripts/images/go/*/go.mod' 'scripts/consumers/trivy/go.mod' | xargs -rn1 dirname; }
scripts_of_shell() { git ls-files -z | xargs -0 grep -lE -m1 '^#!/bin/(ba)?sh' -- | sort; }

build_tools() { (cd scripts/tools && go build -o "$tools/" tool); }
# What runs the action as GitHub does.
build_act() { (cd scripts/act && go build -o "$tools/" tool); }
# What runs the component as GitLab does.
fetch_gitlab() { scripts/setup/gitlab.sh "$cache" > /dev/null; }
check_format() {
    local out
    out=$(git ls-files '*.go' | xargs gofmt -l) || return 1
    if [ -n "$out" ]; then echo "gofmt would change: $out"; return 1; fi
}
check_vet() {
    local m
    go vet ./... || return 1
    for m in $(modules); do (cd "$m" && go vet ./...) || return 1; done
}
check_static() { "$tools/staticcheck" ./...; }
check_shell() { scripts_of_shell | xargs shellcheck; }
# Lines may be long: descriptions are one line each.
check_yaml() {
    git ls-files -z 'templates/*.yml' | xargs -0 yamllint -s -d '{extends: default, rules: {line-length: disable, document-start: disable}}'
}
check_arm64() { GOARCH=arm64 go vet ./internal/sensor/...; }
# What needs a cluster, or programs that take minutes to build, is left out by
# its name here, and not skipped: it has steps of its own.
unit_tests() {
    local registry
    registry=$(scripts/setup/registry.sh "$cache") || return 1
    go list ./... | grep -v /internal/e2e | VEXXY_TEST_REGISTRY=$registry xargs go test -vet=off -timeout 20m -skip '^Test(Cluster|CosignVerifies|RealServices)'
}
module_tests() {
    local m
    for m in $(modules); do
        (cd "$m" && go test -vet=off -timeout 10m ./...) || return 1
    done
}
shim_tests() { node --test scripts/action/test/*.test.js; }
e2e_tests() { go test -vet=off -timeout 40m -v -skip '^Test(Kubescape|ExistingCluster|TrivyReads)' ./internal/e2e/... | grep -vE '^=== (RUN|PAUSE|CONT)'; }
bed_tests() {
    local m
    for m in helm agents; do
        (cd "scripts/testbed/go/$m" && go test -vet=off -timeout 10m ./...) || return 1
    done
}
# in_bed COMMAND...: with what the test bed has for a cluster.
in_bed() {
    VEXXY_TEST_NODE_IMAGE=$(. scripts/testbed/common.sh && echo "$node_image") \
    VEXXY_TEST_CHART=testdata/chart/kubescape-operator VEXXY_TEST_ARCHIVES=.cache/testbed/apps "$@"
}
cluster_tests() { in_bed go test -vet=off -timeout 15m ./internal/cluster; }
cluster_e2e_tests() {
    in_bed go test -vet=off -timeout 35m -v -parallel 2 -run '^Test(Kubescape|ExistingCluster)' ./internal/e2e | grep -vE '^=== (RUN|PAUSE|CONT)'
}

setup_steps() {
    step packages scripts/setup/packages.sh test || finish
    step docker scripts/setup/docker.sh || finish
    step tools build_tools || finish
}
lint_steps() {
    step gofmt check_format
    step vet check_vet
    step staticcheck check_static
    step actionlint "$tools/actionlint"
    step shellcheck check_shell
    step yamllint check_yaml
    step 'eBPF objects are current' scripts/check-bpf.sh
    step 'sensor on arm64' check_arm64
}
unit_steps() {
    step 'unit and integration tests' unit_tests
    step "scripts' tests" module_tests
    step 'signing with Fulcio and Rekor' scripts/consumers/sigstore.sh
    step 'verifying with cosign' scripts/consumers/cosign.sh
    step 'action shim' shim_tests
}
e2e_steps() {
    step build make -s build || finish
    step database make -s db || finish
    step images make -s images || finish
    step act build_act || finish
    step gitlab-ci-local fetch_gitlab || finish
    step 'end-to-end tests' e2e_tests
    step 'reading with Trivy' scripts/consumers/trivy.sh
}
cluster_steps() {
    step 'test bed' make -s testbed || return
    step "test bed's tests" bed_tests
    step 'cluster tests' cluster_tests
    step 'cluster engine end to end' cluster_e2e_tests
}

[ $# -gt 0 ] || set -- setup unit e2e cluster lint
case " $* " in *" setup "*) ;; *) set -- setup "$@" ;; esac
for part in "$@"; do
    case $part in
        setup|lint|unit|e2e|cluster) "${part}_steps" ;;
        *) echo "test.sh: unknown step $part" >&2; exit 2 ;;
    esac
done
finish
